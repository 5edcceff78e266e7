--- Compensations: recorded before the effect that they undo, performed newest first. They are data:
--- a function's name and plain arguments, so that another process can perform them after a crash.

local check = require("plat.check")
local fault = require("plat.fault")
local list = require("plat.list")
local sys = require("prim.sys")

local M = {}

--- Returns the function that a compensation names: of the playbook's table `undo`, or of that of a
--- module of the standard library ("plat.dremio.fleet:executors").
---@param run plat.Run
---@param name string
---@return fun(run: plat.Run, args: table)
function M.resolve(run, name)
  local module, member = tostring(name):match("^(plat%.[%w_.]+):([%w_]+)$")
  local known
  if module and list.contains(sys.modules(), module) then
    known = require(module).undo or {}
  else
    member, known = name, run.playbook and run.playbook.undo or {}
  end
  local fn = known[member]
  if type(fn) ~= "function" then
    fault.raise("usage", { op = "step:undo" }, {
      msg = ("the playbook's `undo` has no function %q%s"):format(
        tostring(name),
        check.did_you_mean(tostring(member), list.keys(known))
      ),
      hint = "M.undo = { NAME = function(run, args) ... end }",
    })
  end
  return fn
end

--- Records how to undo what follows in a step. Known already: a body that is entered again records
--- nothing new, because what was read first is the state of before.
---@async
---@param step plat.Step
---@param name string
---@param args? table plain data
function M.add(step, name, args)
  local run = step.run
  M.resolve(run, name)
  local base = step.key .. "|" .. name
  step.counts[base] = (step.counts[base] or 0) + 1
  local id = base .. "|" .. step.counts[base]
  if run.undo_known[id] then
    return
  end
  run.undo_known[id], run.undo_steps[step.key] = true, true
  run:plain("undo " .. name, args)
  local entry = { id = id, step = step.key, name = name, args = args, seq = run.seq }
  run:record({ type = "undo", id = id, step = step.key, name = name, args = args })
  run.undo:add(entry)
end

--- Takes out the compensations of a step, and of those inside it, without performing them: their
--- effect stays.
---@async
---@param run plat.Run
---@param key string
function M.keep(run, key)
  for _, entry in ipairs(run.undo:inside(key)) do
    run:record({ type = "undo_end", id = entry.id, status = "kept" })
    run.undo:remove(entry)
  end
end

--- Whether something was changed, in its step or inside it, since a compensation was recorded: a
--- create that was refused because the object was there must not end in its delete.
local function is_needed(run, entry)
  return (run.newest[entry.step] or 0) > entry.seq
end

--- Takes out a compensation that has nothing to put back.
local function leave_out(run, entry)
  run:record({ type = "undo_end", id = entry.id, status = "ok", needed = false })
  run.undo:remove(entry)
end

--- Takes out the compensations that have nothing to put back.
---@async
---@param run plat.Run
function M.prune(run)
  local idle = list.where(run.undo, function(entry)
    return not is_needed(run, entry)
  end)
  for i = #idle, 1, -1 do
    leave_out(run, idle[i])
  end
end

--- Performs one compensation, as a step of its own.
local function perform(run, entry)
  local fn = M.resolve(run, entry.name)
  local title = ("%s of %q"):format(entry.name, entry.step)
  local ok, err = xpcall(run.enter_undo, fault.from_handler, run, entry, title, fn)
  run:record({
    type = "undo_end",
    id = entry.id,
    status = ok and "ok" or "failed",
    error = not ok and run.plain_fault(err) or nil,
  })
  if not ok then
    error(err, 0)
  end
  run.undo:remove(entry)
  run:sync()
end

--- Performs the compensations behind a mark, newest first. The first that fails ends it, is raised,
--- and stays with those before it.
---@async
---@param run plat.Run
---@param mark integer how many stay; 0: none
---@return integer count performed
function M.since(run, mark)
  local count = 0
  while #run.undo > mark do
    local entry = run.undo[#run.undo]
    if is_needed(run, entry) then
      perform(run, entry)
    else
      leave_out(run, entry)
    end
    count = count + 1
  end
  return count
end

return M
