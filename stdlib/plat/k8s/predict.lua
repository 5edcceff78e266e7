--- What the plan knows of a change: the difference field by field, the object as it would be, also
--- when the plan has changed it before, and what only a real run can know of it.
local compose = require("plat.k8s.compose")
local effect = require("plat.effect")
local errors = require("plat.k8s.errors")
local json = require("plat.json")
local kinds = require("plat.k8s.kinds")
local list = require("plat.list")
local overlay = require("plat.k8s.overlay")
local strip = require("plat.k8s.strip")
local unknown = require("plat.effect.unknown")

local M = {}

local function show(value)
  if type(value) == "table" then
    return json.encode(value, { secrets = "reference" })
  end
  return value
end

-- Lists of Kubernetes objects are told apart by name (containers, ports, env) where they have one.
local function named(items)
  local map = {}
  for _, item in ipairs(items) do
    if type(item) ~= "table" or type(item.name) ~= "string" or map[item.name] then
      return nil
    end
    map[item.name] = item
  end
  return map
end

local function union(a, b)
  local keys, seen = {}, {}
  for _, map in ipairs({ a, b }) do
    for key in pairs(map) do
      if not seen[key] then
        seen[key] = true
        keys[#keys + 1] = key
      end
    end
  end
  return keys
end

local compare

local function compare_lists(rows, path, before, after)
  local left, right = named(before), named(after)
  if left and right and (#before > 0 or #after > 0) then
    for _, name in ipairs(union(left, right)) do
      compare(rows, ("%s[%s]"):format(path, name), left[name], right[name])
    end
  else
    for i = 1, math.max(#before, #after) do
      compare(rows, ("%s[%d]"):format(path, i - 1), before[i], after[i])
    end
  end
end

compare = function(rows, path, before, after)
  if type(before) ~= "table" or type(after) ~= "table" then
    if before ~= after then
      rows[#rows + 1] = { path = path, before = show(before), after = show(after) }
    end
  elseif json.is_array(before) or json.is_array(after) then
    compare_lists(rows, path, before, after)
  else
    for _, key in ipairs(union(before, after)) do
      local step = tostring(key)
      if step:find("[^%w_%-]") then
        step = ("[%q]"):format(step)
      elseif path ~= "" then
        step = "." .. step
      end
      compare(rows, path .. step, before[key], after[key])
    end
  end
end

--- Returns the rows in which two objects differ, without what the server fills in.
---@param before? table
---@param after? table
---@return { path: string, before: any, after: any }[]
function M.rows(before, after)
  local rows = {}
  compare(rows, "", strip.object(before) or {}, strip.object(after) or {})
  return rows
end

--- Returns the `diff` of a change: what is live against what the dry run answered.
---@param live? table
---@return fun(resp: table): table[]
function M.diff(live)
  return function(resp)
    return M.rows(live, json.decode(resp.body))
  end
end

-- ---- what a plan cannot know of an object ----

--- Returns the version of an object, also one of which a plan says that nobody knows it.
---@param object table
---@return string?
function M.version(object)
  return unknown.peek(object.metadata, "resourceVersion")
end

--- Returns the uid of an object, also one of which a plan says that nobody knows it.
---@param object table
---@return string?
function M.uid(object)
  return unknown.peek(object.metadata, "uid")
end

--- Makes unknown what the server will make up: the version of an object that the plan changes;
--- of one that it creates also the identity.
---@param object table
---@param label string how messages call it
---@param more? string[] further fields of the metadata
---@return table object
function M.veil(object, label, more)
  local fields = { "resourceVersion" }
  if M.version(object) == nil then
    fields = { "resourceVersion", "uid", "creationTimestamp" }
  end
  table.move(more or {}, 1, #(more or {}), #fields + 1, fields)
  unknown.veil(object.metadata, fields, function(field)
    effect
      .plan()
      :cut(
        ("what follows depends on metadata.%s of %s, which the plan changes"):format(field, label)
      )
  end)
  return object
end

-- ---- predictions ----

---@class plat.k8s.Subject what a change is about
---@field client plat.k8s.Client
---@field res plat.k8s.Resource
---@field ns? string
---@field name? string
---@field label string
---@field live? table the object before, as the plan has it
---@field leaves? boolean the change deletes it (the answer to that may be the object, unchanged)

local function earlier(subject)
  return effect.plan():planned(subject.client.target, subject.label)
end

local function as_answer(value)
  return {
    status = 200,
    headers = { ["content-type"] = "application/json" },
    body = json.encode(value),
  }
end

--- Asks what the server would make of a new object. One that is still there on the server, because
--- it is deleted by the plan only, is asked about under another name.
local function ask_new(ask, subject, object)
  local body = compose.fresh(object)
  body.metadata.name = subject.name:sub(1, 40) .. "-plan"
  local resp = ask({
    method = "POST",
    path = kinds.path(subject.res, subject.ns),
    content_type = "application/json",
    body = body,
  })
  if not resp then
    return nil
  end
  local made = json.decode(resp.body)
  made.metadata.name, made.metadata.resourceVersion = subject.name, nil
  made.status = object.status or made.status
  return as_answer(made)
end

--- Predicts a create.
---@async
---@param subject plat.k8s.Subject
---@param object table
---@param find fun(): table? the object as the plan has it
---@return fun(ask: function): table?, boolean?
function M.create(subject, object, find)
  return function(ask)
    if not subject.name or not earlier(subject) then
      return ask()
    elseif find() then
      local about = { op = "k8s.create", target = subject.client.target, object = subject.label }
      local resource = subject.res.plural
      error(errors.already_exists(about, resource, subject.name), 0)
    end
    return ask_new(ask, subject, object)
  end
end

--- Predicts a patch.
---@async
---@param subject plat.k8s.Subject
---@param patch table
---@param opts { type: string, subresource: string? }
---@return fun(ask: function): table?, boolean?
function M.patch(subject, patch, opts)
  return function(ask)
    local live = subject.live
    if not earlier(subject) or not live then
      return ask()
    elseif opts.subresource then
      if M.version(live) == nil then
        return nil, true -- the server does not have it yet
      end
      return ask()
    end
    local new = compose.patched(live, patch, opts.type)
    if not new then
      return nil, true
    elseif M.version(live) == nil then
      return ask_new(ask, subject, new)
    end
    setmetatable(new.metadata, nil)
    new.metadata.resourceVersion, new.metadata.managedFields = M.version(live), nil
    return ask({ method = "PUT", content_type = "application/json", body = new })
  end
end

--- Predicts an apply. On top of other planned changes the server cannot tell what becomes of the
--- fields of their owners, unless they were applied by the same manager and none is left out.
---@async
---@param subject plat.k8s.Subject
---@param manifest table
---@param manager string?
---@return fun(ask: function): table?, boolean?
function M.apply(subject, manifest, manager)
  return function(ask)
    for _, change in ipairs(earlier(subject) or {}) do
      local args = change.args
      local same = change.op == "k8s.apply" and args.manager == manager
      if not same or not compose.covers(manifest, args.object) then
        return nil, true
      end
    end
    return ask()
  end
end

--- Predicts a delete.
---@async
---@param subject plat.k8s.Subject
---@return fun(ask: function): table?, boolean?
function M.delete(subject)
  return function(ask)
    if earlier(subject) and M.version(subject.live) == nil then
      return as_answer({ kind = "Status", apiVersion = "v1", metadata = {}, status = "Success" })
    end
    return ask()
  end
end

-- ---- what later reads see ----

local function is_moved(before, after)
  return not before or not after or not list.deep_equal(before.spec, after.spec)
end

--- Returns the workload that an autoscaler scales.
local function governed(subject, object)
  local ref = list.get(object, "spec.scaleTargetRef")
  if subject.res.kind ~= "HorizontalPodAutoscaler" or not ref then
    return nil
  end
  local res = kinds.find(kinds.stable, { apiVersion = ref.apiVersion, kind = ref.kind })
  return res and overlay.about(res, subject.ns, ref.name) or nil
end

--- Fills in what every change of one object has: a server-side dry run as its prediction, the
--- difference to what is live, and how later reads look.
---@param change table
---@param subject plat.k8s.Subject
---@param update? fun(now: table?, after: table?): table|false|nil default: the predicted object
---@return table change
function M.describe(change, subject, update)
  local after
  local what = overlay.about(subject.res, subject.ns, subject.name)
  what.governs = governed(subject, subject.live)
  what.in_place = update ~= nil
  change.predict = true
  change.on_predicted = function(resp)
    after = json.decode(resp.body)
    local made = after.kind == subject.res.kind and after or nil
    what.moves = subject.leaves or is_moved(subject.live, made)
    what.governs = what.governs or governed(subject, made)
  end
  change.diff = change.diff or M.diff(subject.live)
  change.overlay = overlay.new(what, function(now)
    if update then
      return update(now, after)
    end
    return subject.name and after and list.deep_copy(after) or nil
  end)
  return change
end

--- Returns an object whose replicas are set.
---@param now? table
---@param replicas integer
---@return table?
function M.with_replicas(now, replicas)
  if now and type(now.spec) == "table" and now.spec.replicas ~= replicas then
    now.spec.replicas = replicas
    if type(now.metadata) == "table" and now.metadata.generation then
      now.metadata.generation = now.metadata.generation + 1
    end
  end
  return now
end

-- ---- how a wait leaves an object ----

local COUNTS = {
  Deployment = { "replicas", "updatedReplicas", "readyReplicas", "availableReplicas" },
  StatefulSet = {
    "replicas",
    "updatedReplicas",
    "readyReplicas",
    "availableReplicas",
    "currentReplicas",
  },
  ReplicaSet = { "replicas", "readyReplicas", "availableReplicas", "fullyLabeledReplicas" },
}

--- Returns a workload as it is when all its replicas are ready; nil for what nobody can foresee.
---@param kind string
---@param object? table
---@return table?
function M.settled(kind, object)
  local counts = COUNTS[kind]
  if not object or not counts then
    return nil
  end
  local status = type(object.status) == "table" and object.status or {}
  local replicas = list.get(object, "spec.replicas") or 1
  for _, field in ipairs(counts) do
    status[field] = replicas > 0 and replicas or nil
  end
  status.unavailableReplicas = nil
  status.observedGeneration = list.get(object, "metadata.generation")
  status.currentRevision = status.updateRevision
  object.status = status
  return object
end

--- Returns how reads of an object look after a planned wait.
---@param res plat.k8s.Resource
---@param ns? string
---@param name string
---@param update fun(now: table?): table|false|nil
---@return fun(read: table, resp: table): table?
function M.after_wait(res, ns, name, update)
  local what = overlay.about(res, ns, name)
  what.in_place = true
  return overlay.new(what, update)
end

return M
