---@meta prim.time

local M = {}

--- Returns unix seconds; virtual in virtual mode.
---@return number
function M.now() end

--- Returns seconds on the loop's clock, for deadlines and durations.
---@return number
function M.mono() end

--- Returns unix seconds of the machine, also in virtual mode.
---@return number
function M.real() end

--- Returns the seconds of CPU that this process has used.
---@return number
function M.cpu() end

--- Makes the loop's clock virtual from now on: it jumps while everybody waits (speed 0) or runs
--- `speed` times as fast as the machine's.
---@param wall number unix seconds at which it starts
---@param speed? number
function M.virtual(wall, speed) end

--- Returns whether the clock is virtual.
---@return boolean
function M.is_virtual() end

--- Waits.
---@async
---@param seconds number
---@return true? ok nil when the enclosing deadline passed first
---@return table? err
function M.sleep(seconds) end

return M
