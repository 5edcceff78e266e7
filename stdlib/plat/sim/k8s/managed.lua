--- managedFields of objects: who owns which field.
local data = require("plat.sim.k8s.data")
local fields = require("plat.sim.k8s.fields")
local schema = require("plat.sim.k8s.schema")
local status = require("plat.sim.k8s.status")
local store = require("plat.sim.k8s.store")

local M = {}

---@class plat.sim.k8s.Manager
---@field manager string
---@field operation "Apply"|"Update"
---@field apiVersion string
---@field subresource string?
---@field time string?
---@field set plat.sim.k8s.FieldSet

-- What a fresh object of the server's types already has, so that nobody comes to own it.
local EMPTY_TEMPLATE = { metadata = {}, spec = { containers = data.array({}) } }
local EMPTY = {
  Deployment = { spec = { template = EMPTY_TEMPLATE, strategy = {} } },
  StatefulSet = { spec = { template = EMPTY_TEMPLATE, updateStrategy = {} } },
  DaemonSet = { spec = { template = EMPTY_TEMPLATE, updateStrategy = {} } },
  ReplicaSet = { spec = { template = EMPTY_TEMPLATE } },
  CronJob = { spec = { jobTemplate = { metadata = {}, spec = { template = EMPTY_TEMPLATE } } } },
  Job = { spec = { template = EMPTY_TEMPLATE } },
  Pod = { spec = { containers = data.array({}) } },
  HorizontalPodAutoscaler = { spec = { scaleTargetRef = {} } },
  PersistentVolumeClaim = { spec = { resources = {} } },
  NetworkPolicy = { spec = { podSelector = {} } },
}
local SPECLESS = " ConfigMap Secret StorageClass ControllerRevision Endpoints ServiceAccount "

--- Returns the object that a created one is compared with.
---@param kind plat.sim.k8s.Kind
---@return table
function M.empty(kind)
  local object = data.copy(EMPTY[kind.kind] or {})
  if not SPECLESS:find(" " .. kind.kind .. " ", 1, true) and kind.kind ~= "Event" then
    object.spec = object.spec or {}
    object.status = {}
  elseif kind.kind == "Event" then
    object.involvedObject, object.source = {}, {}
  end
  object.metadata = {}
  return object
end

--- Reads the managers of an object.
---@param object table
---@return plat.sim.k8s.Manager[]
function M.read(object)
  local out = {}
  for i, entry in ipairs(object.metadata.managedFields or {}) do
    out[i] = {
      manager = entry.manager or "",
      operation = entry.operation,
      apiVersion = entry.apiVersion,
      subresource = entry.subresource,
      time = entry.time,
      set = fields.from_v1(entry.fieldsV1 or {}),
    }
  end
  return out
end

local function rank(m)
  return (m.operation == "Apply" and "0" or "1")
    .. (m.time or "")
    .. "\0"
    .. m.manager
    .. "\0"
    .. (m.apiVersion or "")
    .. "\0"
    .. (m.subresource or "")
end

--- Writes the managers that still own something.
---@param object table changed in place
---@param managers plat.sim.k8s.Manager[]
function M.write(object, managers)
  local keep = {}
  for _, m in ipairs(managers) do
    if not fields.is_empty(m.set) then
      keep[#keep + 1] = m
    end
  end
  table.sort(keep, function(a, b)
    return rank(a) < rank(b)
  end)
  local out = data.array({})
  for i, m in ipairs(keep) do
    out[i] = {
      manager = m.manager,
      operation = m.operation,
      apiVersion = m.apiVersion,
      subresource = m.subresource,
      time = m.time,
      fieldsType = "FieldsV1",
      fieldsV1 = fields.to_v1(m.set),
    }
  end
  object.metadata.managedFields = #out > 0 and out or nil
end

--- Finds or adds a manager.
---@param managers plat.sim.k8s.Manager[]
---@param wanted plat.sim.k8s.Manager without a set
---@return plat.sim.k8s.Manager
function M.find(managers, wanted)
  for _, m in ipairs(managers) do
    local same = m.manager == wanted.manager and m.operation == wanted.operation
    -- an applied configuration is one, whatever version it was written in
    local version = wanted.operation == "Apply" or m.apiVersion == wanted.apiVersion
    if same and version and m.subresource == wanted.subresource then
      return m
    end
  end
  wanted.set = fields.new()
  managers[#managers + 1] = wanted
  return wanted
end

--- Gives a change of an object to the manager who made it.
---@param ctx plat.sim.k8s.Context
---@param managers plat.sim.k8s.Manager[]
---@param me plat.sim.k8s.Manager
---@param change plat.sim.k8s.Difference
local function take_over(ctx, managers, me, change)
  local touched = fields.union(change.added, change.modified)
  for _, m in ipairs(managers) do
    if m ~= me then
      m.set = fields.minus(m.set, touched)
    end
    m.set = fields.minus(m.set, change.removed)
  end
  me.set = fields.union(me.set, touched)
  if me.subresource ~= "scale" then
    me.time = store.stamp(ctx.model)
  end
end

--- Returns the managers of an object that is going to be applied: what an object without any has
--- belongs to a manager of its own.
---@param ctx plat.sim.k8s.Context
---@param object table
---@return plat.sim.k8s.Manager[]
function M.before_apply(ctx, object)
  local managers = M.read(object)
  if #managers == 0 then
    local change = fields.compare(schema.root(ctx.kind.kind), M.empty(ctx.kind), object)
    managers[1] = {
      manager = "before-first-apply",
      operation = "Update",
      apiVersion = ctx.kind.gv,
      time = store.stamp(ctx.model),
      set = fields.strip(fields.union(change.added, change.modified), ctx.kind.status),
    }
  end
  return managers
end

--- Notes who made a create, update or patch.
---@param ctx plat.sim.k8s.Context
---@param old table
---@param object table changed in place
function M.update(ctx, old, object)
  if old.metadata.uid and not old.metadata.managedFields then
    return -- an object that nobody owned is not tracked before it is applied
  end
  local node = schema.root(ctx.kind.kind)
  local change = fields.compare(node, old, object)
  local on_status = ctx.sub == "status"
  for _, set in pairs(change) do
    fields.strip(set, ctx.kind.status and not on_status)
  end
  local managers = M.read(object)
  local nothing = fields.is_empty(change.added)
    and fields.is_empty(change.modified)
    and fields.is_empty(change.removed)
  if nothing then
    return
  end
  local me = M.find(managers, {
    manager = ctx.manager,
    operation = "Update",
    apiVersion = ctx.kind.gv,
    subresource = ctx.sub,
  })
  take_over(ctx, managers, me, change)
  M.write(object, managers)
end

local function printed(m)
  local text = ('"%s"'):format(m.manager)
  if m.subresource and m.subresource ~= "" then
    text = text .. (' with subresource "%s"'):format(m.subresource)
  end
  if m.operation == "Update" then
    text = text .. " using " .. m.apiVersion
  end
  return text
end

--- Finds what other managers own of a change.
---@param managers plat.sim.k8s.Manager[]
---@param me plat.sim.k8s.Manager
---@param touched plat.sim.k8s.FieldSet
---@return { with: plat.sim.k8s.Manager, set: plat.sim.k8s.FieldSet }[]
function M.conflicts(managers, me, touched)
  local out = {}
  for _, m in ipairs(managers) do
    if m ~= me then
      local set = fields.both(m.set, touched)
      if not fields.is_empty(set) then
        out[#out + 1] = { with = m, set = set }
      end
    end
  end
  return out
end

--- Raises the 409 of an apply.
---@param conflicts { with: plat.sim.k8s.Manager, set: plat.sim.k8s.FieldSet }[]
function M.refuse(conflicts)
  local causes, lines = data.array({}), {}
  for _, conflict in ipairs(conflicts) do
    local who = printed(conflict.with)
    lines[#lines + 1] = ("conflicts with %s:"):format(who)
    for _, path in ipairs(fields.paths(conflict.set)) do
      lines[#lines + 1] = "- " .. path
      causes[#causes + 1] = {
        reason = "FieldManagerConflict",
        message = "conflict with " .. who,
        field = path,
      }
    end
  end
  local text = ("Apply failed with %d conflicts: %s"):format(#causes, table.concat(lines, "\n"))
  if #causes == 1 then
    text = ("Apply failed with 1 conflict: %s: %s"):format(causes[1].message, causes[1].field)
  end
  status.refuse(409, "Conflict", text, { causes = causes })
end

--- Notes who set the number of replicas through the scale subresource.
---@param ctx plat.sim.k8s.Context
---@param old table
---@param object table changed in place
---@param applied boolean by an apply: others may object
function M.scale(ctx, old, object, applied)
  local managers = M.read(old)
  local set = fields.from_v1({ ["f:spec"] = { ["f:replicas"] = {} } })
  local me = M.find(managers, {
    manager = ctx.manager,
    operation = applied and "Apply" or "Update",
    apiVersion = ctx.kind.gv,
    subresource = "scale",
  })
  local change = { added = fields.new(), modified = fields.new(), removed = fields.new() }
  if old.spec.replicas ~= object.spec.replicas then
    change.modified = set
    local force = ctx.query.force == "true"
    local conflicts = applied and not force and M.conflicts(managers, me, set) or {}
    if #conflicts > 0 then
      M.refuse(conflicts)
    end
  end
  take_over(ctx, managers, me, change)
  if applied then
    me.set = fields.union(me.set, set)
  end
  M.write(object, managers)
end

return M
