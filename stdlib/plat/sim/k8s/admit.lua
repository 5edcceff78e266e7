--- What the API server does to an object before it is stored, beyond defaults: addresses of
--- services, `stringData` of secrets, labels of jobs, fields that a client may not set.
local base64 = require("plat.sim.k8s.base64")
local chance = require("plat.sim.k8s.chance")
local data = require("plat.sim.k8s.data")
local json = require("plat.json")
local store = require("plat.sim.k8s.store")

local M = {}

local function address_taken(model, address)
  for _, service in ipairs(store.list(model, "services")) do
    if service.spec.clusterIP == address then
      return true
    end
  end
  return false
end

local BEFORE, CREATE, UPDATE = {}, {}, {}

function CREATE.Service(model, object)
  local spec = object.spec
  if spec.type == "ExternalName" then
    return
  end
  if not spec.clusterIP or spec.clusterIP == "" then
    repeat
      local bits = chance.bits(model)
      spec.clusterIP = ("10.96.%d.%d"):format(bits % 256, bits // 256 % 254 + 1)
    until not address_taken(model, spec.clusterIP)
  end
  spec.clusterIPs = data.array({ spec.clusterIP })
  spec.ipFamilies = data.array({ "IPv4" })
  spec.ipFamilyPolicy = "SingleStack"
end

local function merge_string_data(object)
  for key, value in pairs(object.stringData or {}) do
    object.data = object.data or {}
    object.data[key] = base64.encode(value)
  end
  object.stringData = nil
end

BEFORE.Secret = merge_string_data
UPDATE.Secret = merge_string_data

function CREATE.Job(model, object)
  local spec = object.spec
  object.metadata.uid = chance.uid(model)
  if spec.manualSelector then
    return
  end
  local uid, name = object.metadata.uid, object.metadata.name
  spec.selector = { matchLabels = { ["batch.kubernetes.io/controller-uid"] = uid } }
  spec.template = spec.template or {}
  spec.template.metadata = spec.template.metadata or {}
  for _, meta in ipairs({ object.metadata, spec.template.metadata }) do
    meta.labels = meta.labels or {}
    for _, prefix in ipairs({ "", "batch.kubernetes.io/" }) do
      meta.labels[prefix .. "controller-uid"] = uid
      meta.labels[prefix .. "job-name"] = name
    end
  end
end

function CREATE.PersistentVolumeClaim(_, object)
  local meta = object.metadata
  meta.finalizers = meta.finalizers or data.array({})
  table.insert(meta.finalizers, "kubernetes.io/pvc-protection")
end

local function toleration(key)
  return {
    key = "node.kubernetes.io/" .. key,
    operator = "Exists",
    effect = "NoExecute",
    tolerationSeconds = 300,
  }
end

function CREATE.Pod(_, object)
  local spec = object.spec
  spec.serviceAccountName = spec.serviceAccountName or "default"
  spec.serviceAccount = spec.serviceAccount or spec.serviceAccountName
  spec.priority = spec.priority or 0
  spec.preemptionPolicy = spec.preemptionPolicy or "PreemptLowerPriority"
  spec.tolerations = spec.tolerations or data.array({})
  for _, key in ipairs({ "not-ready", "unreachable" }) do
    if not data.find(spec.tolerations, { key = "node.kubernetes.io/" .. key }) then
      table.insert(spec.tolerations, toleration(key))
    end
  end
end

--- A node takes no pods before it is known to be ready.
function CREATE.Node(_, object)
  local ready = data.find(data.get(object, "status.conditions"), { type = "Ready" })
  if not ready or ready.status ~= "True" then
    object.spec.taints = object.spec.taints or data.array({})
    table.insert(
      object.spec.taints,
      { key = "node.kubernetes.io/not-ready", effect = "NoSchedule" }
    )
  end
end

function CREATE.Namespace(_, object)
  object.spec = { finalizers = data.array({ "kubernetes" }) }
end

--- Rewrites a new object before its fields get an owner, in place.
---@param object table
function M.before(object)
  local admit = BEFORE[object.kind]
  if admit then
    admit(object)
  end
end

--- Adds to a new object what the server owns, in place.
---@param model plat.sim.K8s
---@param object table
function M.create(model, object)
  local admit = CREATE[object.kind]
  if admit then
    admit(model, object)
  end
end

--- Completes a status that a client writes, in place.
---@param object table
function M.status(object)
  if object.kind == "Pod" then
    for _, condition in ipairs(data.get(object, "status.conditions") or {}) do
      if condition.lastProbeTime == nil then
        condition.lastProbeTime = json.null
      end
    end
  end
end

--- Prepares a changed object, in place; `old` is the stored one.
---@param object table
---@param old table
function M.update(object, old)
  local admit = UPDATE[object.kind]
  if admit then
    admit(object, old)
  end
  if object.kind == "Service" and object.spec and old.spec then
    for _, field in ipairs({ "clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy" }) do
      if object.spec[field] == nil then
        object.spec[field] = old.spec[field]
      end
    end
  end
end

return M
