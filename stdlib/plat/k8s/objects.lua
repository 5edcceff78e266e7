--- Reading and changing objects: get, list, create, apply, patch, delete.
local effect = require("plat.effect")
local errors = require("plat.k8s.errors")
local fault = require("plat.fault")
local json = require("plat.json")
local kinds = require("plat.k8s.kinds")
local list = require("plat.list")
local pages = require("plat.k8s.pages")
local predict = require("plat.k8s.predict")
local recovery = require("plat.k8s.recovery")
local strip = require("plat.k8s.strip")
local transport = require("plat.k8s.transport")

local M = {}

local PATCH_TYPES = {
  merge = "application/merge-patch+json",
  json = "application/json-patch+json",
  strategic = "application/strategic-merge-patch+json",
}

M.selector = pages.selector

--- Reads one object.
---@async
---@param client plat.k8s.Client
---@param kind string|table
---@param ns? string
---@param name string
---@param op? string for messages
---@return table object
function M.get(client, kind, ns, name, op)
  local res = client:resource(kind)
  local about = { op = op or "k8s.get", object = kinds.label(res, ns, name) }
  local object, resp = client.transport:request({
    path = kinds.path(res, ns, name),
    op = about.op,
    object = about.object,
  })
  if type(object.metadata) ~= "table" then
    about.target = client.transport.target
    errors.raise_stranger(about, resp)
  end
  return resp.planned and predict.veil(object, about.object) or object
end

--- Reads one object, or nil when it is not there (the resource itself must be).
---@async
---@param client plat.k8s.Client
---@param kind string|table
---@param ns? string
---@param name string
---@param op? string
---@return table?
function M.find(client, kind, ns, name, op)
  local object, err = fault.try(M.get, client, kind, ns, name, op)
  if object then
    return object
  elseif errors.is(err, 404) and not errors.is_unserved(err) then
    return nil
  end
  error(err, 0)
end

M.list = pages.list

local function meta_of(object, op)
  local meta = type(object) == "table" and object.metadata
  if type(meta) ~= "table" or not object.kind or not object.apiVersion then
    fault.raise("usage", { op = op }, { msg = "an object has apiVersion, kind and metadata" })
  end
  return meta
end

local function answer(object)
  return {
    status = 200,
    headers = { ["content-type"] = "application/json" },
    body = json.encode(object),
  }
end

-- Fills in what every change of one object has: its prediction, and what stands for an answer that
-- is lost.
local function describe(change, subject, update)
  change.private = subject.res.kind == "Secret"
  change.reread = change.reread
    or subject.name
      and function()
        return answer(M.get(subject.client, subject.res, subject.ns, subject.name))
      end
  return predict.describe(change, subject, update)
end

--- Returns whether an object is there that platrun made; nobody else's stands for it.
local function is_ours(found)
  local managers = list.get(found or {}, "metadata.managedFields")
  return found ~= nil
    and (not managers or list.find(managers, { manager = transport.MANAGER }) ~= nil)
end

-- Reads an object, or nil, for finding out whether a change happened.
local function finder(client, res, ns, name)
  return function()
    return M.find(client, res, ns, name, "k8s.probe")
  end
end

--- Creates an object.
---@async
---@param client plat.k8s.Client
---@param object table
---@return table created
function M.create(client, object)
  local op = "k8s.create"
  local meta = meta_of(object, op)
  local res = client:resource(object)
  local ns = res.namespaced and (meta.namespace or client.namespace) or nil
  local label = kinds.label(res, ns, meta.name or ((meta.generateName or "?") .. "*"))
  local subject = { client = client, res = res, ns = ns, name = meta.name, label = label }
  local function find()
    return M.find(client, res, ns, meta.name, op)
  end
  local created = client.transport:request({
    method = "POST",
    path = kinds.path(res, ns),
    query = { fieldManager = transport.MANAGER },
    body = object,
    op = op,
    object = label,
    change = describe({
      text = "create " .. label,
      args = { object = strip.for_journal(object) },
      recovery = meta.name and "probed" or "unknowable",
      probe = meta.name and function()
        return is_ours(find())
      end or nil,
      compose = predict.create(subject, object, find),
    }, subject),
  })
  if effect.planning() then
    created.metadata.resourceVersion = nil
    predict.veil(created, label, not meta.name and { "name" } or nil)
  end
  return created
end

-- Adds to the rows of a conflict what each side wants.
local function add_values(err, live, ours)
  for _, row in ipairs(err.detail.conflicts) do
    row.theirs = strip.value_at(live, row.field)
    row.ours = strip.value_at(ours, row.field)
  end
  local head = err.msg:match("^[^\n]*")
  err.msg = head .. "\n" .. errors.conflict_table(err.detail.conflicts)
end

-- An autoscaler owns the replicas of its target: a manifest must leave them out.
local function check_replicas(client, res, ns, object)
  local spec = type(object.spec) == "table" and object.spec or {}
  if spec.replicas == nil or (res.group ~= "apps") then
    return
  end
  local hpas, err = fault.try(client.hpas, client, ns, res, object.metadata.name)
  if err and not errors.is(err, 403) then
    error(err, 0)
  elseif err then
    effect.warn(
      client.target .. ": whether an autoscaler owns the replicas cannot be seen: " .. err.msg
    )
  elseif #hpas > 0 then
    fault.raise("refused", { op = "k8s.apply", target = client.target }, {
      object = kinds.label(res, ns, object.metadata.name),
      msg = ("the manifest sets spec.replicas, which HorizontalPodAutoscaler %q owns"):format(
        hpas[1].name
      ),
      hint = "leave spec.replicas out of the manifest, or change the bounds of the autoscaler",
    })
  end
end

--- Applies an object (server-side apply). A conflict names each field, its owner and both values.
---@async
---@param client plat.k8s.Client
---@param object table
---@param opts { force: boolean, manager: string }
---@return table applied
function M.apply(client, object, opts)
  local op = "k8s.apply"
  local meta = meta_of(object, op)
  local res = client:resource(object)
  local ns = res.namespaced and (meta.namespace or client.namespace) or nil
  local label = kinds.label(res, ns, meta.name)
  check_replicas(client, res, ns, object)
  local live = M.find(client, res, ns, meta.name, op)
  local subject = { client = client, res = res, ns = ns, name = meta.name, label = label }
  subject.live = live
  local manager = opts.manager ~= transport.MANAGER and opts.manager or nil
  local result, err = fault.try(function()
    return (
      client.transport:request({
        method = "PATCH",
        path = kinds.path(res, ns, meta.name),
        query = { fieldManager = opts.manager, force = opts.force or nil },
        content_type = "application/apply-patch+yaml",
        body = object,
        op = op,
        object = label,
        change = describe({
          text = (live and "apply " or "create (apply) ") .. label,
          args = { object = strip.for_journal(object), force = opts.force, manager = manager },
          recovery = "repeatable",
          compose = predict.apply(subject, object, manager),
        }, subject),
      })
    )
  end)
  if result then
    return effect.planning() and predict.veil(result, label) or result
  end
  if errors.is(err, 409) and err.detail.conflict == "manager" then
    add_values(err, live, object)
  end
  error(err, 0)
end

-- What a subresource changes of an object.
local UPDATES = {
  scale = function(now, after)
    return after and predict.with_replicas(now, list.get(after, "spec.replicas") or 0)
  end,
  status = function(now, after)
    if now and after then
      now.status = after.status
    end
    return after and now
  end,
}

--- Patches an object.
---@async
---@param client plat.k8s.Client
---@param kind string|table
---@param ns? string
---@param name string
---@param patch table
---@param opts { type: string, subresource?: string, text?: string, args?: table, recovery?: table }
---  type: merge, json or strategic; args, recovery: what the change is known by, where that is
---  not the patch (plat.k8s.recovery)
---@return table patched
function M.patch(client, kind, ns, name, patch, opts)
  local res = client:resource(kind)
  local label = kinds.label(res, ns, name)
  local guarded = opts.type == "json" or list.get(patch, "metadata.resourceVersion") ~= nil
  local live = M.find(client, res, ns, name, "k8s.patch")
  local subject = { client = client, res = res, ns = ns, name = name, label = label, live = live }
  local patched = client.transport:request({
    method = "PATCH",
    path = kinds.path(res, ns, name, opts.subresource),
    query = { fieldManager = transport.MANAGER },
    content_type = PATCH_TYPES[opts.type],
    body = patch,
    op = "k8s.patch",
    object = label,
    patch = opts.type,
    change = describe(
      list.merge({
        text = opts.text or ("patch " .. label),
        args = opts.args or { patch = strip.for_journal(patch, res.kind), type = opts.type },
        recovery = guarded and "unknowable" or "repeatable",
        compose = predict.patch(subject, patch, opts),
      }, opts.recovery or {}),
      subject,
      UPDATES[opts.subresource]
    ),
  })
  return effect.planning() and predict.veil(patched, label) or patched
end

-- Whether an object is there for a while after it was deleted, or comes back.
local function lingers(subject, opts)
  local kind, finalizers = subject.res.kind, list.get(subject.live, "metadata.finalizers")
  return kind == "Pod"
    or kind == "Namespace"
    or (finalizers ~= nil and #finalizers > 0)
    or (opts.propagation or "Background") ~= "Background"
end

--- Deletes an object. An object that is not there is deleted already.
---@async
---@param client plat.k8s.Client
---@param kind string|table
---@param ns? string
---@param name string
---@param opts { propagation?: string, grace?: integer, uid?: string, resource_version?: string }
---@return boolean deleted false when it was not there
function M.delete(client, kind, ns, name, opts)
  local res = client:resource(kind)
  local label = kinds.label(res, ns, name)
  local live = M.find(client, res, ns, name, "k8s.delete")
  if not live then
    return false
  end
  local subject = { client = client, res = res, ns = ns, name = name, label = label, live = live }
  subject.leaves = true
  local body = { apiVersion = "v1", kind = "DeleteOptions" }
  body.propagationPolicy = opts.propagation
  body.gracePeriodSeconds = opts.grace and math.ceil(opts.grace) or nil
  -- The uid of what was read: a new object of the same name is not what the caller meant.
  body.preconditions = {
    uid = opts.uid or predict.uid(live),
    resourceVersion = opts.resource_version,
  }
  local req = {
    method = "DELETE",
    path = kinds.path(res, ns, name),
    body = body,
    op = "k8s.delete",
    object = label,
    change = describe(
      list.merge({
        text = "delete " .. label,
        args = { propagation = opts.propagation, grace = opts.grace },
        diff = function()
          return { { path = label, before = "exists", after = nil } }
        end,
        reread = function()
          return answer({ apiVersion = "v1", kind = "Status", status = "Success" })
        end,
        compose = predict.delete(subject),
      }, recovery.delete(finder(client, res, ns, name), predict.uid(live))),
      subject,
      function()
        if lingers(subject, opts) then
          return nil
        end
        return false
      end
    ),
  }
  local done, err = fault.try(client.transport.request, client.transport, req)
  if done then
    return true
  elseif errors.is(err, 404) and not errors.is_unserved(err) then
    return false
  end
  error(err, 0)
end

return M
