--- Cells of the tables that kubectl prints, by kind.
local data = require("plat.sim.k8s.data")
local podinfo = require("plat.sim.k8s.podinfo")
local select = require("plat.sim.k8s.select")
local text = require("plat.sim.k8s.celltext")
local workloads = require("plat.sim.k8s.cells_workloads")

local M = {}

local get = data.get
local age, since, NONE = text.age, text.since, text.NONE

local function count(t)
  local n = 0
  for _ in pairs(t or {}) do
    n = n + 1
  end
  return n
end

local CELLS = {}

--- Says in one word how a pod is, as `kubectl get pods` does.
local function pod_status(pod)
  local reason = get(pod, "status.reason") or get(pod, "status.phase") or "Unknown"
  local running, restarts = false, 0
  for _, c in ipairs(get(pod, "status.containerStatuses") or {}) do
    restarts = restarts + c.restartCount
    local waiting, over = get(c, "state.waiting.reason"), get(c, "state.terminated")
    if waiting and waiting ~= "" then
      reason = waiting
    elseif over then
      reason = over.reason or ("ExitCode:%d"):format(over.exitCode)
    elseif c.ready and get(c, "state.running") then
      running = true
    end
  end
  if reason == "Completed" and running then
    reason = podinfo.is_ready(pod) and "Running" or "NotReady"
  end
  if pod.metadata.deletionTimestamp then
    reason = "Terminating"
  end
  return reason, restarts
end

function CELLS.Pod(pod, now)
  local ready = 0
  local last
  for _, c in ipairs(get(pod, "status.containerStatuses") or {}) do
    ready = ready + (c.ready and 1 or 0)
    last = get(c, "lastState.terminated.finishedAt") or last
  end
  local status, restarts = pod_status(pod)
  local shown = ("%d"):format(restarts)
  if restarts > 0 and last then
    shown = ("%d (%s ago)"):format(restarts, since(last, now))
  end
  return {
    pod.metadata.name,
    ("%d/%d"):format(ready, #pod.spec.containers),
    status,
    shown,
    age(pod, now),
    get(pod, "status.podIP") or NONE,
    pod.spec.nodeName or NONE,
    get(pod, "status.nominatedNodeName") or NONE,
    NONE,
  }
end

function CELLS.Node(node, now)
  local ready = podinfo.condition(node, "Ready")
  local status = ready and (ready.status == "True" and "Ready" or "NotReady") or "Unknown"
  if node.spec.unschedulable then
    status = status .. ",SchedulingDisabled"
  end
  local address
  for _, a in ipairs(get(node, "status.addresses") or {}) do
    address = a.type == "InternalIP" and a.address or address
  end
  local info = get(node, "status.nodeInfo") or {}
  return {
    node.metadata.name,
    status,
    NONE,
    age(node, now),
    info.kubeletVersion or "",
    address or NONE,
    NONE,
    info.osImage or "<unknown>",
    info.kernelVersion or "<unknown>",
    info.containerRuntimeVersion or "<unknown>",
  }
end

function CELLS.Namespace(object, now)
  return { object.metadata.name, get(object, "status.phase"), age(object, now) }
end

function CELLS.Service(object, now)
  local spec, ports = object.spec, {}
  for i, port in ipairs(spec.ports or {}) do
    ports[i] = ("%d/%s"):format(port.port, port.protocol)
  end
  return {
    object.metadata.name,
    spec.type,
    spec.clusterIP or NONE,
    NONE,
    #ports > 0 and table.concat(ports, ",") or NONE,
    age(object, now),
    text.keys(spec.selector),
  }
end

function CELLS.ConfigMap(object, now)
  return { object.metadata.name, count(object.data) + count(object.binaryData), age(object, now) }
end

function CELLS.Secret(object, now)
  return { object.metadata.name, object.type, count(object.data), age(object, now) }
end

function CELLS.Event(object, now)
  local about = object.involvedObject or {}
  local source = { get(object, "source.component") or object.reportingComponent }
  source[#source + 1] = get(object, "source.host")
  local first = get(object, "firstTimestamp") or get(object, "eventTime")
  local last = get(object, "lastTimestamp") or first
  return {
    since(last, now),
    object.type,
    object.reason,
    (about.kind or ""):lower() .. "/" .. (about.name or ""),
    "",
    table.concat(source, ", "),
    object.message,
    since(first, now),
    object.count or 1,
    object.metadata.name,
  }
end

local MODES = { ReadWriteOnce = "RWO", ReadOnlyMany = "ROX", ReadWriteMany = "RWX" }

local function modes(list)
  local out = {}
  for i, mode in ipairs(list or {}) do
    out[i] = MODES[mode] or mode
  end
  return table.concat(out, ",")
end

function CELLS.PersistentVolumeClaim(object, now)
  local spec = object.spec
  local phase = object.metadata.deletionTimestamp and "Terminating" or get(object, "status.phase")
  local bound = spec.volumeName ~= nil
  return {
    object.metadata.name,
    phase,
    spec.volumeName or "",
    bound and get(object, "status.capacity.storage") or "",
    bound and modes(get(object, "status.accessModes")) or "",
    spec.storageClassName or "",
    "<unset>",
    age(object, now),
    spec.volumeMode or "",
  }
end

function CELLS.PersistentVolume(object, now)
  local spec, claim = object.spec, object.spec.claimRef
  return {
    object.metadata.name,
    get(spec, "capacity.storage") or "",
    modes(spec.accessModes),
    spec.persistentVolumeReclaimPolicy or "",
    get(object, "status.phase") or "",
    claim and claim.namespace .. "/" .. claim.name or "",
    spec.storageClassName or "",
    "<unset>",
    "",
    age(object, now),
    spec.volumeMode or "",
  }
end

function CELLS.Endpoints(object, now)
  local out = {}
  for _, subset in ipairs(object.subsets or {}) do
    for _, port in ipairs(subset.ports or {}) do
      for _, address in ipairs(subset.addresses or {}) do
        out[#out + 1] = ("%s:%d"):format(address.ip, port.port)
      end
    end
  end
  local shown = table.concat(out, ",", 1, math.min(3, #out))
  if #out > 3 then
    shown = ("%s + %d more..."):format(shown, #out - 3)
  end
  return { object.metadata.name, shown ~= "" and shown or NONE, age(object, now) }
end

function CELLS.ServiceAccount(object, now)
  return { object.metadata.name, #(object.secrets or {}), age(object, now) }
end

function CELLS.PodDisruptionBudget(object, now)
  local function shown(v)
    return v == nil and "N/A" or tostring(v)
  end
  return {
    object.metadata.name,
    shown(object.spec.minAvailable),
    shown(object.spec.maxUnavailable),
    get(object, "status.disruptionsAllowed") or 0,
    age(object, now),
  }
end

function CELLS.Ingress(object, now)
  local hosts, spec = {}, object.spec
  for i, rule in ipairs(spec.rules or {}) do
    hosts[i] = rule.host or "*"
  end
  return {
    object.metadata.name,
    spec.ingressClassName or NONE,
    #hosts > 0 and table.concat(hosts, ",") or "*",
    "",
    #(spec.tls or {}) > 0 and "80, 443" or "80",
    age(object, now),
  }
end

function CELLS.NetworkPolicy(object, now)
  local selected = select.text(object.spec.podSelector)
  return { object.metadata.name, selected ~= "" and selected or NONE, age(object, now) }
end

function CELLS.Lease(object, now)
  return { object.metadata.name, get(object, "spec.holderIdentity") or "", age(object, now) }
end

function CELLS.StorageClass(object, now)
  return {
    object.metadata.name,
    object.provisioner,
    object.reclaimPolicy,
    object.volumeBindingMode,
    tostring(object.allowVolumeExpansion == true),
    age(object, now),
  }
end

--- Returns the cells of an object in the order of its kind's columns.
---@param object table
---@param now number
---@return table[]
function M.of(object, now)
  local make = CELLS[object.kind] or workloads[object.kind]
  if make then
    return make(object, now)
  end
  return { object.metadata.name, object.metadata.creationTimestamp }
end

return M
