---@meta prim.json

local M = {}

--- JSON's null: a light userdata, printed as "null".
M.null = nil ---@type lightuserdata

--- Returns the value of a JSON text, or nil and `{ kind = "parse", msg = "line 3 column 7: ..." }`.
---@param text string
---@param opts? { max_depth?: integer, max_size?: integer }
---@return any value
---@return table? err
function M.decode(text, opts) end

--- Returns a value as JSON text with sorted keys; raises for what is not data, naming its path.
---@param value any
---@param opts? { indent?: integer, lossy?: boolean }
---@return string
function M.encode(value, opts) end

--- Returns a function that does what `encode` does with these options.
---@param opts? { indent?: integer, lossy?: boolean }
---@return fun(value: any): string
function M.encoder(opts) end

--- Marks a table as an array and returns it.
---@param t? table
---@return table
function M.array(t) end

--- Returns whether a value is a table marked as an array.
---@param value any
---@return boolean
function M.is_array(value) end

return M
