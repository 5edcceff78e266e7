--- Writes the compact schema of the simulated API (stdlib/plat/sim/k8s/schema_*.lua) from the
--- OpenAPI v3 documents of a real server: lua5.4 schema_from_openapi.lua OUTDIR DOCUMENT...
local here = arg[0]:match("^(.*)/[^/]*$") or "."
local shim = dofile(here .. "/shim.lua")
shim.install(here .. "/../../..")
local json = shim.json

local ROOTS = { -- file of the stdlib = kinds whose types it holds
  { "pod", "Pod PodTemplateSpec" },
  {
    "core",
    "ConfigMap Endpoints Event Namespace Node PersistentVolumeClaim PersistentVolume ResourceQuota "
      .. "Secret ServiceAccount Service ObjectMeta DeleteOptions",
  },
  {
    "apps",
    "ControllerRevision DaemonSet Deployment ReplicaSet StatefulSet SelfSubjectAccessReview "
      .. "Ingress NetworkPolicy "
      .. "HorizontalPodAutoscaler Job Lease PodDisruptionBudget StorageClass Scale Eviction",
  },
}

local schemas = {} -- short name to definition

local function short(full)
  return full:match("([^.]+)$")
end

local function load_document(path)
  local file = assert(io.open(path))
  local document = json.decode(file:read("a"))
  file:close()
  local v2 = path:find("autoscaling_v2")
  for full, definition in pairs(document.components.schemas) do
    local skip = full:find("autoscaling.v1.Horizontal") or (v2 and full:find("autoscaling.v1."))
    if not skip then
      schemas[short(full)] = definition
    end
  end
end

local used

local function ref_of(node)
  local ref = node["$ref"] or (node.allOf and node.allOf[1]["$ref"])
  return ref and short(ref)
end

local SCALAR = { string = "s", boolean = "b", integer = "i", number = "n" }

local function type_of(node)
  local name = ref_of(node)
  if name == "Quantity" then
    return "q"
  elseif name == "IntOrString" then
    return "v"
  elseif name == "Time" or name == "MicroTime" then
    return "t"
  elseif name == "FieldsV1" or name == "RawExtension" then
    return "x"
  elseif name then
    used[#used + 1] = name
    return name
  elseif node.type == "array" then
    local out = "[" .. type_of(node.items) .. "]"
    local keys = node["x-kubernetes-list-map-keys"]
    local list = node["x-kubernetes-list-type"]
    if list == "map" then
      out = out .. table.concat(keys, ",")
    elseif list == "set" then
      out = out .. "set"
    end
    local merge = node["x-kubernetes-patch-merge-key"]
    local strategy = node["x-kubernetes-patch-strategy"] or ""
    if strategy:find("merge") then
      out = out .. "~" .. (merge or "")
    end
    if strategy:find("retainKeys") then
      out = out .. "^"
    end
    return out
  elseif node.additionalProperties then
    return "{" .. type_of(node.additionalProperties) .. "}"
  elseif node.type == "object" or not node.type then
    return "x"
  end
  return SCALAR[node.type]
end

local function line_of(name, definition)
  local words = { name }
  if definition["x-kubernetes-map-type"] == "atomic" then
    words[1] = name .. "!"
  end
  local required = {}
  for _, field in ipairs(definition.required or {}) do
    required[field] = true
  end
  for field, node in pairs(definition.properties or {}) do
    local text = field .. (required[field] and "*" or "") .. ":" .. type_of(node)
    if node["x-kubernetes-map-type"] == "atomic" then
      text = text .. "!"
    end
    if (node["x-kubernetes-patch-strategy"] or ""):find("retainKeys") and node.type ~= "array" then
      text = text .. "^"
    end
    if type(node.default) == "string" and node.default ~= "" then
      text = text .. "=" .. node.default
    end
    words[#words + 1] = text
  end
  return words
end

local function wrap(words)
  local lines, line = {}, words[1]
  for i = 2, #words do
    if #line + 1 + #words[i] > 98 then
      lines[#lines + 1] = line
      line = " "
    end
    line = line .. " " .. words[i]
  end
  lines[#lines + 1] = line
  return table.concat(lines, "\n")
end

local outdir = arg[1]
for i = 2, #arg do
  load_document(arg[i])
end
local done = {}
for _, root in ipairs(ROOTS) do
  used = {}
  for name in root[2]:gmatch("%S+") do
    used[#used + 1] = name
  end
  local texts, at = {}, 1
  while used[at] do
    local name = used[at]
    at = at + 1
    if not done[name] then
      done[name] = true
      assert(schemas[name], "no schema of " .. name)
      texts[#texts + 1] = wrap(line_of(name, schemas[name]))
    end
  end
  table.sort(texts)
  local file = assert(io.open(("%s/schema_%s.lua"):format(outdir, root[1]), "w"))
  file:write(
    ("--- Types of the API, compact (see schema.lua). Made by tests/contract/k8s/%s.\n"):format(
      "schema_from_openapi.lua"
    )
  )
  file:write("return [[\n", table.concat(texts, "\n"), "\n]]\n")
  file:close()
end
