--- How reads look after a change of one object that is only planned: the object, its scale, the
--- lists that it is in, and what the cluster makes of it. Pure.
---
--- An overlay answers nil where nobody can know: then the body that reads ends.

local json = require("plat.json")
local kinds = require("plat.k8s.kinds")
local list = require("plat.list")
local revision = require("plat.k8s.revision")
local selector = require("plat.k8s.selector")

local M = {}

local NOT_FOUND = {
  kind = "Status",
  apiVersion = "v1",
  status = "Failure",
  reason = "NotFound",
  message = "deleted by the plan",
  code = 404,
}

local FOLLOWS = "which follows from what the plan changes"

--- What the controllers of a cluster change by themselves when an object of a kind changes.
local DERIVED = {
  Deployment = "replicasets pods endpoints endpointslices events",
  StatefulSet = "pods persistentvolumeclaims persistentvolumes controllerrevisions endpoints "
    .. "endpointslices events",
  DaemonSet = "pods controllerrevisions endpoints endpointslices events",
  ReplicaSet = "pods endpoints endpointslices events",
  Job = "pods events",
  CronJob = "jobs pods events",
  Pod = "endpoints endpointslices events",
  Service = "endpoints endpointslices",
  PersistentVolumeClaim = "persistentvolumes events",
  HorizontalPodAutoscaler = "replicasets pods endpoints endpointslices events",
}

--- An answer whose text is made when somebody asks for it: overlays hand the value on.
local LAZY = {
  __index = function(resp, field)
    if field == "body" then
      resp.body = json.encode(resp.value)
      return resp.body
    end
  end,
}

local function answer(resp, status, value)
  local copy = list.merge(resp)
  copy.status, copy.value, copy.body = status, value, nil
  copy.headers = { ["content-type"] = "application/json" }
  return setmetatable(copy, LAZY)
end

local function decoded(resp)
  if resp.status ~= 200 then
    return nil
  end
  return resp.value or resp.body and json.decode(resp.body) or nil
end

local function not_found(resp, name)
  local gone = list.copy(NOT_FOUND)
  gone.details = { name = name }
  return answer(resp, 404, gone)
end

local function unescape(text)
  return (
    text:gsub("+", " "):gsub("%%(%x%x)", function(hex)
      return string.char(tonumber(hex, 16))
    end)
  )
end

--- Returns path and query of a read.
local function locate(read)
  local path, raw = read.url:match("^%a+://[^/]+([^?]*)%??(.*)$")
  local query = {}
  for name, value in (raw or ""):gmatch("([^&=]+)=([^&]*)") do
    query[unescape(name)] = unescape(value)
  end
  return path or read.url, query
end

-- ---- lists ----

--- Whether an object belongs to a list; nil: nobody knows.
local function belongs(object, query)
  local labels = selector.labels(query.labelSelector, list.get(object, "metadata.labels"))
  local fields = selector.fields(query.fieldSelector, object)
  if labels == false or fields == false then
    return false
  end
  return labels and fields
end

local function is_it(item, what)
  local meta = item.metadata or {}
  return meta.name == what.name and (not what.ns or (meta.namespace or what.ns) == what.ns)
end

--- Puts an object where the server's order has it: by namespace and name.
local function insert(items, object)
  local function key(item)
    return (item.metadata.namespace or "") .. "/" .. item.metadata.name
  end
  local at = #items + 1
  while at > 1 and key(items[at - 1]) > key(object) do
    at = at - 1
  end
  table.insert(items, at, object)
end

--- A list after the change: the object as it would be, if it belongs to it.
local function in_list(resp, query, what, update)
  local doc = decoded(resp)
  if not doc then
    return resp
  end
  local items, now = {}, nil
  for _, item in ipairs(type(doc.items) == "table" and doc.items or {}) do
    if is_it(item, what) then
      now = item
    else
      items[#items + 1] = item
    end
  end
  local new = update(now and list.deep_copy(now))
  if new == nil then -- after a change that leaves the labels alone what is not there stays out
    return not now and what.in_place and resp or nil
  end
  local there = new and belongs(new, query)
  local paged = query.continue or list.get(doc, "metadata.continue")
  if new and (there == nil or there and not now and paged) then
    return nil
  elseif not there and not now then
    return resp
  elseif there then
    local item = list.copy(new)
    item.kind, item.apiVersion = nil, nil
    insert(items, item)
  end
  doc.items = json.array(items)
  return answer(resp, 200, doc)
end

-- ---- one object ----

local function scale_of(object)
  return {
    kind = "Scale",
    apiVersion = "autoscaling/v1",
    metadata = { name = object.metadata.name, namespace = object.metadata.namespace },
    spec = { replicas = list.get(object, "spec.replicas") },
    status = {
      replicas = list.get(object, "status.replicas") or 0,
      selector = revision.selector(list.get(object, "spec.selector")),
    },
  }
end

local function in_scale(resp, what, update, lost)
  local live = not lost and decoded(resp) or nil
  local new = update(live)
  if new == false then
    return not_found(resp, what.name)
  elseif new == nil then
    return nil
  elseif not live then
    return answer(resp, 200, scale_of(new)) -- the object is only planned
  end
  live.spec = { replicas = list.get(new, "spec.replicas") }
  return answer(resp, 200, live)
end

local function in_object(resp, what, update, lost)
  local new = update(not lost and decoded(resp) or nil)
  if new == false then
    return not_found(resp, what.name)
  end
  return new and answer(resp, 200, new)
end

--- What lies below an object (its status, its log; a namespace's objects): gone with it, unknown if
--- it is only planned.
local function below(resp, what, update)
  local new = update({ metadata = {}, spec = {} })
  if new == false then
    return not_found(resp, what.name)
  elseif new == nil and what.kind == "Namespace" and what.moves then
    return nil, FOLLOWS -- it goes, and takes its time
  end
  return resp.status == 200 and resp or nil
end

-- ---- consequences ----

--- Whether a read shows the workload that an autoscaler scales.
local function shows(path, resp, workload)
  if path == workload.collection or path == workload.everywhere then
    local doc = decoded(resp)
    return list.find(doc and doc.items or {}, function(item)
      return is_it(item, workload)
    end) ~= nil
  end
  return (path .. "/"):find(workload.object .. "/", 1, true) == 1
end

--- Returns whether a read shows what the cluster makes of a change, and nobody knows when.
local function is_derived(path, resp, what)
  local ns, plural = path:match("/namespaces/([^/]+)/([%w]+)")
  if what.kind == "Namespace" then
    return ns ~= nil and ns == what.name
  elseif what.governs and shows(path, resp, what.governs) then
    return true
  end
  local words = " " .. (DERIVED[what.kind] or "") .. " "
  local wanted = plural or path:match("/([%w]+)$") or "?"
  return (not ns or ns == what.ns) and words:find(" " .. wanted .. " ", 1, true) ~= nil
end

---@class plat.k8s.Planned what a planned change is about
---@field kind string
---@field ns? string
---@field name string
---@field object string path
---@field collection string path
---@field everywhere string path of the list of all namespaces
---@field in_place? boolean the change leaves the labels alone
---@field moves? boolean controllers act upon it
---@field governs? plat.k8s.Planned the workload that an autoscaler scales

--- Returns what a change of an object is about.
---@param res plat.k8s.Resource
---@param ns? string
---@param name? string nil: the server makes one up
---@return plat.k8s.Planned
function M.about(res, ns, name)
  return {
    kind = res.kind,
    ns = res.namespaced and ns or nil,
    name = name,
    object = name and kinds.path(res, ns, name),
    collection = kinds.path(res, ns),
    everywhere = kinds.path(res, nil),
  }
end

--- Returns the overlay of a change of one object.
---@param what plat.k8s.Planned
---@param update fun(now: table?): table|false|nil the object after the change; false: gone; nil:
---  nobody knows
---@return fun(read: table, resp: table, lost: boolean?): table?, string? lost: what `resp` says of
---  the object does not hold any more
function M.new(what, update)
  return function(read, resp, lost)
    local path, query = locate(read)
    if read.method ~= "GET" then
      return resp
    elseif path == what.object then
      return in_object(resp, what, update, lost)
    elseif path == what.collection or path == what.everywhere then
      if read.stream or lost then
        return nil
      end
      return in_list(resp, query, what, update)
    elseif what.object and path == what.object .. "/scale" then
      return in_scale(resp, what, update, lost)
    elseif what.object and path:sub(1, #what.object + 1) == what.object .. "/" then
      return below(resp, what, update)
    elseif what.moves and is_derived(path, resp, what) then
      return nil, FOLLOWS
    end
    return resp
  end
end

return M
