--- The server answers 410: what the request refers to, a version or the page of a list, is too old.

local answer = require("plat.sim.answer")

return {
  usage = "410[:TIMES]",
  help = "the next requests that name a version or a page are answered 410: too old",
  on = "kubernetes",
  args = { { "times", "integer", default = 1 } },
  ready = function(_, _, at)
    return (at.req.url or ""):find("[?&]continue=")
      or (at.req.url or ""):find("[?&]resourceVersion=%d")
  end,
  before = function(at)
    local text = "The provided continue parameter is too old to display a consistent list result."
    return answer.failure(at, 410, "Expired", text)
  end,
}
