--- Errors of the Kubernetes API: Status objects with the server's reasons and messages.
local data = require("plat.sim.k8s.data")

local M = {}

local Refusal = { __name = "plat.sim.k8s.Refusal" }
Refusal.__tostring = function(self)
  return self.status.message
end

--- Raises an answer of the API that is not success.
---@param code integer
---@param reason string?
---@param message string
---@param details table? defaults to none
---@param headers table? more headers of the response
---@param meta table? metadata of the status
function M.refuse(code, reason, message, details, headers, meta)
  local status = {
    kind = "Status",
    apiVersion = "v1",
    metadata = meta or {},
    status = "Failure",
    message = message,
    reason = reason,
    details = details,
    code = code,
  }
  error(setmetatable({ status = status, headers = headers }, Refusal), 0)
end

--- Says whether a raised value is an answer of the API.
---@param e any
---@return boolean
function M.is_refusal(e)
  return getmetatable(e) == Refusal
end

--- Returns `details` naming an object, the group left out when it is the core group.
---@param kind plat.sim.k8s.Kind
---@param name string?
---@return table
function M.about(kind, name)
  return { name = name, group = kind.group ~= "" and kind.group or nil, kind = kind.plural }
end

--- Raises 404 for an object.
---@param kind plat.sim.k8s.Kind
---@param name string
function M.not_found(kind, name)
  M.refuse(404, "NotFound", ("%s %q not found"):format(kind.id, name), M.about(kind, name))
end

--- Raises 404 for a path that is served by nothing under a known group.
function M.no_resource()
  local message = "the server could not find the requested resource"
  M.refuse(404, "NotFound", message, {})
end

--- Raises 405.
function M.bad_method()
  local message = "the server does not allow this method on the requested resource"
  M.refuse(405, "MethodNotAllowed", message, {})
end

--- Raises 400.
---@param message string
function M.bad_request(message)
  M.refuse(400, "BadRequest", message)
end

--- Raises 415 as the patch handler does.
function M.bad_media()
  M.refuse(415, "UnsupportedMediaType", "415: Unsupported Media Type", {})
end

--- Raises the 409 of a stale resourceVersion.
---@param kind plat.sim.k8s.Kind
---@param name string
function M.stale(kind, name)
  local message = ("Operation cannot be fulfilled on %s %q: the object has been modified; "):format(
    kind.id,
    name
  ) .. "please apply your changes to the latest version and try again"
  M.refuse(409, "Conflict", message, M.about(kind, name))
end

--- Raises the 409 of a precondition (its details name the kind, not the resource).
---@param kind plat.sim.k8s.Kind
---@param name string
---@param what string "UID" or "ResourceVersion"
---@param wanted string
---@param found string
function M.precondition(kind, name, what, wanted, found)
  local subject = kind.kind .. (kind.group ~= "" and "." .. kind.group or "")
  local message = (
    "Operation cannot be fulfilled on %s %q: the %s in the precondition (%s) does "
    .. "not match the %s in record (%s). The object might have been %s"
  ):format(
    subject,
    name,
    what,
    wanted,
    what,
    found,
    what == "UID" and "deleted and then recreated" or "modified"
  )
  local details = { name = name, group = kind.group ~= "" and kind.group or nil, kind = kind.kind }
  M.refuse(409, "Conflict", message, details)
end

--- Raises the 409 of a create.
---@param kind plat.sim.k8s.Kind
---@param name string
function M.already_exists(kind, name)
  local message = ("%s %q already exists"):format(kind.id, name)
  M.refuse(409, "AlreadyExists", message, M.about(kind, name))
end

--- Makes one cause of an invalid object.
---@param reason string "Invalid", "Required", "NotSupported", "Forbidden", "TypeInvalid"
---@param field string
---@param message string
---@return table
function M.cause(reason, field, message)
  return { reason = "FieldValue" .. reason, message = message, field = field }
end

--- Raises 422 with causes, as the server words it.
---@param group string
---@param kind string
---@param name string
---@param causes table[]
function M.invalid(group, kind, name, causes)
  local parts, said = {}, {}
  for _, cause in ipairs(causes) do
    local text = cause.field .. ": " .. cause.message
    if not said[text] then
      parts[#parts + 1] = text
      said[text] = true
    end
  end
  local text = parts[1]
  if #parts > 1 then
    text = "[" .. table.concat(parts, ", ") .. "]"
  end
  local subject = kind .. (group ~= "" and "." .. group or "")
  local message = ('%s "%s" is invalid: %s'):format(subject, name, text)
  M.refuse(422, "Invalid", message, {
    name = name ~= "" and name or nil,
    group = group ~= "" and group or nil,
    kind = kind,
    causes = data.array(causes),
  })
end

return M
