--- The Job controller (jobs without an index).
local chance = require("plat.sim.k8s.chance")
local data = require("plat.sim.k8s.data")
local podinfo = require("plat.sim.k8s.podinfo")
local podmaker = require("plat.sim.k8s.podmaker")
local queue = require("plat.sim.k8s.queue")
local recorder = require("plat.sim.k8s.recorder")
local remove = require("plat.sim.k8s.remove")
local store = require("plat.sim.k8s.store")

local M = {}

local ID = "jobs.batch"
local BY = "job-controller"

local function later(model, job, delay)
  local meta = job.metadata
  local args = { id = ID, ns = meta.namespace, name = meta.name }
  queue.add(model, delay, "sync", ID .. " " .. meta.namespace .. "/" .. meta.name, args)
end

local function tally(model, job)
  local t = { active = {}, ready = 0, succeeded = 0, failed = 0, leaving = 0 }
  for _, pod in ipairs(podinfo.owned(model, "pods", job)) do
    local phase = data.get(pod, "status.phase")
    if phase == "Succeeded" then
      t.succeeded = t.succeeded + 1
    elseif phase == "Failed" then
      t.failed = t.failed + 1
    elseif podinfo.is_leaving(pod) then
      t.leaving = t.leaving + 1
    else
      t.active[#t.active + 1] = pod
      t.ready = t.ready + (podinfo.is_ready(pod) and 1 or 0)
    end
  end
  return t
end

local function start_pods(model, job, count)
  for _ = 1, count do
    local name = job.metadata.name .. "-" .. chance.suffix(model)
    local pod = podinfo.make(job, job.spec.template, name)
    pod.metadata.generateName = job.metadata.name .. "-"
    local words = { done = "Created pod: " .. name, failed = "Error creating: %s" }
    if not podmaker.create(model, pod, job, ID, BY, words) then
      return
    end
  end
end

local function restarts(pods)
  local sum = 0
  for _, pod in ipairs(pods) do
    for _, c in ipairs(data.get(pod, "status.containerStatuses") or {}) do
      sum = sum + c.restartCount
    end
  end
  return sum
end

--- Returns how a job ends: "Complete", or "Failed" with reason and message, or nil.
local function verdict(model, job, t)
  local spec = job.spec
  if t.succeeded >= spec.completions then
    return "Complete", "CompletionsReached", "Reached expected number of succeeded pods"
  elseif t.failed + restarts(t.active) > spec.backoffLimit then
    return "Failed", "BackoffLimitExceeded", "Job has reached the specified backoff limit"
  end
  local limit = spec.activeDeadlineSeconds
  local start = data.get(job, "status.startTime")
  if limit and start and model.state.now - store.instant(model, start) >= limit then
    return "Failed", "DeadlineExceeded", "Job was active longer than specified deadline"
  end
  return nil
end

local function finish(model, job, t, how, reason, message)
  for _, pod in ipairs(t.active) do
    remove.delete(model, pod, {})
  end
  local complete = how == "Complete"
  local tell = complete and "Job completed" or message
  local kind, event = complete and "Normal" or "Warning", complete and "Completed" or reason
  recorder.event(model, job, kind, event, tell, BY)
  store.edit(model, job, function(copy)
    local s = copy.status
    s.active, s.ready, s.terminating = nil, 0, 0
    s.succeeded = t.succeeded > 0 and t.succeeded or nil
    s.failed = t.failed > 0 and t.failed or nil
    s.uncountedTerminatedPods = {}
    local first = complete and "SuccessCriteriaMet" or "FailureTarget"
    for _, condition in ipairs({ first, how }) do
      podinfo.set_condition(model, s, {
        type = condition,
        status = "True",
        reason = reason,
        message = message,
        lastProbeTime = store.stamp(model),
      })
    end
    s.completionTime = complete and store.stamp(model) or nil
  end)
end

local function after_the_end(model, job, condition)
  local ttl = job.spec.ttlSecondsAfterFinished
  if not ttl then
    return
  end
  local left = ttl - (model.state.now - store.instant(model, condition.lastTransitionTime))
  if left > 0 then
    later(model, job, left)
  else
    remove.delete(model, job, { propagation = "Background" })
  end
end

--- Brings a job closer to its end.
---@param model plat.sim.K8s
---@param job table
function M.sync(model, job)
  local over = podinfo.condition(job, "Complete") or podinfo.condition(job, "Failed")
  if over then
    return after_the_end(model, job, over)
  elseif job.metadata.deletionTimestamp or job.spec.suspend then
    return
  end
  local t = tally(model, job)
  local how, reason, message = verdict(model, job, t)
  if how then
    return finish(model, job, t, how, reason, message)
  end
  local spec = job.spec
  local want = math.min(spec.parallelism, spec.completions - t.succeeded) - #t.active
  if want > 0 then
    start_pods(model, job, want)
    t = tally(model, job)
  end
  local start = data.get(job, "status.startTime")
  if spec.activeDeadlineSeconds and start then
    later(model, job, store.instant(model, start) + spec.activeDeadlineSeconds - model.state.now)
  end
  store.edit(model, job, function(copy)
    local s = copy.status
    s.startTime = s.startTime or store.stamp(model)
    s.active = #t.active > 0 and #t.active or nil
    s.ready, s.terminating = t.ready, t.leaving
    s.succeeded = t.succeeded > 0 and t.succeeded or nil
    s.failed = t.failed > 0 and t.failed or nil
    s.uncountedTerminatedPods = {}
  end)
end

return M
