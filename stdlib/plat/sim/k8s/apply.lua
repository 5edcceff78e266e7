--- Server-side apply.
local admit = require("plat.sim.k8s.admit")
local body = require("plat.sim.k8s.body")
local data = require("plat.sim.k8s.data")
local defaults = require("plat.sim.k8s.defaults")
local fields = require("plat.sim.k8s.fields")
local managed = require("plat.sim.k8s.managed")
local schema = require("plat.sim.k8s.schema")
local status = require("plat.sim.k8s.status")
local store = require("plat.sim.k8s.store")
local typed = require("plat.sim.k8s.typed")
local validate = require("plat.sim.k8s.validate")
local write = require("plat.sim.k8s.write")

local M = {}

local function check_manager(ctx)
  if (ctx.query.fieldManager or "") == "" then
    local message = "Required value: is required for apply patch"
    local list = { status.cause("Required", "fieldManager", message) }
    status.invalid("meta.k8s.io", "PatchOptions", "", list)
  end
end

--- Reads an applied configuration and checks what does not need the stored object.
---@param ctx plat.sim.k8s.Context
---@param kind_name? string default the kind of the path
---@param gv? string
---@return table
function M.read(ctx, kind_name, gv)
  check_manager(ctx)
  local object, message = body.yaml(ctx.request.body or "")
  if not data.is_map(object) then
    status.bad_request("error decoding YAML: " .. (message or "the object is no map"))
  end
  data.without_nulls(object)
  kind_name, gv = kind_name or ctx.kind.kind, gv or ctx.kind.gv
  if not object.kind or not object.apiVersion then
    local group, version = (object.apiVersion or ""):match("^(.-)/?([^/]*)$")
    status.bad_request(
      ("invalid object type: %s/%s, Kind=%s"):format(group, version, object.kind or "")
    )
  elseif object.kind ~= kind_name or object.apiVersion ~= gv then
    local text = "incorrect version specified in apply patch. Specified patch version: %s, "
      .. "expected: %s"
    status.bad_request(text:format(object.apiVersion, gv))
  end
  object.metadata = object.metadata or {}
  if object.metadata.managedFields then
    status.bad_request("metadata.managedFields must be nil")
  elseif object.metadata.name and object.metadata.name ~= ctx.name then
    status.bad_request(
      ("the name of the object (%s) does not match the name on the URL (%s)"):format(
        object.metadata.name,
        ctx.name
      )
    )
  end
  typed.check(object, kind_name, gv)
  object.metadata.name = ctx.name
  return object
end

local merge

local function merge_list(node, live, config)
  local out, at = data.array({}), {}
  for name, part in pairs(fields.parts(node, live)) do
    at[name] = part.key
  end
  for i, item in ipairs(live or {}) do
    out[i] = item
  end
  local by_place = {}
  for name, part in pairs(fields.parts(node, config)) do
    by_place[part.key] = name
  end
  for i, item in ipairs(config) do
    local place = at[by_place[i]]
    if place then
      out[place] = merge(node.items, out[place], item)
    else
      out[#out + 1] = data.copy(item)
    end
  end
  return out
end

--- Merges a configuration over the live value; returns a new value.
function merge(node, live, config)
  if fields.is_leaf(node) or live == nil then
    return data.copy(config)
  elseif node.form == "list" then
    return merge_list(node, live, config)
  end
  local out = {}
  for key, value in pairs(live) do
    out[key] = value
  end
  for key, value in pairs(config) do
    out[key] = merge(schema.child(node, key), live[key], value)
  end
  return out
end

--- Takes out of a value what its manager no longer applies and nobody else owns.
---@return any value nil if nothing is left of it
local function prune(node, value, gone, others, config)
  if fields.is_leaf(node) then
    return value
  end
  local doomed, emptied = {}, false
  for name, part in pairs(fields.parts(node, value)) do
    local sub = gone.sub[name]
    if sub then
      local held = others.sub[name]
      local kept = config.sub[name]
      local left
      if sub.member and not held and not kept then
        left = nil
      else
        local rest, ours = held or fields.new(), kept or fields.new()
        left = prune(part.node, part.value, sub, rest, ours)
      end
      if left == nil then
        doomed[#doomed + 1] = part.key
        emptied = true
      else
        value[part.key] = left
      end
    end
  end
  if node.form == "list" then
    table.sort(doomed)
    for i = #doomed, 1, -1 do
      table.remove(value, doomed[i])
    end
  else
    for _, key in ipairs(doomed) do
      value[key] = nil
    end
  end
  local unclaimed = fields.is_empty(others) and fields.is_empty(config)
  if emptied and unclaimed and data.is_empty(value) then
    return nil
  end
  return value
end

local function union_of_others(managers, me)
  local all = fields.new()
  for _, m in ipairs(managers) do
    if m ~= me then
      all = fields.union(all, m.set)
    end
  end
  return all
end

local function create(ctx, config)
  if config.metadata.uid then
    local message = (
      "Operation cannot be fulfilled on %s %q: uid mismatch: the provided object "
      .. "specified uid %s, and no existing object was found"
    ):format(ctx.kind.id, ctx.name, config.metadata.uid)
    status.refuse(409, "Conflict", message, status.about(ctx.kind, ctx.name))
  end
  local set = fields.strip(fields.of(schema.root(ctx.kind.kind), config), ctx.kind.status)
  local me = {
    manager = ctx.manager,
    operation = "Apply",
    apiVersion = ctx.kind.gv,
    time = store.stamp(ctx.model),
    set = set,
  }
  managed.write(config, { me })
  return 201, ctx:render(write.create(ctx, config, true))
end

local function finish(merged, old, ctx)
  local meta = merged.metadata
  meta.generation, meta.resourceVersion = old.metadata.generation, old.metadata.resourceVersion
  meta.uid, meta.creationTimestamp = old.metadata.uid, old.metadata.creationTimestamp
  if ctx.sub ~= "status" then
    if ctx.kind.status then
      merged.status = data.copy(old.status)
    end
    admit.update(merged, old)
    defaults.fill(merged)
    validate.object(ctx.kind, merged, old)
  end
  return merged
end

--- Answers an apply.
---@param ctx plat.sim.k8s.Context
function M.serve(ctx)
  local config = M.read(ctx)
  local old = store.get(ctx.model, ctx.kind.id, ctx.ns, ctx.name)
  if not old then
    if ctx.sub then
      status.not_found(ctx.kind, ctx.name)
    end
    return create(ctx, config)
  end
  write.check_version(ctx, config, old, false)
  config.metadata.resourceVersion = nil
  local node = schema.root(ctx.kind.kind)
  local hidden = ctx.kind.status and ctx.sub ~= "status"
  local set = fields.strip(fields.of(node, config), hidden)
  local managers = managed.before_apply(ctx, old)
  local me = managed.find(managers, {
    manager = ctx.manager,
    operation = "Apply",
    apiVersion = ctx.kind.gv,
    subresource = ctx.sub,
  })
  local others = union_of_others(managers, me)
  local merged = data.copy(merge(node, old, config))
  local gone = fields.minus(me.set, set)
  prune(node, merged, gone, others, set)
  finish(merged, old, ctx)
  local change = fields.compare(node, old, merged)
  local touched = fields.strip(fields.union(change.added, change.modified), hidden)
  local conflicts = managed.conflicts(managers, me, touched)
  if #conflicts > 0 and ctx.query.force ~= "true" then
    managed.refuse(conflicts)
  end
  for _, conflict in ipairs(conflicts) do
    conflict.with.set = fields.minus(conflict.with.set, conflict.set)
  end
  for _, m in ipairs(managers) do
    m.set = fields.minus(m.set, change.removed)
  end
  me.set = set
  if not (fields.is_empty(change.added) and fields.is_empty(change.modified)) then
    me.time = store.stamp(ctx.model)
  elseif not fields.is_empty(change.removed) then
    me.time = store.stamp(ctx.model)
  end
  managed.write(merged, managers)
  return 200, ctx:render(write.commit(ctx, merged, old))
end

return M
