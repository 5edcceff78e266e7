--- Verbs of the API on one kind: get, list, create, update, delete, deletecollection.
local base64 = require("plat.sim.k8s.base64")
local body = require("plat.sim.k8s.body")
local data = require("plat.sim.k8s.data")
local json = require("plat.json")
local remove = require("plat.sim.k8s.remove")
local select = require("plat.sim.k8s.select")
local status = require("plat.sim.k8s.status")
local store = require("plat.sim.k8s.store")
local write = require("plat.sim.k8s.write")

local M = {}

local EXPIRED = "The provided continue parameter is too old to display a consistent list result. "
  .. "You can start a new list without the continue parameter, or use the continue token in "
  .. "this response to retrieve the remainder of the results. Continuing with the provided "
  .. "token results in an inconsistent list - objects that were created, modified, or deleted "
  .. "between the time the first chunk was returned and now may show up in the list."

--- Returns the test that an object must pass to be in a list or watch.
---@param ctx plat.sim.k8s.Context
---@return fun(object: table): boolean
function M.filter(ctx)
  local labels = select.labels(ctx.query.labelSelector)
  local fields = select.fields(ctx.kind, ctx.query.fieldSelector)
  local ns, name = ctx.ns, ctx.name
  return function(object)
    local meta = object.metadata
    return (not ns or not ctx.kind.namespaced or meta.namespace == ns)
      and (not name or meta.name == name)
      and labels(meta.labels)
      and fields(object)
  end
end

--- Reads a resourceVersion of a query: nil if none is given.
---@param ctx plat.sim.k8s.Context
---@param code integer of the refusal of something else than a number
---@return integer?
function M.version_of(ctx, code)
  local text = ctx.query.resourceVersion
  if not text or text == "" then
    return nil
  end
  if not text:match("^%d+$") then
    local message = (
      'resourceVersion: Invalid value: "%s": strconv.ParseUint: parsing "%s": '
      .. "invalid syntax"
    ):format(text, text)
    if code == 400 then
      status.bad_request("invalid resource version: " .. message)
    end
    status.refuse(code, nil, message)
  end
  return math.tointeger(tonumber(text))
end

local function too_large(ctx, rv)
  local message = ("Timeout: Too large resource version: %d, current: %d"):format(
    rv,
    ctx.model.state.rv
  )
  local causes = {
    { reason = "ResourceVersionTooLarge", message = "Too large resource version" },
  }
  local details = { causes = data.array(causes), retryAfterSeconds = 1 }
  status.refuse(504, "Timeout", message, details, { ["retry-after"] = "1" })
end

local function read_token(text)
  local raw = base64.decode_url(text)
  local ok, token = pcall(json.decode, raw or "")
  if not ok or type(token) ~= "table" or not token.rv or not token.start then
    status.bad_request("invalid continue token: continue key is not valid: unexpected end of JSON")
  end
  return token
end

local function write_token(rv, after)
  return base64.encode_url(json.encode({ v = "meta.k8s.io/v1", rv = rv, start = after .. "\0" }))
end

--- Returns the objects that a list starts from, their version, and the key to go on after.
local function snapshot(ctx)
  local model, query = ctx.model, ctx.query
  if query["continue"] and query["continue"] ~= "" then
    local token = read_token(query["continue"])
    local objects = store.at(model, ctx.kind.id, token.rv)
    if not objects then
      local again = write_token(model.state.rv, (token.start:gsub("%z$", "")))
      status.refuse(410, "Expired", EXPIRED, nil, nil, { ["continue"] = again })
    end
    return objects, token.rv, (token.start:gsub("%z$", ""))
  end
  local rv = M.version_of(ctx, 400)
  if rv and rv > model.state.rv then
    too_large(ctx, rv)
  end
  if rv and query.resourceVersionMatch == "Exact" then
    local objects = store.at(model, ctx.kind.id, rv)
    if not objects then
      local message = ("The provided resource version is too old: %d"):format(rv)
      status.refuse(410, "Expired", message)
    end
    return objects, rv, nil
  end
  return model.state.objects[ctx.kind.id] or {}, model.state.rv, nil
end

--- Collects one page of a list.
---@param ctx plat.sim.k8s.Context
---@return table[] items, table metadata of the list
function M.page(ctx)
  local matches = M.filter(ctx)
  local objects, rv, after = snapshot(ctx)
  local limit = tonumber(ctx.query.limit) or 0
  local items, left, last = {}, 0, nil
  for key, object in pairs(objects) do
    if (not after or key > after) and matches(object) then
      if limit > 0 and #items >= limit then
        left = left + 1
      else
        items[#items + 1] = object
        last = key
      end
    end
  end
  local meta = { resourceVersion = ("%d"):format(rv) }
  if left > 0 then
    meta["continue"] = write_token(rv, last)
    local q = ctx.query
    if (q.labelSelector or "") == "" and (q.fieldSelector or "") == "" then
      meta.remainingItemCount = left
    end
  end
  return items, meta
end

--- Answers a list.
---@param ctx plat.sim.k8s.Context
---@return integer code, table body
function M.list(ctx)
  local items, meta = M.page(ctx)
  return 200, ctx:render_list(items, meta)
end

--- Answers a get.
---@param ctx plat.sim.k8s.Context
function M.get(ctx)
  local rv = M.version_of(ctx, 400)
  if rv and rv > ctx.model.state.rv then
    too_large(ctx, rv)
  end
  return 200, ctx:render(write.present(ctx))
end

--- Answers a create.
---@param ctx plat.sim.k8s.Context
function M.create(ctx)
  local object = body.object(ctx, ctx.kind.kind, ctx.kind.gv)
  if ctx.kind.kind == "SelfSubjectAccessReview" then
    object.metadata = object.metadata or {}
    object.status = { allowed = ctx.model:allows(ctx.user, object.spec or {}) }
    return 201, object
  end
  return 201, ctx:render(write.create(ctx, object))
end

--- Answers an update of an object or of its status.
---@param ctx plat.sim.k8s.Context
function M.update(ctx)
  local object = body.object(ctx, ctx.kind.kind, ctx.kind.gv)
  object.metadata = object.metadata or {}
  local name = object.metadata.name
  if not name or name == "" then
    local message = ("the name of the object (%s) does not match the name on the URL (%s)"):format(
      "",
      ctx.name
    )
    status.bad_request(name and message or "name must be provided")
  elseif name ~= ctx.name then
    status.bad_request(
      ("the name of the object (%s) does not match the name on the URL (%s)"):format(name, ctx.name)
    )
  end
  local old = write.present(ctx, object)
  if not old then -- whatever version the client saw
    object.metadata.resourceVersion = nil
    return 201, ctx:render(write.create(ctx, object))
  end
  write.check_version(ctx, object, old, true)
  return 200, ctx:render(write.update(ctx, object, old))
end

local function options_of(ctx)
  local opts, query = {}, ctx.query
  local sent = {}
  if ctx.request.body and ctx.request.body ~= "" then
    local ok, value = pcall(json.decode, ctx.request.body)
    if not ok or type(value) ~= "table" then
      status.bad_request("the body of the request is no DeleteOptions")
    end
    sent = data.without_nulls(value)
  end
  opts.grace = sent.gracePeriodSeconds or math.tointeger(tonumber(query.gracePeriodSeconds))
  opts.propagation = sent.propagationPolicy or query.propagationPolicy
  opts.preconditions = sent.preconditions or {}
  if sent.dryRun and sent.dryRun[1] == "All" then
    ctx.dry = true
  end
  return opts
end

local RETURNED = " Pod Service PersistentVolume PersistentVolumeClaim ResourceQuota ServiceAccount "
  .. "StorageClass "

local function removal_answer(ctx, object, gone)
  local kind = ctx.kind
  if not gone or RETURNED:find(" " .. kind.kind .. " ", 1, true) then
    return ctx:render(object)
  end
  local details = status.about(kind, object.metadata.name)
  details.uid = object.metadata.uid
  return {
    kind = "Status",
    apiVersion = "v1",
    metadata = {},
    status = "Success",
    details = details,
  }
end

--- Answers a delete.
---@param ctx plat.sim.k8s.Context
function M.delete(ctx)
  local opts = options_of(ctx)
  local object = write.present(ctx)
  local meta, wanted = object.metadata, opts.preconditions
  if wanted.uid and wanted.uid ~= meta.uid then
    status.precondition(ctx.kind, meta.name, "UID", wanted.uid, meta.uid)
  elseif wanted.resourceVersion and wanted.resourceVersion ~= meta.resourceVersion then
    local found = meta.resourceVersion
    status.precondition(ctx.kind, meta.name, "ResourceVersion", wanted.resourceVersion, found)
  end
  if ctx.dry then
    return 200, removal_answer(ctx, object, #(meta.finalizers or {}) == 0)
  end
  local result, gone = remove.delete(ctx.model, object, opts)
  return 200, removal_answer(ctx, result, gone)
end

--- Answers the deletion of all objects that a selector finds.
---@param ctx plat.sim.k8s.Context
function M.delete_collection(ctx)
  local opts = options_of(ctx)
  local items, meta = M.page(ctx)
  for _, object in ipairs(items) do
    if not ctx.dry then
      remove.delete(ctx.model, object, opts)
    end
  end
  return 200, ctx:render_list(items, meta)
end

return M
