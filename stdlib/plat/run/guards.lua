--- run:guard: what must hold before anything is changed. Whatever cannot be evaluated refuses.

local fault = require("plat.fault")
local scoped = require("plat.run.scoped")
local task = require("plat.task")

local M = {}

local function evaluate(fn)
  local ok, value, reason, hint = xpcall(fn, fault.from_handler)
  if not ok then
    local err = value
    if err.kind == "cancelled" then
      error(err, 0)
    end
    return false, "it could not be evaluated", nil, err
  end
  if value == true then
    return true
  end
  return false, reason or "the condition does not hold", hint
end

local function tell(self, guard, status, reason, why)
  self.reporter:emit("guard", {
    title = guard.id,
    status = status,
    reason = reason,
    why = why,
    again = guard.passed,
  })
  self:record({
    type = "guard",
    name = guard.id,
    status = status,
    reason = reason,
    why = why,
    by = why and self.user() or nil,
  })
end

local function check(self, guard)
  local ok, reason, hint, cause = evaluate(guard.fn)
  guard.changes = self.changes
  local why = self.overrides[guard.name]
  if ok then
    if not guard.passed then
      tell(self, guard, "ok")
    end
  elseif why then
    tell(self, guard, "overridden", reason, why)
  else
    tell(self, guard, "refused", reason)
    local override = not cause
      and ("--override %q --reason TEXT goes on all the same"):format(guard.name)
    fault.raise("refused", { op = "guard", object = ("%q"):format(guard.name) }, {
      msg = reason,
      cause = cause,
      hint = hint and override and ("%s; %s"):format(hint, override) or hint or override or nil,
    })
  end
  guard.passed = true
end

--- Whether a plain guard passed before this run changed something: its condition is about the world
--- of before.
local function passed_before(self, guard)
  local before = self:recall("guard", guard.id)
  return self.memory
    and before
    and before.status ~= "refused"
    and not guard.again
    and self.memory.last_change > before.n
end

--- Refuses the run unless the function returns true; it may return false, a reason and a hint. A
--- guard that raises refuses too. `--override NAME --reason TEXT` lets the run go on. A guard of
--- plat.guard brings its name, and is checked again before a point of no return and after an
--- approval; a function is, as long as the run has changed nothing.
---@async
---@param name string|table a name, or a guard of plat.guard
---@param fn? table|fun(): boolean, string?, string?
function M.guard(self, name, fn)
  if type(name) == "table" then
    name, fn = name.name, name
  end
  local made = type(fn) == "table"
  if type(name) ~= "string" or not (made and fn.check or type(fn) == "function") then
    fault.raise("usage", { op = "run:guard" }, {
      msg = "a guard has a name and a function, or comes from plat.guard",
      hint = 'run:guard("name", function() return true end)',
    })
  end
  local step = task.context()
  local guard = {
    name = name,
    id = scoped(name),
    host = step and step.host and step.host.state,
    fn = made and fn.check or fn,
    again = made and fn.again or false,
  }
  if passed_before(self, guard) then
    self.reporter:emit("guard", { title = guard.id, status = "ok", before = true })
    guard.passed, guard.changes = true, 0
  else
    check(self, guard)
  end
  table.insert(self.guards, guard)
end

--- Checks the guards of the run again: before a point of no return, after an approval.
---@async
function M.check_guards(self)
  for _, guard in ipairs(self.guards) do
    local dropped = guard.host and guard.host.status
    if not dropped and (guard.again or guard.changes == self.changes) then
      check(self, guard)
    end
  end
end

return M
