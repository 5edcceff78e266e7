--- Resource quotas: what a namespace may hold, counted and enforced.
local data = require("plat.sim.k8s.data")
local kinds = require("plat.sim.k8s.kinds")
local podinfo = require("plat.sim.k8s.podinfo")
local quantity = require("plat.sim.k8s.quantity")
local queue = require("plat.sim.k8s.queue")
local status = require("plat.sim.k8s.status")
local store = require("plat.sim.k8s.store")

local M = {}

local ID = "resourcequotas"

-- Plain counts, by the name that a quota gives them.
local COUNTED = {
  pods = "pods",
  services = "services",
  configmaps = "configmaps",
  secrets = "secrets",
  persistentvolumeclaims = "persistentvolumeclaims",
}

-- Sums over the containers of pods: name in a quota = part of their resources, name there.
local SUMMED = {
  cpu = { "requests", "cpu" },
  memory = { "requests", "memory" },
  ["requests.cpu"] = { "requests", "cpu" },
  ["requests.memory"] = { "requests", "memory" },
  ["limits.cpu"] = { "limits", "cpu" },
  ["limits.memory"] = { "limits", "memory" },
}

--- Returns what an object takes of a resource of a quota; nil if nothing by nature.
local function taken(object, name)
  local kind = kinds.of_object(object.apiVersion, object.kind)
  if COUNTED[name] == kind.id or name == "count/" .. kind.id then
    if not (kind.id == "pods" and podinfo.is_over(object)) then
      return 1
    end
  end
  if name == "requests.storage" and kind.id == "persistentvolumeclaims" then
    return quantity.value(data.get(object, "spec.resources.requests.storage")) or 0
  end
  local sum = SUMMED[name]
  if sum and kind.id == "pods" and not podinfo.is_over(object) then
    local total = 0
    for _, c in ipairs(object.spec.containers or {}) do
      local part = data.get(c, "resources." .. sum[1]) or {}
      total = total + (quantity.value(part[sum[2]]) or 0)
    end
    return total
  end
  return nil
end

local function used(model, ns, name)
  local id = COUNTED[name] or name:match("^count/(.*)$") or (SUMMED[name] and "pods")
  id = id or (name == "requests.storage" and "persistentvolumeclaims")
  local sum = 0
  for _, object in ipairs(id and store.list(model, id, ns) or {}) do
    sum = sum + (taken(object, name) or 0)
  end
  return sum
end

local function text(name, value)
  if COUNTED[name] or name:match("^count/") then
    return ("%d"):format(value)
  end
  return quantity.text(value, name:match("cpu$") ~= nil)
end

local function lists(names, values)
  local out = {}
  for i, name in ipairs(names) do
    out[i] = name .. "=" .. values[name]
  end
  return table.concat(out, ",")
end

--- Returns the containers of a pod that do not say what they need of a resource.
local function silent(object, name)
  local sum, out = SUMMED[name], {}
  for _, c in ipairs(sum and object.kind == "Pod" and object.spec.containers or {}) do
    if not (data.get(c, "resources." .. sum[1]) or {})[sum[2]] then
      out[#out + 1] = c.name
    end
  end
  return out
end

local function against(model, object, quota)
  local hard = data.get(quota, "spec.hard") or {}
  local over, asked, have, limits = {}, {}, {}, {}
  for name, limit in pairs(hard) do
    local missing = silent(object, name)
    if #missing > 0 then
      return ("failed quota: %s: must specify %s for: %s"):format(
        quota.metadata.name,
        name,
        table.concat(missing, ",")
      )
    end
    local want = taken(object, name)
    local now = want and used(model, object.metadata.namespace, name)
    if want and want > 0 and now + want > (quantity.value(limit) or 0) then
      over[#over + 1] = name
      asked[name], have[name], limits[name] = text(name, want), text(name, now), limit
    end
  end
  if #over > 0 then
    return ("exceeded quota: %s, requested: %s, used: %s, limited: %s"):format(
      quota.metadata.name,
      lists(over, asked),
      lists(over, have),
      lists(over, limits)
    )
  end
  return nil
end

--- Returns why a new object does not fit into its namespace; nil if it does.
---@param model plat.sim.K8s
---@param object table with its name and namespace
---@return string? message of the refusal
function M.refusal(model, object)
  local kind = kinds.of_object(object.apiVersion, object.kind)
  for _, quota in ipairs(store.list(model, ID, object.metadata.namespace)) do
    local why = against(model, object, quota)
    if why then
      local name = object.metadata.name or object.metadata.generateName or ""
      return ('%s "%s" is forbidden: %s'):format(kind.id, name, why)
    end
  end
  return nil
end

--- Raises 403 for a new object that does not fit.
---@param model plat.sim.K8s
---@param object table
function M.check(model, object)
  local kind = kinds.of_object(object.apiVersion, object.kind)
  local message = kind.namespaced and M.refusal(model, object)
  if message then
    status.refuse(403, "Forbidden", message, status.about(kind, object.metadata.name))
  end
end

--- Counts what the namespace of a quota holds.
---@param model plat.sim.K8s
---@param quota table
function M.sync(model, quota)
  local counts = {}
  for name in pairs(data.get(quota, "spec.hard") or {}) do
    counts[name] = text(name, used(model, quota.metadata.namespace, name))
  end
  store.edit(model, quota, function(copy)
    copy.status = { hard = data.copy(copy.spec.hard), used = counts }
  end)
end

--- Has the quotas of a namespace looked at again.
---@param model plat.sim.K8s
---@param ns string?
function M.notice(model, ns)
  for _, quota in ipairs(store.list(model, ID, ns)) do
    local meta = quota.metadata
    local args = { id = ID, ns = meta.namespace, name = meta.name }
    queue.add(model, 0.05, "sync", ID .. " " .. meta.namespace .. "/" .. meta.name, args)
  end
end

return M
