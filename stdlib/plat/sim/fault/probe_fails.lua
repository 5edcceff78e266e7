--- The readiness probe of a pod fails.

return {
  usage = "probe-fails:POD",
  help = "a pod's readiness probe fails",
  args = { { "pod", "string" } },
  world = function(world, args)
    world:model("kubernetes"):fault("probe-fails", args)
  end,
}
