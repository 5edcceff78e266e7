--- What must stay true while a batch of a rollout is worked on: read beside it, and cancelling it.

local check = require("plat.check")
local fault = require("plat.fault")
local task = require("plat.task")
local time = require("prim.time")

local M = {}

local TINY = 1e-6

local INVARIANT = check.options("run:rollout, invariant", {
  name = { type = "string", required = true, help = "what must stay true" },
  check = { type = "function", required = true, help = "returns true, or false and what it saw" },
  every = { type = "duration", default = "5s", help = "between two readings" },
  timeout = { type = "duration", default = "30s", help = "longest time of one reading" },
  tolerate = {
    type = "integer",
    min = 1,
    default = 1,
    help = "so many failed readings in a row are a breach",
  },
})

---@class plat.run.Invariant
---@field name string
---@field check fun(): boolean, string?
---@field every number
---@field timeout number
---@field tolerate integer

--- Reads what was given as `invariant`: one, or a list.
---@param given? table
---@param level integer of the stack where the playbook is
---@return plat.run.Invariant[]
function M.parse(given, level)
  if given == nil then
    return {}
  elseif given[1] == nil then
    given = { given }
  end
  local out = {}
  for i, invariant in ipairs(given) do
    out[i] = INVARIANT(invariant, level + 1)
  end
  return out
end

--- Returns whether a deadline around all this has passed: then nothing here has failed by itself.
---@return boolean
function M.expired()
  local at = task.deadline()
  return at ~= nil and time.mono() >= at - TINY
end

local function breach(invariant, seen, cause)
  fault.raise("failed", { op = "rollout" }, {
    msg = ("the invariant %q is broken%s"):format(invariant.name, seen and ": " .. seen or ""),
    reason = "invariant",
    stopped_by = "invariant",
    cause = cause,
  })
end

--- Reads until a reading is good. A bad one is a breach at once; one that raises, or does not end,
--- says nothing, and is a breach when nothing else came `tolerate` times.
---@async
---@param invariant plat.run.Invariant
function M.settle(invariant)
  for failed = 1, math.huge do
    local answer, text = nil, nil
    local _, err = fault.try(task.timeout, invariant.timeout, function()
      answer, text = invariant.check()
      return true
    end, "the reading")
    if not err and answer == true then
      return
    elseif not err then
      breach(invariant, text and tostring(text))
    elseif M.expired() then
      error(err, 0)
    elseif failed >= invariant.tolerate then
      breach(invariant, "it could not be read", err)
    end
    task.sleep(invariant.every)
  end
end

local function forever(invariant)
  while true do
    task.sleep(invariant.every)
    M.settle(invariant)
  end
end

--- Calls a function beside the readings of all invariants. Each is read before it begins and once
--- more when it has ended; a breach cancels it.
---@async
---@param invariants plat.run.Invariant[]
---@param fn function
function M.beside(invariants, fn)
  if #invariants == 0 then
    fn()
    return
  end
  task.each(invariants, nil, M.settle)
  task.group(function(group)
    for _, invariant in ipairs(invariants) do
      group:daemon(forever, invariant)
    end
    fn()
    task.each(invariants, nil, M.settle)
  end)
end

return M
