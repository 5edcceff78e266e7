--- Work that many tasks want and one does: the first that asks, while the others wait for its end.

local fault = require("plat.fault")
local prim = require("prim.task")
local time = require("prim.time")

local M = {}

---@class plat.task.Once
---@field attempt? { waiting: prim.task.Gate[], err: plat.Fault? } what is under way
local Once = { __name = "plat.task.Once" }
Once.__index = Once

--- Makes one; it serves any number of times.
---@return plat.task.Once
function M.new()
  return setmetatable({}, Once)
end

--- Returns whether a failure is the work's own: a cancel or a deadline of who did it is not.
local function is_shared(err)
  local deadline = prim.deadline()
  return err.kind ~= "cancelled" and not (deadline and time.mono() >= deadline)
end

--- The same failure, without the place of who met it first.
local function again(err)
  local copy = {}
  for name, value in pairs(err) do
    copy[name] = value
  end
  copy.where, copy.called_from, copy.traceback = nil, nil, nil
  return fault.new(err.kind, copy)
end

local function await(self, about)
  local attempt, gate = self.attempt, prim.gate()
  table.insert(attempt.waiting, gate)
  fault.must(about, gate:wait())
  if attempt.err then
    error(again(attempt.err), 0)
  end
end

--- Returns what `have` returns; while that is nothing, the first task that asks calls `make`, and
--- the others wait. A failure is raised in all of them; one by cancel or deadline in its own task
--- alone, and the next one makes an attempt.
---@async
---@generic T
---@param about table for faults
---@param have fun(): T? looks for the result; must not wait
---@param make fun() makes it
---@return T
function Once:get(about, have, make)
  local value = have()
  while not value and self.attempt do
    await(self, about)
    value = have()
  end
  if value then
    return value
  end
  local attempt = { waiting = {} }
  self.attempt = attempt
  local ok, err = xpcall(make, fault.from_handler)
  self.attempt = nil
  attempt.err = not ok and is_shared(err) and err or nil
  for _, gate in ipairs(attempt.waiting) do
    gate:open()
  end
  if not ok then
    error(err, 0)
  end
  return have()
end

return M
