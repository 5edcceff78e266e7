--- What an autoscaled workload has to carry, in pods that it would need.

return {
  usage = "load:TARGET:PODS",
  help = "the load of an autoscaled workload, in pods",
  args = { { "target", "string" }, { "pods", "number" } },
  world = function(world, args)
    world:model("kubernetes"):fault("load", args)
  end,
}
