--- A host that goes down in the middle of its work.

local place = require("plat.sim.host.place")

return {
  usage = "host-reboot:HOST[:TIMES]",
  help = "a host reboots after it has acted; its answer is lost",
  args = { { "host", "string" }, { "times", "integer", default = 1 } },
  check = place.check_fault,
  world = function(world, args)
    world:model("hosts"):fault("reboot", args)
  end,
}
