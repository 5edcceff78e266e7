--- The ReplicaSet controller.
local chance = require("plat.sim.k8s.chance")
local podinfo = require("plat.sim.k8s.podinfo")
local podmaker = require("plat.sim.k8s.podmaker")
local queue = require("plat.sim.k8s.queue")
local recorder = require("plat.sim.k8s.recorder")
local remove = require("plat.sim.k8s.remove")
local store = require("plat.sim.k8s.store")

local M = {}

local ID = "replicasets.apps"
local BY = "replicaset-controller"

--- Orders pods so that those to delete first come first: not placed, not ready, youngest.
local function less_worth(a, b)
  local function rank(pod)
    return (pod.spec.nodeName and 2 or 0) + (podinfo.is_ready(pod) and 4 or 0)
  end
  if rank(a) ~= rank(b) then
    return rank(a) < rank(b)
  end
  local x, y = a.metadata.creationTimestamp, b.metadata.creationTimestamp
  if x ~= y then
    return x > y
  end
  return a.metadata.name < b.metadata.name
end

local function create(model, set, count)
  for _ = 1, count do
    local name = set.metadata.name .. "-" .. chance.suffix(model)
    local pod = podinfo.make(set, set.spec.template, name)
    pod.metadata.generateName = set.metadata.name .. "-"
    local words = { done = "Created pod: " .. name, failed = "Error creating: %s" }
    if not podmaker.create(model, pod, set, ID, BY, words) then
      return
    end
  end
end

local function delete(model, set, pods, count)
  table.sort(pods, less_worth)
  for i = 1, count do
    local name = pods[i].metadata.name
    remove.delete(model, pods[i], {})
    recorder.event(model, set, "Normal", "SuccessfulDelete", "Deleted pod: " .. name, BY)
  end
end

--- Lists the pods of a set that are neither leaving nor over.
local function active(model, set)
  local out = {}
  for _, pod in ipairs(podinfo.owned(model, "pods", set)) do
    if not podinfo.is_leaving(pod) and not podinfo.is_over(pod) then
      out[#out + 1] = pod
    end
  end
  return out
end

local function count(model, set)
  local pods = active(model, set)
  local ready, available = 0, 0
  for _, pod in ipairs(pods) do
    ready = ready + (podinfo.is_ready(pod) and 1 or 0)
    local well, wait = podinfo.is_available(model, pod, set.spec.minReadySeconds or 0)
    available = available + (well and 1 or 0)
    if wait then
      local meta = set.metadata
      local args = { id = ID, ns = meta.namespace, name = meta.name }
      queue.add(model, wait, "sync", ID .. " " .. meta.namespace .. "/" .. meta.name, args)
    end
  end
  local function shown(n)
    return n > 0 and n or nil
  end
  store.edit(model, set, function(copy)
    copy.status = {
      replicas = #pods,
      fullyLabeledReplicas = shown(#pods),
      readyReplicas = shown(ready),
      availableReplicas = shown(available),
      observedGeneration = set.metadata.generation,
    }
  end)
end

--- Brings a replica set to its number of pods.
---@param model plat.sim.K8s
---@param set table
function M.sync(model, set)
  if not set.metadata.deletionTimestamp then
    local pods = active(model, set)
    local want = set.spec.replicas
    if #pods < want then
      create(model, set, want - #pods)
    elseif #pods > want then
      delete(model, set, pods, #pods - want)
    end
  end
  count(model, set)
end

return M
