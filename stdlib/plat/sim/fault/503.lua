--- The server, or what stands before it, answers 503 and has not acted.

local answer = require("plat.sim.answer")

return {
  usage = "503[:TIMES]",
  help = "the next requests are answered 503; the server did not act",
  on = "kubernetes",
  args = { { "times", "integer", default = 1 } },
  chance = true,
  before = function(at)
    return answer.failure(
      at,
      503,
      "ServiceUnavailable",
      "the server is currently unable to handle the request",
      1
    )
  end,
}
