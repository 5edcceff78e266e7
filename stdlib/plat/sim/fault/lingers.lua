--- The coordinator of Dremio gives executors up late: their sessions have to expire first.

return {
  usage = "lingers:SECONDS",
  help = "Dremio's coordinator counts executors that are gone so much longer",
  args = { { "seconds", "number" } },
  world = function(world, args)
    world:model("dremio"):fault("lingers", { args.seconds })
  end,
}
