--- Cells of the tables that kubectl prints: workloads.
local data = require("plat.sim.k8s.data")
local podinfo = require("plat.sim.k8s.podinfo")
local select = require("plat.sim.k8s.select")
local text = require("plat.sim.k8s.celltext")
local time = require("plat.time")

local M = {}

local age, get, NONE = text.age, data.get, text.NONE

local function images(spec)
  local names, list = {}, {}
  for i, c in ipairs(get(spec, "containers") or {}) do
    names[i], list[i] = c.name, c.image
  end
  return table.concat(names, ","), table.concat(list, ",")
end

local function selector(object)
  local shown = select.text(object.spec.selector)
  return shown ~= "" and shown or NONE
end

--- Cells of a Deployment.
---@param object table
---@param now number
---@return table[]
function M.Deployment(object, now)
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

--- Cells of a ReplicaSet.
---@param object table
---@param now number
---@return table[]
function M.ReplicaSet(object, now)
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

--- Cells of a StatefulSet.
---@param object table
---@param now number
---@return table[]
function M.StatefulSet(object, now)
  local names, list = images(object.spec.template.spec)
  local ready = get(object, "status.readyReplicas") or 0
  local share = ("%d/%d"):format(ready, object.spec.replicas)
  return { object.metadata.name, share, age(object, now), names, list }
end

--- Cells of a DaemonSet.
---@param object table
---@param now number
---@return table[]
function M.DaemonSet(object, now)
  local s = object.status or {}
  local names, list = images(object.spec.template.spec)
  return {
    object.metadata.name,
    s.desiredNumberScheduled or 0,
    s.currentNumberScheduled or 0,
    s.numberReady or 0,
    s.updatedNumberScheduled or 0,
    s.numberAvailable or 0,
    text.keys(get(object, "spec.template.spec.nodeSelector")),
    age(object, now),
    names,
    list,
    selector(object),
  }
end

--- Cells of a ControllerRevision.
---@param object table
---@param now number
---@return table[]
function M.ControllerRevision(object, now)
  local ref = podinfo.controller_of(object)
  local owner = ref and ("%s.apps/%s"):format(ref.kind:lower(), ref.name) or NONE
  return { object.metadata.name, owner, object.revision, age(object, now) }
end

--- Cells of a Job.
---@param object table
---@param now number
---@return table[]
function M.Job(object, now)
  local s, names, list = object.status or {}, images(object.spec.template.spec)
  local state = podinfo.condition(object, "Complete") and "Complete"
    or podinfo.condition(object, "Failed") and "Failed"
    or object.metadata.deletionTimestamp and "Terminating"
    or "Running"
  local took = ""
  if s.startTime then
    local stop = s.completionTime and time.parse_rfc3339(s.completionTime) or now
    took = text.duration(stop - time.parse_rfc3339(s.startTime))
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

--- Cells of a CronJob.
---@param object table
---@param now number
---@return table[]
function M.CronJob(object, now)
  local spec, s = object.spec, object.status or {}
  local names, list = images(spec.jobTemplate.spec.template.spec)
  local last = s.lastScheduleTime
  return {
    object.metadata.name,
    spec.schedule,
    spec.timeZone or NONE,
    spec.suspend and "True" or "False",
    #(s.active or {}),
    last and text.duration(now - time.parse_rfc3339(last)) or NONE,
    age(object, now),
    names,
    list,
    spec.jobTemplate.spec.selector and selector(spec.jobTemplate) or NONE,
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

--- Cells of a HorizontalPodAutoscaler.
---@param object table
---@param now number
---@return table[]
function M.HorizontalPodAutoscaler(object, now)
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

return M
