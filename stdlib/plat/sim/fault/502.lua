--- The server, or what stands before it, answers 502 and has not acted.

local answer = require("plat.sim.answer")

return {
  usage = "502[:TIMES]",
  help = "the next requests are answered 502; the server did not act",
  on = "kubernetes",
  args = { { "times", "integer", default = 1 } },
  chance = true,
  before = function(at)
    return answer.failure(at, 502, "BadGateway", "the gateway got no valid answer")
  end,
}
