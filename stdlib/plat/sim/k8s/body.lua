--- Request bodies: JSON or YAML text to objects of a kind, with the decoder's errors.
local data = require("plat.sim.k8s.data")
local kinds = require("plat.sim.k8s.kinds")
local json = require("plat.json")
local schema = require("plat.sim.k8s.schema")
local status = require("plat.sim.k8s.status")

local M = {}

M.LIMIT = 3 * 1024 * 1024

--- Returns the media type of a request's body without parameters.
---@param request table
---@return string
function M.media(request)
  local header = request.headers["content-type"] or "application/json"
  return header:match("^%s*([^;%s]*)"):lower()
end

--- Decodes text that may be YAML; nil and a message if it is neither.
---@param text string
---@return any value, string? message
function M.yaml(text)
  if text:match("^%s*[{%[]") then
    local ok, value = pcall(json.decode, text)
    if ok then
      return value
    end
  end
  local found, yaml = pcall(require, "plat.yaml")
  if not found then
    return nil, "yaml is not available here"
  end
  local ok, documents = pcall(yaml.decode, text, { dialect = "kubernetes", name = "body" })
  if not ok then
    return nil, "error converting YAML to JSON: " .. tostring(documents.msg or documents)
  end
  return documents[1]
end

local function first_line(message)
  return tostring(message):match("^[^\n]*")
end

local function parse(request, kind_name)
  local text = request.body or ""
  local media = M.media(request)
  if media == "application/yaml" then
    local value, message = M.yaml(text)
    if value == nil then
      status.bad_request(first_line(message))
    end
    return value
  elseif media ~= "application/json" and media ~= "" then
    status.refuse(
      415,
      "UnsupportedMediaType",
      "the body of the request was in an unknown format - accepted media types include: "
        .. "application/json, application/yaml, application/vnd.kubernetes.protobuf"
    )
  end
  local ok, value = pcall(json.decode, text)
  if not ok or type(value) ~= "table" then
    status.bad_request(
      (
        "the object provided is unrecognized (must be of type %s): couldn't get version/kind; "
        .. "json parse error: %s (%s)"
      ):format(kind_name, "unexpected end of JSON input", text)
    )
  end
  return value
end

--- Raises the 422 of a patch whose result has unknown fields: it shows that result.
local function refuse_patch(object, message)
  local text = ("Invalid value: %s: %s"):format(json.encode(json.encode(object)), message)
  local causes = { status.cause("Invalid", "patch", text) }
  local details = { causes = data.array(causes) }
  status.refuse(422, "Invalid", ' "" is invalid: patch: ' .. text, details)
end

--- Checks an object against its type: raises 400 for wrong types and, if strict, unknown fields.
--- Unknown fields are dropped; a warning is left in `warnings` if wanted.
---@param kind_name string
---@param object table changed in place
---@param gv string
---@param validation string? "Strict", "Warn" (default), "Ignore"
---@param warnings string[]
---@param patched? boolean the object is the result of a patch
function M.check(kind_name, object, gv, validation, warnings, patched)
  local version = gv:match("([^/]*)$")
  local prefix = ('%s in version "%s" cannot be handled as a %s: '):format(
    kind_name,
    version,
    kind_name
  )
  local found = schema.check(kind_name, object)
  if found.wrong then
    status.bad_request(prefix .. found.wrong)
  end
  if #found.unknown > 0 then
    local list = {}
    for i, path in ipairs(found.unknown) do
      list[i] = ('unknown field "%s"'):format(path)
    end
    if validation == "Strict" then
      local message = "strict decoding error: " .. table.concat(list, ", ")
      if patched then
        refuse_patch(object, message)
      end
      status.bad_request(prefix .. message)
    end
    for _, path in ipairs(found.unknown) do
      M.drop(object, path)
    end
    if validation ~= "Ignore" then
      for _, text in ipairs(list) do
        warnings[#warnings + 1] = text
      end
    end
  end
end

--- Removes the field at a path as `schema.check` writes them.
---@param object table
---@param path string "spec.containers[0].nope"
function M.drop(object, path)
  local at, last = object, nil
  for key, index in path:gmatch("([^.%[%]]+)%[?(%d*)%]?") do
    if last then
      at = at[last]
    end
    if index ~= "" then
      at = at[key]
      last = tonumber(index) + 1
    else
      last = key
    end
  end
  at[last] = nil
end

--- Reads the object of a create or update.
---@param ctx plat.sim.k8s.Context
---@param kind_name string the kind that the path wants
---@param gv string its group version
---@return table object
function M.object(ctx, kind_name, gv)
  local object = parse(ctx.request, kind_name)
  if data.is_list(object) then
    status.bad_request("the object provided is unrecognized (must be of type " .. kind_name .. ")")
  end
  data.without_nulls(object)
  local version = gv:match("([^/]*)$")
  if object.kind and object.kind ~= kind_name then
    status.bad_request(
      (
        '%s in version "%s" cannot be handled as a %s: converting (%s.%s) to (%s.%s): '
        .. "unknown conversion"
      ):format(
        object.kind,
        version,
        kind_name,
        "v1",
        object.kind,
        ctx.kind and ctx.kind.group ~= "" and ctx.kind.group:match("^[^.]*") or "core",
        kind_name
      )
    )
  end
  local other = object.apiVersion and object.apiVersion ~= gv
  if other and not kinds.of_object(object.apiVersion, kind_name) then
    status.bad_request(
      (
        '%s in version "%s" cannot be handled as a %s: no kind "%s" is registered for version "%s" '
        .. 'in scheme "pkg/runtime/scheme.go:110"'
      ):format(
        kind_name,
        object.apiVersion:match("([^/]*)$"),
        kind_name,
        kind_name,
        object.apiVersion
      )
    )
  elseif other then
    status.bad_request(
      ("the API version in the data (%s) does not match the expected API version (%s)"):format(
        object.apiVersion,
        gv
      )
    )
  end
  object.kind, object.apiVersion = kind_name, gv
  M.check(kind_name, object, gv, ctx.query.fieldValidation, ctx.warnings)
  return object
end

return M
