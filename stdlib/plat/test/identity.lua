--- Who a play of `platrun test` is: the same on every machine and at every time, so that the same
--- seed gives the same bytes.

local M = {}

M.USER, M.HOST = "operator", "controller"

local PID = 4999999 -- greater than any that Linux gives away

--- Makes this process, and all that it tells of itself, that of the operator on the controller.
--- For processes that perform one play and end.
---@param round integer 0 for the first process of a play, 1 for the next, ...
function M.assume(round)
  local sys, time, who = require("prim.sys"), require("prim.time"), require("plat.runs.who")
  sys.pid = function()
    return PID + round
  end
  sys.user = function()
    return M.USER
  end
  sys.hostname = function()
    return M.HOST
  end
  time.real = time.now
  who.here = function()
    return { user = M.USER, host = M.HOST, uid = 1000 }
  end
end

return M
