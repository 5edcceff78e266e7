--- A host that nobody reaches.

local place = require("plat.sim.host.place")

return {
  usage = "host-down:HOST[:SECONDS]",
  help = "a host cannot be reached, for ever or for a time",
  args = { { "host", "string" }, { "seconds", "number", default = false } },
  check = place.check_fault,
  world = function(world, args)
    world:model("hosts"):fault("unreachable", args)
  end,
}
