--- The limits that a playbook sets to itself: how many hosts, clusters, deletions a run may touch.

local list = require("plat.list")

local M = {}

local function told(run)
  return function(reason, why)
    local guard = { status = "overridden", reason = reason, why = why }
    run.reporter:emit("guard", list.merge(guard, { title = "blast-radius" }))
    run:record(list.merge(guard, { type = "guard", name = "blast-radius", by = run.user() }))
  end
end

--- Returns the counter of a run, nil if its playbook sets no limits. What an earlier process of the
--- run has begun is counted already.
---@param run plat.Run
---@return plat.guard.Counter?
function M.of(run)
  local limits = run.playbook.limits
  if not limits then
    return nil
  end
  local counter = require("plat.guard").counter(limits, {
    all = {
      hosts = function()
        return #run.inventory():names("all", { unlimited = true })
      end,
      clusters = function()
        return #run.inventory():clusters()
      end,
    },
    override = run.overrides["blast-radius"],
    on_override = told(run),
  })
  local before = {}
  for _, known in pairs(run.memory and run.memory.changes or {}) do
    before[#before + 1] = known.intent
  end
  counter:load(before)
  return counter
end

return M
