--- Event objects: what controllers, scheduler and nodes tell about objects.
local data = require("plat.sim.k8s.data")
local json = require("plat.json")
local queue = require("plat.sim.k8s.queue")
local store = require("plat.sim.k8s.store")

local M = {}

local LIFE = 3600 -- seconds that an event is kept

local function key_of(event)
  local about = event.involvedObject or {}
  return table.concat({
    about.uid or "",
    event.type or "",
    event.reason or "",
    event.message or "",
  }, "\0")
end

--- Is told of a change of an event: keeps the index by what events say.
---@param model plat.sim.K8s
---@param change plat.sim.k8s.Change
function M.notice(model, change)
  local index, event = model.events, change.object
  if not index then
    return
  end
  local name = event.metadata.namespace .. "/" .. event.metadata.name
  if change.type ~= "DELETED" then
    index[key_of(event)] = name
  elseif index[key_of(event)] == name then
    index[key_of(event)] = nil
  end
end

local function find(model, event)
  if not model.events then
    model.events = {}
    for _, other in ipairs(store.list(model, "events")) do
      model.events[key_of(other)] = other.metadata.namespace .. "/" .. other.metadata.name
    end
  end
  local name = model.events[key_of(event)]
  return name and model.state.objects.events[name]
end

--- Records an event about an object; an equal one is counted up.
---@param model plat.sim.K8s
---@param object table
---@param kind "Normal"|"Warning"
---@param reason string
---@param message string
---@param component string
---@param host? string node of a kubelet
function M.event(model, object, kind, reason, message, component, host)
  local meta = object.metadata
  local ns = meta.namespace or "default"
  local stamp = store.stamp(model)
  local event = {
    apiVersion = "v1",
    kind = "Event",
    metadata = { namespace = ns },
    involvedObject = {
      apiVersion = object.apiVersion,
      kind = object.kind,
      name = meta.name,
      namespace = meta.namespace,
      uid = meta.uid,
      resourceVersion = meta.resourceVersion,
    },
    reason = reason,
    message = message,
    type = kind,
    source = { component = component, host = host },
    reportingComponent = component,
    reportingInstance = host or "",
    count = 1,
    firstTimestamp = stamp,
    lastTimestamp = stamp,
    eventTime = json.null,
  }
  local old = find(model, event)
  if old then
    store.edit(model, old, function(copy)
      copy.count = (copy.count or 1) + 1
      copy.lastTimestamp = stamp
    end)
    return
  end
  local state = model.state
  state.seq = state.seq + 1
  local name = ("%s.%x"):format(meta.name, math.floor(state.now * 1000) * 4096 + state.seq % 4096)
  event.metadata.name = name
  store.create(model, event)
  queue.add(model, LIFE, "expire", ns .. "/" .. name, { ns = ns, name = name })
end

--- Removes an event that is old, or looks again later if it was counted up meanwhile.
---@param model plat.sim.K8s
---@param entry plat.sim.k8s.Entry
function M.expire(model, entry)
  local event = store.get(model, "events", entry.args.ns, entry.args.name)
  if not event then
    return
  end
  local limit = store.stamp(model, model.state.now - LIFE)
  if data.get(event, "lastTimestamp") and event.lastTimestamp > limit then
    queue.add(model, LIFE / 4, "expire", entry.key, entry.args)
    return
  end
  store.remove(model, event)
end

return M
