--- How a run ends: evidence, compensation, locks, the end record, the exit status.

local exit = require("plat.run.exit")
local fault = require("plat.fault")
local lazy = require("plat.env").lazy
local memory = lazy("plat.run.memory")
local step_key = require("plat.run.key")
local task = require("plat.task")
local undo = lazy("plat.run.undo")

local M = {}

local UNDO_WITHIN = 300 -- seconds, unless the playbook says otherwise
local EVIDENCE = 30 -- seconds its function gets
local CLOSING = 30 -- seconds to release locks and write the end

--- Whether what a step did can be undone: by a compensation of its own, or of a step around it.
local function is_covered(run, key)
  for at in step_key.outwards(key) do
    if run.undo_steps[at] then
      return true
    end
  end
  return false
end

--- Returns the steps that changed something and have no compensation.
local function uncovered(run)
  local found = {}
  for key in pairs(run.touched) do
    if not step_key.is_undo(key) and not is_covered(run, key) then
      found[#found + 1] = key
    end
  end
  return found
end

--- Returns the changes of which nobody knows what became of them: nothing is undone over them.
local function unknown(run)
  local found = {}
  for _, change in ipairs(run.unsettled) do
    found[#found + 1] = change
  end
  for key, known in pairs(run.memory and run.memory.changes or {}) do
    local open = memory.is_dangling(known)
    if open and known.intent.recovery == "unknowable" and not run.reissued[key] then
      found[#found + 1] = known.intent
    end
  end
  return found
end

local function collect_evidence(run, err)
  if not run.journal or not run.journal.file then
    return
  end
  local _, problem = fault.try(task.shield, EVIDENCE, function()
    run.journal:evidence("failure.txt", fault.text(err, 3) .. "\n")
    local collect = run.playbook and run.playbook.evidence
    local text = collect and collect(run, err)
    if text then
      run.journal:evidence("evidence.txt", tostring(text) .. "\n")
    end
    return true
  end)
  if problem then
    run:log("evidence could not be collected: %s", problem.msg)
  end
end

local function undo_all(run, err, base)
  if not (run.memory and run.memory.undoing) then
    run:record({ type = "undo_start", cause = run.plain_fault(err), exit = base })
    run:sync()
  end
  local count = #run.undo
  run.reporter:emit("undo_start", { count = count, cause = err.msg })
  local within = run.playbook and run.playbook.undo_within or UNDO_WITHIN
  local ok, problem = xpcall(task.shield, fault.from_handler, within, run.undo_since, run, 0)
  return {
    count = count,
    done = count - #run.undo,
    failed = not ok and problem or nil,
    left = not ok and #run.undo or nil,
    uncovered = uncovered(run),
    no_return = run.passed_no_return,
  }
end

--- Undoes what a failed run did, if anything can and may be undone.
local function compensate(run, err, base)
  local begun = run.memory and run.memory.undoing -- perhaps killed behind the last of them
  if run.planning or not begun and run.changes == 0 then
    return nil
  end
  fault.try(undo.prune, run) -- a journal that is broken is told by the undo itself
  if not begun and #run.undo == 0 then
    return nil
  elseif run.options.no_undo then
    return { skipped = "--no-undo" }
  end
  local open = unknown(run)
  if #open > 0 then
    return { skipped = ("the state is unknown: %s"):format(open[1].text), unknown = open }
  end
  return undo_all(run, err, base)
end

--- Returns the status of a run whose compensation is known.
local function status_of(base, undone)
  if not undone or undone.skipped then
    return base
  elseif undone.failed then
    return 9
  elseif base == 2 and #undone.uncovered == 0 and not undone.no_return then
    return 8
  end
  return base
end

--- Whether `platrun resume` has something to go on with.
local function is_resumable(run, status, undone)
  if status == 0 or status == 8 then
    return false
  elseif status == 3 or status == 9 then
    return true
  end
  local all_undone = undone and undone.done and undone.done == undone.count
  return run.changes > 0 and not all_undone
end

local function release_locks(run, suspend)
  for _, lock in ipairs(run.locks) do
    local release = suspend and lock.suspend or lock.release
    local ok, err = fault.try(function()
      release(lock)
      return true
    end)
    if not ok then
      run:log("lock %s was not released: %s", lock.name, err.msg)
    end
  end
end

local function write_end(run, result)
  local ok, err = fault.try(function()
    run:record({
      type = "end",
      status = result.word,
      exit = result.exit,
      changes = run.changes,
      steps = run.steps,
      error = result.err and run.plain_fault(result.err) or nil,
      resumable = result.resumable or nil,
    })
    return true
  end)
  if not ok and not result.err then
    result.err, result.exit, result.word = err, 2, "failed"
  end
end

--- Ends a run and returns its result.
---@async
---@param run plat.Run
---@param err? plat.Fault what ended it
---@return { exit: integer, word: string, err: plat.Fault?, undone: table?, resumable: boolean }
function M.finish(run, err)
  local base = err and (run.undo_exit or exit.of(err, run.changes)) or 0
  local undone
  if err and not err.suspend and not run.planning then
    collect_evidence(run, err)
    undone = compensate(run, err, base)
  end
  if not err and run.hosts_seen then -- it came to its end, perhaps without some of its hosts
    err = require("plat.run.hosts.report").ending(run)
    base = err and err.exit or base
  end
  local status = status_of(base, undone)
  local result = {
    exit = status,
    word = status == 0 and (run.changes > 0 and "changed" or "ok") or exit.word(status),
    err = err,
    undone = undone,
    resumable = err ~= nil and is_resumable(run, status, undone),
  }
  task.shield(CLOSING, release_locks, run, err and err.suspend)
  if not run.planning then
    task.shield(CLOSING, write_end, run, result)
  end
  return result
end

--- Takes the locks of an earlier process again. When somebody else has one, nothing is undone.
local function lock_again(run)
  for name, record in pairs(run.memory.latest.lock) do
    if record.state ~= "asked" then
      local _, err = fault.try(run.lock, run, name, record.opts)
      if err then
        err.suspend = true
        error(err, 0)
      end
    end
  end
end

--- Goes on with the undo of a run whose process was killed in it, or whose undo failed.
---@async
---@param run plat.Run
function M.go_on_undoing(run)
  lock_again(run)
  local cause = run.memory.undoing.cause
  run.undo_exit = run.memory.undoing.exit
  error(fault.new(cause.kind, cause), 0)
end

--- Returns whether an earlier process had begun to undo.
---@param run plat.Run
---@return boolean
function M.was_undoing(run)
  return run.memory ~= nil and run.memory.undoing ~= nil
end

return M
