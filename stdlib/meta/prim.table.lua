---@meta prim.table

--- Sorted keys, copies and comparison of tables. plat.list is the face of it.
local M = {}

--- Returns the keys of a table in order: numbers, then strings. Raises for others.
---@param t table
---@return any[]
function M.keys(t) end

--- Returns what a loop over a table needs, in the order of its keys.
---@param t table
---@return function iterator
---@return table t
function M.each(t) end

--- Returns a copy of the first level; the metatable is shared.
---@generic T: table
---@param t T
---@return T
function M.shallow(t) end

--- Returns a new table with the fields of all given ones; later ones win.
---@param ... table?
---@return table
function M.merge(...) end

--- Returns a copy of all levels; metatables are shared.
---@generic T
---@param v T
---@return T
function M.copy(v) end

--- Returns whether two values are equal, tables by content.
---@param a any
---@param b any
---@return boolean
function M.equal(a, b) end

return M
