--- No node has room for another pod.

return {
  usage = "no-capacity",
  help = "no node has room for another pod",
  args = {},
  world = function(world, args)
    world:model("kubernetes"):fault("no-capacity", args)
  end,
}
