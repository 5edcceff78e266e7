---@meta prim.proc

local M = {}

---@class prim.proc.Options
---@field env? table<string, string|false> added to ours; false removes a name
---@field clear_env? boolean start from an empty environment
---@field cwd? string
---@field timeout? number seconds; then its group is ended and the error is kind `timeout`
---@field grace? number seconds between SIGTERM and SIGKILL, 5
---@field max_output? integer run: ceiling of each stream, 16 MiB; spawn: bytes read ahead

---@class prim.proc.RunOptions: prim.proc.Options
---@field stdin? string sent, then closed; default: /dev/null

---@class prim.proc.SpawnOptions: prim.proc.Options
---@field stdin? boolean true: `write` and `close_stdin` can be used

---@class prim.proc.Process one program in a process group of its own; ended by `<close>`
local Process = {}

--- Runs a program to its end. An error carries `stdout` and `stderr` as far as they came.
---@async
---@param argv string[] the program is searched in the PATH of its environment
---@param opts? prim.proc.RunOptions
---@return { code: integer, signal: string?, stdout: string, stderr: string }? output
---@return table? err
function M.run(argv, opts) end

--- Starts a program.
---@param argv string[]
---@param opts? prim.proc.SpawnOptions
---@return prim.proc.Process? process
---@return table? err
function M.spawn(argv, opts) end

--- Waits for output; nil at the end of both streams. A program whose output nobody reads waits.
---@async
---@return string? chunk
---@return "stdout"|"stderr"|table? which or err
function Process:read() end

--- Waits until the program's pipe has taken all of it.
---@async
---@param data string
---@return true? ok
---@return table? err
function Process:write(data) end

--- Ends the program's input, after what is still queued.
function Process:close_stdin() end

--- Waits for the end of the program; its output may still be read.
---@async
---@return { code: integer, signal: string? }? status
---@return table? err
function Process:wait() end

--- Sends a signal to the program's group.
---@param signal? string|integer "TERM", "SIGTERM" or 15; default TERM
---@return true? ok
---@return table? err
function Process:kill(signal) end

--- Returns the process id, which is also the group's.
---@return integer
function Process:pid() end

--- Gives the program up: ends it if it still runs. Twice is fine.
function Process:close() end

return M
