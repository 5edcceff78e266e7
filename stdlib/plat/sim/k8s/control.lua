--- Who is told of a change, and what runs when something is due.
local budget = require("plat.sim.k8s.controllers.budget")
local collect = require("plat.sim.k8s.controllers.collect")
local daemonset = require("plat.sim.k8s.controllers.daemonset")
local data = require("plat.sim.k8s.data")
local endpoints = require("plat.sim.k8s.controllers.endpoints")
local hpa = require("plat.sim.k8s.controllers.hpa")
local kinds = require("plat.sim.k8s.kinds")
local kubelet = require("plat.sim.k8s.kubelet")
local node = require("plat.sim.k8s.controllers.node")
local podinfo = require("plat.sim.k8s.podinfo")
local queue = require("plat.sim.k8s.queue")
local quota = require("plat.sim.k8s.quota")
local recorder = require("plat.sim.k8s.recorder")
local scheduler = require("plat.sim.k8s.scheduler")
local store = require("plat.sim.k8s.store")
local volume = require("plat.sim.k8s.controllers.volume")

local M = {}

local LATENCY = 0.02 -- seconds from a change to the controller that acts on it

local SYNC = {
  ["daemonsets.apps"] = daemonset.sync,
  ["deployments.apps"] = require("plat.sim.k8s.controllers.deployment").sync,
  ["replicasets.apps"] = require("plat.sim.k8s.controllers.replicaset").sync,
  ["statefulsets.apps"] = require("plat.sim.k8s.controllers.statefulset").sync,
  ["cronjobs.batch"] = require("plat.sim.k8s.controllers.cronjob").sync,
  ["jobs.batch"] = require("plat.sim.k8s.controllers.job").sync,
  ["poddisruptionbudgets.policy"] = budget.sync,
  ["persistentvolumeclaims"] = volume.sync,
  ["services"] = endpoints.sync,
  ["nodes"] = node.sync,
  ["resourcequotas"] = quota.sync,
}

local RUN = {
  pod = kubelet.run,
  crash = kubelet.crash,
  reprobe = kubelet.reprobe,
  schedule = scheduler.run,
  ["schedule-all"] = scheduler.all,
  collect = collect.run,
  expire = recorder.expire,
  provision = volume.provision,
  hpa = hpa.run,
  ["node-down"] = node.down,
  ["node-lost"] = node.lost,
  ["node-evict"] = node.evict,
  ["node-up"] = node.up,
}

local function sync_later(model, id, ns, name)
  if SYNC[id] then
    queue.add(model, LATENCY, "sync", id .. " " .. (ns or "") .. "/" .. name, {
      id = id,
      ns = ns,
      name = name,
    })
  end
end

local function owner_later(model, object)
  local ref = podinfo.controller_of(object)
  local kind = ref and kinds.of_object(ref.apiVersion, ref.kind)
  if kind then
    sync_later(model, kind.id, object.metadata.namespace, ref.name)
  end
end

local NOTICE = {}

function NOTICE.pods(model, change)
  local pod = change.object
  kubelet.notice(model, change)
  budget.notice(model, pod.metadata.namespace)
  endpoints.notice(model, pod.metadata.namespace)
  if pod.spec.nodeName and not (change.prev and change.prev.spec.nodeName) then
    volume.placed(model, pod)
  end
  local frees = change.type == "DELETED" or podinfo.is_over(pod)
  if frees and pod.spec.nodeName then
    queue.add(model, 0.1, "schedule-all", "")
  elseif change.type == "ADDED" and not pod.spec.nodeName then
    local meta = pod.metadata
    local args = { ns = meta.namespace, name = meta.name }
    queue.add(model, 0.05, "schedule", meta.namespace .. "/" .. meta.name, args)
  end
end

function NOTICE.nodes(model, change)
  local prev = change.prev
  local same = prev
    and data.equal(prev.spec, change.object.spec)
    and data.equal(
      data.get(prev, "status.allocatable"),
      data.get(change.object, "status.allocatable")
    )
  if not same then
    queue.add(model, 0.1, "schedule-all", "")
    daemonset.notice(model)
  end
end

NOTICE["horizontalpodautoscalers.autoscaling"] = function(model, change)
  if change.type == "ADDED" then
    hpa.notice(model)
  elseif change.type == "DELETED" then
    hpa.gone(model, change.object)
  end
end

function NOTICE.services(model, change)
  if change.type == "DELETED" then
    endpoints.gone(model, change.object)
  end
end

local function scaled(model, change)
  budget.notice(model, change.object.metadata.namespace)
end
NOTICE["statefulsets.apps"], NOTICE["replicasets.apps"] = scaled, scaled

function NOTICE.persistentvolumeclaims(model, change)
  if change.type == "DELETED" then
    volume.released(model, change.object)
  end
  queue.add(model, 0.1, "schedule-all", "")
end

--- Is told of every change of an object.
---@param model plat.sim.K8s
---@param change plat.sim.k8s.Change
function M.notice(model, change)
  local object, id = change.object, change.id
  if id == "events" then
    return recorder.notice(model, change)
  end
  local meta = object.metadata
  sync_later(model, id, meta.namespace, meta.name)
  owner_later(model, object)
  if id ~= "resourcequotas" then
    quota.notice(model, meta.namespace)
  end
  if NOTICE[id] then
    NOTICE[id](model, change)
  end
  if change.type == "DELETED" and id ~= "pods" then
    queue.add(model, 0.05, "orphans", meta.uid, { ns = meta.namespace })
  end
end

RUN.orphans = function(model, entry)
  collect.after(model, entry.key, entry.args.ns)
end

RUN.sync = function(model, entry)
  local args = entry.args
  local object = store.get(model, args.id, args.ns, args.name)
  if object then
    SYNC[args.id](model, object)
  end
end

--- Runs an entry of the queue.
---@param model plat.sim.K8s
---@param entry plat.sim.k8s.Entry
function M.run(model, entry)
  RUN[entry.what](model, entry)
end

return M
