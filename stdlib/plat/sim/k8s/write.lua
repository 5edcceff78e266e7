--- Storing what clients send: create and update with every check of the API server.
local admit = require("plat.sim.k8s.admit")
local chance = require("plat.sim.k8s.chance")
local data = require("plat.sim.k8s.data")
local defaults = require("plat.sim.k8s.defaults")
local managed = require("plat.sim.k8s.managed")
local quota = require("plat.sim.k8s.quota")
local status = require("plat.sim.k8s.status")
local store = require("plat.sim.k8s.store")
local validate = require("plat.sim.k8s.validate")

local M = {}

-- Kinds whose update must name the version that it was made from.
local CONDITIONAL = {
  ["leases.coordination.k8s.io"] = true,
  ["poddisruptionbudgets.policy"] = true,
}

-- Kinds that an update creates when they are missing, unless it names the uid of one.
local CREATED = { ["leases.coordination.k8s.io"] = true }

local KEEPS_STATUS = { Node = true, PersistentVolume = true } -- when created

local function check_namespace(ctx, name)
  local kind = ctx.kind
  if not kind.namespaced then
    return
  end
  local namespace = store.get(ctx.model, "namespaces", nil, ctx.ns)
  if not namespace then
    local about = { name = ctx.ns, kind = "namespaces" }
    status.refuse(404, "NotFound", ('namespaces "%s" not found'):format(ctx.ns), about)
  end
  if namespace.metadata.deletionTimestamp then
    local details = status.about(kind, name)
    details.causes = data.array({
      {
        reason = "NamespaceTerminating",
        message = ("namespace %s is being terminated"):format(ctx.ns),
        field = "metadata.namespace",
      },
    })
    local message = (
      '%s "%s" is forbidden: unable to create new content in namespace %s because '
      .. "it is being terminated"
    ):format(kind.id, name, ctx.ns)
    status.refuse(403, "Forbidden", message, details)
  end
end

local function place(ctx, object)
  local meta = object.metadata
  if not ctx.kind.namespaced then
    meta.namespace = nil
    return
  end
  if meta.namespace and meta.namespace ~= "" and meta.namespace ~= ctx.ns then
    status.bad_request(
      "the namespace of the provided object does not match the namespace sent on the request"
    )
  end
  meta.namespace = ctx.ns
end

--- Runs a function so that it leaves no trace in the model's chance: for dry runs.
local function without_trace(ctx, fn)
  local model = ctx.model
  local rng = model.state.rng
  model.state.rng = model.scratch or rng ~ 0x5DEECE66D
  local results = table.pack(pcall(fn))
  model.scratch, model.state.rng = model.state.rng, rng
  if not results[1] then
    error(results[2], 0)
  end
  return table.unpack(results, 2, results.n)
end

local function prepare(ctx, object, applied)
  local kind = ctx.kind
  if kind.status and not KEEPS_STATUS[kind.kind] then
    object.status = nil
  end
  local meta = object.metadata
  meta.uid, meta.creationTimestamp, meta.deletionTimestamp = nil, nil, nil
  meta.selfLink = nil
  if kind.generation then
    meta.generation = nil
  end
  if not meta.name and meta.generateName then
    meta.name = meta.generateName .. chance.suffix(ctx.model)
  end
  admit.before(object)
  defaults.fill(object)
  if not applied then
    managed.update(ctx, managed.empty(kind), object)
  end
  admit.create(ctx.model, object)
  validate.object(kind, object)
end

--- Stores a new object (or says what would be stored).
---@param ctx plat.sim.k8s.Context
---@param object table decoded and checked against its type
---@param applied? boolean made by an apply: managed fields are already there
---@return table object
function M.create(ctx, object, applied)
  object.metadata = object.metadata or {}
  if object.metadata.resourceVersion and object.metadata.resourceVersion ~= "" then
    status.refuse(500, nil, "resourceVersion should not be set on objects to be created")
  end
  place(ctx, object)
  check_namespace(ctx, object.metadata.name or "")
  local function run()
    prepare(ctx, object, applied)
    if store.get(ctx.model, ctx.kind.id, ctx.ns, object.metadata.name) then
      status.already_exists(ctx.kind, object.metadata.name)
    end
    quota.check(ctx.model, object)
    if not ctx.dry then
      return store.create(ctx.model, object)
    end
    object.metadata.uid = object.metadata.uid or chance.uid(ctx.model)
    object.metadata.creationTimestamp = store.stamp(ctx.model)
    if ctx.kind.generation then
      object.metadata.generation = 1
    end
    return object
  end
  return ctx.dry and without_trace(ctx, run) or run()
end

local function refuse_uid(ctx, name, wanted, found)
  local kind = ctx.kind
  local path = kind.plural .. "/" .. (ctx.ns and ctx.ns .. "/" or "") .. name
  local message = (
    "Operation cannot be fulfilled on %s %q: StorageError: invalid object, "
    .. "Code: 4, Key: /registry/%s, ResourceVersion: 0, AdditionalErrorMsg: Precondition "
    .. "failed: UID in precondition: %s, UID in object meta: %s"
  ):format(kind.id, name, path, wanted, found)
  status.refuse(409, "Conflict", message, status.about(kind, name))
end

--- Returns the stored object that a request names; raises 404.
---@param ctx plat.sim.k8s.Context
---@param update? table what shall take its place: of some kinds an update creates what is missing
---@return table? object nil: to be created
function M.present(ctx, update)
  local object = store.get(ctx.model, ctx.kind.id, ctx.ns, ctx.name)
  if object then
    return object
  elseif not (update and CREATED[ctx.kind.id]) then
    status.not_found(ctx.kind, ctx.name)
  elseif update.metadata.uid then
    refuse_uid(ctx, ctx.name, update.metadata.uid, "")
  end
end

--- Checks the version and the identity that a change was made from.
---@param ctx plat.sim.k8s.Context
---@param object table as the client wants it
---@param old table as stored
---@param explicit boolean the client must give a version for kinds that ask for it
function M.check_version(ctx, object, old, explicit)
  local kind, name = ctx.kind, old.metadata.name
  local wanted = object.metadata.resourceVersion
  if object.metadata.uid and object.metadata.uid ~= old.metadata.uid then
    refuse_uid(ctx, name, object.metadata.uid, old.metadata.uid)
  end
  if not wanted or wanted == "" or wanted == "0" then
    if explicit and CONDITIONAL[kind.id] then
      local message = "Invalid value: 0: must be specified for an update"
      local field = "metadata.resourceVersion"
      local list = { status.cause("Invalid", field, message) }
      local details = status.about(kind, name)
      details.causes = data.array(list)
      local text = ('%s "%s" is invalid: %s: %s'):format(kind.id, name, field, message)
      status.refuse(422, "Invalid", text, details)
    end
    return
  end
  if wanted ~= old.metadata.resourceVersion then
    status.stale(kind, name)
  end
end

local KEPT = { "uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds" }

local function settle_meta(object, old)
  local meta = object.metadata
  for _, field in ipairs(KEPT) do
    meta[field] = old.metadata[field]
  end
  meta.generation = old.metadata.generation
  meta.name, meta.namespace = old.metadata.name, old.metadata.namespace
  meta.generateName = old.metadata.generateName
  meta.resourceVersion = old.metadata.resourceVersion
  if meta.managedFields == nil then
    meta.managedFields = old.metadata.managedFields
  end
end

--- Stores a change of an object; a main endpoint never touches the status, /status nothing else.
---@param ctx plat.sim.k8s.Context
---@param object table as the client wants it, decoded; taken over
---@param old table as stored
---@param applied? boolean made by an apply: managed fields are already there
---@return table object
function M.update(ctx, object, old, applied)
  settle_meta(object, old)
  if ctx.sub == "status" then
    local changed = data.copy(old)
    changed.status = object.status
    changed.metadata.managedFields = object.metadata.managedFields
    object = changed
    admit.status(object)
  else
    if ctx.kind.status then
      object.status = data.copy(old.status)
    end
    admit.update(object, old)
    defaults.fill(object)
    validate.object(ctx.kind, object, old)
  end
  if not applied then
    managed.update(ctx, old, object)
  end
  return M.commit(ctx, object, old)
end

--- Says whether two objects differ in more than the times of their managed fields.
local function differs(a, b)
  if data.equal(a, b) then
    return false
  end
  local x, y = data.copy(a), data.copy(b)
  for _, object in ipairs({ x, y }) do
    for _, entry in ipairs(object.metadata.managedFields or {}) do
      entry.time = nil
    end
  end
  return not data.equal(x, y)
end

--- Stores a checked change, or only answers it if the request is a dry run. An object whose last
--- finalizer goes away while it is being deleted is removed.
---@param ctx plat.sim.k8s.Context
---@param object table
---@param old table
---@return table object
function M.commit(ctx, object, old)
  if not differs(object, old) then
    return old
  end
  if ctx.dry then
    if ctx.kind.generation and not data.equal(object.spec, old.spec) then
      object.metadata.generation = (old.metadata.generation or 0) + 1
    end
    return object
  end
  local meta = object.metadata
  local waits = (meta.deletionGracePeriodSeconds or 0) > 0 or object.kind == "Namespace"
  if meta.deletionTimestamp and not waits and #(meta.finalizers or {}) == 0 then
    store.remove(ctx.model, old)
    return object
  end
  return store.update(ctx.model, object)
end

return M
