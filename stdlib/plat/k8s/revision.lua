--- Which pods belong to the newest revision of a workload: old ones must not fail a rollout that
--- replaces them. Pure.
local list = require("plat.list")

local M = {}

--- Returns the text of a label selector object (matchLabels, matchExpressions), nil for none.
---@param selector? table
---@return string?
function M.selector(selector)
  if type(selector) ~= "table" then
    return nil
  end
  local parts = {}
  for name, value in pairs(type(selector.matchLabels) == "table" and selector.matchLabels or {}) do
    parts[#parts + 1] = name .. "=" .. value
  end
  for _, item in
    ipairs(type(selector.matchExpressions) == "table" and selector.matchExpressions or {})
  do
    local values = table.concat(item.values or {}, ",")
    if item.operator == "In" then
      parts[#parts + 1] = ("%s in (%s)"):format(item.key, values)
    elseif item.operator == "NotIn" then
      parts[#parts + 1] = ("%s notin (%s)"):format(item.key, values)
    elseif item.operator == "Exists" then
      parts[#parts + 1] = item.key
    elseif item.operator == "DoesNotExist" then
      parts[#parts + 1] = "!" .. item.key
    end
  end
  return #parts > 0 and table.concat(parts, ",") or nil
end

--- Returns the uid of the controller that owns an object, or nil.
---@param object table
---@return string?
function M.owner_uid(object)
  for _, owner in ipairs(list.get(object, "metadata.ownerReferences") or {}) do
    if owner.controller then
      return owner.uid
    end
  end
  return nil
end

local function revision_number(object)
  local notes = object.metadata.annotations
  return notes and tonumber(notes["deployment.kubernetes.io/revision"]) or 0
end

--- Returns the ReplicaSet of a Deployment's newest revision, or nil.
---@param object table the Deployment
---@param replica_sets table[]
---@return table?
function M.newest_replica_set(object, replica_sets)
  local best
  for _, set in ipairs(replica_sets) do
    local mine = M.owner_uid(set) == object.metadata.uid
    if mine and (not best or revision_number(set) > revision_number(best)) then
      best = set
    end
  end
  return best
end

local function owned(pods, uid)
  return list.where(pods, function(pod)
    return M.owner_uid(pod) == uid
  end)
end

local function of_daemon_set(object, pods)
  local notes = object.metadata.annotations or {}
  local generation = notes["deprecated.daemonset.template.generation"]
  local mine = owned(pods, object.metadata.uid)
  if not generation or list.get(object, "spec.updateStrategy.type") == "OnDelete" then
    return mine
  end
  return list.where(mine, function(pod)
    local label = (pod.metadata.labels or {})["pod-template-generation"]
    return label == nil or label == generation
  end)
end

--- Returns the pods whose trouble is the workload's own: those of the newest revision of a
--- Deployment or DaemonSet, all of a StatefulSet, a Job or a ReplicaSet, and a pod itself.
---@param res plat.k8s.Resource
---@param object table
---@param pods table[]
---@param replica_sets table[]
---@return table[]
function M.current(res, object, pods, replica_sets)
  if res.kind == "Pod" then
    return pods
  elseif res.kind == "Deployment" then
    local newest = M.newest_replica_set(object, replica_sets)
    return newest and owned(pods, newest.metadata.uid) or {}
  elseif res.kind == "DaemonSet" then
    return of_daemon_set(object, pods)
  end
  return owned(pods, object.metadata.uid)
end

return M
