--- The scale subresource of deployments, replica sets and stateful sets.
local body = require("plat.sim.k8s.body")
local data = require("plat.sim.k8s.data")
local managed = require("plat.sim.k8s.managed")
local patch = require("plat.sim.k8s.patch")
local select = require("plat.sim.k8s.select")
local status = require("plat.sim.k8s.status")
local write = require("plat.sim.k8s.write")

local M = {}

--- Returns the Scale of a stored object.
---@param object table
---@return table
function M.of(object)
  local meta = object.metadata
  local replicas = object.spec.replicas or 1
  return {
    kind = "Scale",
    apiVersion = "autoscaling/v1",
    metadata = {
      name = meta.name,
      namespace = meta.namespace,
      uid = meta.uid,
      resourceVersion = meta.resourceVersion,
      creationTimestamp = meta.creationTimestamp,
    },
    spec = { replicas = replicas ~= 0 and replicas or nil },
    status = {
      replicas = data.get(object, "status.replicas") or 0,
      selector = select.text(object.spec.selector),
    },
  }
end

--- Stores the number that a Scale asks for.
local function set(ctx, scale, old)
  scale.metadata = scale.metadata or {}
  local replicas = (scale.spec or {}).replicas or 0
  if replicas < 0 then
    local message = ("Invalid value: %d: must be greater than or equal to 0"):format(replicas)
    local list = { status.cause("Invalid", "spec.replicas", message) }
    status.invalid("autoscaling", "Scale", ctx.name, list)
  end
  write.check_version(ctx, scale, old, false)
  local changed = data.copy(old)
  changed.spec.replicas = replicas
  local applied = body.media(ctx.request) == "application/apply-patch+yaml"
  managed.scale(ctx, old, changed, applied)
  return 200, M.of(write.commit(ctx, changed, old))
end

--- Answers the subresource.
---@param ctx plat.sim.k8s.Context
function M.serve(ctx)
  local method = ctx.request.method
  local old = write.present(ctx)
  if method == "GET" then
    return 200, M.of(old)
  elseif method == "PUT" then
    local scale = body.object(ctx, "Scale", "autoscaling/v1")
    local name = data.get(scale, "metadata.name")
    if name and name ~= ctx.name then
      status.bad_request(
        ("the name of the object (%s) does not match the name on the URL (%s)"):format(
          name,
          ctx.name
        )
      )
    end
    return set(ctx, scale, old)
  elseif method == "PATCH" then
    local scale = patch.result(ctx, M.of(old), "Scale", "autoscaling/v1")
    return set(ctx, scale, old)
  end
  status.bad_method()
end

return M
