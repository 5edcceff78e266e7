--- Why an object is not ready: the causes in a snapshot of it, its pods and their events, likeliest
--- first. Pure: `explain` gathers the snapshot.
local events = require("plat.k8s.events")
local list = require("plat.list")
local pod_causes = require("plat.k8s.pod_causes")
local quantity = require("plat.k8s.quantity")
local revision = require("plat.k8s.revision")

local M = {}

---@class plat.k8s.Cause
---@field what string one line
---@field evidence string[]
---@field fatal boolean waiting longer will not help
---@field hint? string
---@field rank integer lower is likelier
---@field key string equal for the same trouble on several pods
---@field pod? string
---@field log? table the log worth reading: `{ pod, container, previous, crash }`

---@class plat.k8s.Snapshot
---@field res plat.k8s.Resource
---@field object? table
---@field pods table[]
---@field events table[]
---@field claims table[]
---@field quotas table[]
---@field replica_sets table[]
---@field now number

-- Returns whether what a FailedCreate event says about a quota is still true.
local function still_exceeded(message, quotas)
  local name = message:match("exceeded quota: ([^,]+)")
  local requested = message:match("requested: (.-), used:")
  for _, quota in ipairs(quotas) do
    if quota.metadata.name == name and requested then
      local used = list.get(quota, "status.used") or {}
      local hard = list.get(quota, "status.hard") or {}
      for resource, amount in requested:gmatch("([^,=]+)=([^,]+)") do
        local limit = quantity.parse(hard[resource])
        local sum = (quantity.parse(used[resource]) or 0) + (quantity.parse(amount) or 0)
        if limit and sum > limit then
          return true
        end
      end
      return false
    end
  end
  return #quotas == 0 -- the quotas cannot be read: believe the event
end

local function failed_create(message, quotas, fresh)
  if message:find("exceeded quota", 1, true) then
    local quota = message:match("exceeded quota: ([^,]+)") or "?"
    local rest = message:match("exceeded quota: [^,]+, (.+)$") or message
    return {
      what = ("pods are not created: quota %q is used up (%s)"):format(quota, rest),
      fatal = still_exceeded(message, quotas),
      hint = "raise the quota, or free what uses it",
      rank = 10,
    }
  end
  local stable = message:find("violates PodSecurity", 1, true)
    or message:find("must specify limits", 1, true)
    or message:find("must specify requests", 1, true)
  return {
    what = "pods are not created: " .. (message:match("^[Ee]rror creating: (.+)$") or message),
    fatal = fresh and stable ~= nil,
    hint = message:find("serviceaccount", 1, true) and "create the service account" or nil,
    rank = 15,
  }
end

-- FailedCreate: of the object itself, or of a Deployment's newest ReplicaSet.
local function creation(snap, causes)
  local owners = { [snap.object.metadata.uid or ""] = true }
  local newest = revision.newest_replica_set(snap.object, snap.replica_sets)
  if newest then
    owners[newest.metadata.uid] = true
  end
  local last, at
  for _, event in ipairs(snap.events) do
    local mine = owners[list.get(event, "involvedObject.uid") or "?"]
    local time = events.time(event) or 0
    if mine and event.reason == "FailedCreate" and (not at or time >= at) then
      last, at = event, time
    end
  end
  if not last then
    return
  end
  local message = last.message or ""
  message = message:match("failed error: (.+)$")
    or message:match("^Error creating: (.+)$")
    or message
  local cause = failed_create(message, snap.quotas, snap.now - at < 120)
  if cause.rank == 10 and not cause.fatal then
    return -- the quota has room again: an old event
  end
  cause.evidence = { events.line(last) }
  cause.key = "create"
  causes[#causes + 1] = cause
end

-- What the events of a claim that is not bound say: reason to what, and whether it is for good.
local CLAIM = {
  FailedBinding = function(message)
    return message, message:find("no storage class is set", 1, true) ~= nil
  end,
  ProvisioningFailed = function(message)
    return message, message:find("not found", 1, true) ~= nil
  end,
  ExternalProvisioning = function(message)
    return message, false
  end,
}

local function claim_cause(claim, list_of_events)
  local uid, name = claim.metadata.uid, claim.metadata.name
  for i = #list_of_events, 1, -1 do
    local event = list_of_events[i]
    local read = CLAIM[event.reason or ""]
    if read and list.get(event, "involvedObject.uid") == uid then
      local text, fatal = read(event.message or "")
      return {
        what = ("claim %s is not bound: %s"):format(name, text),
        evidence = { events.line(event) },
        fatal = fatal,
        hint = "name a storage class that exists (kubectl get storageclass), or make a volume",
        rank = 30,
        key = "claim " .. text,
      }
    end
  end
  return {
    what = ("claim %s is not bound (%s)"):format(
      name,
      list.get(claim, "spec.storageClassName") and ("storage class " .. claim.spec.storageClassName)
        or "no storage class"
    ),
    evidence = {},
    fatal = false,
    rank = 31,
    key = "claim",
  }
end

local function claims(snap, causes)
  for _, claim in ipairs(snap.claims) do
    local phase = list.get(claim, "status.phase")
    local waits_for_pod = false
    for _, event in ipairs(snap.events) do
      local mine = list.get(event, "involvedObject.uid") == claim.metadata.uid
      waits_for_pod = waits_for_pod or (mine and event.reason == "WaitForFirstConsumer")
    end
    if phase == "Lost" then
      causes[#causes + 1] = {
        what = ("claim %s has lost its volume"):format(claim.metadata.name),
        evidence = {},
        fatal = true,
        rank = 30,
        key = "claim lost",
      }
    elseif phase == "Pending" then
      local cause = claim_cause(claim, snap.events)
      if not (waits_for_pod and not cause.fatal) then
        causes[#causes + 1] = cause
      end
    end
  end
end

-- A StatefulSet in order does not replace a broken pod of an old revision by itself.
local function stuck_revision(snap, pod, cause)
  local object = snap.object
  local newest = list.get(object, "status.updateRevision")
  local own = list.get(pod, "metadata.labels.controller-revision-hash")
  if snap.res.kind ~= "StatefulSet" or not newest or not own or own == newest then
    return
  end
  if list.get(object, "spec.podManagementPolicy") == "Parallel" then
    cause.fatal = false -- it will be replaced
    return
  end
  local text =
    "%s is of an old revision, and a StatefulSet does not replace a broken pod: delete it"
  cause.hint = text:format(pod.metadata.name)
end

local function pods(snap, causes)
  local current = revision.current(snap.res, snap.object, snap.pods, snap.replica_sets)
  for _, pod in ipairs(current) do
    for _, cause in ipairs(pod_causes.of(snap, pod)) do
      cause.pod = pod.metadata.name
      stuck_revision(snap, pod, cause)
      causes[#causes + 1] = cause
    end
  end
end

-- The same trouble on several pods is one cause.
local function merge(causes)
  local merged, by_key = {}, {}
  for _, cause in ipairs(causes) do
    local first = by_key[cause.key]
    if first then
      first.more = (first.more or 0) + 1
      first.fatal = first.fatal or cause.fatal
    else
      by_key[cause.key] = cause
      merged[#merged + 1] = cause
    end
  end
  for _, cause in ipairs(merged) do
    if cause.more then
      cause.what = ("%s (and %d more like it)"):format(cause.what, cause.more)
    end
  end
  return merged
end

--- Returns the causes in a snapshot, likeliest first.
---@param snap plat.k8s.Snapshot
---@return plat.k8s.Cause[]
function M.find(snap)
  local causes = {}
  if snap.object then
    creation(snap, causes)
    claims(snap, causes)
    pods(snap, causes)
  end
  causes = merge(causes)
  for index, cause in ipairs(causes) do
    cause.order = cause.rank * 1000 + index + (cause.fatal and 0 or 1000000)
  end
  table.sort(causes, function(a, b)
    return a.order < b.order
  end)
  return causes
end

return M
