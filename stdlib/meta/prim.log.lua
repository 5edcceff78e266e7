---@meta prim.log

local M = {}

---@alias prim.log.Level "error"|"warn"|"info"|"debug"|"trace"

--- Sets the level, if given, and returns it; "info" at the start.
---@param level? prim.log.Level
---@return prim.log.Level
function M.level(level) end

--- Returns whether messages of a level are wanted: ask before an expensive message is made.
---@param level prim.log.Level
---@return boolean
function M.enabled(level) end

--- Installs the function that gets messages (nil: none) and returns the one before.
---@param sink? fun(level: prim.log.Level, message: string, fields: table?)
---@return function? before
function M.sink(sink) end

--- Passes a message on; returns whether a sink took it.
---@param level prim.log.Level
---@param message string
---@param fields? table
---@return boolean
function M.write(level, message, fields) end

return M
