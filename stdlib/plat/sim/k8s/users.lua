--- Who may do what: tokens, impersonation, and rights of users that are no administrators.
local status = require("plat.sim.k8s.status")

local M = {}

M.ADMIN = "kubernetes-admin"

--- Returns the user of a request; raises 401 for a token that nobody has. A request without one
--- comes from the administrator, whom the door knows by certificate.
---@param model plat.sim.K8s
---@param request table
---@return string user
function M.of(model, request)
  local user = M.ADMIN
  local header = request.headers.authorization
  if header then
    local token = header:match("^[Bb]earer%s+(.+)$")
    user = token and model.state.tokens[token]
    if not user then
      status.refuse(401, "Unauthorized", "Unauthorized")
    end
  end
  return request.headers["impersonate-user"] or user
end

local function has(list, wanted)
  for _, item in ipairs(list) do
    if item == "*" or item == wanted then
      return true
    end
  end
  return false
end

--- Says whether a user may do what an access review describes. Users that the state does not
--- know, other than the administrator, may do nothing.
---@param model plat.sim.K8s
---@param user string
---@param spec table with `resourceAttributes`
---@return boolean
function M.allows(model, user, spec)
  if user == M.ADMIN then
    return true
  end
  local wanted = spec.resourceAttributes or {}
  if wanted.resource == "selfsubjectaccessreviews" then
    return true
  end
  for _, rule in ipairs(model.state.users[user] or {}) do
    local there = not rule.namespace or rule.namespace == wanted.namespace
    if there and has(rule.verbs, wanted.verb) and has(rule.resources, wanted.resource) then
      return true
    end
  end
  return false
end

return M
