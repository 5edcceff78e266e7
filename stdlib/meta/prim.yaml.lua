---@meta prim.yaml

local M = {}

--- Returns the documents of a YAML text, or nil and an error of kind "parse" whose msg is
--- "NAME:LINE:COLUMN: what". With `places` the second value tells of each mapping where its keys
--- stand, in their order: `{ key, line, key, line, ... }`; those that came by `<<` are not in it.
---@param text string
---@param opts? plat.yaml.DecodeOptions
---@return any[]? documents
---@return table? places or err
function M.decode(text, opts) end

--- Returns a value as YAML text; raises for what is not data, naming its path.
---@param value any
---@param opts? { documents?: boolean }
---@return string
function M.encode(value, opts) end

return M
