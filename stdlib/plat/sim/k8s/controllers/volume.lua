--- Binding of volume claims: storage classes whose provisioner the seed named make volumes.
local chance = require("plat.sim.k8s.chance")
local data = require("plat.sim.k8s.data")
local queue = require("plat.sim.k8s.queue")
local recorder = require("plat.sim.k8s.recorder")
local store = require("plat.sim.k8s.store")

local M = {}

local BY = "persistentvolume-controller"

local function used_by_placed_pod(model, claim)
  for _, pod in ipairs(store.list(model, "pods", claim.metadata.namespace)) do
    for _, volume in ipairs(pod.spec.nodeName and pod.spec.volumes or {}) do
      if data.get(volume, "persistentVolumeClaim.claimName") == claim.metadata.name then
        return true
      end
    end
  end
  return false
end

local function later(model, claim, what, delay)
  local meta = claim.metadata
  local args = { ns = meta.namespace, name = meta.name }
  queue.add(model, delay, what, meta.namespace .. "/" .. meta.name, args)
end

--- Looks at a claim that is not bound.
---@param model plat.sim.K8s
---@param claim table
function M.sync(model, claim)
  if data.get(claim, "status.phase") == "Bound" or claim.metadata.deletionTimestamp then
    return
  end
  local name = claim.spec.storageClassName
  local class = name and store.get(model, "storageclasses.storage.k8s.io", nil, name)
  if not name or name == "" then
    local text = "no persistent volumes available for this claim and no storage class is set"
    recorder.event(model, claim, "Normal", "FailedBinding", text, BY)
  elseif not class then
    local text = ('storageclass.storage.k8s.io "%s" not found'):format(name)
    recorder.event(model, claim, "Warning", "ProvisioningFailed", text, BY)
  elseif
    class.volumeBindingMode == "WaitForFirstConsumer" and not used_by_placed_pod(model, claim)
  then
    local text = "waiting for first consumer to be created before binding"
    recorder.event(model, claim, "Normal", "WaitForFirstConsumer", text, BY)
  elseif (model.state.provisioners or {})[class.provisioner] then
    later(model, claim, "provision", chance.between(model, 1, 4))
  else
    local text = (
      "Waiting for a volume to be created either by the external provisioner '%s' or "
      .. "manually by the system administrator. If volume creation is delayed, please verify that "
      .. "the provisioner is running and correctly registered."
    ):format(class.provisioner)
    recorder.event(model, claim, "Normal", "ExternalProvisioning", text, BY)
  end
end

--- Makes the volume of a claim and binds them.
---@param model plat.sim.K8s
---@param entry plat.sim.k8s.Entry
function M.provision(model, entry)
  local claim = store.get(model, "persistentvolumeclaims", entry.args.ns, entry.args.name)
  if not claim or data.get(claim, "status.phase") == "Bound" then
    return
  end
  local name = "pvc-" .. claim.metadata.uid
  local capacity = { storage = data.get(claim, "spec.resources.requests.storage") }
  store.create(model, {
    apiVersion = "v1",
    kind = "PersistentVolume",
    metadata = { name = name },
    spec = {
      capacity = capacity,
      accessModes = data.copy(claim.spec.accessModes),
      storageClassName = claim.spec.storageClassName,
      persistentVolumeReclaimPolicy = "Delete",
      volumeMode = claim.spec.volumeMode,
      claimRef = {
        apiVersion = "v1",
        kind = "PersistentVolumeClaim",
        namespace = claim.metadata.namespace,
        name = claim.metadata.name,
        uid = claim.metadata.uid,
      },
    },
    status = { phase = "Bound" },
  })
  store.edit(model, claim, function(copy)
    copy.spec.volumeName = name
    copy.status = {
      phase = "Bound",
      accessModes = data.copy(copy.spec.accessModes),
      capacity = data.copy(capacity),
    }
  end)
  local text = "Successfully provisioned volume " .. name
  recorder.event(model, claim, "Normal", "ProvisioningSucceeded", text, BY)
end

--- Removes the volume of a claim that is gone.
---@param model plat.sim.K8s
---@param claim table
function M.released(model, claim)
  local name = claim.spec.volumeName
  local volume = name and store.get(model, "persistentvolumes", nil, name)
  if volume then
    store.remove(model, volume)
  end
end

--- Looks again at the claims of a pod that has just been placed.
---@param model plat.sim.K8s
---@param pod table
function M.placed(model, pod)
  for _, volume in ipairs(pod.spec.volumes or {}) do
    local name = data.get(volume, "persistentVolumeClaim.claimName")
    local claim = name and store.get(model, "persistentvolumeclaims", pod.metadata.namespace, name)
    if claim then
      M.sync(model, claim)
    end
  end
end

return M
