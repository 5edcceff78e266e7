--- What happens when every task waits and nothing is left that could wake one: the main task is
--- cancelled with the list of waits, so that cleanup runs and somebody reads what went wrong.

local fault = require("plat.fault")
local task = require("prim.task")

return function()
  local count = {}
  for _, name in ipairs(task.waits()) do
    count[name] = (count[name] or 0) + 1
  end
  local names = {}
  for name, n in pairs(count) do
    names[#names + 1] = n > 1 and ("%d x %s"):format(n, name) or name
  end
  task.cancel_main(fault.new("bug", { op = "loop" }, {
    msg = "every task waits and nothing can wake one: " .. table.concat(names, ", "),
    hint = "a model that never answers, or a gate that nobody opens",
  }))
end
