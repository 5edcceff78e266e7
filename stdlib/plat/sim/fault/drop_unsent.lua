--- The connection is lost while the request is on its way: the server never saw it, and the client
--- cannot know.

local fault = require("plat.fault")

return {
  usage = "drop-unsent[:TIMES]",
  help = "the connection is lost with the request on its way; the server did not act",
  args = { { "times", "integer", default = 1 } },
  chance = true,
  hosts = true,
  before = function(at)
    fault.raise("connect", { op = at.req.op, target = at.req.target, object = at.req.object }, {
      msg = "the connection was lost before an answer (simulated)",
      sent = true,
      phase = "http",
    })
  end,
}
