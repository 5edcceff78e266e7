--- The objects of the simulated cluster, their versions and their history.
---
--- Stored objects are never changed in place: a change stores a new table. So the history and the
--- watches share them freely.
local calendar = require("plat.tz.calendar")
local chance = require("plat.sim.k8s.chance")
local data = require("plat.sim.k8s.data")
local kinds = require("plat.sim.k8s.kinds")
local list = require("plat.list")
local time = require("plat.time")

local M = {}

local HISTORY = 2000 -- changes remembered for watches and continued lists

---@class plat.sim.k8s.Change
---@field rv integer
---@field type "ADDED"|"MODIFIED"|"DELETED"
---@field id string id of the kind
---@field key string
---@field object table after the change (a deleted one as it last was, with the new version)
---@field prev table? before the change

--- Returns the key of an object in its kind's table.
---@param ns string? nil or "" for cluster-scoped objects
---@param name string
---@return string
function M.key(ns, name)
  return (ns or "") .. "/" .. name
end

--- Returns a time as the API writes it, by the cluster's own clock.
---@param model plat.sim.K8s
---@param at? number default now
---@return string
function M.stamp(model, at)
  return time.rfc3339((at or model.state.now) + (model.state.skew or 0))
end

--- Returns the time that the API wrote.
---@param model plat.sim.K8s
---@param stamp string
---@return number
function M.instant(model, stamp)
  return time.parse_rfc3339(stamp) - (model.state.skew or 0)
end

local DAYS = { "Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed" } -- from 1970-01-01 on
local MONTHS =
  { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" }

--- Returns the time as the header of an answer tells it.
---@param model plat.sim.K8s
---@return string
function M.http_date(model)
  local now = (model.state.now + (model.state.skew or 0)) // 1 | 0
  local days, rest = now // 86400, now % 86400
  local year, month, day = calendar.date(days)
  return ("%s, %02d %s %d %02d:%02d:%02d GMT"):format(
    DAYS[days % 7 + 1],
    day,
    MONTHS[month],
    year,
    rest // 3600,
    rest // 60 % 60,
    rest % 60
  )
end

--- Returns a stored object; it must not be changed.
---@param model plat.sim.K8s
---@param id string id of the kind, "statefulsets.apps"
---@param ns string?
---@param name string
---@return table?
function M.get(model, id, ns, name)
  local objects = model.state.objects[id]
  return objects and objects[M.key(ns, name)]
end

--- Lists the stored objects of a kind in the order of their keys.
---@param model plat.sim.K8s
---@param id string
---@param ns? string only this namespace
---@return table[]
function M.list(model, id, ns)
  local objects, out = model.state.objects[id] or {}, {}
  local keys = model.keys[id]
  if not keys then
    keys = list.keys(objects)
    model.keys[id] = keys
  end
  for _, key in ipairs(keys) do
    local object = objects[key]
    if not ns or object.metadata.namespace == ns then
      out[#out + 1] = object
    end
  end
  return out
end

local function remember(model, change)
  local history = model.history
  history[#history + 1] = change
  if #history > HISTORY + HISTORY // 4 then
    local keep = {}
    for i = #history - HISTORY + 1, #history do
      keep[#keep + 1] = history[i]
    end
    model.oldest = history[#history - HISTORY].rv
    model.history = keep
  end
end

local function commit(model, kind, kind_of_change, object, prev)
  local state = model.state
  state.rv = state.rv + 1
  object.metadata.resourceVersion = ("%d"):format(state.rv)
  local key = M.key(object.metadata.namespace, object.metadata.name)
  if kind_of_change ~= "MODIFIED" then
    model.keys[kind.id] = nil
  end
  state.objects[kind.id] = state.objects[kind.id] or {}
  state.objects[kind.id][key] = kind_of_change ~= "DELETED" and object or nil
  local change = {
    rv = state.rv,
    type = kind_of_change,
    id = kind.id,
    key = key,
    object = object,
    prev = prev,
  }
  remember(model, change)
  model:changed(change)
  return object
end

--- Stores a new object: gives it uid, time and version. Takes over the table.
---@param model plat.sim.K8s
---@param object table with apiVersion and kind
---@return table object
function M.create(model, object)
  local kind = kinds.of_object(object.apiVersion, object.kind)
  local meta = object.metadata
  meta.uid = meta.uid or chance.uid(model)
  meta.creationTimestamp = M.stamp(model)
  if kind.generation then
    meta.generation = 1
  end
  return commit(model, kind, "ADDED", object, nil)
end

--- Stores a changed copy of an object; nothing happens if it is as before.
---@param model plat.sim.K8s
---@param object table
---@return table object as stored
function M.update(model, object)
  local kind = kinds.of_object(object.apiVersion, object.kind)
  local prev = M.get(model, kind.id, object.metadata.namespace, object.metadata.name)
  if not prev or prev.metadata.uid ~= object.metadata.uid then
    return object -- it went away meanwhile
  end
  object.metadata.resourceVersion = prev.metadata.resourceVersion
  if data.equal(prev, object) then
    return prev
  end
  if kind.generation and not data.equal(prev.spec, object.spec) then
    object.metadata.generation = (prev.metadata.generation or 0) + 1
  end
  return commit(model, kind, "MODIFIED", object, prev)
end

--- Changes an object by a function that edits a copy; nothing if the object is gone.
---@param model plat.sim.K8s
---@param object table as read before
---@param edit fun(copy: table)
---@return table? object as stored
function M.edit(model, object, edit)
  local kind = kinds.of_object(object.apiVersion, object.kind)
  local present = M.get(model, kind.id, object.metadata.namespace, object.metadata.name)
  if not present or present.metadata.uid ~= object.metadata.uid then
    return nil
  end
  local copy = data.copy(present)
  edit(copy)
  return M.update(model, copy)
end

--- Removes an object from the store at once.
---@param model plat.sim.K8s
---@param object table
---@return table? object as it last was
function M.remove(model, object)
  local kind = kinds.of_object(object.apiVersion, object.kind)
  local prev = M.get(model, kind.id, object.metadata.namespace, object.metadata.name)
  if not prev or prev.metadata.uid ~= object.metadata.uid then
    return nil
  end
  return commit(model, kind, "DELETED", data.copy(prev), prev)
end

--- Lists the objects of a kind as they were at a version; nil if that is too long ago.
---@param model plat.sim.K8s
---@param id string
---@param rv integer
---@return table<string, table>? objects by key
function M.at(model, id, rv)
  if rv < model.oldest then
    return nil
  end
  local objects = {}
  for key, object in pairs(model.state.objects[id] or {}) do
    objects[key] = object
  end
  for i = #model.history, 1, -1 do
    local change = model.history[i]
    if change.rv <= rv then
      break
    end
    if change.id == id then
      objects[change.key] = change.prev
    end
  end
  return objects
end

return M
