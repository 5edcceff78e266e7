--- The clock of the cluster runs ahead of ours, or behind it.

return {
  usage = "clock-skew:SECONDS",
  help = "the cluster's clock is so far ahead of ours (negative: behind)",
  args = { { "seconds", "number" } },
  world = function(world, args)
    world:model("kubernetes"):fault("clock-skew", args)
  end,
}
