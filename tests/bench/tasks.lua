--- Lets n tasks sleep at once, some rounds of it: what waiting tasks cost.
local task = require("plat.task")

return {
  summary = "Let many tasks sleep",
  risk = "safe",
  args = {
    n = { type = "integer", default = 10000, min = 0 },
    rounds = { type = "integer", default = 1, min = 0 },
  },
  run = function(_, args)
    local items = {}
    for i = 1, args.n do
      items[i] = i
    end
    for _ = 1, args.rounds do
      task.each(items, { limit = math.max(args.n, 1) }, function()
        task.sleep(0.05)
      end)
    end
  end,
}
