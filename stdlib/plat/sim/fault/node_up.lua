--- A node that was down is back.

local faults = require("plat.sim.k8s.faults")

return {
  usage = "node-up:NODE",
  help = "and is back",
  args = { { "node", "string" } },
  check = function(world, args)
    faults.node(world:model("kubernetes"), args.node)
  end,
  world = function(world, args)
    world:model("kubernetes"):fault("node-up", args)
  end,
}
