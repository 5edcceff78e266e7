--- Reading and changing objects: get, list, create, apply, patch, delete.
local effect = require("plat.effect")
local errors = require("plat.k8s.errors")
local fault = require("plat.fault")
local json = require("plat.json")
local kinds = require("plat.k8s.kinds")
local list = require("plat.list")
local predict = require("plat.k8s.predict")
local strip = require("plat.k8s.strip")
local transport = require("plat.k8s.transport")

local M = {}

local PAGE = 500

local PATCH_TYPES = {
  merge = "application/merge-patch+json",
  json = "application/json-patch+json",
  strategic = "application/strategic-merge-patch+json",
}

--- Returns the text of a selector given as text or as a table of equalities.
---@param selector? string|table<string, string>
---@return string?
function M.selector(selector)
  if type(selector) ~= "table" then
    return selector
  end
  local parts = {}
  for name, value in pairs(selector) do
    parts[#parts + 1] = value == true and name or (name .. "=" .. tostring(value))
  end
  return #parts > 0 and table.concat(parts, ",") or nil
end

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
  return object
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

-- A list without items (null) is one; an answer that is no list must not pass for an empty one.
local function page(client, res, ns, query, op)
  local label = kinds.label(res, ns)
  local doc, resp =
    client.transport:request({ path = kinds.path(res, ns), query = query, op = op, object = label })
  if type(doc.items) ~= "table" and not tostring(doc.kind):find("List$") then
    local about = { op = op, target = client.transport.target, object = label }
    errors.raise_stranger(about, resp)
  end
  return doc
end

-- The token that a 410 offers to go on with, at the price of a list that is not of one moment.
local function fresh_token(err)
  local status = type(err.detail) == "table" and err.detail.status
  local meta = status and status.metadata
  return type(meta) == "table" and meta.continue or nil
end

-- Items of a list carry neither kind nor apiVersion: give them both.
local function take(into, doc, res, limit)
  for _, item in ipairs(type(doc.items) == "table" and doc.items or {}) do
    if limit and #into >= limit then
      return
    end
    item.kind = item.kind or res.kind
    item.apiVersion = item.apiVersion or kinds.api_version(res)
    into[#into + 1] = item
  end
end

--- Reads a list, page by page. When the token of a page has expired (410) the list is read anew
--- once; when it expires again the rest is read as of now.
---@async
---@param client plat.k8s.Client
---@param kind string|table
---@param ns? string nil: all namespaces
---@param opts? { labels?: string|table, fields?: string|table, limit?: integer, page?: integer }
---@param op? string
---@return table[] items
---@return string resource_version of the list
function M.list(client, kind, ns, opts, op)
  opts = opts or {}
  op = op or "k8s.list"
  local res = client:resource(kind)
  local query = {
    labelSelector = M.selector(opts.labels),
    fieldSelector = M.selector(opts.fields),
    limit = math.min(opts.page or PAGE, opts.limit or PAGE),
  }
  local items, version, restarted = {}, nil, false
  while true do
    local doc, err = fault.try(page, client, res, ns, query, op)
    if doc then
      take(items, doc, res, opts.limit)
      local meta = doc.metadata or {}
      version = version or meta.resourceVersion
      query.continue = meta.continue ~= "" and meta.continue or nil
      if not query.continue or (opts.limit and #items >= opts.limit) then
        return items, version or ""
      end
    elseif not (errors.is(err, 410) and query.continue) then
      error(err, 0)
    elseif restarted and fresh_token(err) then
      query.continue = fresh_token(err)
    elseif restarted then
      error(err, 0)
    else
      restarted, items, version, query.continue = true, {}, nil, nil
    end
  end
end

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

-- Fills in what every change of one object has: a server-side dry run as its prediction, the
-- difference to what is live, how later reads look, and what stands for an answer that is lost.
local function describe(client, change, res, ns, name, live)
  local after
  change.predict = true
  change.private = res.kind == "Secret"
  change.reread = change.reread
    or name and function()
      return answer(M.get(client, res, ns, name))
    end
  change.on_predicted = function(resp)
    after = json.decode(resp.body)
  end
  change.diff = change.diff or predict.diff(live)
  change.overlay = name
    and predict.overlay({
      object = kinds.path(res, ns, name),
      collection = kinds.path(res, ns),
      name = name,
    }, change.update or function()
      return after
    end)
  change.update = nil
  return change
end

--- Returns whether an object is there that platrun made; nobody else's stands for it.
local function is_ours(found)
  local managers = list.get(found or {}, "metadata.managedFields")
  return found ~= nil
    and (not managers or list.find(managers, { manager = transport.MANAGER }) ~= nil)
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
  return (
    client.transport:request({
      method = "POST",
      path = kinds.path(res, ns),
      query = { fieldManager = transport.MANAGER },
      body = object,
      op = op,
      object = label,
      change = describe(client, {
        text = "create " .. label,
        args = { object = strip.for_journal(object) },
        recovery = meta.name and "probed" or "unknowable",
        probe = meta.name and function()
          return is_ours(M.find(client, res, ns, meta.name, op))
        end or nil,
      }, res, ns, meta.name),
    })
  )
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
        change = describe(client, {
          text = (live and "apply " or "create (apply) ") .. label,
          args = { object = strip.for_journal(object), force = opts.force },
          recovery = "repeatable",
        }, res, ns, meta.name, live),
      })
    )
  end)
  if result then
    return result
  end
  if errors.is(err, 409) and err.detail.conflict == "manager" then
    add_values(err, live, object)
  end
  error(err, 0)
end

--- Patches an object.
---@async
---@param client plat.k8s.Client
---@param kind string|table
---@param ns? string
---@param name string
---@param patch table
---@param opts { type: "merge"|"json"|"strategic", subresource?: string, text?: string }
---@return table patched
function M.patch(client, kind, ns, name, patch, opts)
  local res = client:resource(kind)
  local label = kinds.label(res, ns, name)
  local guarded = opts.type == "json" or list.get(patch, "metadata.resourceVersion") ~= nil
  local live = M.find(client, res, ns, name, "k8s.patch")
  return (
    client.transport:request({
      method = "PATCH",
      path = kinds.path(res, ns, name, opts.subresource),
      query = { fieldManager = transport.MANAGER },
      content_type = PATCH_TYPES[opts.type],
      body = patch,
      op = "k8s.patch",
      object = label,
      patch = opts.type,
      change = describe(client, {
        text = opts.text or ("patch " .. label),
        args = { patch = strip.for_journal(patch, res.kind), type = opts.type },
        recovery = guarded and "unknowable" or "repeatable",
      }, res, ns, not opts.subresource and name or nil, live),
    })
  )
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
  local body = { apiVersion = "v1", kind = "DeleteOptions" }
  body.propagationPolicy = opts.propagation
  body.gracePeriodSeconds = opts.grace and math.ceil(opts.grace) or nil
  -- The uid of what was read: a new object of the same name is not what the caller meant.
  body.preconditions = {
    uid = opts.uid or list.get(live, "metadata.uid"),
    resourceVersion = opts.resource_version,
  }
  local req = {
    method = "DELETE",
    path = kinds.path(res, ns, name),
    body = body,
    op = "k8s.delete",
    object = label,
    change = describe(client, {
      text = "delete " .. label,
      args = { propagation = opts.propagation, grace = opts.grace },
      recovery = "repeatable",
      diff = function()
        return { { path = label, before = "exists", after = nil } }
      end,
      update = function()
        return false
      end,
      reread = function()
        return answer({ apiVersion = "v1", kind = "Status", status = "Success" })
      end,
    }, res, ns, name, live),
  }
  local answer, err = fault.try(client.transport.request, client.transport, req)
  if answer then
    return true
  elseif errors.is(err, 404) and not errors.is_unserved(err) then
    return false
  end
  error(err, 0)
end

return M
