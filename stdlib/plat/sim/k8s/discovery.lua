--- What the API says about itself: version, health, groups and resources.
local data = require("plat.sim.k8s.data")
local json = require("plat.json")
local kinds = require("plat.sim.k8s.kinds")
local openapi = require("plat.sim.k8s.openapi")

local M = {}

local A = data.array

local VERSION = {
  major = "1",
  minor = "34",
  emulationMajor = "1",
  emulationMinor = "34",
  minCompatibilityMajor = "1",
  minCompatibilityMinor = "33",
  gitVersion = "v1.34.4",
  gitCommit = "0000000000000000000000000000000000000000",
  gitTreeState = "clean",
  buildDate = "1970-01-01T00:00:00Z",
  goVersion = "go1.26",
  compiler = "gc",
  platform = "linux/amd64",
}

local CHECKS = { "ping", "log", "etcd", "etcd-readiness", "informer-sync", "shutdown" }
local SUB_VERBS = { "get", "patch", "update" }

local function sub_entry(kind, sub)
  local entry = {
    name = kind.plural .. "/" .. sub,
    singularName = "",
    namespaced = kind.namespaced,
    kind = kind.kind,
    verbs = A({ "get", "patch", "update" }),
  }
  if sub == "scale" then
    entry.group, entry.version, entry.kind = "autoscaling", "v1", "Scale"
  elseif sub == "eviction" then
    entry.group, entry.version, entry.kind = "policy", "v1", "Eviction"
    entry.verbs = A({ "create" })
  elseif sub == "log" then
    entry.verbs = A({ "get" })
  end
  return entry
end

local function resource_list(group)
  local out = {}
  for _, kind in ipairs(group.kinds) do
    out[#out + 1] = {
      name = kind.plural,
      singularName = kind.singular,
      namespaced = kind.namespaced,
      kind = kind.kind,
      verbs = A(data.copy(kind.verbs)),
      shortNames = kind.short[1] and A(data.copy(kind.short)) or nil,
      categories = kind.all and A({ "all" }) or nil,
    }
    for _, sub in ipairs(kind.subs) do
      out[#out + 1] = sub_entry(kind, sub)
    end
  end
  local gv = group.kinds[1].gv
  return { kind = "APIResourceList", apiVersion = "v1", groupVersion = gv, resources = A(out) }
end

local function group_of(group)
  local version = { groupVersion = group.kinds[1].gv, version = group.version }
  return { name = group.group, versions = A({ version }), preferredVersion = data.copy(version) }
end

local function group_list()
  local out = {}
  for _, group in ipairs(kinds.groups) do
    if group.group ~= "" then
      out[#out + 1] = group_of(group)
    end
  end
  return { kind = "APIGroupList", apiVersion = "v1", groups = A(out) }
end

local function aggregated_resource(kind)
  local subs = {}
  for i, sub in ipairs(kind.subs) do
    local entry = sub_entry(kind, sub)
    subs[i] = {
      subresource = sub,
      responseKind = {
        group = entry.group or "",
        version = entry.version or "",
        kind = entry.kind,
      },
      verbs = A(data.copy(entry.verbs or SUB_VERBS)),
    }
  end
  return {
    resource = kind.plural,
    responseKind = { group = "", version = "", kind = kind.kind },
    scope = kind.namespaced and "Namespaced" or "Cluster",
    singularResource = kind.singular,
    verbs = A(data.copy(kind.verbs)),
    shortNames = kind.short[1] and A(data.copy(kind.short)) or nil,
    categories = kind.all and A({ "all" }) or nil,
    subresources = subs[1] and A(subs) or nil,
  }
end

local function aggregated(core)
  local items = {}
  for _, group in ipairs(kinds.groups) do
    if (group.group == "") == core then
      local resources = {}
      for i, kind in ipairs(group.kinds) do
        resources[i] = aggregated_resource(kind)
      end
      items[#items + 1] = {
        metadata = { name = group.group ~= "" and group.group or nil },
        versions = A({
          { version = group.version, resources = A(resources), freshness = "Current" },
        }),
      }
    end
  end
  return {
    kind = "APIGroupDiscoveryList",
    apiVersion = "apidiscovery.k8s.io/v2",
    metadata = {},
    items = A(items),
  }
end

local AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"

local function wants_aggregated(request)
  for offer in (request.headers.accept or ""):gmatch("[^,]+") do
    local media = offer:match("^%s*([^;%s]+)")
    if media == "application/json" then
      local v2 = offer:find("v=v2", 1, true) and not offer:find("v=v2beta1", 1, true)
      return offer:find("APIGroupDiscoveryList", 1, true) ~= nil and v2 ~= nil and v2 ~= false
    end
  end
  return false
end

local function api_versions()
  local address = { clientCIDR = "0.0.0.0/0", serverAddress = "kubernetes.sandbox:443" }
  return {
    kind = "APIVersions",
    versions = A({ "v1" }),
    serverAddressByClientCIDRs = A({ address }),
  }
end

local TEXT = { ["content-type"] = "text/plain; charset=utf-8" }

local function health(request, path)
  local verbose = request.query and request.query.verbose ~= nil
  if not verbose then
    return 200, "ok", data.copy(TEXT)
  end
  local out = {}
  for i, check in ipairs(CHECKS) do
    out[i] = ("[+]%s ok\n"):format(check)
  end
  out[#out + 1] = path:sub(2) .. " check passed\n"
  return 200, table.concat(out), data.copy(TEXT)
end

--- Answers what is not about objects; nil for any other path.
---@param _ plat.sim.K8s
---@param request table
---@return integer? code, table|string? body, table? headers
function M.serve(_, request)
  local path = request.path:gsub("/+$", "")
  if request.method ~= "GET" then
    return nil
  elseif path == "/version" then
    return 200, data.copy(VERSION), {}
  elseif path == "/readyz" or path == "/livez" or path == "/healthz" then
    return health(request, path)
  elseif path == "/api" or path == "/apis" then
    if wants_aggregated(request) then
      return 200, aggregated(path == "/api"), { ["content-type"] = AGGREGATED, vary = "Accept" }
    end
    return 200, path == "/api" and api_versions() or group_list(), {}
  end
  local document = path:match("^/openapi/v3(.*)$")
  if document then
    if document == "" then -- JSON under a wrong name, as the server has it
      return 200, json.encode(openapi.index()), data.copy(TEXT)
    end
    local answer = openapi.document(document:sub(2))
    if answer then
      return 200, answer, {}
    end
  end
  for _, group in ipairs(kinds.groups) do
    local base = group.group == "" and "/api/" or "/apis/" .. group.group .. "/"
    if path == base .. group.version then
      return 200, resource_list(group), {}
    elseif group.group ~= "" and path == "/apis/" .. group.group then
      local answer = group_of(group)
      answer.kind, answer.apiVersion = "APIGroup", "v1"
      return 200, answer, {}
    end
  end
  return nil
end

return M
