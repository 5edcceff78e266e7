--- The StatefulSet controller.
local admit = require("plat.sim.k8s.admit")
local chance = require("plat.sim.k8s.chance")
local data = require("plat.sim.k8s.data")
local defaults = require("plat.sim.k8s.defaults")
local json = require("plat.json")
local podinfo = require("plat.sim.k8s.podinfo")
local podmaker = require("plat.sim.k8s.podmaker")
local queue = require("plat.sim.k8s.queue")
local recorder = require("plat.sim.k8s.recorder")
local remove = require("plat.sim.k8s.remove")
local store = require("plat.sim.k8s.store")

local M = {}

local ID = "statefulsets.apps"
local BY = "statefulset-controller"
local REVISION = "controller-revision-hash"

---@class plat.sim.k8s.StsView one look at a set and its pods
---@field set table
---@field replicas integer
---@field start integer first ordinal
---@field ordered boolean
---@field current string revision
---@field update string revision
---@field pods table<integer, table> by ordinal
---@field status table the new status

local function ordinal_of(set, pod)
  local base, number = pod.metadata.name:match("^(.*)%-(%d+)$")
  return base == set.metadata.name and math.tointeger(tonumber(number)) or nil
end

--- Stores the revision of the set's template, if it is new; returns its name.
local function revision(model, set)
  local template = data.copy(set.spec.template)
  local hash = chance.hash(json.encode(template))
  local name = set.metadata.name .. "-" .. hash
  local highest, present = 0, nil
  for _, rev in ipairs(podinfo.owned(model, "controllerrevisions.apps", set)) do
    highest = math.max(highest, rev.revision)
    if rev.metadata.name == name then
      present = rev
    end
  end
  if present and present.revision < highest then
    store.edit(model, present, function(copy)
      copy.revision = highest + 1
    end)
  elseif not present then
    template["$patch"] = "replace"
    local labels = data.copy(data.get(set, "spec.template.metadata.labels") or {})
    labels["controller.kubernetes.io/hash"] = hash
    store.create(model, {
      apiVersion = "apps/v1",
      kind = "ControllerRevision",
      metadata = {
        name = name,
        namespace = set.metadata.namespace,
        labels = labels,
        ownerReferences = data.array({ podinfo.reference(set) }),
      },
      data = { spec = { template = template } },
      revision = highest + 1,
    })
  end
  return name
end

local function template_of(model, view, name)
  if name == view.update then
    return view.set.spec.template
  end
  local rev = store.get(model, "controllerrevisions.apps", view.set.metadata.namespace, name)
  local template = rev and data.copy(rev.data.spec.template) or view.set.spec.template
  template["$patch"] = nil
  return template
end

local function retention(set)
  return set.spec.persistentVolumeClaimRetentionPolicy or {}
end

local function claim_name(template, pod_name)
  return template.metadata.name .. "-" .. pod_name
end

local function create_claims(model, set, pod_name)
  for _, template in ipairs(set.spec.volumeClaimTemplates or {}) do
    local name = claim_name(template, pod_name)
    local ns = set.metadata.namespace
    if not store.get(model, "persistentvolumeclaims", ns, name) then
      local claim = data.copy(template)
      claim.status = nil
      claim.metadata.name, claim.metadata.namespace = name, ns
      claim.metadata.labels = data.copy(set.spec.selector.matchLabels)
      if retention(set).whenDeleted == "Delete" then
        claim.metadata.ownerReferences = data.array({ podinfo.reference(set) })
      end
      defaults.fill(claim)
      admit.create(model, claim)
      store.create(model, claim)
      local message = ("create Claim %s Pod %s in StatefulSet %s success"):format(
        name,
        pod_name,
        set.metadata.name
      )
      recorder.event(model, set, "Normal", "SuccessfulCreate", message, BY)
    end
  end
end

local function wants_current(view, ordinal)
  local strategy = view.set.spec.updateStrategy
  if strategy.type ~= "RollingUpdate" then
    return false
  end
  local partition = data.get(strategy, "rollingUpdate.partition") or 0
  if partition > 0 then
    return ordinal < view.start + partition
  end
  return ordinal < view.start + (data.get(view.set, "status.currentReplicas") or 0)
end

local function create_pod(model, view, ordinal)
  local set = view.set
  local name = ("%s-%d"):format(set.metadata.name, ordinal)
  create_claims(model, set, name)
  local rev = wants_current(view, ordinal) and view.current or view.update
  local pod = podinfo.make(set, template_of(model, view, rev), name)
  pod.metadata.generateName = set.metadata.name .. "-"
  pod.metadata.labels[REVISION] = rev
  pod.metadata.labels["statefulset.kubernetes.io/pod-name"] = name
  pod.metadata.labels["apps.kubernetes.io/pod-index"] = ("%d"):format(ordinal)
  pod.spec.hostname = name
  pod.spec.subdomain = set.spec.serviceName
  for _, template in ipairs(set.spec.volumeClaimTemplates or {}) do
    pod.spec.volumes = pod.spec.volumes or data.array({})
    table.insert(pod.spec.volumes, {
      name = template.metadata.name,
      persistentVolumeClaim = { claimName = claim_name(template, name) },
    })
  end
  local text = ("create Pod %s in StatefulSet %s "):format(name, set.metadata.name)
  podmaker.create(model, pod, set, ID, BY, {
    done = text .. "successful",
    failed = text .. "failed error: %s",
  })
end

local function delete_pod(model, view, pod)
  remove.delete(model, pod, {})
  local message = ("delete Pod %s in StatefulSet %s successful"):format(
    pod.metadata.name,
    view.set.metadata.name
  )
  recorder.event(model, view.set, "Normal", "SuccessfulDelete", message, BY)
end

--- Creates what is missing and replaces what has ended, in order. Says whether the set may go on.
local function fill(model, view)
  for ordinal = view.start, view.start + view.replicas - 1 do
    local pod = view.pods[ordinal]
    if pod and podinfo.is_over(pod) and not podinfo.is_leaving(pod) then
      local message = ("StatefulSet %s/%s is recreating failed Pod %s"):format(
        pod.metadata.namespace,
        view.set.metadata.name,
        pod.metadata.name
      )
      recorder.event(model, view.set, "Warning", "RecreatingFailedPod", message, BY)
      delete_pod(model, view, pod)
      pod = nil
    elseif not pod then
      create_pod(model, view, ordinal)
    end
    local seconds = view.set.spec.minReadySeconds or 0
    local well = pod and not podinfo.is_leaving(pod) and podinfo.is_available(model, pod, seconds)
    if view.ordered and not well then
      return false
    end
  end
  return true
end

local function first_unhealthy(view)
  local found
  for ordinal, pod in pairs(view.pods) do
    if not podinfo.is_ready(pod) or podinfo.is_leaving(pod) then
      found = found or ordinal
    end
  end
  return found
end

--- Deletes pods beyond the wanted number, the highest first. Says whether the set may go on.
local function shrink(model, view)
  local condemned = {}
  for ordinal in pairs(view.pods) do
    if ordinal < view.start or ordinal >= view.start + view.replicas then
      table.insert(condemned, 1, ordinal)
    end
  end
  local unhealthy = first_unhealthy(view)
  for _, ordinal in ipairs(condemned) do
    local pod = view.pods[ordinal]
    if podinfo.is_leaving(pod) then
      if view.ordered then
        return false
      end
    elseif view.ordered and not podinfo.is_ready(pod) and ordinal ~= unhealthy then
      return false
    else
      delete_pod(model, view, pod)
      if view.ordered then
        return false
      end
    end
  end
  return #condemned == 0
end

--- Deletes the claims of pods that a smaller set no longer has, if its policy says so.
local function drop_claims(model, view)
  local set = view.set
  if retention(set).whenScaled ~= "Delete" then
    return
  end
  local ns, most = set.metadata.namespace, view.start + view.replicas - 1
  for _, template in ipairs(set.spec.volumeClaimTemplates or {}) do
    local prefix = claim_name(template, set.metadata.name) .. "-"
    for _, claim in ipairs(store.list(model, "persistentvolumeclaims", ns)) do
      local name = claim.metadata.name
      local ordinal = name:sub(1, #prefix) == prefix and math.tointeger(name:sub(#prefix + 1))
      if ordinal and ordinal > most and not view.pods[ordinal] then
        remove.delete(model, claim, {})
      end
    end
  end
end

--- Deletes revisions that no pod has, beyond the number that the set keeps.
local function forget_revisions(model, view)
  local used = { [view.current] = true, [view.update] = true }
  for _, pod in pairs(view.pods) do
    used[pod.metadata.labels[REVISION]] = true
  end
  local idle = {}
  for _, rev in ipairs(podinfo.owned(model, "controllerrevisions.apps", view.set)) do
    if not used[rev.metadata.name] then
      idle[#idle + 1] = rev
    end
  end
  table.sort(idle, function(a, b)
    return a.revision < b.revision
  end)
  for i = 1, #idle - (view.set.spec.revisionHistoryLimit or 10) do
    remove.delete(model, idle[i], {})
  end
end

--- Replaces one pod of an old revision, the highest first.
local function roll(model, view)
  local strategy = view.set.spec.updateStrategy
  if strategy.type ~= "RollingUpdate" then
    return
  end
  local least = view.start + (data.get(strategy, "rollingUpdate.partition") or 0)
  for ordinal = view.start + view.replicas - 1, least, -1 do
    local pod = view.pods[ordinal]
    if not pod or podinfo.is_leaving(pod) then
      return
    elseif pod.metadata.labels[REVISION] ~= view.update then
      delete_pod(model, view, pod)
      return
    elseif not podinfo.is_ready(pod) then
      return
    end
  end
end

local function count(model, view)
  local status = view.status
  local seconds = view.set.spec.minReadySeconds or 0
  local current, updated, ready, available, all = 0, 0, 0, 0, 0
  for ordinal, pod in pairs(view.pods) do
    all = all + 1
    local wanted = ordinal >= view.start and ordinal < view.start + view.replicas
    local rev = not podinfo.is_leaving(pod) and wanted and pod.metadata.labels[REVISION]
    current = current + (rev == view.current and 1 or 0)
    updated = updated + (rev == view.update and 1 or 0)
    ready = ready + (podinfo.is_ready(pod) and 1 or 0)
    local well, wait = podinfo.is_available(model, pod, seconds)
    available = available + (well and 1 or 0)
    if wait then
      local meta = view.set.metadata
      local key = ID .. " " .. meta.namespace .. "/" .. meta.name
      local args = { id = ID, ns = meta.namespace, name = meta.name }
      queue.add(model, wait, "sync", key, args)
    end
  end
  local function shown(n)
    return n > 0 and n or nil
  end
  status.replicas, status.readyReplicas, status.availableReplicas = all, shown(ready), available
  status.currentReplicas, status.updatedReplicas = shown(current), shown(updated)
  status.currentRevision, status.updateRevision = view.current, view.update
  if updated == view.replicas and ready == view.replicas and all == view.replicas then
    status.currentRevision, status.currentReplicas = view.update, shown(updated)
  end
end

local function look(model, set)
  local view = {
    set = set,
    replicas = set.spec.replicas,
    start = data.get(set, "spec.ordinals.start") or 0,
    ordered = set.spec.podManagementPolicy ~= "Parallel",
    pods = {},
    status = data.copy(set.status),
  }
  view.update = revision(model, set)
  view.current = data.get(set, "status.currentRevision") or view.update
  for _, pod in ipairs(podinfo.owned(model, "pods", set)) do
    local ordinal = ordinal_of(set, pod)
    if ordinal then
      view.pods[ordinal] = pod
    end
  end
  return view
end

--- Brings a stateful set closer to its spec.
---@param model plat.sim.K8s
---@param set table
function M.sync(model, set)
  local view = look(model, set)
  if not set.metadata.deletionTimestamp then
    if fill(model, view) and shrink(model, view) then
      roll(model, view)
    end
    view = look(model, set)
    drop_claims(model, view)
    forget_revisions(model, view)
  end
  count(model, view)
  view.status.observedGeneration = set.metadata.generation
  view.status.collisionCount = view.status.collisionCount or 0
  store.edit(model, set, function(copy)
    copy.status = view.status
  end)
end

return M
