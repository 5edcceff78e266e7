--- A host that lets nobody in.

local place = require("plat.sim.host.place")

return {
  usage = "host-denied:HOST[:TIMES]",
  help = "a host refuses the login",
  args = { { "host", "string" }, { "times", "integer", default = 1 } },
  check = place.check_fault,
  world = function(world, args)
    world:model("hosts"):fault("denied", args)
  end,
}
