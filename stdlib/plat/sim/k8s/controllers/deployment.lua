--- The Deployment controller: rollouts through replica sets.
local chance = require("plat.sim.k8s.chance")
local data = require("plat.sim.k8s.data")
local json = require("plat.json")
local podinfo = require("plat.sim.k8s.podinfo")
local quantity = require("plat.sim.k8s.quantity")
local queue = require("plat.sim.k8s.queue")
local recorder = require("plat.sim.k8s.recorder")
local remove = require("plat.sim.k8s.remove")
local store = require("plat.sim.k8s.store")

local M = {}

local ID = "deployments.apps"
local BY = "deployment-controller"
local HASH = "pod-template-hash"
local REVISION = "deployment.kubernetes.io/revision"

local function revision_of(object)
  return tonumber(
    data.get(object.metadata, "annotations") and object.metadata.annotations[REVISION]
  ) or 0
end

local function template_without_hash(set)
  local template = data.copy(set.spec.template)
  template.metadata.labels[HASH] = nil
  return template
end

local function by_revision(a, b)
  return revision_of(a) < revision_of(b)
end

local function annotate(model, object, revision)
  local text = ("%d"):format(revision)
  return store.edit(model, object, function(copy)
    copy.metadata.annotations = copy.metadata.annotations or {}
    copy.metadata.annotations[REVISION] = text
  end) or object
end

--- Makes the replica set of the present template.
local function create_set(model, deployment, revision, replicas)
  local template = data.copy(deployment.spec.template)
  local hash = chance.hash(json.encode(template))
  template.metadata = template.metadata or {}
  template.metadata.labels = template.metadata.labels or {}
  template.metadata.labels[HASH] = hash
  local selector = data.copy(deployment.spec.selector)
  selector.matchLabels = selector.matchLabels or {}
  selector.matchLabels[HASH] = hash
  local desired = deployment.spec.replicas
  local surge =
    quantity.share(data.get(deployment, "spec.strategy.rollingUpdate.maxSurge"), desired, true)
  return store.create(model, {
    apiVersion = "apps/v1",
    kind = "ReplicaSet",
    metadata = {
      name = deployment.metadata.name .. "-" .. hash,
      namespace = deployment.metadata.namespace,
      labels = data.copy(template.metadata.labels),
      annotations = {
        ["deployment.kubernetes.io/desired-replicas"] = ("%d"):format(desired),
        ["deployment.kubernetes.io/max-replicas"] = ("%d"):format(desired + surge),
        [REVISION] = ("%d"):format(revision),
      },
      ownerReferences = data.array({ podinfo.reference(deployment) }),
    },
    spec = {
      replicas = replicas,
      minReadySeconds = deployment.spec.minReadySeconds,
      selector = selector,
      template = template,
    },
    status = { replicas = 0 },
  })
end

--- Tells that a replica set gets another number of pods.
local function told(model, deployment, set, before, after)
  if before ~= after then
    local message = ("Scaled %s replica set %s from %d to %d"):format(
      after > before and "up" or "down",
      set.metadata.name,
      before,
      after
    )
    recorder.event(model, deployment, "Normal", "ScalingReplicaSet", message, BY)
  end
end

--- Gives a replica set a number and tells about it; returns the set as stored.
local function resize(model, deployment, set, replicas)
  local before = set.spec.replicas
  if before == replicas then
    return set
  end
  local stored = store.edit(model, set, function(copy)
    copy.spec.replicas = replicas
  end)
  told(model, deployment, set, before, replicas)
  return stored or set
end

local function total(sets, path)
  local sum = 0
  for _, set in ipairs(sets) do
    sum = sum + (data.get(set, path) or 0)
  end
  return sum
end

local function bounds(deployment)
  local desired = deployment.spec.replicas
  local rolling = data.get(deployment, "spec.strategy.rollingUpdate") or {}
  local surge = quantity.share(rolling.maxSurge, desired, true)
  local unavailable = quantity.share(rolling.maxUnavailable, desired, false)
  if surge == 0 and unavailable == 0 then
    unavailable = 1
  end
  return surge, math.min(unavailable, desired)
end

--- Returns how many pods a new replica set may have at once.
local function first_size(view)
  local deployment = view.deployment
  local desired, there = deployment.spec.replicas, total(view.old, "spec.replicas")
  if deployment.spec.strategy.type == "Recreate" then
    return there == 0 and total(view.old, "status.replicas") == 0 and desired or 0
  end
  local surge = bounds(deployment)
  return math.max(0, math.min(desired, desired + surge - there))
end

---@class plat.sim.k8s.Rollout
---@field deployment table
---@field new table replica set of the present template
---@field old table[] the others, oldest first
---@field created boolean

local function look(model, deployment)
  local view = { deployment = deployment, old = {}, created = false }
  local highest = 0
  for _, set in ipairs(podinfo.owned(model, "replicasets.apps", deployment)) do
    highest = math.max(highest, revision_of(set))
    if not view.new and data.equal(template_without_hash(set), deployment.spec.template) then
      view.new = set
    else
      view.old[#view.old + 1] = set
    end
  end
  table.sort(view.old, by_revision)
  if not view.new then
    view.new = create_set(model, deployment, highest + 1, first_size(view))
    view.created = true
    told(model, deployment, view.new, 0, view.new.spec.replicas)
  elseif revision_of(view.new) < highest then
    view.new = annotate(model, view.new, highest + 1)
  end
  if revision_of(deployment) ~= revision_of(view.new) then
    view.deployment = annotate(model, deployment, revision_of(view.new))
  end
  return view
end

local function all_sets(view)
  local sets = { table.unpack(view.old) }
  sets[#sets + 1] = view.new
  return sets
end

--- Lets the old sets shrink: first what is not ready, then as far as availability allows.
local function shrink_old(model, view, unavailable)
  local deployment = view.deployment
  local least = deployment.spec.replicas - unavailable
  local lacking = view.new.spec.replicas - (data.get(view.new, "status.availableReplicas") or 0)
  local may = total(all_sets(view), "spec.replicas") - least - lacking
  for i, set in ipairs(view.old) do
    local sick = set.spec.replicas - (data.get(set, "status.availableReplicas") or 0)
    local cut = math.max(0, math.min(sick, may, set.spec.replicas))
    view.old[i] = resize(model, deployment, set, set.spec.replicas - cut)
    may = may - cut
  end
  local spare = total(all_sets(view), "status.availableReplicas") - least
  for i, set in ipairs(view.old) do
    local cut = math.max(0, math.min(spare, set.spec.replicas))
    view.old[i] = resize(model, deployment, set, set.spec.replicas - cut)
    spare = spare - cut
  end
end

local function rolling(model, view)
  local deployment = view.deployment
  local desired = deployment.spec.replicas
  local surge, unavailable = bounds(deployment)
  if view.new.spec.replicas > desired then
    view.new = resize(model, deployment, view.new, desired)
  elseif view.new.spec.replicas < desired then
    local room = desired + surge - total(all_sets(view), "spec.replicas")
    local grow = math.min(math.max(room, 0), desired - view.new.spec.replicas)
    view.new = resize(model, deployment, view.new, view.new.spec.replicas + grow)
  end
  shrink_old(model, view, unavailable)
end

local function recreate(model, view)
  for i, set in ipairs(view.old) do
    view.old[i] = resize(model, view.deployment, set, 0)
    for _, pod in ipairs(podinfo.owned(model, "pods", set)) do
      if not podinfo.is_over(pod) then
        return -- the old pods must be gone first
      end
    end
  end
  view.new = resize(model, view.deployment, view.new, view.deployment.spec.replicas)
end

local function forget_old(model, view)
  local limit = view.deployment.spec.revisionHistoryLimit or 10
  local extra = #view.old - limit
  for _, set in ipairs(view.old) do
    local idle = set.spec.replicas == 0 and data.get(set, "status.replicas") == 0
    if extra > 0 and idle then
      remove.delete(model, set, {})
      extra = extra - 1
    end
  end
end

local function progress(model, view, status, complete)
  local deployment, name = view.deployment, view.new.metadata.name
  local old = podinfo.condition(deployment, "Progressing")
  local before = deployment.status
  local moved = view.created
    or status.updatedReplicas ~= before.updatedReplicas
    or status.readyReplicas ~= before.readyReplicas
    or status.availableReplicas ~= before.availableReplicas
    or status.replicas ~= before.replicas
  if complete then
    return "True",
      "NewReplicaSetAvailable",
      ('ReplicaSet "%s" has successfully progressed.'):format(name)
  end
  local limit = deployment.spec.progressDeadlineSeconds or 600
  if old and not moved and old.reason ~= "NewReplicaSetAvailable" then
    local waited = model.state.now - store.instant(model, old.lastUpdateTime)
    if waited >= limit then
      return "False",
        "ProgressDeadlineExceeded",
        ('ReplicaSet "%s" has timed out progressing.'):format(name)
    end
    local meta = deployment.metadata
    local key = ID .. " " .. meta.namespace .. "/" .. meta.name
    local args = { id = ID, ns = meta.namespace, name = meta.name }
    queue.add(model, limit - waited + 1, "sync", key, args)
    if not moved then
      return old.status, old.reason, old.message
    end
  end
  if view.created then
    return "True", "NewReplicaSetCreated", ('Created new replica set "%s"'):format(name)
  end
  return "True", "ReplicaSetUpdated", ('ReplicaSet "%s" is progressing.'):format(name)
end

local function status_of(model, view)
  local deployment = view.deployment
  local sets = all_sets(view)
  local function shown(n)
    return n > 0 and n or nil
  end
  local all, available = total(sets, "status.replicas"), total(sets, "status.availableReplicas")
  local updated = total({ view.new }, "status.replicas")
  local desired = deployment.spec.replicas
  local status = {
    observedGeneration = deployment.metadata.generation,
    replicas = shown(all),
    updatedReplicas = shown(updated),
    readyReplicas = shown(total(sets, "status.readyReplicas")),
    availableReplicas = shown(available),
    unavailableReplicas = shown(math.max(0, total(sets, "spec.replicas") - available)),
    conditions = data.copy(deployment.status.conditions),
  }
  local _, unavailable = bounds(deployment)
  local enough = available >= desired - unavailable
  podinfo.set_condition(model, status, {
    type = "Available",
    status = enough and "True" or "False",
    reason = enough and "MinimumReplicasAvailable" or "MinimumReplicasUnavailable",
    message = enough and "Deployment has minimum availability."
      or "Deployment does not have minimum availability.",
  }, true)
  local complete = updated == desired and all == desired and available == desired
  local state, reason, message = progress(model, view, status, complete)
  local condition = { type = "Progressing", status = state, reason = reason, message = message }
  podinfo.set_condition(model, status, condition, true)
  return status
end

--- Brings a deployment closer to its spec.
---@param model plat.sim.K8s
---@param deployment table
function M.sync(model, deployment)
  if deployment.metadata.deletionTimestamp then
    return
  end
  local view = look(model, deployment)
  if deployment.spec.paused then
    view.new = resize(model, view.deployment, view.new, view.new.spec.replicas)
  elseif deployment.spec.strategy.type == "Recreate" then
    recreate(model, view)
  else
    rolling(model, view)
  end
  forget_old(model, view)
  local status = status_of(model, view)
  store.edit(model, view.deployment, function(copy)
    copy.status = status
  end)
end

return M
