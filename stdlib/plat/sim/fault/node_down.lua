--- A node stops answering; its pods are given up in time.

local faults = require("plat.sim.k8s.faults")

return {
  usage = "node-down:NODE",
  help = "a node stops answering",
  args = { { "node", "string" } },
  check = function(world, args)
    faults.node(world:model("kubernetes"), args.node)
  end,
  world = function(world, args)
    world:model("kubernetes"):fault("node-down", args)
  end,
}
