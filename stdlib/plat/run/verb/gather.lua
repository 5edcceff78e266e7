--- run:gather: many reads at once.

local task = require("plat.task")
local work = require("plat.run.hosts.work")

--- Calls a function for each item at once (up to --forks) and returns the results in order. Of
--- hosts it returns the values by their names, and who failed or cannot be reached: those drop out
--- of the run, as with run:on.
---@async
---@param run plat.Run
---@param items any[]
---@param fn fun(item: any): any
---@return table values
---@return { ok: string[], failed: string[], unreachable: string[] }? hosts
return function(run, items, fn)
  if not work.are_hosts(items) then
    return task.each(items, { limit = run.forks }, fn)
  end
  local result = work.perform({
    run = run,
    op = "run:gather",
    fn = fn,
    items = work.check("run:gather", items),
    limit = run.forks,
    lockstep = false,
    unreachable = "data",
  })
  return result.values, result
end
