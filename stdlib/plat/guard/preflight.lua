--- What the inventory demands of a run, whatever its playbook: change window, freeze, protection.

local fault = require("plat.fault")
local policy = require("plat.inventory.policy")
local protected = require("plat.guard.protected")
local window = require("plat.guard.window")

local M = {}

--- Returns the guards and the question that an environment demands. Pure apart from reading the
--- zone's file.
---@param services table the inventory's: `{ change_window, freeze }`
---@param cluster { environment: string?, protected: boolean? }
---@param playbook { risk: string, summary: string }
---@return plat.Guard[] guards
---@return { text: string, risk: string, name: string? }? question
function M.demands(services, cluster, playbook)
  local guards, risk = {}, playbook.risk
  if risk == "safe" then
    return guards
  end
  local cal, needs = policy.calendar(services, risk)
  if cal then
    guards[#guards + 1] = window.of(cal, { needs = needs })
  end
  if not cluster.protected then
    return guards
  end
  if risk == "destructive" then
    guards[#guards + 1] = protected.new({
      cluster = cluster,
      risk = risk,
      window = services.change_window ~= nil,
    })
  end
  local where = cluster.environment or "a protected environment"
  local text = ("%s (%s) on %s"):format(playbook.summary, risk, where)
  return guards, { text = text, risk = risk, name = cluster.environment }
end

local function gather(run, playbook)
  local inventory = run.inventory()
  local cluster = run.cluster_used
    or { environment = inventory.environment, protected = inventory.protected }
  return M.demands(inventory.services, cluster, playbook)
end

--- Lists a guard in a plan: a plan changes nothing, so it may be made at any time.
local function list_guard(run, guard)
  local ok, value, reason, hint = xpcall(guard.check, fault.from_handler)
  if not ok and value.kind == "cancelled" then
    error(value, 0)
  end
  run.reporter:emit("plan_guard", {
    title = guard.name,
    status = ok and value == true and "ok" or "refused",
    reason = not ok and value.msg or reason,
    hint = hint,
  })
end

--- Checks what the inventory demands; in a plan lists it. Does nothing the second time.
---@async
---@param run plat.Run
---@param playbook { risk: string, summary: string }
---@param opts? { ask: boolean? } false: the question is left to `ask`
function M.check(run, playbook, opts)
  if run.preflighted then
    return
  end
  run.preflighted = true
  for _, guard in ipairs((gather(run, playbook))) do
    if run.planning then
      list_guard(run, guard)
    else
      run:guard(guard)
    end
  end
  if not opts or opts.ask ~= false then
    M.ask(run, playbook)
  end
end

--- Asks what the inventory demands to be asked. Does nothing the second time.
---@async
---@param run plat.Run
---@param playbook { risk: string, summary: string }
function M.ask(run, playbook)
  if run.asked then
    return
  end
  run.asked = true
  local _, question = gather(run, playbook)
  if question then
    run:confirm(question.text, { risk = question.risk, name = question.name })
  end
end

return M
