--- A host without a free byte.

local place = require("plat.sim.host.place")

return {
  usage = "host-full:HOST[:PATH]",
  help = "the disk of a path is full on a host; default: of /",
  args = { { "host", "string" }, { "path", "string", default = false } },
  check = place.check_fault,
  world = function(world, args)
    world:model("hosts"):fault("disk-full", args)
  end,
}
