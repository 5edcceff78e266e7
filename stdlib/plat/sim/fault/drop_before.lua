--- The connection is refused: the server never saw the request.

local fault = require("plat.fault")

return {
  usage = "drop-before[:TIMES]",
  help = "the connection is refused; nothing was sent",
  args = { { "times", "integer", default = 1 } },
  chance = true,
  hosts = true,
  before = function(at)
    fault.raise("connect", { op = at.req.op, target = at.req.target, object = at.req.object }, {
      msg = "cannot connect: connection refused (simulated)",
      sent = false,
      phase = "http.connect",
    })
  end,
}
