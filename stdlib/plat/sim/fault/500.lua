--- The server, or what stands before it, answers 500 and has not acted.

local answer = require("plat.sim.answer")

return {
  usage = "500[:TIMES]",
  help = "the next requests are answered 500; the server did not act",
  on = "kubernetes",
  args = { { "times", "integer", default = 1 } },
  chance = true,
  before = function(at)
    return answer.failure(at, 500, "InternalError", "an error on the server")
  end,
}
