--- What controllers want to know about pods, and how they make them.
local data = require("plat.sim.k8s.data")
local store = require("plat.sim.k8s.store")

local M = {}

--- Returns a condition of an object.
---@param object table
---@param kind string
---@return table?
function M.condition(object, kind)
  return (data.find(data.get(object, "status.conditions"), { type = kind }))
end

--- Says whether a pod is ready.
---@param pod table
---@return boolean
function M.is_ready(pod)
  local ready = M.condition(pod, "Ready")
  return data.get(pod, "status.phase") == "Running" and ready ~= nil and ready.status == "True"
end

--- Says whether a pod has been ready for long enough, and otherwise in how many seconds it will be.
---@param model plat.sim.K8s
---@param pod table
---@param seconds integer
---@return boolean available, number? wait
function M.is_available(model, pod, seconds)
  if not M.is_ready(pod) then
    return false
  end
  if seconds == 0 then
    return true
  end
  local since = M.condition(pod, "Ready").lastTransitionTime
  local wait = store.instant(model, since) + seconds - model.state.now
  return wait <= 0, wait > 0 and wait or nil
end

--- Says whether a pod is being deleted.
---@param pod table
---@return boolean
function M.is_leaving(pod)
  return pod.metadata.deletionTimestamp ~= nil
end

--- Says whether a pod has ended.
---@param pod table
---@return boolean
function M.is_over(pod)
  local phase = data.get(pod, "status.phase")
  return phase == "Succeeded" or phase == "Failed"
end

--- Returns the owner reference of an object's controller.
---@param object table
---@return table?
function M.controller_of(object)
  return (data.find(object.metadata.ownerReferences, { controller = true }))
end

--- Lists the objects of a kind that a controller owns.
---@param model plat.sim.K8s
---@param id string
---@param owner table
---@return table[]
function M.owned(model, id, owner)
  local out = {}
  for _, object in ipairs(store.list(model, id, owner.metadata.namespace)) do
    local ref = M.controller_of(object)
    if ref and ref.uid == owner.metadata.uid then
      out[#out + 1] = object
    end
  end
  return out
end

--- Makes the owner reference to a controller.
---@param owner table
---@return table
function M.reference(owner)
  return {
    apiVersion = owner.apiVersion,
    kind = owner.kind,
    name = owner.metadata.name,
    uid = owner.metadata.uid,
    controller = true,
    blockOwnerDeletion = true,
  }
end

--- Makes a pod of a template; nothing is stored.
---@param owner table
---@param template table
---@param name string
---@return table pod
function M.make(owner, template, name)
  local pod = {
    apiVersion = "v1",
    kind = "Pod",
    metadata = data.copy(template.metadata or {}),
    spec = data.copy(template.spec),
  }
  local meta = pod.metadata
  meta.name, meta.namespace = name, owner.metadata.namespace
  meta.labels = meta.labels or {}
  meta.ownerReferences = data.array({ M.reference(owner) })
  return pod
end

--- Sets a condition in a list of an object that is being edited; the time changes with the status.
---@param model plat.sim.K8s
---@param status table with `conditions`
---@param condition table type, status, reason?, message?
---@param updated? boolean also keep lastUpdateTime (deployments)
function M.set_condition(model, status, condition, updated)
  status.conditions = status.conditions or data.array({})
  local old, at = data.find(status.conditions, { type = condition.type })
  local stamp = store.stamp(model)
  condition.lastTransitionTime = old and old.status == condition.status and old.lastTransitionTime
    or stamp
  if updated then
    local same = old
      and old.status == condition.status
      and old.reason == condition.reason
      and old.message == condition.message
    condition.lastUpdateTime = same and old.lastUpdateTime or stamp
  end
  status.conditions[at or #status.conditions + 1] = condition
end

return M
