--- Somebody else takes the lease of a lock that the run holds.

local others = require("plat.sim.k8s.others")

return {
  usage = "lease-stolen[:NAME]",
  help = "somebody else takes the lease of a lock, as soon as platrun holds it",
  args = { { "name", "string", default = false } },
  ready = function(world, args)
    return #others.held(world:model("kubernetes"), args.name) > 0
  end,
  world = function(world, args)
    world:model("kubernetes"):fault("lease-stolen", args)
  end,
}
