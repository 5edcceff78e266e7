--- Guards over a Kubernetes cluster: nodes that are ready, disruptions that budgets allow.

local base = require("plat.guard.base")
local list = require("plat.list")

local M = {}

local NODES = base.options("guard.nodes_ready", {
  client = { type = "table", required = true, help = "plat.k8s client" },
  min = { type = "integer", min = 1, help = "default: all of them" },
})

local BUDGETS = base.options("guard.pdb_allows", {
  client = { type = "table", required = true, help = "plat.k8s client" },
  namespace = { type = "string", required = true, help = "of the pods" },
  labels = { type = "table", required = true, help = "of the pods that will be disturbed" },
  count = { type = "integer", min = 1, default = 1, help = "how many of them at once" },
})

--- Decides about nodes: ready and not cordoned counts. Pure.
---@param nodes table[]
---@param min? integer default: all
---@return boolean ok
---@return string? reason
---@return string? hint
function M.decide_nodes(nodes, min)
  if not base.is_list(nodes) or #nodes == 0 then
    return false, "no node is known: the reading is empty"
  end
  local bad = {}
  for _, node in ipairs(nodes) do
    local ready = list.find(list.get(node, "status.conditions") or {}, { type = "Ready" })
    local name = list.get(node, "metadata.name") or "?"
    if not ready or ready.status ~= "True" then
      bad[#bad + 1] = name .. " is not ready"
    elseif list.get(node, "spec.unschedulable") then
      bad[#bad + 1] = name .. " is cordoned"
    end
  end
  local good = #nodes - #bad
  if good >= (min or #nodes) then
    return true
  end
  return false,
    ("%d of %d nodes are ready, %d are needed%s"):format(
      good,
      #nodes,
      min or #nodes,
      #bad > 0 and ": " .. base.some(bad) or ""
    ),
    #bad > 0 and "kubectl describe node tells why" or nil
end

--- Makes the guard; see plat.guard.
---@param opts table
---@return plat.Guard
function M.nodes_ready(opts)
  opts = NODES(opts)
  return base.new("nodes-ready", opts, function()
    return M.decide_nodes(opts.client:list("nodes"), opts.min)
  end)
end

local function holds(expression, labels)
  local value = labels[expression.key]
  local is_in = value ~= nil and list.contains(expression.values or {}, value)
  if expression.operator == "In" then
    return is_in
  elseif expression.operator == "NotIn" then
    return not is_in
  end
  return (value ~= nil) == (expression.operator == "Exists")
end

--- Returns whether a budget is about a pod. An empty selector is about all (policy/v1).
local function concerns(budget, pod)
  local selector = list.get(budget, "spec.selector")
  local labels = list.get(pod, "metadata.labels") or {}
  for key, value in pairs(selector and selector.matchLabels or {}) do
    if labels[key] ~= value then
      return false
    end
  end
  for _, expression in ipairs(selector and selector.matchExpressions or {}) do
    if not holds(expression, labels) then
      return false
    end
  end
  return selector ~= nil
end

--- Returns why a budget forbids so many disruptions, or nil.
local function forbids(budget, count)
  local name = budget.metadata.name
  local status = budget.status or {}
  local allowed = base.number(status.disruptionsAllowed)
  if not allowed or (status.observedGeneration or 0) < (budget.metadata.generation or 0) then
    return ("what budget %s allows is not known yet"):format(name)
  elseif allowed < count then
    return ("budget %s allows %d disruptions now, not %d (%d of %d pods healthy)"):format(
      name,
      allowed,
      count,
      status.currentHealthy or 0,
      status.expectedPods or 0
    )
  end
end

--- Decides about budgets. Pods that no budget is about may be disturbed. Pure.
---@param budgets table[] PodDisruptionBudgets of the namespace
---@param pods table[] that will be disturbed
---@param count integer how many at once
---@return boolean ok
---@return string? reason
---@return string? hint
function M.decide_budgets(budgets, pods, count)
  if not base.is_list(budgets) then
    return false, "the budgets are not known"
  elseif not base.is_list(pods) or #pods == 0 then
    return false, "no pod has these labels"
  end
  local problems = {}
  for _, budget in ipairs(budgets) do
    local concerned = list.find(pods, function(pod)
      return concerns(budget, pod)
    end)
    problems[#problems + 1] = concerned and forbids(budget, count) or nil
  end
  if #problems == 0 then
    return true
  end
  return false, table.concat(problems, "; "), "wait until its pods are healthy, or disturb fewer"
end

--- Makes the guard; see plat.guard.
---@param opts table
---@return plat.Guard
function M.pdb_allows(opts)
  opts = BUDGETS(opts)
  return base.new("disruption-budget", opts, function()
    local pods = opts.client:list("pods", opts.namespace, { labels = opts.labels })
    local budgets = opts.client:list("poddisruptionbudgets", opts.namespace)
    return M.decide_budgets(budgets, pods, opts.count)
  end)
end

return M
