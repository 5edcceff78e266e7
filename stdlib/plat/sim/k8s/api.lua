--- From a request to a verb: paths, negotiation, options, errors.
local data = require("plat.sim.k8s.data")
local discovery = require("plat.sim.k8s.discovery")
local evict = require("plat.sim.k8s.evict")
local json = require("plat.json")
local kinds = require("plat.sim.k8s.kinds")
local logs = require("plat.sim.k8s.logs")
local patch = require("plat.sim.k8s.patch")
local scale = require("plat.sim.k8s.scale")
local status = require("plat.sim.k8s.status")
local tables = require("plat.sim.k8s.tables")
local verbs = require("plat.sim.k8s.verbs")
local watch = require("plat.sim.k8s.watch")

local M = {}

---@class plat.sim.k8s.Context one request on its way
---@field model plat.sim.K8s
---@field request table
---@field query table<string, string>
---@field kind plat.sim.k8s.Kind
---@field ns string?
---@field name string?
---@field sub string?
---@field user string
---@field dry boolean
---@field manager string field manager of the request
---@field form "json"|"table"|"partial"
---@field warnings string[]
local Context = {}
Context.__index = Context

--- Returns an object in the form that the client asked for.
---@param object table
---@return table
function Context:render(object)
  if self.form == "table" then
    local meta = { resourceVersion = object.metadata.resourceVersion }
    return tables.of(self, { object }, meta)
  elseif self.form == "partial" then
    return {
      kind = "PartialObjectMetadata",
      apiVersion = "meta.k8s.io/v1",
      metadata = object.metadata,
    }
  end
  return object
end

--- Returns a list in the form that the client asked for.
---@param items table[]
---@param meta table
---@return table
function Context:render_list(items, meta)
  if self.form == "table" then
    return tables.of(self, items, meta)
  end
  local out = {}
  for i, object in ipairs(items) do
    if self.form == "partial" then
      out[i] = self:render(object)
    else
      local copy = {}
      for key, value in pairs(object) do
        copy[key] = value
      end
      copy.kind, copy.apiVersion = nil, nil
      out[i] = copy
    end
  end
  local partial = self.form == "partial"
  return {
    kind = partial and "PartialObjectMetadataList" or self.kind.kind .. "List",
    apiVersion = partial and "meta.k8s.io/v1" or self.kind.gv,
    metadata = meta,
    items = data.array(out),
  }
end

local NOT_ACCEPTABLE = "406: Not Acceptable\n\nAvailable representations: application/json, "
  .. "application/yaml, application/vnd.kubernetes.protobuf, application/json;stream=watch, "
  .. "application/vnd.kubernetes.protobuf;stream=watch"

--- Chooses what to answer from an Accept header.
local function negotiate(accept)
  if not accept or accept == "" then
    return "json"
  end
  for offer in accept:gmatch("[^,]+") do
    local media = offer:match("^%s*([^;%s]+)")
    local as = offer:match(";%s*as=(%w+)")
    if media == "application/json" or media == "*/*" or media == "application/*" then
      if not as then
        return "json"
      elseif as == "Table" then
        return "table"
      elseif as:match("^PartialObjectMetadata") then
        return "partial"
      end
    end
  end
  status.refuse(406, "NotAcceptable", NOT_ACCEPTABLE, {})
end

local OPTIONS = { POST = "CreateOptions", PUT = "UpdateOptions", PATCH = "PatchOptions" }

local function check_options(ctx)
  local dry = ctx.query.dryRun
  local options = OPTIONS[ctx.request.method] or "DeleteOptions"
  if dry and dry ~= "" and dry ~= "All" then
    local message = ('Unsupported value: ["%s"]: supported values: "All"'):format(dry)
    local list = { status.cause("NotSupported", "dryRun", message) }
    status.invalid("meta.k8s.io", options, "", list)
  end
  ctx.dry = dry == "All"
  local validation = ctx.query.fieldValidation
  if validation and not ("||Ignore|Warn|Strict|"):find("|" .. validation .. "|", 1, true) then
    local message = 'Unsupported value: "%s": supported values: "", "Ignore", "Strict", "Warn"'
    local list = { status.cause("NotSupported", "fieldValidation", message:format(validation)) }
    status.invalid("meta.k8s.io", options, "", list)
  end
end

local function split(path)
  local parts = {}
  for part in path:gmatch("[^/]+") do
    parts[#parts + 1] = part
  end
  return parts
end

--- Takes "/api/v1/..." or "/apis/GROUP/VERSION/..." apart.
local function locate(ctx, path)
  local parts = split(path)
  local gv, at
  if parts[1] == "api" then
    gv, at = parts[2], 3
  else
    gv, at = (parts[2] or "") .. "/" .. (parts[3] or ""), 4
  end
  if not kinds.has_group(gv) then
    return false
  end
  if
    parts[at] == "namespaces"
    and parts[at + 2]
    and parts[at + 2] ~= "status"
    and parts[at + 2] ~= "finalize"
  then
    ctx.ns = parts[at + 1]
    at = at + 2
  end
  ctx.kind = kinds.of_path(gv, parts[at] or "")
  ctx.name, ctx.sub = parts[at + 1], parts[at + 2]
  if not ctx.kind or (ctx.sub and not kinds.has_sub(ctx.kind, ctx.sub)) or parts[at + 3] then
    status.no_resource()
  end
  return true
end

local function on_subresource(ctx)
  local method, sub = ctx.request.method, ctx.sub
  if sub == "scale" then
    return scale.serve(ctx)
  elseif sub == "log" and method == "GET" then
    return logs.serve(ctx)
  elseif sub == "eviction" and method == "POST" then
    return evict.serve(ctx)
  elseif sub == "status" then
    if method == "GET" then
      return verbs.get(ctx)
    elseif method == "PUT" then
      return verbs.update(ctx)
    elseif method == "PATCH" then
      return patch.serve(ctx)
    end
  end
  status.bad_method()
end

local ONE = { GET = verbs.get, PUT = verbs.update, PATCH = patch.serve, DELETE = verbs.delete }
local ALL = { GET = verbs.list, POST = verbs.create, DELETE = verbs.delete_collection }

local function is_watch(ctx)
  local flag = ctx.query.watch
  return ctx.request.method == "GET" and (flag == "true" or flag == "1" or flag == "")
end

local function verb_of(ctx)
  local method = ctx.request.method
  if is_watch(ctx) then
    return "watch"
  elseif method == "GET" then
    return ctx.name and "get" or "list"
  elseif method == "DELETE" then
    return ctx.name and "delete" or "deletecollection"
  end
  return ({ POST = "create", PUT = "update", PATCH = "patch" })[method] or method:lower()
end

local function authorize(ctx)
  local verb = verb_of(ctx)
  local sub = ctx.sub and "/" .. ctx.sub or ""
  local kind = ctx.kind
  local attributes = {
    verb = verb,
    group = kind.group,
    resource = kind.plural .. sub,
    namespace = ctx.ns,
    name = ctx.name,
  }
  if ctx.model:allows(ctx.user, { resourceAttributes = attributes }) then
    return
  end
  local subject = kind.id .. (ctx.name and (' "%s"'):format(ctx.name) or "")
  local message = ('%s is forbidden: User "%s" cannot %s resource "%s%s" in API group "%s"'):format(
    subject,
    ctx.user,
    verb,
    kind.plural,
    sub,
    kind.group
  ) .. (ctx.ns and (' in the namespace "%s"'):format(ctx.ns) or " at the cluster scope")
  status.refuse(403, "Forbidden", message, status.about(kind, ctx.name))
end

local function dispatch(ctx)
  authorize(ctx)
  ctx.warnings[1] = ctx.kind.deprecated
  if ctx.sub then
    check_options(ctx)
    return on_subresource(ctx)
  end
  local namespaced = ctx.kind.namespaced
  if is_watch(ctx) then
    return watch.serve(ctx)
  end
  local handler = (ctx.name and ONE or ALL)[ctx.request.method]
  if
    not handler or (not ctx.name and ctx.kind.verbs[2] == nil and ctx.request.method ~= "POST")
  then
    status.bad_method()
  elseif namespaced and not ctx.ns and (ctx.name or ctx.request.method ~= "GET") then
    status.bad_method()
  end
  if ctx.request.method ~= "GET" then
    check_options(ctx)
  end
  return handler(ctx)
end

local function user_agent(request)
  local agent = request.headers["user-agent"] or "unknown"
  return agent:match("^[^/%s]+") or "unknown"
end

--- Serves one request; raises a Refusal for what the API refuses.
---@param model plat.sim.K8s
---@param request table
---@param user string
---@return integer code
---@return table|string body or a stream
---@return table headers
function M.serve(model, request, user)
  local code, answer, headers = discovery.serve(model, request)
  if code then
    return code, answer, headers
  end
  local path = request.path
  local ctx = setmetatable({
    model = model,
    request = request,
    query = request.query or {},
    user = user,
    warnings = {},
    dry = false,
    manager = user_agent(request),
  }, Context)
  if ctx.query.fieldManager and ctx.query.fieldManager ~= "" then
    ctx.manager = ctx.query.fieldManager
  end
  local prefix = path:match("^/(apis?)/")
  if not prefix or not locate(ctx, path) then
    return 404, "404 page not found\n", { ["content-type"] = "text/plain; charset=utf-8" }
  end
  if #(request.body or "") > 3145728 then
    local message = "Request entity too large: limit is 3145728"
    local close = { connection = "close" }
    status.refuse(413, "RequestEntityTooLarge", message, nil, close)
  end
  ctx.form = ctx.sub == "log" and "json" or negotiate(request.headers.accept)
  code, answer, headers = dispatch(ctx)
  headers = headers or {}
  for i, text in ipairs(ctx.warnings) do
    local line = ('299 - "%s"'):format((text:gsub('["\\]', "\\%0")))
    headers.warning = i > 1 and headers.warning .. ", " .. line or line
  end
  return code, answer, headers
end

--- Makes the response of an answer.
---@param code integer
---@param answer table|string
---@param headers table
---@return table response
function M.respond(code, answer, headers)
  headers["cache-control"] = headers["cache-control"] or "no-cache, private"
  if type(answer) == "table" and answer.read then
    headers["content-type"] = headers["content-type"] or "application/json"
    return { status = code, headers = headers, stream = answer }
  end
  if type(answer) == "table" then
    headers["content-type"] = headers["content-type"] or "application/json"
    answer = json.encode(answer) .. "\n"
  end
  return { status = code, headers = headers, body = answer }
end

return M
