--- Kubernetes resource kinds: names, paths, and the stable ones that need no discovery.
local M = {}

---@class plat.k8s.Resource
---@field group string "" for the core group
---@field version string
---@field kind string
---@field plural string
---@field singular string
---@field short string[]
---@field namespaced boolean
---@field verbs? table<string, boolean> nil: not known (a built-in kind)
---@field subresources? table<string, boolean>

-- Served unchanged by every server since 1.16: group, version, kind, plural, short names, scope.
-- One line a kind; "-" is "none".  What moved between versions (CronJob, PodDisruptionBudget,
-- HorizontalPodAutoscaler, ...) is left to discovery.
local STABLE = [[
- v1 ConfigMap configmaps cm namespaced
- v1 Endpoints endpoints ep namespaced
- v1 Event events ev namespaced
- v1 Namespace namespaces ns cluster
- v1 Node nodes no cluster
- v1 PersistentVolumeClaim persistentvolumeclaims pvc namespaced
- v1 PersistentVolume persistentvolumes pv cluster
- v1 Pod pods po namespaced
- v1 ResourceQuota resourcequotas quota namespaced
- v1 Secret secrets - namespaced
- v1 ServiceAccount serviceaccounts sa namespaced
- v1 Service services svc namespaced
apps v1 ControllerRevision controllerrevisions - namespaced
apps v1 DaemonSet daemonsets ds namespaced
apps v1 Deployment deployments deploy namespaced
apps v1 ReplicaSet replicasets rs namespaced
apps v1 StatefulSet statefulsets sts namespaced
batch v1 Job jobs - namespaced
coordination.k8s.io v1 Lease leases - namespaced
networking.k8s.io v1 NetworkPolicy networkpolicies netpol namespaced
rbac.authorization.k8s.io v1 ClusterRole clusterroles - cluster
rbac.authorization.k8s.io v1 ClusterRoleBinding clusterrolebindings - cluster
rbac.authorization.k8s.io v1 Role roles - namespaced
rbac.authorization.k8s.io v1 RoleBinding rolebindings - namespaced
storage.k8s.io v1 StorageClass storageclasses sc cluster
]]

local function blank(word)
  return word == "-" and "" or word
end

local function stable_list()
  local list = {}
  for line in STABLE:gmatch("[^\n]+") do
    local group, version, kind, plural, short, scope =
      line:match("^(%S+) (%S+) (%S+) (%S+) (%S+) (%S+)$")
    list[#list + 1] = {
      group = blank(group),
      version = version,
      kind = kind,
      plural = plural,
      singular = kind:lower(),
      short = short == "-" and {} or { short },
      namespaced = scope == "namespaced",
    }
  end
  return list
end

--- The kinds that are known without asking the server.
---@type plat.k8s.Resource[]
M.stable = stable_list()

--- Returns the apiVersion text of a resource: "v1", "apps/v1".
---@param res plat.k8s.Resource
---@return string
function M.api_version(res)
  return res.group == "" and res.version or (res.group .. "/" .. res.version)
end

--- Splits an apiVersion into group and version.
---@param api_version string
---@return string group
---@return string version
function M.split_api_version(api_version)
  local group, version = api_version:match("^([^/]+)/([^/]+)$")
  if group then
    return group, version
  end
  return "", api_version
end

--- Returns the name as `kubectl` takes it: "pods", "statefulsets.apps".
---@param res plat.k8s.Resource
---@return string
function M.full_name(res)
  return res.group == "" and res.plural or (res.plural .. "." .. res.group)
end

--- Percent-encodes one path segment or query value.
---@param text string
---@return string
function M.escape(text)
  return (
    tostring(text):gsub("[^%w%-%._~]", function(char)
      return ("%%%02X"):format(char:byte())
    end)
  )
end

--- Returns the path of a collection, an object, or a subresource of an object.
---@param res plat.k8s.Resource
---@param ns? string ignored for cluster-wide kinds; nil lists all namespaces
---@param name? string
---@param subresource? string
---@return string
function M.path(res, ns, name, subresource)
  local parts = { res.group == "" and "/api" or ("/apis/" .. res.group), res.version }
  if res.namespaced and ns then
    parts[#parts + 1] = "namespaces/" .. M.escape(ns)
  end
  parts[#parts + 1] = res.plural
  if name then
    parts[#parts + 1] = M.escape(name)
  end
  if subresource then
    parts[#parts + 1] = subresource
  end
  return table.concat(parts, "/")
end

--- Returns how messages call an object: "statefulset data-platform/dremio-executor".
---@param res plat.k8s.Resource
---@param ns? string
---@param name? string
---@return string
function M.label(res, ns, name)
  if not name then
    return (res.namespaced and ns) and (res.plural .. " of " .. ns) or res.plural
  end
  local where = (res.namespaced and ns) and (ns .. "/" .. name) or name
  return res.singular .. " " .. where
end

-- Returns whether `word` (lower case) is one of the names of the resource.
local function named(res, word)
  if word == res.plural or word == res.singular or word == res.kind:lower() then
    return true
  end
  for _, short in ipairs(res.short) do
    if short == word then
      return true
    end
  end
  return false
end

--- Finds a resource by any of its names. Earlier entries of the list win.
--- Takes "sts", "StatefulSet", "statefulsets", "statefulsets.apps", "statefulsets.v1.apps",
--- "apps/v1/StatefulSet" and an object or table with `apiVersion` and `kind`.
---@param list plat.k8s.Resource[]
---@param want string|table
---@return plat.k8s.Resource?
function M.find(list, want)
  local word, group, version
  if type(want) == "table" then
    word = want.kind
    group, version = M.split_api_version(want.apiVersion)
  else
    local api, kind = want:match("^(.+)/([^/]+)$")
    if api then
      word = kind
      group, version = M.split_api_version(api)
    else
      word, version, group = want:match("^([^.]+)%.(v%d%w*)%.(.+)$")
      if not word then
        word, group = want:match("^([^.]+)%.(.+)$")
      end
      word = word or want
    end
  end
  word = word:lower()
  for _, res in ipairs(list) do
    local fits = (not group or group == res.group) and (not version or version == res.version)
    if fits and named(res, word) then
      return res
    end
  end
  return nil
end

--- Returns every name the list knows, for "did you mean".
---@param list plat.k8s.Resource[]
---@return string[]
function M.names(list)
  local seen, names = {}, {}
  local function add(name)
    if name ~= "" and not seen[name] then
      seen[name] = true
      names[#names + 1] = name
    end
  end
  for _, res in ipairs(list) do
    add(res.kind)
    add(res.plural)
    add(res.singular)
    for _, short in ipairs(res.short) do
      add(short)
    end
  end
  return names
end

return M
