--- The server answers 409: somebody else has changed the object since it was read. It did not act.

local answer = require("plat.sim.answer")

return {
  usage = "409[:TIMES]",
  help = "the next changes are answered 409: the object has been modified",
  on = "kubernetes",
  args = { { "times", "integer", default = 1 } },
  ready = function(_, _, at)
    return at.effect ~= nil
  end,
  before = function(at)
    local text = "Operation cannot be fulfilled on %s: the object has been modified; please apply "
      .. "your changes to the latest version and try again"
    return answer.failure(at, 409, "Conflict", text:format(at.req.object or "it"))
  end,
}
