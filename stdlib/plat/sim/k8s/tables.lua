--- Tables: lists and objects in the form that kubectl prints.
local cells = require("plat.sim.k8s.cells")
local data = require("plat.sim.k8s.data")
local json = require("plat.json")

local M = {}

-- Columns by kind; `#` marks an integer, `+` one that only `-o wide` shows.
local COLUMNS = {
  Pod = "Name|Ready|Status|Restarts|Age|+IP|+Node|+Nominated Node|+Readiness Gates",
  Node = "Name|Status|Roles|Age|Version|+Internal-IP|+External-IP|+OS-Image|+Kernel-Version|"
    .. "+Container-Runtime",
  Namespace = "Name|Status|Age",
  Service = "Name|Type|Cluster-IP|External-IP|Port(s)|Age|+Selector",
  ConfigMap = "Name|Data|Age",
  Secret = "Name|Type|Data|Age",
  Event = "Last Seen|Type|Reason|Object|+Subobject|+Source|Message|+First Seen|+Count|+Name",
  PersistentVolumeClaim = "Name|Status|Volume|Capacity|Access Modes|StorageClass|"
    .. "VolumeAttributesClass|Age|+VolumeMode",
  PersistentVolume = "Name|Capacity|Access Modes|Reclaim Policy|Status|Claim|StorageClass|"
    .. "VolumeAttributesClass|Reason|Age|+VolumeMode",
  Endpoints = "Name|Endpoints|Age",
  ServiceAccount = "Name|Secrets|Age",
  Deployment = "Name|Ready|Up-to-date|Available|Age|+Containers|+Images|+Selector",
  ReplicaSet = "Name|#Desired|#Current|#Ready|Age|+Containers|+Images|+Selector",
  StatefulSet = "Name|Ready|Age|+Containers|+Images",
  DaemonSet = "Name|#Desired|#Current|#Ready|#Up-to-date|#Available|Node Selector|Age|"
    .. "+Containers|+Images|+Selector",
  ControllerRevision = "Name|Controller|Revision|Age",
  CronJob = "Name|Schedule|Timezone|Suspend|#Active|Last Schedule|Age|+Containers|+Images|"
    .. "+Selector",
  Job = "Name|Status|Completions|Duration|Age|+Containers|+Images|+Selector",
  HorizontalPodAutoscaler = "Name|Reference|Targets|MinPods|MaxPods|Replicas|Age",
  PodDisruptionBudget = "Name|Min Available|Max Unavailable|#Allowed Disruptions|Age",
  Ingress = "Name|Class|Hosts|Address|Ports|Age",
  NetworkPolicy = "Name|Pod-Selector|Age",
  Lease = "Name|Holder|Age",
  StorageClass = "Name|Provisioner|ReclaimPolicy|VolumeBindingMode|AllowVolumeExpansion|Age",
}

local function definitions(kind)
  local out = data.array({})
  for word in (COLUMNS[kind] or "Name|Created At"):gmatch("[^|]+") do
    local flag, name = word:match("^([#+]?)(.*)$")
    out[#out + 1] = {
      name = name,
      type = flag == "#" and "integer" or "string",
      format = name == "Name" and "name" or "",
      description = "",
      priority = flag == "+" and 1 or 0,
    }
  end
  return out
end

local function included(ctx, object)
  local what = ctx.query.includeObject
  if what == "None" then
    return nil
  elseif what == "Object" then
    return object
  end
  return {
    kind = "PartialObjectMetadata",
    apiVersion = "meta.k8s.io/v1",
    metadata = object.metadata,
  }
end

--- Makes the table of some objects of the context's kind.
---@param ctx plat.sim.k8s.Context
---@param items table[]
---@param meta table metadata of the list
---@return table
function M.of(ctx, items, meta)
  local rows = data.array({})
  for i, object in ipairs(items) do
    rows[i] = {
      cells = data.array(cells.of(object, ctx.model.state.now + (ctx.model.state.skew or 0))),
      object = included(ctx, object) or json.null,
    }
  end
  return {
    kind = "Table",
    apiVersion = "meta.k8s.io/v1",
    metadata = meta,
    columnDefinitions = definitions(ctx.kind.kind),
    rows = rows,
  }
end

return M
