--- Pods of a prefix take long to end, as those do that finish their work first.

return {
  usage = "slow-stop:PREFIX:SECONDS",
  help = "pods with this prefix take so long to end, at most their grace period",
  args = { { "prefix", "string" }, { "seconds", "number" } },
  world = function(world, args)
    world:model("kubernetes"):fault("slow-stop", args)
  end,
}
