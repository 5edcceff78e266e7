--- The container of a pod ends with code 1 soon after each start.

return {
  usage = "pod-crash:POD[:TIMES]",
  help = "a pod's container ends with code 1 after each start",
  args = { { "pod", "string" }, { "times", "integer", default = false } },
  world = function(world, args)
    world:model("kubernetes"):fault("pod-crash", args)
  end,
}
