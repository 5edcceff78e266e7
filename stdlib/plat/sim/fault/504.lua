--- The server acts, and what stands before it does not wait for the answer.

local answer = require("plat.sim.answer")

return {
  usage = "504[:TIMES]",
  help = "the server acts, a gateway before it answers 504",
  on = "kubernetes",
  args = { { "times", "integer", default = 1 } },
  chance = true,
  after = function(at, _, resp)
    if resp.stream then
      resp.stream:close()
    end
    return answer.failure(at, 504, "Timeout", "the server did not answer the gateway in time")
  end,
}
