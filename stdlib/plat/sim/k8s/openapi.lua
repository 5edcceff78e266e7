--- The least of OpenAPI v3 that kubectl asks for: which requests take `fieldValidation`.
local kinds = require("plat.sim.k8s.kinds")

local M = {}

local function base(group)
  if group.group == "" then
    return "api/" .. group.version
  end
  return "apis/" .. group.group .. "/" .. group.version
end

--- Returns the index of documents.
---@return table
function M.index()
  local paths = {}
  for _, group in ipairs(kinds.groups) do
    paths[base(group)] = { serverRelativeURL = "/openapi/v3/" .. base(group) }
  end
  return { paths = paths }
end

local function parameter(name, kind)
  return { name = name, ["in"] = "query", schema = { type = kind, uniqueItems = true } }
end

local function operation(kind, action)
  return {
    operationId = action .. kind.kind,
    parameters = {
      parameter("dryRun", "string"),
      parameter("fieldManager", "string"),
      parameter("fieldValidation", "string"),
    },
    responses = { ["200"] = { description = "OK" } },
    ["x-kubernetes-action"] = action,
    ["x-kubernetes-group-version-kind"] = {
      group = kind.group,
      version = kind.version,
      kind = kind.kind,
    },
  }
end

--- Returns the document of a group version; nil if it is not served.
---@param path string "apis/apps/v1"
---@return table?
function M.document(path)
  for _, group in ipairs(kinds.groups) do
    if base(group) == path then
      local paths = {}
      for _, kind in ipairs(group.kinds) do
        local root = "/" .. path .. (kind.namespaced and "/namespaces/{namespace}/" or "/")
        paths[root .. kind.plural] = { post = operation(kind, "post") }
        paths[root .. kind.plural .. "/{name}"] = {
          patch = operation(kind, "patch"),
          put = operation(kind, "put"),
        }
      end
      return {
        openapi = "3.0.0",
        info = { title = "Kubernetes", version = "v1.34.4" },
        paths = paths,
        components = { schemas = {} },
      }
    end
  end
  return nil
end

return M
