--- The server sheds load: it has not looked at the request and says when to come back.

local answer = require("plat.sim.answer")

return {
  usage = "429[:SECONDS[:TIMES]]",
  help = "the next requests are answered 429 with Retry-After; default 1 s",
  on = "kubernetes",
  args = { { "seconds", "integer", default = 1 }, { "times", "integer", default = 1 } },
  chance = true,
  before = function(at, args)
    local text = "the server has received too many requests and has asked us to try again later"
    return answer.failure(at, 429, "TooManyRequests", text, args.seconds)
  end,
}
