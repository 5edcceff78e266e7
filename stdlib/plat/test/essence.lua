--- What remains of a simulated world when chance, time and identity are left out: two plays that
--- came to the same end have the same essence.

local json = require("plat.json")
local time = require("plat.time")

local M = {}

--- Fields that say who, when and how often, not what.
local DROP = {
  uid = true,
  resourceVersion = true,
  creationTimestamp = true,
  managedFields = true,
  containerID = true,
  podIP = true,
  podIPs = true,
  hostIP = true,
  hostIPs = true,
  nodeName = true,
  startTime = true,
  startedAt = true,
  finishedAt = true,
  lastTransitionTime = true,
  lastUpdateTime = true,
  lastProbeTime = true,
  lastScaleTime = true,
  collisionCount = true,
  generation = true,
  observedGeneration = true,
  renewTime = true,
  acquireTime = true,
  leaseTransitions = true,
  volumeName = true,
  completionTime = true,
  lastScheduleTime = true,
  lastSuccessfulTime = true,
  ["volume.kubernetes.io/selected-node"] = true,
  ["deployment.kubernetes.io/revision"] = true,
}

--- Kinds that record what happened, or where chance has put something.
local PASSING = {
  events = true,
  ["events.events.k8s.io"] = true,
  endpoints = true,
  ["endpointslices.discovery.k8s.io"] = true,
  nodes = true,
  ["csinodes.storage.k8s.io"] = true,
  persistentvolumes = true,
  ["controllerrevisions.apps"] = true,
}

local TIME = "%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%d[.%d]*Z"
local UUID = "%x%x%x%x%x%x%x%x%-%x%x%x%x%-%x%x%x%x%-%x%x%x%x%-%x%x%x%x%x%x%x%x%x%x%x%x"
local MADE = "[bcdfhjklmnpqrstvwxz2456789]"
local POD_OF_DEPLOYMENT = "%-" .. MADE:rep(8) .. MADE .. "*%-" .. MADE:rep(5) .. "$"
local POD_OF_JOB = "%-" .. MADE:rep(5) .. "$"

local function plain(value)
  if type(value) ~= "table" then
    return type(value) == "string" and (value:gsub(TIME, "TIME"):gsub(UUID, "UUID")) or value
  end
  local copy = {}
  for k, v in pairs(value) do
    if not DROP[k] then
      copy[k] = plain(v)
    end
  end
  return copy
end

--- Returns an object's name without what chance has appended to it.
local function stem(id, name)
  if id == "pods" then
    return (name:gsub(POD_OF_DEPLOYMENT, "-MADE"):gsub(POD_OF_JOB, "-MADE"))
  end
  return name
end

--- Whether somebody has a lease now; one that was not given back has expired.
local function is_held(spec, now)
  local renewed = spec.renewTime and time.parse_rfc3339(spec.renewTime) or 0
  return (spec.holderIdentity or "") ~= "" and renewed + (spec.leaseDurationSeconds or 0) > now
end

local function of_object(id, object, now)
  if id == "leases.coordination.k8s.io" then
    return { held = is_held(object.spec or {}, now) }
  elseif id == "pods" then -- which one it is does not matter, whether it works does
    local spec = object.spec or {}
    return { image = spec.containers and spec.containers[1].image, phase = object.status.phase }
  end
  return plain(object)
end

--- Returns what there is: texts by the names of the things, several of one name joined.
---@param world table
---@return table<string, string>
function M.of(world)
  world:live()
  local found = {}
  local function add(name, text)
    local list = found[name] or {}
    found[name] = list
    table.insert(list, text)
  end
  for id, objects in pairs(world.models.kubernetes.state.objects) do
    for _, object in pairs(PASSING[id] and {} or objects) do
      local meta = object.metadata
      local name = ("%s %s/%s"):format(id, meta.namespace or "", stem(id, meta.name))
      add(name, json.encode(of_object(id, object, world.now), { lossy = true }))
    end
  end
  for name in pairs(world.models.dremio.state.executors) do
    add("dremio executor " .. name, "{}")
  end
  for name, text in pairs(world.models.hosts:differences()) do
    add(name, text)
  end
  local texts = {}
  for name, list in pairs(found) do
    table.sort(list)
    texts[name] = table.concat(list, "\n")
  end
  return texts
end

local function first_difference(a, b)
  local at = 1
  while a:byte(at) == b:byte(at) do
    at = at + 1
  end
  local from = math.max(1, at - 40)
  return a:sub(from, at + 80), b:sub(from, at + 80)
end

--- Compares two essences.
---@param want table<string, string>
---@param got table<string, string>
---@return string? problem what is missing or differs
---@return string[] beside the names of what was not wanted
function M.difference(want, got)
  local lines, beside = {}, {}
  for name, text in pairs(want) do
    local other = got[name]
    if not other then
      lines[#lines + 1] = name .. " is missing"
    elseif other ~= text then
      local before, after = first_difference(text, other)
      lines[#lines + 1] = ("%s differs:\n  - ...%s\n  + ...%s"):format(name, before, after)
    end
  end
  for name in pairs(got) do
    if not want[name] then
      beside[#beside + 1] = name
    end
  end
  return #lines > 0 and table.concat(lines, "\n") or nil, beside
end

return M
