--- Deletion: grace periods of pods, finalizers, propagation to dependents.
local data = require("plat.sim.k8s.data")
local kinds = require("plat.sim.k8s.kinds")
local queue = require("plat.sim.k8s.queue")
local store = require("plat.sim.k8s.store")

local M = {}

-- Kinds that keep their dependents unless told otherwise.
local ORPHANS = { ["jobs.batch"] = true }

---@class plat.sim.k8s.Removal
---@field grace? integer seconds
---@field propagation? "Background"|"Foreground"|"Orphan"

local function has(list, wanted)
  for _, item in ipairs(list or {}) do
    if item == wanted then
      return true
    end
  end
  return false
end

--- Returns the grace that a pod gets: none if nothing runs it.
local function grace_of(pod, wanted)
  local phase = data.get(pod, "status.phase")
  if not data.get(pod, "spec.nodeName") or phase == "Succeeded" or phase == "Failed" then
    return 0
  end
  return wanted or data.get(pod, "spec.terminationGracePeriodSeconds") or 30
end

--- Deletes a pod: at once, or by asking its node to end it within the grace.
local function remove_pod(model, pod, opts)
  local grace = grace_of(pod, opts.grace)
  local meta = pod.metadata
  local left = meta.deletionTimestamp and meta.deletionGracePeriodSeconds
  if grace == 0 and #(meta.finalizers or {}) == 0 then
    store.remove(model, pod)
    local last = data.copy(pod)
    last.metadata.deletionTimestamp = store.stamp(model)
    last.metadata.deletionGracePeriodSeconds = 0
    last.metadata.generation = (last.metadata.generation or 1) + 1
    return last, true
  end
  if left and left <= grace then
    return pod, false
  end
  local stored = store.edit(model, pod, function(copy)
    copy.metadata.deletionTimestamp = store.stamp(model, model.state.now + grace)
    copy.metadata.deletionGracePeriodSeconds = grace
    copy.metadata.generation = (copy.metadata.generation or 1) + 1
  end)
  return stored, false
end

local function finalizer_of(kind, opts)
  local propagation = opts.propagation or (ORPHANS[kind.id] and "Orphan") or "Background"
  if propagation == "Foreground" then
    return "foregroundDeletion"
  elseif propagation == "Orphan" then
    return "orphan"
  end
  return nil
end

--- Deletes an object.
---@param model plat.sim.K8s
---@param object table
---@param opts plat.sim.k8s.Removal
---@return table object as it is now, or as it last was
---@return boolean gone
function M.delete(model, object, opts)
  local kind = kinds.of_object(object.apiVersion, object.kind)
  if kind.kind == "Pod" then
    return remove_pod(model, object, opts)
  end
  local finalizer = finalizer_of(kind, opts)
  local meta = object.metadata
  local waits = kind.kind == "Namespace" or finalizer ~= nil or #(meta.finalizers or {}) > 0
  if not waits then
    return store.remove(model, object), true
  end
  if meta.deletionTimestamp and (not finalizer or has(meta.finalizers, finalizer)) then
    return object, false
  end
  local stored = store.edit(model, object, function(copy)
    local m = copy.metadata
    m.deletionTimestamp = m.deletionTimestamp or store.stamp(model)
    if kind.kind == "Namespace" then
      copy.status.phase = "Terminating"
      return
    end
    m.deletionGracePeriodSeconds = 0
    if kind.generation and not meta.deletionTimestamp then
      m.generation = (m.generation or 0) + 1
    end
    m.finalizers = m.finalizers or data.array({})
    if finalizer and not has(m.finalizers, finalizer) then
      table.insert(m.finalizers, finalizer)
    end
  end)
  queue.add(
    model,
    0.05,
    "collect",
    meta.uid,
    { id = kind.id, ns = meta.namespace, name = meta.name }
  )
  return stored, false
end

--- Takes a finalizer off an object; the object goes when it was the last one and it is deleted.
---@param model plat.sim.K8s
---@param object table
---@param finalizer string
function M.release(model, object, finalizer)
  local stored = store.edit(model, object, function(copy)
    local keep = data.array({})
    for _, item in ipairs(copy.metadata.finalizers or {}) do
      if item ~= finalizer then
        keep[#keep + 1] = item
      end
    end
    copy.metadata.finalizers = #keep > 0 and keep or nil
  end)
  if stored and stored.metadata.deletionTimestamp and not stored.metadata.finalizers then
    if (stored.metadata.deletionGracePeriodSeconds or 0) == 0 then
      store.remove(model, stored)
    end
  end
end

return M
