--- Garbage collection: dependents of deleted objects, finalizers of deletions, namespaces.
local data = require("plat.sim.k8s.data")
local kinds = require("plat.sim.k8s.kinds")
local podinfo = require("plat.sim.k8s.podinfo")
local queue = require("plat.sim.k8s.queue")
local remove = require("plat.sim.k8s.remove")
local store = require("plat.sim.k8s.store")

local M = {}

local function dependents(model, uid, ns)
  local out = {}
  for _, kind in ipairs(kinds.list) do
    if kind.namespaced then
      for _, object in ipairs(store.list(model, kind.id, ns)) do
        if data.find(object.metadata.ownerReferences, { uid = uid }) then
          out[#out + 1] = object
        end
      end
    end
  end
  return out
end

local function orphan(model, object)
  local uid = object.metadata.uid
  for _, item in ipairs(dependents(model, uid, object.metadata.namespace)) do
    store.edit(model, item, function(copy)
      local keep = data.array({})
      for _, ref in ipairs(copy.metadata.ownerReferences) do
        if ref.uid ~= uid then
          keep[#keep + 1] = ref
        end
      end
      copy.metadata.ownerReferences = #keep > 0 and keep or nil
    end)
  end
  remove.release(model, object, "orphan")
end

--- Deletes the dependents of an object that is gone.
---@param model plat.sim.K8s
---@param uid string
---@param ns string?
function M.after(model, uid, ns)
  for _, item in ipairs(dependents(model, uid, ns)) do
    if not item.metadata.deletionTimestamp then
      remove.delete(model, item, { propagation = "Background" })
    end
  end
end

local function foreground(model, object)
  local left = dependents(model, object.metadata.uid, object.metadata.namespace)
  for _, item in ipairs(left) do
    if not item.metadata.deletionTimestamp then
      remove.delete(model, item, { propagation = "Foreground" })
    end
  end
  if #dependents(model, object.metadata.uid, object.metadata.namespace) == 0 then
    remove.release(model, object, "foregroundDeletion")
    return true
  end
  return false
end

local function sorted_counts(counts, form)
  local parts = {}
  for what, n in pairs(counts) do
    parts[#parts + 1] = form:format(what, n)
  end
  return table.concat(parts, ", ")
end

--- Writes into a namespace what keeps it from going.
local function tell_namespace(model, namespace, kinds_left, holders)
  local some = not data.is_empty(kinds_left)
  local held = not data.is_empty(holders)
  local remaining = some
      and "Some resources are remaining: " .. sorted_counts(
        kinds_left,
        "%s has %d resource instances"
      )
    or "All content successfully removed"
  local finalizers = held
      and "Some content in the namespace has finalizers remaining: " .. sorted_counts(
        holders,
        "%s in %d resource instances"
      )
    or "All content-preserving finalizers finished"
  store.edit(model, namespace, function(copy)
    for _, c in ipairs({
      {
        "NamespaceDeletionDiscoveryFailure",
        false,
        "ResourcesDiscovered",
        "All resources successfully discovered",
      },
      {
        "NamespaceDeletionGroupVersionParsingFailure",
        false,
        "ParsedGroupVersions",
        "All legacy kube types successfully parsed",
      },
      {
        "NamespaceDeletionContentFailure",
        false,
        "ContentDeleted",
        "All content successfully deleted, may be waiting on finalization",
      },
      {
        "NamespaceContentRemaining",
        some,
        some and "SomeResourcesRemain" or "ContentRemoved",
        remaining,
      },
      {
        "NamespaceFinalizersRemaining",
        held,
        held and "SomeFinalizersRemain" or "ContentHasNoFinalizers",
        finalizers,
      },
    }) do
      podinfo.set_condition(model, copy.status, {
        type = c[1],
        status = c[2] and "True" or "False",
        reason = c[3],
        message = c[4],
      })
    end
  end)
end

local function empty_namespace(model, namespace)
  local name, left = namespace.metadata.name, 0
  local kinds_left, holders = {}, {}
  for _, kind in ipairs(kinds.list) do
    if kind.namespaced and kind.id ~= "events" then
      for _, object in ipairs(store.list(model, kind.id, name)) do
        left = left + 1
        if not object.metadata.deletionTimestamp then
          remove.delete(model, object, { propagation = "Background" })
        end
        if store.get(model, kind.id, name, object.metadata.name) then
          local resource = kind.plural .. "." .. kind.group
          kinds_left[resource] = (kinds_left[resource] or 0) + 1
          for _, finalizer in ipairs(object.metadata.finalizers or {}) do
            holders[finalizer] = (holders[finalizer] or 0) + 1
          end
        end
      end
    end
  end
  if left > 0 then
    tell_namespace(model, namespace, kinds_left, holders)
    return false
  end
  for _, event in ipairs(store.list(model, "events", name)) do
    store.remove(model, event)
  end
  store.remove(model, namespace)
  return true
end

local function claim_in_use(model, claim)
  for _, pod in ipairs(store.list(model, "pods", claim.metadata.namespace)) do
    for _, volume in ipairs(pod.spec.volumes or {}) do
      if data.get(volume, "persistentVolumeClaim.claimName") == claim.metadata.name then
        return true
      end
    end
  end
  return false
end

--- Goes on with the deletion of an object that waits for finalizers.
---@param model plat.sim.K8s
---@param entry plat.sim.k8s.Entry
function M.run(model, entry)
  local args = entry.args
  local object = store.get(model, args.id, args.ns, args.name)
  if not object or object.metadata.uid ~= entry.key or not object.metadata.deletionTimestamp then
    return
  end
  local done = true
  if object.kind == "Namespace" then
    done = empty_namespace(model, object)
  else
    for _, finalizer in ipairs(object.metadata.finalizers or {}) do
      if finalizer == "orphan" then
        orphan(model, object)
      elseif finalizer == "foregroundDeletion" then
        done = foreground(model, object) and done
      elseif finalizer == "kubernetes.io/pvc-protection" then
        done = not claim_in_use(model, object)
        if done then
          remove.release(model, object, finalizer)
        end
      end
    end
  end
  if not done then
    queue.add(model, 0.5, "collect", entry.key, args)
  end
end

return M
