---@meta prim.fork

--- Copies of this process, for `platrun test`.
local M = {}

---@class prim.fork.Child
local Child = {}

--- Returns what a child that has ended left behind.
---@return { result: string, output: string, code: integer?, signal: integer?, too_much: boolean }
function Child:ended() end

--- Kills the child if it lives, and forgets it.
function Child:close() end

--- Copies the process. The task that calls it goes on in both; nothing real may be in flight.
---@param env table<string, string> set in the environment of the child
---@return prim.fork.Child|true|nil child true in the child
---@return table? err
function M.start(env) end

--- Waits in place, while the loop stands still, until one of the children has ended.
---@param children prim.fork.Child[]
---@param seconds number
---@return integer? index nil when the time has passed
function M.wait(children, seconds) end

--- Ends the child of `start` at once, as a kill does: nothing is cleaned up.
---@param text string for its parent
---@param status integer
function M.finish(text, status) end

return M
