--- The CronJob controller: starts jobs by schedule, within their policy, and forgets old ones.
local admit = require("plat.sim.k8s.admit")
local cron = require("plat.sim.k8s.cron")
local data = require("plat.sim.k8s.data")
local defaults = require("plat.sim.k8s.defaults")
local podinfo = require("plat.sim.k8s.podinfo")
local queue = require("plat.sim.k8s.queue")
local recorder = require("plat.sim.k8s.recorder")
local remove = require("plat.sim.k8s.remove")
local store = require("plat.sim.k8s.store")

local M = {}

local ID = "cronjobs.batch"
local JOBS = "jobs.batch"
local BY = "cronjob-controller"
local MISSED = 100 -- of more missed starts it warns

local function later(model, cj, at)
  local meta = cj.metadata
  local key = ("%s %s/%s"):format(ID, meta.namespace, meta.name)
  local args = { id = ID, ns = meta.namespace, name = meta.name }
  queue.add(model, math.max(0.1, at - model.state.now + 0.1), "sync", key, args)
end

local function tell(model, cj, kind, reason, message)
  recorder.event(model, cj, kind, reason, message, BY)
end

--- How a job ended: "Complete", "Failed", or nil while it runs.
local function ended(job)
  for _, how in ipairs({ "Complete", "Failed" }) do
    local condition = podinfo.condition(job, how)
    if condition and condition.status == "True" then
      return how
    end
  end
end

local function reference(job)
  return {
    apiVersion = "batch/v1",
    kind = "Job",
    name = job.metadata.name,
    namespace = job.metadata.namespace,
    resourceVersion = job.metadata.resourceVersion,
    uid = job.metadata.uid,
  }
end

--- Brings the list of active jobs up to date with the jobs that there are.
local function take_stock(model, cj, status)
  local jobs = podinfo.owned(model, JOBS, cj)
  local active = data.array({})
  for _, ref in ipairs(status.active or {}) do
    local job
    for _, one in ipairs(jobs) do
      job = one.metadata.uid == ref.uid and one or job
    end
    local how = job and ended(job)
    if how then
      local text = ("Saw completed job: %s, condition: %s"):format(ref.name, how)
      tell(model, cj, "Normal", "SawCompletedJob", text)
      if how == "Complete" then
        status.lastSuccessfulTime = job.status.completionTime or store.stamp(model)
      end
    elseif job then
      active[#active + 1] = ref
    else
      local text = "Active job went missing: " .. ref.name
      tell(model, cj, "Normal", "MissingJob", text)
    end
  end
  status.active = #active > 0 and active or nil
  return jobs
end

local function delete_job(model, cj, job)
  remove.delete(model, job, { propagation = "Background" })
  tell(model, cj, "Normal", "SuccessfulDelete", "Deleted job " .. job.metadata.name)
end

--- Deletes the oldest of the jobs that have ended, beyond what is kept.
local function forget(model, cj, jobs)
  local limits = { Complete = "successfulJobsHistoryLimit", Failed = "failedJobsHistoryLimit" }
  for how, field in pairs(limits) do
    local over = {}
    for _, job in ipairs(jobs) do
      if ended(job) == how and not job.metadata.deletionTimestamp then
        over[#over + 1] = job
      end
    end
    table.sort(over, function(a, b)
      local x, y = data.get(a, "status.startTime") or "", data.get(b, "status.startTime") or ""
      return x == y and a.metadata.name < b.metadata.name or x < y
    end)
    for i = 1, #over - (cj.spec[field] or #over) do
      delete_job(model, cj, over[i])
    end
  end
end

--- Returns the latest start that is due and was not made, nil if none is; and the next one.
local function due(model, cj, fields, status)
  local zone, now = cj.spec.timeZone or "UTC", model.state.now
  local since = store.instant(model, status.lastScheduleTime or cj.metadata.creationTimestamp)
  local deadline = cj.spec.startingDeadlineSeconds
  if deadline then
    since = math.max(since, now - deadline)
  end
  local latest, missed = nil, 0
  local at = cron.next(fields, since, zone)
  while at and at <= now do
    latest, missed = at, missed + 1
    at = cron.next(fields, at, zone)
  end
  if missed > MISSED then
    local text = "too many missed start times. Set or decrease .spec.startingDeadlineSeconds or "
      .. "check clock skew"
    tell(model, cj, "Warning", "TooManyMissedTimes", text)
  end
  return latest, at
end

local function make_job(model, cj, at)
  local template = data.copy(cj.spec.jobTemplate)
  local meta = template.metadata or {}
  meta.name = ("%s-%d"):format(cj.metadata.name, at // 60)
  meta.namespace = cj.metadata.namespace
  meta.annotations = meta.annotations or {}
  meta.annotations["batch.kubernetes.io/cronjob-scheduled-timestamp"] = store.stamp(model, at)
  meta.ownerReferences = data.array({ podinfo.reference(cj) })
  local job = { apiVersion = "batch/v1", kind = "Job", metadata = meta, spec = template.spec }
  if store.get(model, JOBS, meta.namespace, meta.name) then
    return nil -- it was started, and the status that says so was lost
  end
  defaults.fill(job)
  admit.create(model, job)
  return store.create(model, job)
end

--- Whether the policy lets a job start now; ends those that it replaces.
local function may_start(model, cj, status)
  local policy = cj.spec.concurrencyPolicy
  if policy == "Forbid" and status.active then
    local text = "Not starting job because prior execution is running and concurrency policy is "
      .. "Forbid"
    tell(model, cj, "Normal", "JobAlreadyActive", text)
    return false
  elseif policy == "Replace" then
    for _, ref in ipairs(status.active or {}) do
      local job = store.get(model, JOBS, cj.metadata.namespace, ref.name)
      if job then
        delete_job(model, cj, job)
      end
    end
    status.active = nil
  end
  return true
end

local function start(model, cj, status, at)
  if not may_start(model, cj, status) then
    return
  end
  local job = make_job(model, cj, at)
  if job then
    tell(model, cj, "Normal", "SuccessfulCreate", "Created job " .. job.metadata.name)
    status.active = status.active or data.array({})
    table.insert(status.active, reference(job))
  end
  status.lastScheduleTime = store.stamp(model, at)
end

--- Starts what is due and looks at what was started.
---@param model plat.sim.K8s
---@param cj table
function M.sync(model, cj)
  if cj.metadata.deletionTimestamp then
    return
  end
  local status = data.copy(cj.status or {})
  local jobs = take_stock(model, cj, status)
  forget(model, cj, jobs)
  local fields = cron.parse(cj.spec.schedule)
  if fields and not cj.spec.suspend then
    local at, next_time = due(model, cj, fields, status)
    if at then
      start(model, cj, status, at)
    end
    if next_time then
      later(model, cj, next_time)
    end
  end
  store.edit(model, cj, function(copy)
    copy.status = status
  end)
end

return M
