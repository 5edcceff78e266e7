--- The scheduler: pods to nodes by requests, selectors and taints.
local data = require("plat.sim.k8s.data")
local json = require("plat.json")
local podinfo = require("plat.sim.k8s.podinfo")
local quantity = require("plat.sim.k8s.quantity")
local queue = require("plat.sim.k8s.queue")
local recorder = require("plat.sim.k8s.recorder")
local select = require("plat.sim.k8s.select")
local spread = require("plat.sim.k8s.spread")
local store = require("plat.sim.k8s.store")

local M = {}

local BY = "default-scheduler"
local RETRY = 60 -- seconds after which a pod that fits nowhere is tried again anyway

--- Returns what a pod asks for.
---@param pod table
---@return table<string, number>
function M.requests(pod)
  local sum = { cpu = 0, memory = 0, pods = 1 }
  for _, c in ipairs(pod.spec.containers or {}) do
    for name, value in pairs(data.get(c, "resources.requests") or {}) do
      sum[name] = (sum[name] or 0) + (quantity.value(value) or 0)
    end
  end
  return sum
end

--- Adds up what is asked for on each node.
local function usage(model)
  local by_node = {}
  for _, pod in ipairs(store.list(model, "pods")) do
    local name = pod.spec.nodeName
    if name and not podinfo.is_over(pod) then
      local sum = by_node[name] or { cpu = 0, memory = 0, pods = 0 }
      for what, value in pairs(M.requests(pod)) do
        sum[what] = (sum[what] or 0) + value
      end
      by_node[name] = sum
    end
  end
  return by_node
end

local NOTHING = { cpu = 0, memory = 0, pods = 0 }

local function tolerates(pod, taint)
  for _, t in ipairs(pod.spec.tolerations or {}) do
    local key = t.key == nil or t.key == taint.key
    local value = t.operator == "Exists" or t.value == taint.value
    local effect = t.effect == nil or t.effect == taint.effect
    if key and value and effect then
      return true
    end
  end
  return false
end

--- Says whether a pod must not go to a node, and whether it may go to nodes of some names only.
local function wrong_affinity(pod, node)
  for key, value in pairs(pod.spec.nodeSelector or {}) do
    if (node.metadata.labels or {})[key] ~= value then
      return true
    end
  end
  local path = "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution"
  local terms = data.get(pod, path .. ".nodeSelectorTerms")
  local bound = terms ~= nil
  for _, term in ipairs(terms or {}) do
    local fields = data.get(term, "matchFields")
    bound = bound and fields ~= nil
    local named = not fields or fields[1].values[1] == node.metadata.name
    local selector = { matchExpressions = term.matchExpressions }
    if named and select.matches(selector, node.metadata.labels) then
      return false
    end
  end
  return terms ~= nil, bound
end

--- Returns why a pod cannot go to a node; an empty list if it can.
local function reasons(model, pod, node, taken, nodes, all)
  if node.spec.unschedulable then
    return { "node(s) were unschedulable" }, false
  end
  for _, taint in ipairs(node.spec.taints or {}) do
    if taint.effect ~= "PreferNoSchedule" and not tolerates(pod, taint) then
      return { "node(s) had untolerated taint(s)" }, false
    end
  end
  local elsewhere, bound = wrong_affinity(pod, node)
  if elsewhere then
    local by_name = "node(s) didn't satisfy plugin(s) [NodeAffinity]"
    return { bound and by_name or "node(s) didn't match Pod's node affinity/selector" }, false
  end
  if model.state.faults.no_capacity then
    return { "Insufficient cpu" }, true
  end
  local have = data.get(node, "status.allocatable") or {}
  local want, out = M.requests(pod), {}
  local resolvable = true -- another pod may have to go for it; an empty node would do
  for _, name in ipairs({ "cpu", "memory" }) do
    local room = (quantity.value(have[name]) or 0) - taken[name]
    if want[name] > 0 and want[name] > room + 1e-9 then
      out[#out + 1] = "Insufficient " .. name
      resolvable = resolvable and want[name] <= (quantity.value(have[name]) or 0)
    end
  end
  if taken.pods + 1 > (quantity.value(have.pods) or 0) then
    out[#out + 1] = "Too many pods"
  end
  if #out == 0 then
    local beside, preemptible = spread.refusal(model, pod, node, nodes, all)
    return { beside }, preemptible
  end
  return out, resolvable
end

local function unbound_claim(model, pod)
  for _, volume in ipairs(pod.spec.volumes or {}) do
    local name = data.get(volume, "persistentVolumeClaim.claimName")
    if name then
      local claim = store.get(model, "persistentvolumeclaims", pod.metadata.namespace, name)
      if not claim then
        return ('persistentvolumeclaim "%s" not found'):format(name)
      end
      local class = claim.spec.storageClassName
      local found = class and store.get(model, "storageclasses.storage.k8s.io", nil, class)
      local waits = found and found.volumeBindingMode == "WaitForFirstConsumer"
      if data.get(claim, "status.phase") ~= "Bound" and not waits then
        return "pod has unbound immediate PersistentVolumeClaims"
      end
    end
  end
  return nil
end

local function count_text(counts, total)
  local parts = {}
  for text, n in pairs(counts) do
    parts[#parts + 1] = ("%d %s"):format(n, text)
  end
  table.sort(parts)
  return ("0/%d nodes are available: %s."):format(total, table.concat(parts, ", "))
end

local function refuse(model, pod, message)
  recorder.event(model, pod, "Warning", "FailedScheduling", message, BY)
  store.edit(model, pod, function(copy)
    podinfo.set_condition(model, copy.status, {
      type = "PodScheduled",
      status = "False",
      reason = "Unschedulable",
      lastProbeTime = json.null,
      message = message,
      observedGeneration = pod.metadata.generation,
    })
  end)
  local meta = pod.metadata
  local key = meta.namespace .. "/" .. meta.name
  queue.add(model, RETRY, "schedule", key, { ns = meta.namespace, name = meta.name })
end

--- Chooses the node with the most room; equal ones by name.
local function choose(model, pod, nodes)
  local best, room, counts, helpful, helpless = nil, nil, {}, 0, 0
  local by_node = usage(model)
  local allowed = {}
  for _, node in ipairs(nodes) do
    allowed[#allowed + 1] = not wrong_affinity(pod, node) and node or nil
  end
  for _, node in ipairs(nodes) do
    local taken = by_node[node.metadata.name] or NOTHING
    local why, preemptible = reasons(model, pod, node, taken, allowed, nodes)
    if #why == 0 then
      local have = data.get(node, "status.allocatable") or {}
      local left = (quantity.value(have.memory) or 0) - taken.memory - taken.pods
      if not best or left > room then
        best, room = node, left
      end
    else
      helpful = helpful + (preemptible and 1 or 0)
      helpless = helpless + (preemptible and 0 or 1)
      for _, text in ipairs(why) do
        counts[text] = (counts[text] or 0) + 1
      end
    end
  end
  if best then
    return best
  end
  local preemption = {
    ["No preemption victims found for incoming pod"] = helpful > 0 and helpful or nil,
    ["Preemption is not helpful for scheduling"] = helpless > 0 and helpless or nil,
  }
  return nil,
    count_text(counts, #nodes) .. " no new claims to deallocate, preemption: " .. count_text(
      preemption,
      #nodes
    )
end

local function bind(model, pod, node)
  local name = node.metadata.name
  store.edit(model, pod, function(copy)
    copy.spec.nodeName = name
    podinfo.set_condition(model, copy.status, {
      type = "PodScheduled",
      status = "True",
      lastProbeTime = json.null,
      observedGeneration = pod.metadata.generation,
    })
  end)
  local message = ("Successfully assigned %s/%s to %s"):format(
    pod.metadata.namespace,
    pod.metadata.name,
    name
  )
  recorder.event(model, pod, "Normal", "Scheduled", message, BY)
end

--- Tries to place one pod.
---@param model plat.sim.K8s
---@param entry plat.sim.k8s.Entry
function M.run(model, entry)
  local pod = store.get(model, "pods", entry.args.ns, entry.args.name)
  if not pod or pod.spec.nodeName or podinfo.is_leaving(pod) or podinfo.is_over(pod) then
    return
  elseif pod.spec.schedulerName ~= BY then
    return
  end
  local nodes = store.list(model, "nodes")
  if #nodes == 0 then
    return refuse(model, pod, "no nodes available to schedule pods")
  end
  local claim = unbound_claim(model, pod)
  if claim then
    local text = (
      "0/%d nodes are available: %s. no new claims to deallocate, preemption: "
      .. "0/%d nodes are available: %d Preemption is not helpful for scheduling."
    ):format(#nodes, claim, #nodes, #nodes)
    return refuse(model, pod, text)
  end
  local node, message = choose(model, pod, nodes)
  if not node then
    return refuse(model, pod, message)
  end
  bind(model, pod, node)
end

--- Tries every pod that has no node: something has become free.
---@param model plat.sim.K8s
function M.all(model)
  for _, pod in ipairs(store.list(model, "pods")) do
    if not pod.spec.nodeName and not podinfo.is_leaving(pod) then
      local meta = pod.metadata
      local args = { ns = meta.namespace, name = meta.name }
      queue.add(model, 0.05, "schedule", meta.namespace .. "/" .. meta.name, args)
    end
  end
end

return M
