--- What became of a change whose answer never came: after a crash, a lost connection or a cancel.
--- Settled by its recovery class, before anything else; where nobody can tell, by a person.

local fault = require("plat.fault")
local list = require("plat.list")
local memory = require("plat.run.memory")
local out = require("plat.out")
local step_key = require("plat.run.key")
local task = require("plat.task")
local tty = require("prim.tty")

local M = {}

local GRACE = 10 -- seconds that settling gets, whatever deadline or cancel is on
local AGAIN = { 0, 0.5, 2 } -- seconds before each repetition of a repeatable change
local LOOK = 0.5 -- seconds between two looks whether it still runs

-- ---- at once ----

--- Looks whether a change happened, by what was noted when it was intended.
local function look(change, facts)
  local seen = change.probe(facts or change.facts or {})
  if seen == nil then
    return "unknown"
  elseif not seen then
    return "failed"
  end
  return "done", change.reread and change.reread() or { status = 200, headers = {}, body = "" }
end

--- Whether an answer says that something is no longer as it was when the change was decided.
local function is_stale(result)
  return type(result) == "table" and (result.status == 409 or result.status == 412)
end

--- Performs a repeatable change again, until it is known that it happened, or surely not. That a
--- repetition cannot be sent says nothing of the first one; and when it is refused because things
--- have changed, it may be the first one that changed them.
local function repeat_it(change, fn, judge)
  local last
  for _, delay in ipairs(AGAIN) do
    task.sleep(delay)
    local ok, result = xpcall(fn, fault.from_handler)
    if ok and is_stale(result) then
      if not change.probe then
        return "unknown", result
      end
      local word, seen = look(change)
      return word, word == "done" and seen or result
    elseif ok and judge(result) ~= "unknown" then
      return judge(result), result
    end
    last = ok and { result = result } or { err = result }
  end
  return "unknown", last.result, last.err
end

--- Waits until nobody performs a change any more: what was given up on a host is ended there, which
--- may take seconds. To be called with a deadline.
local function await_quiet(change)
  while change.running and change.running(change.key) do
    task.sleep(LOOK)
  end
end

--- Finds out what became of a change by its class. To be called at once, before a retry, an undo or
--- the next change.
---@async
---@param change plat.Change
---@param fn function what performs it
---@param judge fun(result: any): string "done", "failed" or "unknown"
---@return string outcome
---@return any result of a change that was done
---@return plat.Fault? err
---@return string? how "repeated" or "probed"
function M.at_once(change, fn, judge)
  local how = change.recovery == "repeatable" and "repeated" or change.probe and "probed"
  if not how then
    return "unknown"
  end
  local ok, outcome, result, err = xpcall(task.shield, fault.from_handler, GRACE, function()
    await_quiet(change)
    if how == "repeated" then
      return repeat_it(change, fn, judge)
    end
    return look(change)
  end)
  if not ok then
    return "unknown", nil, outcome -- it could not be seen: the platform does not answer
  end
  return outcome, result, err, how
end

-- ---- after a crash ----

local function question(run, step, change)
  return {
    msg = ("nobody can tell whether this happened before the interruption: %s"):format(change.text),
    hint = ("look, then: platrun resume %s --done %q if it did, --redo %q if it did not"):format(
      run.id or "RUN",
      step,
      step
    ),
    exit = 3,
    suspend = true,
    where = "",
  }
end

local function ask(run, change, step)
  if run.options.yes or not (tty.is_tty(0) and tty.is_tty(2)) then
    return nil
  end
  out.err(("step %q: nobody can tell whether this happened before the interruption:"):format(step))
  local answer = tty.read_line(
    out.redact(
      ("  %s\nDid it happen? yes, no (do it again), or anything else to stop: "):format(change.text)
    )
  )
  return ({ y = "done", yes = "done", n = "failed", no = "failed" })[(answer or ""):lower()]
end

--- Asks a person what became of a change, or stops the run with the question.
---@async
---@param run plat.Run
---@param change table what is known of it
---@return "done"|"failed"
function M.person(run, change)
  local step = change.step
  if run.redo[step] then
    return "failed"
  end
  local answer = ask(run, change, step)
  if not answer then
    local about = { op = change.op, target = change.target, object = change.object }
    local fields = question(run, step, change)
    fields.step = step
    fault.raise("refused", about, fields)
  end
  run:record({ type = "settle", step = step, key = change.key, answer = answer, by = run.user() })
  return answer
end

--- Returns who still performs a change that was begun before, for people.
local function still_running(change)
  if change.running then
    return change.running(change.key)
  end
  local fs = require("prim.fs")
  local mark = "PLATRUN_EFFECT=" .. change.key .. "\0"
  for _, name in ipairs(change.target == "localhost" and fs.list("/proc") or {}) do
    local environ = name:find("^%d+$") and fs.read("/proc/" .. name .. "/environ")
    if environ and (environ .. "\0"):find(mark, 1, true) then
      return "process " .. name
    end
  end
end

--- Settles a change that an earlier process began, when the body comes to it again.
---@async
---@param run plat.Run
---@param change plat.Change
---@param intent table the record of then
---@return string outcome "done" or "failed": to be performed
---@return any result
---@return string? how "probed" or "person"
function M.dangling(run, change, intent)
  local who = still_running(change)
  if who then
    fault.raise("refused", { op = change.op, target = change.target, object = change.object }, {
      msg = ("it still runs, as %s, from before the interruption"):format(who),
      hint = ("wait for it or end it, then: platrun resume %s"):format(run.id or "RUN"),
      exit = 3,
      suspend = true, -- what was done before it must not be undone beside it
      where = "",
    })
  elseif change.recovery == "repeatable" then
    return "failed" -- doing it again gives the same end
  elseif change.probe then
    local outcome, result = look(change, intent.facts)
    if outcome ~= "unknown" then
      return outcome, result, "probed"
    end
  end
  return M.person(run, change), nil, "person"
end

--- Closes what a body that was entered again did not come to: it looked at the world, and what can
--- be repeated or seen needs no more. What nobody can see is for a person.
---@async
---@param run plat.Run
---@param step plat.Step
function M.close_step(run, step)
  for _, known in ipairs(run.memory and memory.dangling(run.memory, step.key) or {}) do
    local intent = known.intent
    if not run.reissued[intent.key] then
      local record = { type = "outcome", key = intent.key, outcome = "superseded" }
      if intent.recovery == "unknowable" then
        record.outcome, record.settled = M.person(run, intent), "person"
      end
      run:record(record)
    end
  end
end

--- Whether another step was entered in the place of this one, or of one around it.
local function is_replaced(run, key)
  for at in step_key.outwards(key) do
    if run.replaced[at] then
      return true
    end
  end
  return false
end

--- Stops a run at whose end a step of before was never come to: what decides which steps exist must
--- go through run:keep.
---@async
---@param run plat.Run
function M.close_run(run)
  if not run.memory then
    return
  end
  for _, step in ipairs(memory.open_steps(run.memory)) do
    if not run.entered[step.key] and not is_replaced(run, step.key) then
      local changes = list.map(run.memory.by_step[step.key] or {}, function(known)
        return ("%s: %s"):format(memory.word(known) or "unknown", known.intent.text)
      end)
      fault.raise("refused", { op = "resume" }, {
        msg = ("the step %q was begun before the interruption, and now nothing led to it"):format(
          step.key
        ),
        detail = #changes > 0 and changes or { "it had changed nothing" },
        hint = ("look, then: platrun resume %s --settle %q"):format(run.id or "RUN", step.key),
        exit = 3,
        suspend = true,
        step = step.key,
        where = "",
      })
    end
  end
end

return M
