---@meta prim.tty

local M = {}

--- Returns whether a standard descriptor is a terminal.
---@param fd 0|1|2
---@return boolean
function M.is_tty(fd) end

--- Returns the size of the terminal behind a standard descriptor.
---@param fd 0|1|2
---@return integer? columns
---@return integer|table rows or err
function M.size(fd) end

--- Writes everything; blocks while the reader is slow.
---@param fd 0|1|2
---@param text string
---@return true? ok
---@return table? err
function M.write(fd, text) end

--- Asks on standard error and waits for a line of standard input. With `echo = false` the terminal
--- shows nothing, and shows again whatever happens. "end of input" is an error of kind `io`.
---@async
---@param prompt? string
---@param opts? { echo?: boolean }
---@return string? line without its newline
---@return table? err
function M.read_line(prompt, opts) end

return M
