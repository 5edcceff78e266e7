--- Keys of steps: the titles on the way to a step, joined by "/". What a compensation does stands
--- under a key of its own. Pure.

local M = {}

local UNDO = "undo:"

--- Returns the key of a step inside another.
---@param outer? string key of the step around it
---@param title string
---@return string
function M.join(outer, title)
  return outer and outer .. "/" .. title or title
end

--- Returns whether a key is another or lies inside it.
---@param key string
---@param outer string
---@return boolean
function M.is_inside(key, outer)
  return key == outer or key:sub(1, #outer + 1) == outer .. "/"
end

local function next_outer(whole, key)
  if not key then
    return whole
  end
  return key:match("^(.*)/")
end

--- Iterates over a key and those around it, innermost first.
---@param key string
---@return function iterator, string key
function M.outwards(key)
  return next_outer, key
end

--- Returns the key of the step that performs a compensation.
---@param id string of the compensation
---@return string
function M.of_undo(id)
  return UNDO .. id
end

--- Returns whether a key belongs to a compensation, or lies inside one.
---@param key string
---@return boolean
function M.is_undo(key)
  return key:sub(1, #UNDO) == UNDO
end

return M
