---@meta prim.task

local M = {}

---@class prim.task.Task

---@class prim.task.Gate
local Gate = {}

--- Waits until the gate is open and closes it. One task may wait at a gate.
---@async
---@param seconds? number
---@return true? ok nil on timeout
---@return table? err
function Gate:wait(seconds) end

--- Opens the gate: wakes the waiter, or lets the next one pass.
function Gate:open() end

--- Starts a task with the arguments; it first runs in the loop's next turn.
---@param fn function
---@return prim.task.Task
function M.spawn(fn, ...) end

--- Returns the task that runs, nil outside.
---@return prim.task.Task?
function M.current() end

--- Cancels a task: each of its waits outside a shield raises the reason.
---@param task prim.task.Task
---@param reason any
function M.cancel(task, reason) end

--- Cancels the main task; may be called outside of tasks.
---@param reason any
function M.cancel_main(reason) end

--- Returns whether a task was cancelled, and why.
---@param task? prim.task.Task default: the current one
---@return boolean
---@return any reason
function M.cancelled(task) end

--- Returns whether a task has ended.
---@param task prim.task.Task
---@return boolean
function M.dead(task) end

--- Raises (+1) or lowers (-1) the shield: while it is up, a cancel is not felt.
---@param delta integer
function M.shield(delta) end

--- Returns whether the shield is up.
---@return boolean
function M.shielded() end

--- Returns the current task's deadline in seconds of the loop's clock.
---@return number?
function M.deadline() end

--- Sets the current task's deadline; nil: none.
---@param at? number
function M.set_deadline(at) end

--- Makes a gate, closed.
---@return prim.task.Gate
function M.gate() end

--- Makes a task the main one: when it ends, so does the loop.
---@param task prim.task.Task
function M.main(task) end

--- Installs what is called, outside of tasks, with the number of the first signal.
---@param fn fun(signo: integer)
function M.on_signal(fn) end

--- Installs what is told of code that computed for long: where, and for how many seconds.
---@param fn fun(where: string, seconds: number)
function M.on_busy(fn) end

--- Returns what every living task waits for, oldest first.
---@return string[]
function M.waits() end

--- Returns where in a playbook the task is: the lines of its functions from `fn` inwards, as text
--- that compares as the lines do. The standard library's functions are left out.
---@param fn function
---@return string
function M.place(fn) end

--- Returns whether this code runs in a task's own coroutine.
---@return boolean
function M.in_task() end

return M
