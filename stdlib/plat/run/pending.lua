--- The compensations that are still to be done: a list, oldest first, that knows which of them
--- belong to a step and to those inside it. Pure.

local list = require("plat.list")
local step_key = require("plat.run.key")

local M = {}

---@class plat.run.Pending: table[] entries `{ id, step, name, args, seq }`
local Pending = { __name = "plat.run.Pending" }
Pending.__index = Pending

--- Returns an empty list.
---@return plat.run.Pending
function M.new()
  return setmetatable({ _by_step = {}, _listed = {} }, Pending)
end

--- Adds the newest compensation.
---@param entry table
function Pending:add(entry)
  table.insert(self, entry)
  self._listed[entry.id] = entry
  for at in step_key.outwards(entry.step) do
    self._by_step[at] = self._by_step[at] or {}
    table.insert(self._by_step[at], entry)
  end
end

--- Removes a compensation. It is searched from the end: the newest go first.
---@param entry table
function Pending:remove(entry)
  if self._listed[entry.id] ~= entry then
    return
  end
  self._listed[entry.id] = nil
  for i = #self, 1, -1 do
    if self[i] == entry then
      table.remove(self, i)
      return
    end
  end
end

--- Returns the compensation of an id, nil when it is not to be done any more.
---@param id string
---@return table?
function Pending:find(id)
  return self._listed[id]
end

--- Returns the compensations of a step and those inside it, in the order in which they were added.
---@param key string
---@return table[]
function Pending:inside(key)
  return list.where(self._by_step[key] or {}, function(entry)
    return self._listed[entry.id] == entry
  end)
end

--- Moves compensations to the end, where they are the next to be performed.
---@param entries table[] oldest first
---@return integer count of the others
function Pending:move_to_end(entries)
  local moved = {}
  for _, entry in ipairs(entries) do
    moved[entry.id] = true
  end
  local others = list.where(self, function(entry)
    return not moved[entry.id]
  end)
  for i = 1, #self do
    self[i] = others[i] or entries[i - #others]
  end
  return #others
end

return M
