--- The node life cycle: what happens when a node stops answering, and when it is back.
local data = require("plat.sim.k8s.data")
local podinfo = require("plat.sim.k8s.podinfo")
local queue = require("plat.sim.k8s.queue")
local recorder = require("plat.sim.k8s.recorder")
local remove = require("plat.sim.k8s.remove")
local store = require("plat.sim.k8s.store")

local M = {}

local NOTICED = 40 -- seconds until a silent node is seen
local EVICTED = 300 -- seconds until its pods are given up
local TAINT = "node.kubernetes.io/unreachable"

local function pods_on(model, name)
  local out = {}
  for _, pod in ipairs(store.list(model, "pods")) do
    if pod.spec.nodeName == name then
      out[#out + 1] = pod
    end
  end
  return out
end

local function ready(model, node, value, reason, message)
  store.edit(model, node, function(copy)
    podinfo.set_condition(model, copy.status, {
      type = "Ready",
      status = value,
      reason = reason,
      message = message,
      lastHeartbeatTime = store.stamp(model),
    })
    copy.spec.taints = nil
    if value ~= "True" then
      copy.spec.taints = data.array({
        { key = TAINT, effect = "NoSchedule" },
        { key = TAINT, effect = "NoExecute" },
      })
    end
  end)
end

local CORDON = "node.kubernetes.io/unschedulable"

local function has_taint(node, key)
  return data.find(node.spec.taints, { key = key }) ~= nil
end

--- Keeps the taints of a node in step with its spec and its conditions.
---@param model plat.sim.K8s
---@param node table
function M.sync(model, node)
  local condition = podinfo.condition(node, "Ready")
  local is_ready = condition ~= nil and condition.status == "True"
  local cordoned = node.spec.unschedulable == true
  local stale = is_ready and has_taint(node, "node.kubernetes.io/not-ready")
  if has_taint(node, CORDON) == cordoned and not stale then
    return
  end
  store.edit(model, node, function(copy)
    local keep = data.array({})
    for _, taint in ipairs(copy.spec.taints or {}) do
      local gone = taint.key == CORDON or (stale and taint.key:find("not%-ready$"))
      if not gone then
        keep[#keep + 1] = taint
      end
    end
    if cordoned then
      keep[#keep + 1] = { key = CORDON, effect = "NoSchedule", timeAdded = store.stamp(model) }
    end
    copy.spec.taints = #keep > 0 and keep or nil
  end)
end

--- A node falls silent.
---@param model plat.sim.K8s
---@param entry plat.sim.k8s.Entry
function M.down(model, entry)
  local node = assert(model.state.nodes[entry.args.node], "no such node: " .. entry.args.node)
  node.down = true
  queue.add(model, NOTICED, "node-lost", entry.args.node, entry.args)
end

--- The control plane sees that a node is silent.
---@param model plat.sim.K8s
---@param entry plat.sim.k8s.Entry
function M.lost(model, entry)
  local name = entry.args.node
  local node = store.get(model, "nodes", nil, name)
  if not node or not model.state.nodes[name].down then
    return
  end
  ready(model, node, "Unknown", "NodeStatusUnknown", "Kubelet stopped posting node status.")
  local text = ("Node %s status is now: NodeNotReady"):format(name)
  recorder.event(model, node, "Normal", "NodeNotReady", text, "node-controller")
  for _, pod in ipairs(pods_on(model, name)) do
    store.edit(model, pod, function(copy)
      podinfo.set_condition(model, copy.status, { type = "Ready", status = "False" })
    end)
    recorder.event(model, pod, "Warning", "NodeNotReady", "Node is not ready", "node-controller")
  end
  queue.add(model, EVICTED, "node-evict", name, entry.args)
end

--- The pods of a node that stayed silent are deleted; they go when the node is back.
---@param model plat.sim.K8s
---@param entry plat.sim.k8s.Entry
function M.evict(model, entry)
  if not model.state.nodes[entry.args.node].down then
    return
  end
  for _, pod in ipairs(pods_on(model, entry.args.node)) do
    local text = ("Marking for deletion Pod %s/%s"):format(
      pod.metadata.namespace,
      pod.metadata.name
    )
    recorder.event(model, pod, "Normal", "TaintManagerEviction", text, "taint-eviction-controller")
    remove.delete(model, pod, {})
  end
end

--- A node is back.
---@param model plat.sim.K8s
---@param entry plat.sim.k8s.Entry
function M.up(model, entry)
  local name = entry.args.node
  model.state.nodes[name].down = nil
  local node = store.get(model, "nodes", nil, name)
  if node then
    ready(model, node, "True", "KubeletReady", "kubelet is posting ready status")
  end
  for _, pod in ipairs(pods_on(model, name)) do
    local meta = pod.metadata
    local step = podinfo.is_leaving(pod) and "stop" or "ready"
    local runtime = model.state.pods[meta.uid]
    local args = { ns = meta.namespace, name = meta.name, uid = meta.uid, step = step }
    args.run = runtime and runtime.run
    queue.add(model, 1, "pod", nil, args)
  end
end

return M
