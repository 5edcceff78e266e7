--- Open watches and the next ones end: their version is too old.

return {
  usage = "watch-410[:TIMES]",
  help = "open watches, and the next ones, end: version too old",
  args = { { "times", "integer", default = 1 } },
  world = function(world, args)
    world:model("kubernetes"):fault("watch-410", args)
  end,
}
