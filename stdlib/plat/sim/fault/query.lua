--- A long query of somebody else runs on an executor of Dremio.

return {
  usage = "query:MINUTES[:EXECUTOR]",
  help = "a query of an analyst runs so long, on the highest executor or this one",
  args = { { "minutes", "number" }, { "executor", "string", default = false } },
  world = function(world, args)
    local done, problem =
      world:model("dremio"):fault("query", { args.minutes, args.executor or nil })
    if not done then
      error(problem, 0)
    end
  end,
}
