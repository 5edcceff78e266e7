--- Which resources a server has: kinds, plural and short names resolved to paths.
local check = require("plat.check")
local errors = require("plat.k8s.errors")
local fault = require("plat.fault")
local kinds = require("plat.k8s.kinds")
local task = require("plat.task")

local M = {}

local AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,"
  .. "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,"
  .. "application/json"

local function set_of(list)
  local set = {}
  for _, word in ipairs(type(list) == "table" and list or {}) do
    set[word] = true
  end
  return set
end

-- Adds the resources of one group version of an aggregated answer.
local function add_aggregated(into, group, version)
  for _, item in ipairs(version.resources or {}) do
    local kind = item.responseKind and item.responseKind.kind
    if kind and item.resource then
      local subresources = {}
      for _, sub in ipairs(item.subresources or {}) do
        subresources[sub.subresource] = true
      end
      into[#into + 1] = {
        group = group,
        version = version.version,
        kind = kind,
        plural = item.resource,
        singular = item.singularResource or kind:lower(),
        short = item.shortNames or {},
        namespaced = item.scope == "Namespaced",
        verbs = set_of(item.verbs),
        subresources = subresources,
      }
    end
  end
end

--- Reads an APIGroupDiscoveryList. Pure.
---@param doc table
---@return plat.k8s.Resource[]
function M.from_aggregated(doc)
  local list = {}
  for _, group in ipairs(doc.items or {}) do
    local name = group.metadata and group.metadata.name or ""
    for _, version in ipairs(group.versions or {}) do
      add_aggregated(list, name, version)
    end
  end
  return list
end

--- Reads an APIResourceList. Pure.
---@param doc table
---@return plat.k8s.Resource[]
function M.from_resource_list(doc)
  local group, version = kinds.split_api_version(doc.groupVersion or "v1")
  local list, by_plural = {}, {}
  for _, item in ipairs(doc.resources or {}) do
    local plural, sub = item.name:match("^([^/]+)/(.+)$")
    if not plural then
      local res = {
        group = group,
        version = version,
        kind = item.kind,
        plural = item.name,
        singular = item.singularName ~= "" and item.singularName or item.kind:lower(),
        short = item.shortNames or {},
        namespaced = item.namespaced == true,
        verbs = set_of(item.verbs),
        subresources = {},
      }
      list[#list + 1] = res
      by_plural[item.name] = res
    elseif by_plural[plural] then
      by_plural[plural].subresources[sub] = true
    end
  end
  return list
end

-- Group versions of a plain /api and /apis pair, the preferred version of each group first.
local function group_versions(core, groups)
  local paths = {}
  for _, version in ipairs(core.versions or { "v1" }) do
    paths[#paths + 1] = "/api/" .. version
  end
  for _, group in ipairs(groups.groups or {}) do
    local preferred = group.preferredVersion and group.preferredVersion.groupVersion
    if preferred then
      paths[#paths + 1] = "/apis/" .. preferred
    end
    for _, version in ipairs(group.versions or {}) do
      if version.groupVersion ~= preferred then
        paths[#paths + 1] = "/apis/" .. version.groupVersion
      end
    end
  end
  return paths
end

---@class plat.k8s.Discovery
local Discovery = { __name = "plat.k8s.Discovery" }
Discovery.__index = Discovery

--- Makes the discovery of one client; asks nothing yet.
---@param transport plat.k8s.Transport
---@return plat.k8s.Discovery
function M.new(transport)
  return setmetatable({ _transport = transport, missing = {} }, Discovery)
end

local function ask(self, path, accept)
  return (self._transport:request({ path = path, op = "k8s.discovery", accept = accept }))
end

local function append(into, list)
  for _, item in ipairs(list) do
    into[#into + 1] = item
  end
end

-- One GET a group version, eight at a time. A group whose own server is down (an aggregated API)
-- is left out and remembered, as kubectl does; any other failure is one.
local function read_plain(self, core, groups)
  local all = {}
  local parts = task.each(group_versions(core, groups), { limit = 8 }, function(path)
    local doc, err = fault.try(ask, self, path)
    if doc then
      return M.from_resource_list(doc)
    elseif err.kind == "http" and (err.code >= 500 or err.code == 404) then
      self.missing[#self.missing + 1] = path
      return {}
    end
    error(err, 0)
  end)
  for _, list in ipairs(parts) do
    append(all, list)
  end
  return all
end

--- Returns every resource of the server, asking it once.
---@async
---@return plat.k8s.Resource[]
function Discovery:all()
  if self._all then
    return self._all
  end
  local all = {}
  local core = ask(self, "/api", AGGREGATED)
  local groups = ask(self, "/apis", AGGREGATED)
  local aggregated = core.kind == "APIGroupDiscoveryList"
  if aggregated and groups.kind == "APIGroupDiscoveryList" then
    append(all, M.from_aggregated(core))
    append(all, M.from_aggregated(groups))
  else
    all = read_plain(
      self,
      aggregated and {} or core,
      groups.kind == "APIGroupDiscoveryList" and ask(self, "/apis") or groups
    )
  end
  self._all = all
  return all
end

--- Forgets what was asked: a CustomResourceDefinition was just created.
function Discovery:forget()
  self._all, self.missing = nil, {}
end

--- Returns the resource that a name means; asks the server only for names that are not stable.
---@async
---@param want string|table see plat.k8s.kinds.find
---@return plat.k8s.Resource
function Discovery:resolve(want)
  if type(want) == "table" and type(want.plural) == "string" then
    return want -- resolved before
  end
  local found = kinds.find(kinds.stable, want)
  if found then
    return found
  end
  local fresh = self._all == nil
  found = kinds.find(self:all(), want)
  if not found and not fresh then -- perhaps a definition that was created since
    self:forget()
    found = kinds.find(self:all(), want)
  end
  if found then
    return found
  end
  local word = type(want) == "table" and want.kind or want
  local near = check.suggest(word, kinds.names(self:all()))
  local version = type(want) == "table" and (" in " .. tostring(want.apiVersion)) or ""
  local missing = #self.missing > 0
      and ("these API groups did not answer: " .. table.concat(self.missing, ", "))
    or nil
  fault.raise("usage", { op = "k8s.discovery", target = self._transport.target }, {
    msg = ("the server has no resource %q%s"):format(tostring(word), version),
    hint = near and ("did you mean %q?"):format(near) or missing,
  })
end

--- Returns whether the server serves a group version, asking only that group.
---@async
---@param group string
---@param version string
---@return boolean
function Discovery:serves(group, version)
  local ok, err = fault.try(ask, self, "/apis/" .. group .. "/" .. version)
  if not ok and not errors.is(err, 404) then
    error(err, 0)
  end
  return ok ~= nil
end

return M
