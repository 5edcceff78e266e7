--- The kinds that the simulated API serves, and how their paths are made.
local M = {}

---@class plat.sim.k8s.Kind
---@field group string "" for the core group
---@field version string
---@field gv string "v1", "apps/v1"
---@field kind string
---@field plural string
---@field singular string
---@field id string "pods", "statefulsets.apps": the server's name for it in messages
---@field short string[]
---@field namespaced boolean
---@field subs string[] subresources
---@field verbs string[]
---@field all boolean member of the category "all"
---@field status boolean has its status behind /status
---@field deprecated string? a warning that every answer carries
---@field generation boolean counts changes of its spec

local FULL = { "create", "delete", "deletecollection", "get", "list", "patch", "update", "watch" }
local CREATE = { "create" }

M.list = {} ---@type plat.sim.k8s.Kind[]
M.by_id = {} ---@type table<string, plat.sim.k8s.Kind>
M.groups = {} ---@type { group: string, version: string, kinds: plat.sim.k8s.Kind[] }[]

local by_path, by_kind = {}, {}

local function words(text)
  local out = {}
  for word in text:gmatch("%S+") do
    out[#out + 1] = word
  end
  return out
end

local function has(list, wanted)
  for _, item in ipairs(list) do
    if item == wanted then
      return true
    end
  end
  return false
end

--- Flags: `c` cluster-scoped, `a` in the category "all", `g` counts generations.
local function add(gv, kind, plural, short, subs, flags)
  local group, version = gv:match("^(.*)/(.*)$")
  group, version = group or "", version or gv
  local entry = {
    group = group,
    version = version,
    gv = gv,
    kind = kind,
    plural = plural,
    singular = kind:lower(),
    id = plural .. (group ~= "" and "." .. group or ""),
    short = words(short),
    namespaced = not flags:find("c"),
    subs = words(subs),
    verbs = plural == "selfsubjectaccessreviews" and CREATE or FULL,
    all = flags:find("a") ~= nil,
    generation = flags:find("g") ~= nil,
  }
  entry.status = has(entry.subs, "status")
  M.list[#M.list + 1] = entry
  M.by_id[entry.id] = entry
  by_path[gv .. " " .. plural] = entry
  by_kind[gv .. " " .. kind] = entry
  local last = M.groups[#M.groups]
  if not last or last.group ~= group or last.version ~= version then
    last = { group = group, version = version, kinds = {} }
    M.groups[#M.groups + 1] = last
  end
  last.kinds[#last.kinds + 1] = entry
end

add("v1", "ConfigMap", "configmaps", "cm", "", "")
add("v1", "Endpoints", "endpoints", "ep", "", "")
add("v1", "Event", "events", "ev", "", "")
add("v1", "Namespace", "namespaces", "ns", "status", "c")
add("v1", "Node", "nodes", "no", "status", "c")
add("v1", "PersistentVolumeClaim", "persistentvolumeclaims", "pvc", "status", "")
add("v1", "PersistentVolume", "persistentvolumes", "pv", "status", "c")
add("v1", "Pod", "pods", "po", "eviction log status", "ag")
add("v1", "ResourceQuota", "resourcequotas", "quota", "status", "")
add("v1", "Secret", "secrets", "", "", "")
add("v1", "ServiceAccount", "serviceaccounts", "sa", "", "")
add("v1", "Service", "services", "svc", "status", "a")
add("apps/v1", "ControllerRevision", "controllerrevisions", "", "", "")
add("apps/v1", "DaemonSet", "daemonsets", "ds", "status", "ag")
add("apps/v1", "Deployment", "deployments", "deploy", "scale status", "ag")
add("apps/v1", "ReplicaSet", "replicasets", "rs", "scale status", "ag")
add("apps/v1", "StatefulSet", "statefulsets", "sts", "scale status", "ag")
add("authorization.k8s.io/v1", "SelfSubjectAccessReview", "selfsubjectaccessreviews", "", "", "c")
add("autoscaling/v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers", "hpa", "status", "a")
add("batch/v1", "CronJob", "cronjobs", "cj", "status", "ag")
add("batch/v1", "Job", "jobs", "", "status", "ag")
add("coordination.k8s.io/v1", "Lease", "leases", "", "", "")
add("networking.k8s.io/v1", "Ingress", "ingresses", "ing", "status", "g")
add("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies", "netpol", "", "g")
add("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets", "pdb", "status", "g")
add("storage.k8s.io/v1", "StorageClass", "storageclasses", "sc", "", "c")

M.by_id.endpoints.deprecated =
  "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice"

--- Finds a kind by group version and resource name in a path.
---@param gv string
---@param plural string
---@return plat.sim.k8s.Kind?
function M.of_path(gv, plural)
  return by_path[gv .. " " .. plural]
end

--- Finds a kind by apiVersion and kind of an object.
---@param gv string
---@param kind string
---@return plat.sim.k8s.Kind?
function M.of_object(gv, kind)
  return by_kind[gv .. " " .. kind]
end

--- Says whether a group version is served.
---@param gv string
---@return boolean
function M.has_group(gv)
  for _, group in ipairs(M.groups) do
    local name = group.group == "" and group.version or group.group .. "/" .. group.version
    if name == gv then
      return true
    end
  end
  return false
end

--- Says whether a kind has a subresource.
---@param kind plat.sim.k8s.Kind
---@param sub string
---@return boolean
function M.has_sub(kind, sub)
  return has(kind.subs, sub)
end

return M
