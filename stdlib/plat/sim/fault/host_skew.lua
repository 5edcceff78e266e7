--- A host with a wrong clock.

local place = require("plat.sim.host.place")

return {
  usage = "host-skew:HOST:SECONDS",
  help = "the clock of a host is so far ahead (negative: behind)",
  args = { { "host", "string" }, { "seconds", "number" } },
  check = place.check_fault,
  world = function(world, args)
    world:model("hosts"):fault("skew", args)
  end,
}
