---@meta prim.yaml

local M = {}

--- Returns the documents of a YAML text, or nil and `{ kind = "parse", msg = "FILE:LINE:COL: ..." }`.
---@param text string
---@param opts? { dialect?: string, name?: string, max_depth?: integer, max_nodes?: integer, max_size?: integer }
---@return any[]? documents
---@return table? err
function M.decode(text, opts) end

--- Returns a value as YAML text; raises for what is not data, naming its path.
---@param value any
---@param opts? { documents?: boolean }
---@return string
function M.encode(value, opts) end

return M
