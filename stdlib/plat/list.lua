--- Tables as lists and maps: sorted iteration, search, copies, comparison.

local prim = require("prim.table")

local getmetatable, next, type = getmetatable, next, type
local sort, each = table.sort, prim.each

local M = {}

--- Returns the keys of a table in order: numbers, then strings. Other keys are refused, because
--- their order would differ from process to process.
---@param t table
---@return any[] keys
function M.keys(t)
  return prim.keys(t)
end

--- Iterates over a table in the order of its keys. This is the global `pairs`.
---@param t table
---@return function iterator
---@return table t
function M.pairs(t)
  local mt = getmetatable(t)
  if type(mt) == "table" and mt.__pairs then
    return mt.__pairs(t)
  end
  if type(t) ~= "table" then
    error(("bad argument #1 to 'pairs' (table expected, got %s)"):format(type(t)), 2)
  end
  return each(t)
end

--- Returns whether a table has no key at all.
---@param t table
---@return boolean
function M.is_empty(t)
  return next(t) == nil
end

--- Returns how many keys a table has.
---@param t table
---@return integer
function M.count(t)
  local n = 0
  for _ in next, t do
    n = n + 1
  end
  return n
end

--- Returns the values of a table in the order of its keys.
---@param t table
---@return any[]
function M.values(t)
  local out = {}
  for _, v in M.pairs(t) do
    out[#out + 1] = v
  end
  return out
end

--- Returns what `fn` makes of each item, in order.
---@param list any[]
---@param fn fun(item: any, index: integer): any
---@return any[]
function M.map(list, fn)
  local out = {}
  for i = 1, #list do
    out[i] = fn(list[i], i)
  end
  return out
end

local function matches(item, want)
  if type(want) == "function" then
    return want(item)
  end
  for k, v in next, want do
    if item[k] ~= v then
      return false
    end
  end
  return true
end

--- Returns the items for which a function is true or whose fields equal those of a table.
---@param list any[]
---@param want table|fun(item: any): any
---@return any[]
function M.where(list, want)
  local out = {}
  for i = 1, #list do
    if matches(list[i], want) then
      out[#out + 1] = list[i]
    end
  end
  return out
end

--- Returns the first item that `where` would keep, and its index; nil if there is none.
---@param list any[]
---@param want table|fun(item: any): any
---@return any? item
---@return integer? index
function M.find(list, want)
  for i = 1, #list do
    if matches(list[i], want) then
      return list[i], i
    end
  end
end

--- Returns whether a list holds a value.
---@param list any[]
---@param value any
---@return boolean
function M.contains(list, value)
  for i = 1, #list do
    if list[i] == value then
      return true
    end
  end
  return false
end

--- Returns a list without one value.
---@param list any[]
---@param value any
---@return any[]
function M.without(list, value)
  return M.where(list, function(item)
    return item ~= value
  end)
end

local function key_of(item, by)
  if type(by) == "function" then
    return by(item)
  end
  return by and item[by] or item
end

--- Returns a sorted copy; equal items keep their order.
---@param list any[]
---@param by? string|fun(item: any): any field or function that gives what to compare
---@return any[]
function M.sort_by(list, by)
  local order = {}
  for i = 1, #list do
    order[i] = { key = key_of(list[i], by), i = i }
  end
  sort(order, function(a, b)
    if a.key == b.key then
      return a.i < b.i
    end
    return a.key < b.key
  end)
  return M.map(order, function(o)
    return list[o.i]
  end)
end

--- Returns the item with the greatest key, the first of equals; nil for an empty list.
---@param list any[]
---@param by? string|fun(item: any): any
---@return any?
function M.max(list, by)
  local best
  for i = 1, #list do
    if best == nil or key_of(list[i], by) > key_of(best, by) then
      best = list[i]
    end
  end
  return best
end

--- Returns the item with the least key, the first of equals; nil for an empty list.
---@param list any[]
---@param by? string|fun(item: any): any
---@return any?
function M.min(list, by)
  local best
  for i = 1, #list do
    if best == nil or key_of(list[i], by) < key_of(best, by) then
      best = list[i]
    end
  end
  return best
end

--- Returns a copy of the first level; the metatable is shared.
---@param t table
---@return table
function M.copy(t)
  return prim.shallow(t)
end

--- Returns a copy of all levels; metatables are shared, so marked arrays stay marked.
---@param v any
---@return any
function M.deep_copy(v)
  return prim.copy(v)
end

--- Returns a new table with the fields of all given ones; later ones win.
---@param ... table?
---@return table
function M.merge(...)
  return prim.merge(...)
end

--- Returns whether two values are equal, tables by content.
---@param a any
---@param b any
---@return boolean
function M.deep_equal(a, b)
  return prim.equal(a, b)
end

--- Returns the value at a dotted path, nil as soon as a part is missing. Parts that are numbers
--- index lists from 1.
---@param t any
---@param path string "spec.template.containers.1.image"
---@return any?
function M.get(t, path)
  for part in path:gmatch("[^.]+") do
    if type(t) ~= "table" then
      return nil
    end
    local v = t[part]
    if v == nil then
      v = t[tonumber(part)]
    end
    t = v
  end
  return t
end

return M
