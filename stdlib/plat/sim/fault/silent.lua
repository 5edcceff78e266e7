--- The server takes the request and never answers: only the client's own deadline ends the wait.

local fault = require("plat.fault")
local task = require("plat.task")

local FOREVER = 3600 -- seconds, for a request without a deadline

return {
  usage = "silent[:TIMES]",
  help = "the server takes the request and never answers, nor acts",
  args = { { "times", "integer", default = 1 } },
  hosts = true,
  before = function(at)
    local limit = at.req.timeout or FOREVER
    task.sleep(limit)
    fault.raise("timeout", { op = at.req.op, target = at.req.target, object = at.req.object }, {
      msg = ("no answer in %g s (simulated)"):format(limit),
      phase = "http",
    })
  end,
}
