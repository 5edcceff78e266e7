---@meta prim.sys

local M = {}

--- Returns a variable of the environment.
---@param name string
---@return string?
function M.getenv(name) end

--- Returns the whole environment.
---@return table<string, string>
function M.environ() end

--- Returns the process id.
---@return integer
function M.pid() end

--- Returns the effective user id.
---@return integer
function M.uid() end

--- Returns the effective user's name, "uid-N" if it has none.
---@return string
function M.user() end

--- Returns the home directory by the environment, else by the user database.
---@return string?
function M.home() end

--- Returns the current directory.
---@return string?
---@return table? err
function M.cwd() end

--- Returns the machine's name.
---@return string
function M.hostname() end

--- Returns the version of platrun.
---@return string
function M.version() end

--- Returns the names of the embedded modules, sorted; with a prefix ("plat.cmd.") what follows it
--- in the names of those that begin with it.
---@param prefix? string
---@return string[]
function M.modules(prefix) end

--- Returns the documentation of an embedded module.
---@param name string
---@return string?
function M.doc(name) end

return M
