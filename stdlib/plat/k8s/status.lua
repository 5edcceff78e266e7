--- Whether an object has reached its goal: the conditions of readiness, kind by kind. Pure.
local list = require("plat.list")

local M = {}

---@class plat.k8s.Readiness
---@field ready boolean
---@field failed? string why it will never be ready
---@field text string "2 of 3 ready"
---@field settled boolean the controller has seen the newest specification

local function condition(object, name)
  for _, item in ipairs(list.get(object, "status.conditions") or {}) do
    if item.type == name then
      return item
    end
  end
  return nil
end

M.condition = condition

local function number(object, field)
  return math.tointeger(list.get(object, "status." .. field) or 0) or 0
end

local function observed(object)
  return number(object, "observedGeneration") >= (object.metadata.generation or 0)
end

local function why(item)
  local reason, message = item.reason or "", item.message or ""
  if reason == "" or message == "" then
    return reason .. message
  end
  return reason .. ": " .. message
end

-- "1 of 3 ready, 2 updated": the first count always, others where they are not what is wanted.
local function count_text(want, counts)
  local words = { ("%d of %d %s"):format(counts[1][2], want, counts[1][1]) }
  for i = 2, #counts do
    if counts[i][2] ~= want then
      words[#words + 1] = ("%d %s"):format(counts[i][2], counts[i][1])
    end
  end
  return table.concat(words, ", ")
end

local function deployment(object)
  local want = list.get(object, "spec.replicas") or 1
  local total, updated = number(object, "replicas"), number(object, "updatedReplicas")
  local ready, available = number(object, "readyReplicas"), number(object, "availableReplicas")
  local settled = observed(object)
  local progress = condition(object, "Progressing")
  local failed
  if settled and progress and progress.status == "False" then
    if progress.reason == "ProgressDeadlineExceeded" then
      failed = why(progress)
    end
  end
  local done = updated == want and total == want and available == want
  if settled and not done and list.get(object, "spec.paused") == true and updated < want then
    failed = "the rollout is paused (spec.paused)"
  end
  return {
    ready = settled and done,
    failed = failed,
    settled = settled,
    text = count_text(want, {
      { "ready", ready },
      { "available", available },
      { "updated", updated },
      { "in all", total },
    }),
  }
end

local function stateful_set(object)
  local want = list.get(object, "spec.replicas") or 1
  local total, ready = number(object, "replicas"), number(object, "readyReplicas")
  local settled = observed(object)
  local counts = { { "ready", ready }, { "in all", total } }
  local partition = 0
  local done = ready == want and total == want
  local strategy = list.get(object, "spec.updateStrategy") or {}
  if strategy.type ~= "OnDelete" then
    partition = list.get(strategy, "rollingUpdate.partition") or 0
    local updated = number(object, "updatedReplicas")
    local status = object.status or {}
    done = done and updated >= want - partition
    if partition == 0 then
      done = done and status.currentRevision == status.updateRevision
    end
    counts[3] = { "updated", updated }
  end
  local text = count_text(want, counts)
  if partition > 0 then
    text = ("%s (partition %d)"):format(text, partition)
  end
  return { ready = settled and done, settled = settled, text = text }
end

local function daemon_set(object)
  local want = number(object, "desiredNumberScheduled")
  local available = number(object, "numberAvailable")
  local updated = number(object, "updatedNumberScheduled")
  local settled = observed(object)
  local done = available == want
  if list.get(object, "spec.updateStrategy.type") ~= "OnDelete" then
    done = done and updated == want
  end
  return {
    ready = settled and done,
    settled = settled,
    text = ("%d of %d available, %d updated"):format(available, want, updated),
  }
end

local function replica_set(object)
  local want = list.get(object, "spec.replicas") or 1
  local ready, available = number(object, "readyReplicas"), number(object, "availableReplicas")
  local settled = observed(object)
  return {
    ready = settled and available == want and number(object, "replicas") == want,
    settled = settled,
    text = ("%d of %d available, %d ready"):format(available, want, ready),
  }
end

local function pod(object)
  local phase = list.get(object, "status.phase") or "Unknown"
  local ready = condition(object, "Ready")
  local text = "phase " .. phase
  if object.metadata.deletionTimestamp then
    return { ready = false, settled = true, text = "is being deleted" }
  elseif phase == "Succeeded" then
    return { ready = true, settled = true, text = "completed" }
  elseif phase == "Failed" then
    local status = object.status
    return { ready = false, settled = true, failed = "failed: " .. why(status), text = text }
  end
  local is_ready = ready ~= nil and ready.status == "True"
  if ready and not is_ready then
    text = text .. ", " .. why(ready)
  end
  return { ready = is_ready, settled = true, text = is_ready and "ready" or text }
end

local function job(object)
  local complete, failed = condition(object, "Complete"), condition(object, "Failed")
  failed = failed or condition(object, "FailureTarget")
  local want = list.get(object, "spec.completions") or list.get(object, "spec.parallelism") or 1
  local text = ("%d of %d succeeded, %d active, %d failed"):format(
    number(object, "succeeded"),
    want,
    number(object, "active"),
    number(object, "failed")
  )
  if list.get(object, "spec.suspend") == true then
    text = text .. ", suspended"
  end
  local is_failed = failed ~= nil and failed.status == "True"
  return {
    ready = complete ~= nil and complete.status == "True",
    failed = is_failed and why(failed) or nil,
    settled = true,
    text = text,
  }
end

local function claim(object)
  local phase = list.get(object, "status.phase") or "Pending"
  return {
    ready = phase == "Bound",
    failed = phase == "Lost" and "its volume is lost" or nil,
    settled = true,
    text = phase,
  }
end

-- Any other kind, by the conventions of status: observedGeneration, then the condition Ready (or
-- Available, Established); an object without conditions is ready because it exists.
local function other(object)
  local status = object.status or {}
  local settled = status.observedGeneration == nil or observed(object)
  local stalled = condition(object, "Stalled")
  if stalled and stalled.status == "True" then
    return { ready = false, failed = why(stalled), settled = settled, text = "stalled" }
  end
  for _, name in ipairs({ "Ready", "Available", "Established" }) do
    local item = condition(object, name)
    if item then
      local is_true = item.status == "True"
      return {
        ready = settled and is_true,
        settled = settled,
        text = ("%s is %s%s"):format(name, item.status, is_true and "" or (" " .. why(item))),
      }
    end
  end
  local busy = condition(object, "Reconciling")
  local is_busy = busy ~= nil and busy.status == "True"
  return {
    ready = settled and not is_busy and not object.metadata.deletionTimestamp,
    settled = settled,
    text = is_busy and ("reconciling " .. why(busy)) or "exists",
  }
end

local READERS = {
  ["apps/Deployment"] = deployment,
  ["apps/StatefulSet"] = stateful_set,
  ["apps/DaemonSet"] = daemon_set,
  ["apps/ReplicaSet"] = replica_set,
  ["batch/Job"] = job,
  ["/Pod"] = pod,
  ["/PersistentVolumeClaim"] = claim,
}

--- Returns whether an object is ready, has failed for good, and how far it is.
---@param res plat.k8s.Resource
---@param object? table nil: it does not exist yet
---@return plat.k8s.Readiness
function M.read(res, object)
  if not object then
    return { ready = false, settled = false, text = "does not exist yet" }
  end
  return (READERS[res.group .. "/" .. res.kind] or other)(object)
end

--- Returns a word or two about a pod, as `kubectl get pods` shows it, and its restarts.
---@param object table
---@return string state
---@return integer restarts
function M.pod_state(object)
  local state = list.get(object, "status.reason") or list.get(object, "status.phase") or "Unknown"
  local restarts = 0
  for _, part in ipairs({ "initContainerStatuses", "containerStatuses" }) do
    for _, container in ipairs(list.get(object, "status." .. part) or {}) do
      restarts = restarts + (container.restartCount or 0)
      local waiting = list.get(container, "state.waiting.reason")
      local ended = list.get(container, "state.terminated")
      if waiting and waiting ~= "PodInitializing" then
        state = waiting
      elseif ended and (ended.exitCode or 0) ~= 0 then
        state = ended.reason or ("exit " .. ended.exitCode)
      end
    end
  end
  if object.metadata.deletionTimestamp then
    state = "Terminating"
  end
  return state, restarts
end

return M
