--- A host that is slow to answer.

local place = require("plat.sim.host.place")

return {
  usage = "host-slow:HOST:SECONDS[:TIMES]",
  help = "a host takes so much longer for an answer; default: for each",
  args = { { "host", "string" }, { "seconds", "number" }, { "times", "integer", default = false } },
  check = place.check_fault,
  world = function(world, args)
    world:model("hosts"):fault("slow", args)
  end,
}
