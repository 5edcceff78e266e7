--- Why one pod is not ready. Pure: reads the pod and the events of its namespace.
local list = require("plat.list")
local time = require("plat.time")

local M = {}

local UNSCHEDULABLE_FATAL = 60 -- seconds
local CRASHES_FATAL = 3 -- restarts

local IMAGE = {
  ErrImagePull = false, -- the first attempt: it may still succeed
  ErrImageNeverPull = true,
  ImagePullBackOff = true,
  ImageInspectError = false,
  InvalidImageName = true,
  RegistryUnavailable = false,
  SignatureValidationFailed = true,
}

--- Returns the time of an event's last occurrence, or nil.
---@param event table
---@return number?
function M.event_time(event)
  local text = list.get(event, "series.lastObservedTime") or event.lastTimestamp or event.eventTime
  if type(text) ~= "string" then
    text = list.get(event, "metadata.creationTimestamp")
  end
  return type(text) == "string" and time.parse_rfc3339(text) or nil
end

--- Returns an event as one line of evidence.
---@param event table
---@return string
function M.event_line(event)
  local about = event.involvedObject or {}
  local count = list.get(event, "series.count") or event.count
  return ("event %s %s/%s: %s%s"):format(
    event.reason or "?",
    (about.kind or "?"):lower(),
    about.name or "?",
    (event.message or ""):gsub("%s+", " "),
    (type(count) == "number" and count > 1) and (" (x%d)"):format(count) or ""
  )
end

-- Returns the newest event of a pod with this reason whose message begins with `prefix`.
local function event_of(snap, pod, reason, prefix, container)
  local found, at
  for _, event in ipairs(snap.events) do
    local about = event.involvedObject or {}
    local path = about.fieldPath or ""
    local fits = about.uid == pod.metadata.uid
      and event.reason == reason
      and (not prefix or (event.message or ""):sub(1, #prefix) == prefix)
      and (not container or path == "" or path:find("{" .. container .. "}", 1, true))
    local when = fits and (M.event_time(event) or 0)
    if fits and (not at or when >= at) then
      found, at = event, when
    end
  end
  return found
end

local function short(text, max)
  text = text:gsub("%s+", " "):gsub("^%s", ""):gsub("%s$", "")
  return #text > max and (text:sub(1, max - 3) .. "...") or text
end

local function image_hint(reason, text)
  if reason == "InvalidImageName" then
    return "the image reference is malformed"
  elseif reason == "ErrImageNeverPull" then
    return "imagePullPolicy is Never and the node does not have the image"
  end
  local low = text:lower()
  if
    low:find("unauthorized", 1, true)
    or low:find("denied", 1, true)
    or low:find("401", 1, true)
  then
    return "the registry wants a login: imagePullSecrets of the pod or its service account"
  elseif low:find("not found", 1, true) or low:find("manifest unknown", 1, true) then
    return "no such image or tag in the registry"
  elseif
    low:find("no such host", 1, true)
    or low:find("connection refused", 1, true)
    or low:find("timeout", 1, true)
    or low:find("dial tcp", 1, true)
  then
    return "the node cannot reach the registry"
  end
  return nil
end

local function image_cause(snap, pod, container, waiting)
  local event = event_of(snap, pod, "Failed", "Failed to pull image", container.name)
  local text = event and event.message or waiting.message or ""
  local evidence = {}
  if event then
    evidence[1] = M.event_line(event)
  elseif waiting.message then
    evidence[1] = waiting.message
  end
  local ending = text:match("([^:]+:[^:]+)$") or text
  return {
    what = ("pod %s: image %q of container %s cannot be pulled (%s)%s"):format(
      pod.metadata.name,
      container.image or "?",
      container.name,
      waiting.reason,
      ending ~= "" and (": " .. short(ending, 120)) or ""
    ),
    evidence = evidence,
    fatal = IMAGE[waiting.reason],
    hint = image_hint(waiting.reason, text),
    rank = 20,
    key = "image " .. tostring(container.image),
  }
end

local function memory_limit(pod, name)
  for _, part in ipairs({ "containers", "initContainers" }) do
    for _, spec in ipairs(list.get(pod, "spec." .. part) or {}) do
      if spec.name == name then
        return list.get(spec, "resources.limits.memory")
      end
    end
  end
  return nil
end

-- How a container ended, as text, and a hint.
local function ending_of(pod, container, ended, liveness)
  if ended.reason == "OOMKilled" then
    local limit = memory_limit(pod, container.name)
    return ("is killed for memory (%s)"):format(
      limit and ("limit " .. limit) or "no limit: the node's"
    ),
      "raise its memory limit, or make it use less"
  elseif liveness then
    return "is restarted by its liveness probe: " .. short(liveness.message or "", 140), nil
  elseif ended.exitCode == 0 then
    return "ends by itself (exit 0) and is started again", "its command must keep running"
  end
  local text = ("crashes (exit %s%s)"):format(
    tostring(ended.exitCode),
    ended.signal and ended.signal ~= 0 and (", signal " .. ended.signal) or ""
  )
  local said = ended.message and short(ended.message, 140) or ""
  return said ~= "" and (text .. ": " .. said) or text, nil
end

local function crash_cause(snap, pod, container, ended)
  local restarts = container.restartCount or 0
  local probe = event_of(snap, pod, "Unhealthy", "Liveness probe failed", container.name)
  local killed = ended.exitCode == 137 or ended.exitCode == 143
  local text, hint = ending_of(pod, container, ended, killed and probe or nil)
  local evidence = {}
  local back_off = event_of(snap, pod, "BackOff", nil, container.name)
  if probe then
    evidence[#evidence + 1] = M.event_line(probe)
  end
  if back_off then
    evidence[#evidence + 1] = M.event_line(back_off)
  end
  return {
    what = ("pod %s: container %s %s, %d restart%s"):format(
      pod.metadata.name,
      container.name,
      text,
      restarts,
      restarts == 1 and "" or "s"
    ),
    evidence = evidence,
    fatal = restarts >= CRASHES_FATAL and snap.res.kind ~= "Job",
    hint = hint,
    rank = 22,
    key = "crash " .. container.name,
    log = { pod = pod.metadata.name, container = container.name, previous = restarts > 0 },
  }
end

local function not_ready_cause(snap, pod, container)
  for _, probe in ipairs({ "Startup", "Readiness" }) do
    local event = event_of(snap, pod, "Unhealthy", probe .. " probe ", container.name)
    if event then
      local text = (event.message or ""):match("probe %a+: (.+)$") or event.message
      return {
        what = ("pod %s: %s probe of container %s fails: %s"):format(
          pod.metadata.name,
          probe:lower(),
          container.name,
          short(text, 160)
        ),
        evidence = { M.event_line(event) },
        fatal = false,
        rank = 40,
        key = "probe " .. container.name,
        log = { pod = pod.metadata.name, container = container.name, previous = false },
      }
    end
  end
  return {
    what = ("pod %s: container %s runs but is not ready yet"):format(
      pod.metadata.name,
      container.name
    ),
    evidence = {},
    fatal = false,
    rank = 60,
    key = "starting " .. container.name,
    log = { pod = pod.metadata.name, container = container.name, previous = false },
  }
end

local function waiting_cause(snap, pod, container, waiting)
  local last = list.get(container, "lastState.terminated")
  if IMAGE[waiting.reason] ~= nil then
    return image_cause(snap, pod, container, waiting)
  elseif
    waiting.reason == "CrashLoopBackOff" or (waiting.reason == "RunContainerError" and last)
  then
    return crash_cause(snap, pod, container, last or { exitCode = "unknown" })
  elseif waiting.reason == "CreateContainerConfigError" then
    return {
      what = ("pod %s: container %s cannot be configured: %s"):format(
        pod.metadata.name,
        container.name,
        waiting.message or "no message"
      ),
      evidence = {},
      fatal = true,
      hint = "create what it refers to, or correct the reference",
      rank = 21,
      key = "config " .. container.name .. " " .. (waiting.message or ""),
    }
  elseif waiting.reason == "CreateContainerError" or waiting.reason == "RunContainerError" then
    return {
      what = ("pod %s: container %s cannot be started: %s"):format(
        pod.metadata.name,
        container.name,
        short(waiting.message or waiting.reason, 200)
      ),
      evidence = {},
      fatal = false,
      rank = 23,
      key = "start " .. container.name,
    }
  end
  return nil
end

local function container_causes(snap, pod, causes)
  local initializing = false
  for _, part in ipairs({ "initContainerStatuses", "containerStatuses" }) do
    for _, container in ipairs(list.get(pod, "status." .. part) or {}) do
      local state = container.state or {}
      local cause
      if state.waiting then
        cause = waiting_cause(snap, pod, container, state.waiting)
      elseif state.terminated and state.terminated.exitCode ~= 0 then
        cause = crash_cause(snap, pod, container, state.terminated)
      elseif state.running and part == "containerStatuses" and not container.ready then
        cause = not initializing and not_ready_cause(snap, pod, container) or nil
      elseif state.running and not container.ready then
        initializing = true
        causes[#causes + 1] = {
          what = ("pod %s: init container %s is running"):format(pod.metadata.name, container.name),
          evidence = {},
          fatal = false,
          rank = 55,
          key = "init " .. container.name,
          log = { pod = pod.metadata.name, container = container.name, previous = false },
        }
      end
      causes[#causes + 1] = cause
    end
  end
end

local function condition(pod, name)
  return list.find(list.get(pod, "status.conditions") or {}, { type = name })
end

local function scheduling_cause(snap, pod)
  local scheduled = condition(pod, "PodScheduled")
  if not scheduled or scheduled.status ~= "False" then
    return nil
  end
  local since = type(scheduled.lastTransitionTime) == "string"
    and time.parse_rfc3339(scheduled.lastTransitionTime)
  local note = event_of(snap, pod, "TriggeredScaleUp") or event_of(snap, pod, "Nominated")
  local message = short(scheduled.message or scheduled.reason or "", 240)
  local evidence = {}
  if note then
    evidence[1] = M.event_line(note)
  end
  local unbound = message:find("unbound immediate PersistentVolumeClaims", 1, true)
  return {
    what = ("pod %s cannot be scheduled: %s"):format(pod.metadata.name, message),
    evidence = evidence,
    fatal = not note and since ~= nil and snap.now - since > UNSCHEDULABLE_FATAL,
    hint = note and "the cluster autoscaler is adding a node" or nil,
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
    local event = event_of(snap, pod, reason)
    if event then
      return {
        what = ("pod %s cannot start: %s"):format(
          pod.metadata.name,
          short(event.message or reason, 200)
        ),
        evidence = { M.event_line(event) },
        fatal = false,
        rank = 32,
        key = reason .. " " .. short(event.message or "", 60),
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
        status.message and (": " .. short(status.message, 160)) or ""
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
  container_causes(snap, pod, causes)
  add(causes, gate_cause(pod))
  return causes
end

return M
