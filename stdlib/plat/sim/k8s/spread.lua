--- Where the scheduler may put a pod with regard to other pods: spread over zones, affinity.
local data = require("plat.sim.k8s.data")
local podinfo = require("plat.sim.k8s.podinfo")
local select = require("plat.sim.k8s.select")
local store = require("plat.sim.k8s.store")

local M = {}

--- Counts the pods of a namespace that a selector matches, by the value that their nodes have for a
--- label.
local function count(model, pod, selector, key, nodes)
  local domains, at = {}, {}
  for _, node in ipairs(nodes) do
    local value = (node.metadata.labels or {})[key]
    if value then
      at[node.metadata.name] = value
      domains[value] = domains[value] or 0
    end
  end
  for _, other in ipairs(store.list(model, "pods", pod.metadata.namespace)) do
    local domain = at[other.spec.nodeName or ""]
    local here = domain and not podinfo.is_over(other) and not podinfo.is_leaving(other)
    if here and select.matches(selector, other.metadata.labels) then
      domains[domain] = domains[domain] + 1
    end
  end
  return domains
end

local function too_skewed(model, pod, node, nodes, all)
  for _, constraint in ipairs(pod.spec.topologySpreadConstraints or {}) do
    if constraint.whenUnsatisfiable == "DoNotSchedule" then
      local value = (node.metadata.labels or {})[constraint.topologyKey]
      if not value then
        local text = "node(s) didn't match pod topology spread constraints (missing required label)"
        return text, false
      end
      local selector = constraint.labelSelector or {}
      local counted = constraint.nodeAffinityPolicy == "Ignore" and all or nodes
      local domains = count(model, pod, selector, constraint.topologyKey, counted)
      local least = math.huge
      for _, n in pairs(domains) do
        least = math.min(least, n)
      end
      local itself = select.matches(selector, pod.metadata.labels) and 1 or 0
      if domains[value] + itself - least > constraint.maxSkew then
        return "node(s) didn't match pod topology spread constraints", true
      end
    end
  end
end

local function terms_of(pod, kind)
  local path = "spec.affinity." .. kind .. ".requiredDuringSchedulingIgnoredDuringExecution"
  return data.get(pod, path) or {}
end

local function bad_affinity(model, pod, node, nodes)
  local labels = node.metadata.labels or {}
  for _, term in ipairs(terms_of(pod, "podAffinity")) do
    local domains = count(model, pod, term.labelSelector or {}, term.topologyKey, nodes)
    local total = 0
    for _, n in pairs(domains) do
      total = total + n
    end
    local first = total == 0 and select.matches(term.labelSelector or {}, pod.metadata.labels)
    if (domains[labels[term.topologyKey] or 0] or 0) == 0 and not first then
      return "node(s) didn't match pod affinity rules", false
    end
  end
  for _, term in ipairs(terms_of(pod, "podAntiAffinity")) do
    local domains = count(model, pod, term.labelSelector or {}, term.topologyKey, nodes)
    if (domains[labels[term.topologyKey] or 0] or 0) > 0 then
      return "node(s) didn't match pod anti-affinity rules", true
    end
  end
end

--- Returns why a pod may not go to a node beside other pods; nil if it may.
---@param model plat.sim.K8s
---@param pod table
---@param node table
---@param nodes table[] those that the pod's own node affinity allows
---@param all table[]
---@return string? reason
---@return boolean? preemptible it would help to remove other pods
function M.refusal(model, pod, node, nodes, all)
  local text, preemptible = too_skewed(model, pod, node, nodes, all)
  if text then
    return text, preemptible
  end
  return bad_affinity(model, pod, node, all)
end

return M
