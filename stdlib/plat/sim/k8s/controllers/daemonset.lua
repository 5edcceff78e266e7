--- The DaemonSet controller: one pod on each node.
local chance = require("plat.sim.k8s.chance")
local data = require("plat.sim.k8s.data")
local json = require("plat.json")
local podinfo = require("plat.sim.k8s.podinfo")
local podmaker = require("plat.sim.k8s.podmaker")
local queue = require("plat.sim.k8s.queue")
local remove = require("plat.sim.k8s.remove")
local store = require("plat.sim.k8s.store")

local M = {}

local ID = "daemonsets.apps"
local BY = "daemonset-controller"
local REVISION = "controller-revision-hash"
local KEYS = { "disk-pressure", "memory-pressure", "pid-pressure", "unschedulable" }

local function node_of(pod)
  local path = "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution"
  local terms = data.get(pod, path .. ".nodeSelectorTerms")
  return pod.spec.nodeName or (terms and data.get(terms[1], "matchFields")[1].values[1])
end

local function create(model, set, node, hash)
  local name = set.metadata.name .. "-" .. chance.suffix(model)
  local pod = podinfo.make(set, set.spec.template, name)
  pod.metadata.generateName = set.metadata.name .. "-"
  pod.metadata.labels[REVISION] = hash
  local field = { key = "metadata.name", operator = "In", values = data.array({ node }) }
  local term = { matchFields = data.array({ field }) }
  pod.spec.affinity = {
    nodeAffinity = {
      requiredDuringSchedulingIgnoredDuringExecution = {
        nodeSelectorTerms = data.array({ term }),
      },
    },
  }
  pod.spec.tolerations = pod.spec.tolerations or data.array({})
  for _, key in ipairs(KEYS) do
    table.insert(pod.spec.tolerations, {
      key = "node.kubernetes.io/" .. key,
      operator = "Exists",
      effect = "NoSchedule",
    })
  end
  local words = { done = "Created pod: " .. name, failed = "Error creating: %s" }
  podmaker.create(model, pod, set, ID, BY, words)
end

local function nodes_for(model, set)
  local out = {}
  local selector = data.get(set, "spec.template.spec.nodeSelector") or {}
  for _, node in ipairs(store.list(model, "nodes")) do
    local fits = true
    for key, value in pairs(selector) do
      fits = fits and (node.metadata.labels or {})[key] == value
    end
    if fits then
      out[#out + 1] = node.metadata.name
    end
  end
  return out
end

--- Replaces one pod of an old template, if the others are ready.
local function roll(model, set, by_node, hash)
  if set.spec.updateStrategy.type ~= "RollingUpdate" then
    return
  end
  local old
  for _, pod in pairs(by_node) do
    if not podinfo.is_ready(pod) or podinfo.is_leaving(pod) then
      if pod.metadata.labels[REVISION] == hash then
        return
      end
      old = pod
    elseif pod.metadata.labels[REVISION] ~= hash then
      old = old or pod
    end
  end
  if old and not podinfo.is_leaving(old) then
    remove.delete(model, old, {})
  end
end

--- Brings a daemon set to one pod on each node.
---@param model plat.sim.K8s
---@param set table
function M.sync(model, set)
  local hash = chance.hash(json.encode(set.spec.template))
  local wanted, by_node = nodes_for(model, set), {}
  local ready, updated, placed = 0, 0, 0
  for _, pod in ipairs(podinfo.owned(model, "pods", set)) do
    by_node[node_of(pod)] = pod
  end
  if not set.metadata.deletionTimestamp then
    for _, node in ipairs(wanted) do
      if not by_node[node] then
        create(model, set, node, hash)
      end
    end
    roll(model, set, by_node, hash)
  end
  for _, pod in ipairs(podinfo.owned(model, "pods", set)) do
    placed = placed + 1
    ready = ready + (podinfo.is_ready(pod) and 1 or 0)
    updated = updated + (pod.metadata.labels[REVISION] == hash and 1 or 0)
  end
  store.edit(model, set, function(copy)
    copy.status = {
      observedGeneration = set.metadata.generation,
      desiredNumberScheduled = #wanted,
      currentNumberScheduled = placed,
      numberMisscheduled = 0,
      numberReady = ready,
      numberAvailable = ready > 0 and ready or nil,
      numberUnavailable = #wanted > ready and #wanted - ready or nil,
      updatedNumberScheduled = updated > 0 and updated or nil,
    }
  end)
end

--- Has every daemon set looked at again: the nodes have changed.
---@param model plat.sim.K8s
function M.notice(model)
  for _, set in ipairs(store.list(model, ID)) do
    local meta = set.metadata
    local args = { id = ID, ns = meta.namespace, name = meta.name }
    queue.add(model, 0.05, "sync", ID .. " " .. meta.namespace .. "/" .. meta.name, args)
  end
end

return M
