--- Gathers what is known about an object that is not ready, and says why.
local causes = require("plat.k8s.causes")
local fault = require("plat.fault")
local kinds = require("plat.k8s.kinds")
local list = require("plat.list")
local logs = require("plat.k8s.logs")
local objects = require("plat.k8s.objects")
local out = require("plat.out")
local revision = require("plat.k8s.revision")
local status = require("plat.k8s.status")
local task = require("plat.task")
local time = require("plat.time")

local M = {}

local GATHER = 8 -- seconds for everything
local LOG_SECONDS = 2
local LOG_LINES = 20
local LOG_BYTES = 16 * 1024
local MAX_LOGS = 3
local MAX_EVENTS = 1000
local MAX_CLAIMS = 5

-- Reads a list for an explanation: what cannot be read is left out and said once.
local function gather(snap, what, fn)
  local items, err = fault.try(fn)
  if items then
    return items
  end
  snap.unread[#snap.unread + 1] = ("%s cannot be read: %s"):format(what, err.msg:match("^[^\n]*"))
  return {}
end

--- Returns the label selector of a workload's pods, nil when it has none.
---@param res plat.k8s.Resource
---@param object table
---@return string?
function M.pod_selector(res, object)
  if res.kind == "Job" and not list.get(object, "spec.selector") then
    return "job-name=" .. object.metadata.name
  end
  return revision.selector(list.get(object, "spec.selector"))
end

local function read_pods(client, snap, res, ns)
  if res.kind == "Pod" then
    return { snap.object }
  end
  local selector = M.pod_selector(res, snap.object)
  if not selector then
    return {}
  end
  return gather(snap, "pods", function()
    return (client:list("pods", ns, { labels = selector }))
  end)
end

local function claim_names(pods)
  local names, seen = {}, {}
  for _, pod in ipairs(pods) do
    if list.get(pod, "status.phase") == "Pending" then
      for _, volume in ipairs(list.get(pod, "spec.volumes") or {}) do
        local name = list.get(volume, "persistentVolumeClaim.claimName")
        if name and not seen[name] and #names < MAX_CLAIMS then
          seen[name] = true
          names[#names + 1] = name
        end
      end
    end
  end
  return names
end

-- The claims of pods that are pending, and what their events say (those are of type Normal).
local function read_claims(client, snap, ns)
  for _, name in ipairs(claim_names(snap.pods)) do
    local claim = gather(snap, "claim " .. name, function()
      return objects.find(client, "pvc", ns, name, "k8s.explain") or {}
    end)
    if claim.metadata then
      snap.claims[#snap.claims + 1] = claim
      if list.get(claim, "status.phase") ~= "Bound" then
        local events = gather(snap, "events", function()
          return (
            client:list("events", ns, { fields = "involvedObject.name=" .. name, limit = 50 })
          )
        end)
        for _, event in ipairs(events) do
          snap.events[#snap.events + 1] = event
        end
      end
    end
  end
end

-- Whether an autoscaler is at work on a pod that cannot be scheduled (an event of type Normal).
local function read_scale_up(client, snap, ns)
  for _, pod in ipairs(snap.pods) do
    local scheduled = status.condition(pod, "PodScheduled")
    if scheduled and scheduled.status == "False" then
      local fields = "involvedObject.name=" .. pod.metadata.name
      local events = gather(snap, "events", function()
        return (client:list("events", ns, { fields = fields, limit = 50 }))
      end)
      for _, event in ipairs(events) do
        if event.type ~= "Warning" then
          snap.events[#snap.events + 1] = event
        end
      end
      return
    end
  end
end

--- Reads everything that may explain an object.
---@async
---@param client plat.k8s.Client
---@param res plat.k8s.Resource
---@param ns? string
---@param object table
---@return plat.k8s.Snapshot
function M.snapshot(client, res, ns, object)
  local snap = {
    res = res,
    object = object,
    now = time.now(),
    pods = {},
    claims = {},
    quotas = {},
    replica_sets = {},
    events = {},
    unread = {},
  }
  ns = ns or list.get(object, "metadata.namespace")
  if not ns then
    return snap
  end
  snap.events = gather(snap, "events", function()
    return (client:list("events", ns, { fields = "type=Warning", limit = MAX_EVENTS }))
  end)
  snap.pods = read_pods(client, snap, res, ns)
  if res.kind == "Deployment" then
    local selector = M.pod_selector(res, object)
    snap.replica_sets = gather(snap, "replica sets", function()
      return (client:list("replicasets", ns, { labels = selector }))
    end)
  end
  read_claims(client, snap, ns)
  read_scale_up(client, snap, ns)
  for _, event in ipairs(snap.events) do
    if (event.message or ""):find("exceeded quota", 1, true) then
      snap.quotas = gather(snap, "quotas", function()
        return (client:list("resourcequotas", ns))
      end)
      break
    end
  end
  return snap
end

local function read_log(client, ns, want, previous)
  local text = fault.try(task.timeout, LOG_SECONDS, function()
    return logs.read(client, ns, want.pod, {
      container = want.container,
      previous = previous,
      tail = LOG_LINES,
      limit = LOG_BYTES,
      timeout = LOG_SECONDS,
    })
  end)
  -- The node answers 200 with this text when the container is removed already.
  if not text or text == "" or text:find("^unable to retrieve container logs") then
    return nil
  end
  return text
end

-- Adds the last lines of a container's log to a cause: of its previous life when it crashes.
local function add_log(client, ns, cause)
  local want = cause.log
  local text = read_log(client, ns, want, want.previous)
  if not text and want.crash then
    want.previous = not want.previous
    text = read_log(client, ns, want, want.previous)
  end
  local lines = {}
  for line in (text or ""):gmatch("[^\r\n]+") do
    lines[#lines + 1] = line
  end
  if #lines > 0 then
    cause.evidence[#cause.evidence + 1] = ("last log lines of %s/%s%s:"):format(
      want.pod,
      want.container,
      want.previous and " (previous)" or ""
    )
    for i = math.max(1, #lines - LOG_LINES + 1), #lines do
      cause.evidence[#cause.evidence + 1] = "  " .. out.excerpt(lines[i], 300)
    end
  end
end

local function pod_lines(pods)
  local lines = {}
  for _, pod in ipairs(pods) do
    local ready = status.condition(pod, "Ready")
    if not (ready and ready.status == "True") then
      local state, restarts = status.pod_state(pod)
      lines[#lines + 1] = ("pod %s: %s%s"):format(
        pod.metadata.name,
        state,
        restarts > 0 and (", %d restarts"):format(restarts) or ""
      )
    end
  end
  return lines
end

---@class plat.k8s.Explanation
---@field text string how far the object is: "2 of 3 ready"
---@field ready boolean
---@field causes plat.k8s.Cause[] likeliest first
---@field pods string[] one line for each pod that is not ready
---@field unread string[] what could not be read

local function explain(client, res, ns, name, object)
  object = object or objects.find(client, res, ns, name, "k8s.explain")
  local state = status.read(res, object)
  local result = { text = state.text, ready = state.ready, causes = {}, pods = {}, unread = {} }
  if state.failed then
    result.failed = state.failed
  end
  if not object then
    result.causes[1] = {
      what = kinds.label(res, ns, name) .. " does not exist",
      evidence = {},
      fatal = false,
      rank = 1,
      key = "missing",
    }
    return result
  end
  local snap = M.snapshot(client, res, ns, object)
  result.causes = causes.find(snap)
  result.pods, result.unread = pod_lines(snap.pods), snap.unread
  result.snapshot = snap
  return result
end

--- Returns why an object is not ready. Never raises for what it cannot read; takes at most some
--- seconds.
---@async
---@param client plat.k8s.Client
---@param kind string|table
---@param ns? string
---@param name string
---@param opts? { object?: table, logs?: boolean }
---@return plat.k8s.Explanation
function M.run(client, kind, ns, name, opts)
  opts = opts or {}
  local res = client:resource(kind)
  local result, err = fault.try(task.timeout, GATHER, function()
    return explain(client, res, ns, name, opts.object)
  end)
  if not result then
    return {
      text = "cannot be explained: " .. tostring(err.msg),
      ready = false,
      causes = {},
      pods = {},
      unread = { err.msg },
    }
  end
  local count = 0
  for _, cause in ipairs(result.causes) do
    if cause.log and opts.logs ~= false and count < MAX_LOGS then
      count = count + 1
      add_log(client, ns, cause)
    end
  end
  return result
end

--- Returns an explanation as lines for people: each cause with its evidence and hint.
---@param explanation plat.k8s.Explanation
---@param headed? boolean the first cause and its hint are said elsewhere
---@return string[]
function M.lines(explanation, headed)
  local lines = {}
  for index, cause in ipairs(explanation.causes) do
    local said = headed and index == 1
    if not said then
      lines[#lines + 1] = cause.what
    end
    for _, evidence in ipairs(cause.evidence) do
      lines[#lines + 1] = "  " .. evidence
    end
    if cause.hint and not said then
      lines[#lines + 1] = "  hint: " .. cause.hint
    end
  end
  for _, line in ipairs(explanation.pods) do
    lines[#lines + 1] = line
  end
  for _, line in ipairs(explanation.unread) do
    lines[#lines + 1] = line
  end
  return lines
end

return M
