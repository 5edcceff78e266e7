--- PATCH: merge, JSON and strategic patches, and server-side apply.
local apply = require("plat.sim.k8s.apply")
local body = require("plat.sim.k8s.body")
local data = require("plat.sim.k8s.data")
local json = require("plat.json")
local pointer = require("plat.sim.k8s.pointer")
local schema = require("plat.sim.k8s.schema")
local status = require("plat.sim.k8s.status")
local strategic = require("plat.sim.k8s.strategic")
local write = require("plat.sim.k8s.write")

local M = {}

local function decode(ctx)
  local ok, value = pcall(json.decode, ctx.request.body or "")
  if not ok or type(value) ~= "table" then
    status.bad_request("error decoding patch: unexpected end of JSON input")
  end
  return value
end

--- Merges by RFC 7386; returns the new value.
---@param target any
---@param patch any
---@return any
function M.merge(target, patch)
  if not data.is_map(patch) then
    return data.copy(patch)
  end
  local out = data.is_map(target) and target or {}
  for key, value in pairs(patch) do
    if value == json.null then
      out[key] = nil
    else
      out[key] = M.merge(out[key], value)
    end
  end
  return out
end

local FORMS = {}

FORMS["application/merge-patch+json"] = function(ctx, target)
  return M.merge(target, decode(ctx))
end

FORMS["application/json-patch+json"] = function(ctx, target)
  return pointer.apply(target, decode(ctx))
end

FORMS["application/strategic-merge-patch+json"] = function(ctx, target, kind_name)
  return strategic.merge(schema.root(kind_name), target, decode(ctx))
end

local function check_force(ctx)
  if ctx.query.force ~= nil then
    local message = "Forbidden: may not be specified for non-apply patch"
    local list = { status.cause("Forbidden", "force", message) }
    status.invalid("meta.k8s.io", "PatchOptions", "", list)
  end
end

--- Returns a copy of an object changed as the request's patch says.
---@param ctx plat.sim.k8s.Context
---@param object table
---@param kind_name string its kind in the schema
---@param gv string
---@return table
function M.result(ctx, object, kind_name, gv)
  local media = body.media(ctx.request)
  if media == "application/apply-patch+yaml" then
    return apply.read(ctx, kind_name, gv)
  end
  local form = FORMS[media]
  if not form then
    status.bad_media()
  end
  check_force(ctx)
  local changed = form(ctx, data.copy(object), kind_name)
  data.without_nulls(changed)
  body.check(kind_name, changed, gv, ctx.query.fieldValidation, ctx.warnings, true)
  return changed
end

--- Answers a patch of an object or of its status.
---@param ctx plat.sim.k8s.Context
function M.serve(ctx)
  local media = body.media(ctx.request)
  if media == "application/apply-patch+yaml" then
    return apply.serve(ctx)
  elseif not FORMS[media] then
    status.bad_media()
  end
  check_force(ctx)
  local old = write.present(ctx)
  local changed = M.result(ctx, old, ctx.kind.kind, ctx.kind.gv)
  local meta = changed.metadata or {}
  changed.metadata = meta
  if meta.name ~= ctx.name then
    status.bad_request(
      ("the name of the object (%s) does not match the name on the URL (%s)"):format(
        meta.name or "",
        ctx.name
      )
    )
  end
  write.check_version(ctx, changed, old, false)
  return 200, ctx:render(write.update(ctx, changed, old))
end

return M
