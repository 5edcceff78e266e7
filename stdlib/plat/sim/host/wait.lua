--- How long a simulated host takes: on the clock of the run, within the caller's patience.

local fault = require("plat.fault")
local task = require("plat.task")

local M = {}

--- Waits for an answer; raises kind "timeout" when that takes longer than the caller gives it.
---@async
---@param target string "host NAME"
---@param seconds number
---@param limit? number seconds
function M.seconds(target, seconds, limit)
  if limit and seconds > limit then
    task.sleep(limit)
    fault.raise("timeout", { op = "ssh", target = target }, {
      msg = ("no answer in %g s"):format(limit),
    })
  end
  task.sleep(seconds)
end

return M
