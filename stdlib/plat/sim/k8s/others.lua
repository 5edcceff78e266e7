--- What other people and programs do to the objects of a cluster, for faults.

local data = require("plat.sim.k8s.data")
local kinds = require("plat.sim.k8s.kinds")
local store = require("plat.sim.k8s.store")

local M = {}

local MANAGED = "app.kubernetes.io/managed-by"

local function is_held(lease, name)
  local holder = data.get(lease, "spec.holderIdentity")
  local ours = (lease.metadata.labels or {})[MANAGED] == "platrun"
  return holder and holder ~= "" and ours and (not name or lease.metadata.name == name)
end

--- Returns the leases that platrun holds, all or those of a name.
---@param model plat.sim.K8s
---@param name? string
---@return table[]
function M.held(model, name)
  local out = {}
  for _, lease in ipairs(store.list(model, "leases.coordination.k8s.io")) do
    if is_held(lease, name) then
      out[#out + 1] = lease
    end
  end
  return out
end

--- Somebody else takes the leases that platrun holds.
---@param model plat.sim.K8s
---@param name? string only this one
function M.steal(model, name)
  for _, lease in ipairs(M.held(model, name)) do
    store.edit(model, lease, function(copy)
      local now = store.stamp(model):gsub("Z$", ".000000Z")
      copy.spec.holderIdentity = "thief/somebody-else/1"
      copy.spec.acquireTime, copy.spec.renewTime = now, now
      copy.spec.leaseTransitions = (copy.spec.leaseTransitions or 0) + 1
    end)
  end
end

--- Finds the object that a path of the API names, with or without a subresource.
---@param model plat.sim.K8s
---@param url string
---@return table?
function M.find(model, url)
  local path = (url:match("^%a+://[^/?]*(.*)$") or url):match("^[^?]*")
  local gv, rest = path:match("^/api/(v1)/(.+)$")
  if not gv then
    gv, rest = path:match("^/apis/([^/]+/[^/]+)/(.+)$")
  end
  if not gv then
    return nil
  end
  local ns, plural, name = rest:match("^namespaces/([^/]+)/([^/]+)/([^/]+)")
  if not ns then
    plural, name = rest:match("^([^/]+)/([^/]+)")
  end
  local kind = plural and kinds.of_path(gv, plural)
  return kind and store.get(model, kind.id, ns, name)
end

--- Another operator changes an object: its replicas, or one of its annotations.
---@param model plat.sim.K8s
---@param url string of the object
---@param replicas? integer
function M.meddle(model, url, replicas)
  local object = M.find(model, url)
  if not object then
    error("no such object: " .. tostring(url), 0)
  end
  store.edit(model, object, function(copy)
    if replicas and data.get(copy, "spec.replicas") then
      copy.spec.replicas = replicas
    else
      local notes = copy.metadata.annotations or {}
      notes["example.com/changed-by"] = "second operator, " .. store.stamp(model)
      copy.metadata.annotations = notes
    end
  end)
end

return M
