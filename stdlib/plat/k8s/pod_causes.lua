--- Why one pod is not ready. Pure: reads the pod and the events of its namespace.
local container_causes = require("plat.k8s.container_causes")
local events = require("plat.k8s.events")
local list = require("plat.list")
local time = require("plat.time")

local M = {}

local UNSCHEDULABLE_FATAL = 60 -- seconds

local function condition(pod, name)
  return list.find(list.get(pod, "status.conditions") or {}, { type = name })
end

-- The scheduler adds what preemption could do about it; the reasons come first.
local function scheduler_message(text)
  text = text:gsub("[.,]? ?preemption:.*$", ""):gsub("[.,]? no new claims to deallocate.*$", "")
  return events.short(text, 240)
end

local function scheduling_hint(message)
  if message:find("Insufficient", 1, true) then
    return "lower what its containers request, or add a node"
  elseif message:find("untolerated taint", 1, true) then
    return "the pod tolerates none of the nodes' taints"
  elseif message:find("node affinity/selector", 1, true) then
    return "no node has the labels that the pod asks for"
  end
  return nil
end

local function scheduling_cause(snap, pod)
  local scheduled = condition(pod, "PodScheduled")
  if not scheduled or scheduled.status ~= "False" then
    return nil
  end
  local since = type(scheduled.lastTransitionTime) == "string"
    and time.parse_rfc3339(scheduled.lastTransitionTime)
  local note = events.of(snap, pod, "TriggeredScaleUp") or events.of(snap, pod, "Nominated")
  local message = scheduler_message(scheduled.message or scheduled.reason or "")
  local evidence = {}
  if note then
    evidence[1] = events.line(note)
  end
  local unbound = message:find("unbound immediate PersistentVolumeClaims", 1, true)
  return {
    what = ("pod %s cannot be scheduled: %s"):format(pod.metadata.name, message),
    evidence = evidence,
    fatal = not note and since ~= nil and snap.now - since > UNSCHEDULABLE_FATAL,
    hint = note and "the cluster autoscaler is adding a node" or scheduling_hint(message),
    rank = unbound and 35 or 25,
    key = "schedule " .. message,
  }
end

local STARTING =
  { "FailedMount", "FailedAttachVolume", "FailedCreatePodSandBox", "FailedMapVolume" }

-- Scheduled, but no container has been made yet.
local function start_cause(snap, pod)
  if not list.get(pod, "spec.nodeName") then
    return nil
  end
  for _, container in ipairs(list.get(pod, "status.containerStatuses") or {}) do
    local reason = list.get(container, "state.waiting.reason")
    if reason ~= "ContainerCreating" and reason ~= "PodInitializing" then
      return nil
    end
  end
  for _, reason in ipairs(STARTING) do
    local event = events.of(snap, pod, reason)
    if event then
      return {
        what = ("pod %s cannot start: %s"):format(
          pod.metadata.name,
          events.short(event.message or reason, 200)
        ),
        evidence = { events.line(event) },
        fatal = false,
        rank = 32,
        key = reason .. " " .. events.short(event.message or "", 60),
      }
    end
  end
  return nil
end

local function ending_cause(snap, pod)
  local at = time.parse_rfc3339(pod.metadata.deletionTimestamp)
  local late = at and snap.now - at or 0
  if late < 30 then
    return nil
  end
  local finalizers = pod.metadata.finalizers or {}
  return {
    what = ("pod %s should be gone for %d s and still is not"):format(pod.metadata.name, late),
    evidence = #finalizers > 0 and { "finalizers: " .. table.concat(finalizers, ", ") } or {},
    fatal = false,
    hint = #finalizers == 0 and ("is its node up? (%s)"):format(
      list.get(pod, "spec.nodeName") or "none"
    ) or "whoever set the finalizer must remove it",
    rank = 45,
    key = "terminating",
  }
end

local function gate_cause(pod)
  for _, gate in ipairs(list.get(pod, "spec.readinessGates") or {}) do
    local item = condition(pod, gate.conditionType)
    if not item or item.status ~= "True" then
      return {
        what = ("pod %s: readiness gate %q is not True"):format(
          pod.metadata.name,
          gate.conditionType
        ),
        evidence = { item and item.message or nil },
        fatal = false,
        rank = 50,
        key = "gate " .. gate.conditionType,
      }
    end
  end
  return nil
end

local function add(causes, cause)
  causes[#causes + 1] = cause
end

--- Returns the causes that one pod shows; none when it is ready.
---@param snap plat.k8s.Snapshot
---@param pod table
---@return plat.k8s.Cause[]
function M.of(snap, pod)
  local causes = {}
  local phase = list.get(pod, "status.phase")
  local ready = condition(pod, "Ready")
  if pod.metadata.deletionTimestamp then
    add(causes, ending_cause(snap, pod))
    return causes
  elseif phase == "Succeeded" or (ready and ready.status == "True") then
    return causes
  elseif phase == "Failed" and list.get(pod, "status.reason") then
    local status = pod.status
    add(causes, {
      what = ("pod %s failed: %s%s"):format(
        pod.metadata.name,
        status.reason,
        status.message and (": " .. events.short(status.message, 160)) or ""
      ),
      evidence = {},
      fatal = false,
      rank = 24,
      key = "failed " .. status.reason,
    })
    return causes
  end
  add(causes, scheduling_cause(snap, pod))
  add(causes, start_cause(snap, pod))
  container_causes.add(snap, pod, causes)
  add(causes, gate_cause(pod))
  return causes
end

return M
