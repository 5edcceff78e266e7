--- Why the containers of a pod do not run, or are not ready. Pure.
local events = require("plat.k8s.events")
local list = require("plat.list")

local M = {}

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
  local event = events.of(snap, pod, "Failed", "Failed to pull image", container.name)
  local text = event and event.message or waiting.message or ""
  local evidence = {}
  if event then
    evidence[1] = events.line(event)
  elseif waiting.message then
    evidence[1] = waiting.message
  end
  local ending = text:match(".*: (.-)$") or text
  return {
    what = ("pod %s: image %q of container %s cannot be pulled (%s)%s"):format(
      pod.metadata.name,
      container.image or "?",
      container.name,
      waiting.reason,
      ending ~= "" and (": " .. events.short(ending, 120)) or ""
    ),
    evidence = evidence,
    fatal = IMAGE[waiting.reason],
    tried = event and events.time(event),
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
    return "is restarted by its liveness probe: " .. events.short(liveness.message or "", 140), nil
  elseif ended.exitCode == 0 then
    return "ends by itself (exit 0) and is started again", "its command must keep running"
  end
  local text = ("crashes (exit %s%s)"):format(
    tostring(ended.exitCode),
    ended.signal and ended.signal ~= 0 and (", signal " .. ended.signal) or ""
  )
  local message = ended.message or ""
  local said = events.short(message:match('(exec: ".*)$') or message, 140)
  return said ~= "" and (text .. ": " .. said) or text, nil
end

local function crash_cause(snap, pod, container, ended, waiting)
  local restarts = container.restartCount or 0
  local probe = events.of(snap, pod, "Unhealthy", "Liveness probe failed", container.name)
  local killed = ended.exitCode == 137 or ended.exitCode == 143
  local text, hint = ending_of(pod, container, ended, killed and probe or nil)
  local evidence = {}
  local back_off = events.of(snap, pod, "BackOff", nil, container.name)
  if probe then
    evidence[#evidence + 1] = events.line(probe)
  end
  if back_off then
    evidence[#evidence + 1] = events.line(back_off)
  end
  return {
    what = ("pod %s: container %s %s%s"):format(
      pod.metadata.name,
      container.name,
      text,
      restarts > 0 and (", %d restart%s"):format(restarts, restarts == 1 and "" or "s") or ""
    ),
    evidence = evidence,
    fatal = restarts >= CRASHES_FATAL and snap.res.kind ~= "Job",
    hint = hint,
    rank = 22,
    key = "crash " .. container.name,
    log = {
      pod = pod.metadata.name,
      container = container.name,
      previous = waiting == true,
      crash = true,
    },
  }
end

local function not_ready_cause(snap, pod, container)
  for _, probe in ipairs({ "Startup", "Readiness" }) do
    local event = events.of(snap, pod, "Unhealthy", probe .. " probe ", container.name)
    if event then
      local text = (event.message or ""):match("probe %a+: (.+)$") or event.message
      return {
        what = ("pod %s: %s probe of container %s fails: %s"):format(
          pod.metadata.name,
          probe:lower(),
          container.name,
          events.short(text, 160)
        ),
        evidence = { events.line(event) },
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
    return crash_cause(snap, pod, container, last or { exitCode = "unknown" }, true)
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
        events.short(waiting.message or waiting.reason, 200)
      ),
      evidence = {},
      fatal = false,
      rank = 23,
      key = "start " .. container.name,
    }
  end
  return nil
end

--- Adds the causes that the containers of a pod show.
---@param snap plat.k8s.Snapshot
---@param pod table
---@param causes plat.k8s.Cause[]
function M.add(snap, pod, causes)
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

return M
