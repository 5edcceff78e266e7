--- Plain values of the simulated cluster: copies, comparison, paths, arrays.
local json = require("plat.json")
local list = require("plat.list")

local M = {}

local null = json.null

--- The words of dotted paths, split once: programs name few, and ask for them all the time.
local PATHS = setmetatable({}, {
  __index = function(paths, path)
    local words = {}
    for word in path:gmatch("[^.]+") do
      words[#words + 1] = word
    end
    paths[path] = words
    return words
  end,
})

--- Marks a table as an array (an empty one stays `[]` on the wire).
M.array = json.array

--- Says whether a value is a list: marked as an array, or a table with a first element.
---@param v any
---@return boolean
function M.is_list(v)
  return type(v) == "table" and v ~= null and (json.is_array(v) or v[1] ~= nil)
end

--- Says whether a value is an object (a table that is no list).
---@param v any
---@return boolean
function M.is_map(v)
  return type(v) == "table" and v ~= null and not M.is_list(v)
end

--- Copies a value deeply; lists stay marked as arrays.
---@param v any
---@return any
function M.copy(v)
  return list.deep_copy(v)
end

--- Compares two values deeply.
---@param a any
---@param b any
---@return boolean
function M.equal(a, b)
  return list.deep_equal(a, b)
end

--- Reads a dotted path; nil where anything on the way is missing.
---@param t any
---@param path string "spec.template.metadata"
---@return any
function M.get(t, path)
  for _, key in ipairs(PATHS[path]) do
    if type(t) ~= "table" or t == null then
      return nil
    end
    t = t[key]
  end
  if t == null then
    return nil
  end
  return t
end

--- Drops nulls from objects, as a typed decoder does. Changes the value in place and returns it.
---@param v any
---@return any
function M.without_nulls(v)
  if type(v) ~= "table" or v == null then
    return v
  end
  local gone = {}
  for k, item in pairs(v) do
    if item == null and not M.is_list(v) then
      gone[#gone + 1] = k
    else
      M.without_nulls(item)
    end
  end
  for _, k in ipairs(gone) do
    v[k] = nil
  end
  return v
end

--- Says whether a table has no entries.
---@param t table
---@return boolean
function M.is_empty(t)
  return list.is_empty(t)
end

--- Returns the first element of a list that has these fields.
---@param items table?
---@param fields table<string, any>
---@return any item, integer? index
function M.find(items, fields)
  for i, item in ipairs(items or {}) do
    local all = true
    for k, v in pairs(fields) do
      all = all and item[k] == v
    end
    if all then
      return item, i
    end
  end
  return nil
end

return M
