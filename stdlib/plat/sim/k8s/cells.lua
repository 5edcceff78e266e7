--- Cells of the tables that kubectl prints, by kind.
local data = require("plat.sim.k8s.data")
local podinfo = require("plat.sim.k8s.podinfo")
local select = require("plat.sim.k8s.select")
local time = require("plat.time")

local M = {}

local get = data.get
local NONE = "<none>"

--- Writes a duration as kubectl does: "45s", "5m32s", "3h5m", "2d4h", "12d", "2y30d".
---@param seconds number
---@return string
function M.duration(seconds)
  local s = math.max(0, math.floor(seconds))
  local m, h, d = s // 60, s // 3600, s // 86400
  local function two(big, unit, small, sub)
    return small == 0 and ("%d%s"):format(big, unit)
      or ("%d%s%d%s"):format(big, unit, small, sub)
  end
  if s < 120 then
    return ("%ds"):format(s)
  elseif m < 10 then
    return two(m, "m", s % 60, "s")
  elseif m < 180 then
    return ("%dm"):format(m)
  elseif h < 8 then
    return two(h, "h", m % 60, "m")
  elseif h < 48 then
    return ("%dh"):format(h)
  elseif h < 192 then
    return two(d, "d", h % 24, "h")
  elseif d < 730 then
    return ("%dd"):format(d)
  elseif d < 2920 then
    return two(d // 365, "y", d % 365, "d")
  end
  return ("%dy"):format(d // 365)
end

local function since(stamp, now)
  if not stamp then
    return "<unknown>"
  end
  return M.duration(now - time.parse_rfc3339(stamp))
end

local function age(object, now)
  return since(object.metadata.creationTimestamp, now)
end

local function images(spec)
  local names, list = {}, {}
  for i, c in ipairs(get(spec, "containers") or {}) do
    names[i], list[i] = c.name, c.image
  end
  return table.concat(names, ","), table.concat(list, ",")
end

local function count(t)
  local n = 0
  for _ in pairs(t or {}) do
    n = n + 1
  end
  return n
end

local function selector(object)
  local text = select.text(object.spec.selector)
  return text ~= "" and text or NONE
end

local function keys_text(map)
  local parts = {}
  for key, value in pairs(map or {}) do
    parts[#parts + 1] = key .. "=" .. value
  end
  return #parts > 0 and table.concat(parts, ",") or NONE
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
    keys_text(spec.selector),
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
  local text = table.concat(out, ",", 1, math.min(3, #out))
  if #out > 3 then
    text = ("%s + %d more..."):format(text, #out - 3)
  end
  return { object.metadata.name, text ~= "" and text or NONE, age(object, now) }
end

function CELLS.ServiceAccount(object, now)
  return { object.metadata.name, #(object.secrets or {}), age(object, now) }
end

function CELLS.Deployment(object, now)
  local s = object.status or {}
  local names, list = images(object.spec.template.spec)
  return {
    object.metadata.name,
    ("%d/%d"):format(s.readyReplicas or 0, object.spec.replicas),
    s.updatedReplicas or 0,
    s.availableReplicas or 0,
    age(object, now),
    names,
    list,
    selector(object),
  }
end

function CELLS.ReplicaSet(object, now)
  local s = object.status or {}
  local names, list = images(object.spec.template.spec)
  return {
    object.metadata.name,
    object.spec.replicas,
    s.replicas or 0,
    s.readyReplicas or 0,
    age(object, now),
    names,
    list,
    selector(object),
  }
end

function CELLS.StatefulSet(object, now)
  local names, list = images(object.spec.template.spec)
  local ready = get(object, "status.readyReplicas") or 0
  local share = ("%d/%d"):format(ready, object.spec.replicas)
  return { object.metadata.name, share, age(object, now), names, list }
end

function CELLS.DaemonSet(object, now)
  local s = object.status or {}
  local names, list = images(object.spec.template.spec)
  return {
    object.metadata.name,
    s.desiredNumberScheduled or 0,
    s.currentNumberScheduled or 0,
    s.numberReady or 0,
    s.updatedNumberScheduled or 0,
    s.numberAvailable or 0,
    keys_text(get(object, "spec.template.spec.nodeSelector")),
    age(object, now),
    names,
    list,
    selector(object),
  }
end

function CELLS.ControllerRevision(object, now)
  local ref = podinfo.controller_of(object)
  local owner = ref and ("%s.apps/%s"):format(ref.kind:lower(), ref.name) or NONE
  return { object.metadata.name, owner, object.revision, age(object, now) }
end

function CELLS.Job(object, now)
  local s, names, list = object.status or {}, images(object.spec.template.spec)
  local state = podinfo.condition(object, "Complete") and "Complete"
    or podinfo.condition(object, "Failed") and "Failed"
    or object.metadata.deletionTimestamp and "Terminating"
    or "Running"
  local took = ""
  if s.startTime then
    local stop = s.completionTime and time.parse_rfc3339(s.completionTime) or now
    took = M.duration(stop - time.parse_rfc3339(s.startTime))
  end
  return {
    object.metadata.name,
    state,
    ("%d/%d"):format(s.succeeded or 0, object.spec.completions or 1),
    took,
    age(object, now),
    names,
    list,
    selector(object),
  }
end

local function targets(hpa)
  local out = {}
  for i, metric in ipairs(hpa.spec.metrics or {}) do
    local name = get(metric, "resource.name") or metric.type:lower()
    local wanted = get(metric, "resource.target.averageUtilization")
    local current = (get(hpa, "status.currentMetrics") or {})[i]
    local percent = get(current, "resource.current.averageUtilization")
    local shown = percent and ("%d%%"):format(percent) or "<unknown>"
    out[i] = ("%s: %s/%s"):format(name, shown, wanted and ("%d%%"):format(wanted) or "<auto>")
  end
  return #out > 0 and table.concat(out, ", ") or NONE
end

function CELLS.HorizontalPodAutoscaler(object, now)
  local ref = object.spec.scaleTargetRef
  return {
    object.metadata.name,
    ref.kind .. "/" .. ref.name,
    targets(object),
    ("%d"):format(object.spec.minReplicas),
    object.spec.maxReplicas,
    get(object, "status.currentReplicas") or 0,
    age(object, now),
  }
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
  local make = CELLS[object.kind]
  if make then
    return make(object, now)
  end
  return { object.metadata.name, object.metadata.creationTimestamp }
end

return M
