--- The server acts, and the connection is lost before its answer arrives.

local fault = require("plat.fault")

return {
  usage = "drop-after[:TIMES]",
  help = "the server acts, its answer is lost",
  args = { { "times", "integer", default = 1 } },
  chance = true,
  hosts = true,
  after = function(at, _, resp)
    if resp.stream then
      resp.stream:close()
    end
    fault.raise("connect", { op = at.req.op, target = at.req.target, object = at.req.object }, {
      msg = "the connection was lost before an answer (simulated)",
      sent = true,
      phase = "http",
    })
  end,
}
