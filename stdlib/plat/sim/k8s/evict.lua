--- The eviction subresource: deletion that budgets may refuse.
local body = require("plat.sim.k8s.body")
local data = require("plat.sim.k8s.data")
local remove = require("plat.sim.k8s.remove")
local select = require("plat.sim.k8s.select")
local status = require("plat.sim.k8s.status")
local store = require("plat.sim.k8s.store")
local write = require("plat.sim.k8s.write")

local M = {}

--- Returns the budgets that cover a pod.
---@param model plat.sim.K8s
---@param pod table
---@return table[]
function M.budgets(model, pod)
  local out = {}
  for _, pdb in ipairs(store.list(model, "poddisruptionbudgets.policy", pod.metadata.namespace)) do
    if select.matches(pdb.spec.selector, pod.metadata.labels) then
      out[#out + 1] = pdb
    end
  end
  return out
end

local function refuse(pdb)
  local s = pdb.status
  local message = ("The disruption budget %s needs %d healthy pods and has %d currently"):format(
    pdb.metadata.name,
    s.desiredHealthy,
    s.currentHealthy
  )
  local details = { causes = data.array({ { reason = "DisruptionBudget", message = message } }) }
  local headers = nil
  if (s.observedGeneration or 0) < (pdb.metadata.generation or 0) then
    local text = "The disruption budget %s is still being processed by the server."
    details.causes[1].message = text:format(pdb.metadata.name)
    details.retryAfterSeconds = 10
    headers = { ["retry-after"] = "10" }
  end
  status.refuse(
    429,
    "TooManyRequests",
    "Cannot evict pod as it would violate the pod's disruption budget.",
    details,
    headers
  )
end

local function counts(pod)
  local phase = data.get(pod, "status.phase")
  return not pod.metadata.deletionTimestamp and (phase == "Running")
end

--- Answers the subresource.
---@param ctx plat.sim.k8s.Context
function M.serve(ctx)
  local eviction = body.object(ctx, "Eviction", "policy/v1")
  local pod = write.present(ctx)
  local model = ctx.model
  local opts = eviction.deleteOptions or {}
  if counts(pod) then
    local budgets = M.budgets(model, pod)
    if #budgets > 1 then
      local message = "This pod has more than one PodDisruptionBudget, which the eviction "
        .. "subresource does not support."
      status.refuse(500, nil, message)
    end
    local pdb = budgets[1]
    if pdb then
      local stale = (pdb.status.observedGeneration or 0) < (pdb.metadata.generation or 0)
      if stale or pdb.status.disruptionsAllowed < 1 then
        refuse(pdb)
      end
      if not ctx.dry then
        store.edit(model, pdb, function(copy)
          local s = copy.status
          s.disruptionsAllowed = s.disruptionsAllowed - 1
          s.disruptedPods = s.disruptedPods or {}
          s.disruptedPods[pod.metadata.name] = store.stamp(model)
        end)
      end
    end
  end
  if not ctx.dry then
    remove.delete(model, pod, { grace = opts.gracePeriodSeconds })
  end
  return 201, { kind = "Status", apiVersion = "v1", metadata = {}, status = "Success", code = 201 }
end

return M
