--- Fixtures: what `platrun sim record` wrote of a real cluster and real hosts, and how a simulated
--- world begins with it. Plain JSON: an object a line, so that two of them can be compared.

local control = require("plat.sim.k8s.control")
local data = require("plat.sim.k8s.data")
local fault = require("plat.fault")
local fs = require("prim.fs")
local json = require("plat.json")
local kinds = require("plat.sim.k8s.kinds")
local store = require("plat.sim.k8s.store")

local M = {}

M.SCHEMA = 1

--- Returns the text of a fixture.
---@param doc { recorded: string, source: table, left_out: string[], objects: table[],
---  hosts: table }
---@return string
function M.text(doc)
  local lines = {}
  for i, object in ipairs(doc.objects) do
    lines[i] = json.encode(object)
  end
  local head = json.encode({
    schema = M.SCHEMA,
    recorded = doc.recorded,
    source = doc.source,
    left_out = json.array(doc.left_out),
  })
  return ('{"fixture":%s,\n"hosts":%s,\n"objects":[\n%s\n]}\n'):format(
    head,
    json.encode(doc.hosts),
    table.concat(lines, ",\n")
  )
end

--- Reads a fixture. Raises what is wrong with it.
---@param path string
---@return table doc
function M.read(path)
  local about = { op = "fixture", object = path }
  local text = fault.must(about, fs.read(path, { max = 1 << 30 }))
  local doc = json.decode(text, { name = path, max_size = 1 << 30 })
  local head = type(doc) == "table" and doc.fixture
  if type(head) ~= "table" or type(doc.objects) ~= "table" then
    fault.raise("parse", about, {
      msg = "this is no fixture",
      hint = "platrun sim record -i INVENTORY -o FILE writes one",
    })
  elseif head.schema ~= M.SCHEMA then
    fault.raise("refused", about, { msg = ("its schema is %s"):format(tostring(head.schema)) })
  end
  return doc
end

local function has_node(model, object)
  local ip = data.find(data.get(object, "status.addresses") or {}, { type = "InternalIP" })
  local subnet, images = 1, {}
  for _ in pairs(model.state.nodes) do
    subnet = subnet + 1
  end
  for _, image in ipairs(data.get(object, "status.images") or {}) do
    for _, name in ipairs(image.names or {}) do
      images[name] = true
    end
  end
  model.state.nodes[object.metadata.name] = {
    subnet = subnet,
    ip = ip and ip.address or "10.0.10." .. (10 + subnet),
    last_ip = 1,
    images = images,
  }
end

--- A pod that ran when it was recorded runs on.
local function runs_on(model, pod)
  local phase = data.get(pod, "status.phase")
  if pod.spec.nodeName and (phase == "Running" or phase == "Succeeded" or phase == "Failed") then
    local ip = data.get(pod, "status.podIP")
    model.state.pods[pod.metadata.uid] = { run = 1, pulls = 0, crashes = 0, ip = ip }
  end
end

--- Puts recorded objects into a simulated cluster as they were, with their status; its controllers
--- look at them from then on.
---@param model plat.sim.K8s
---@param objects table[]
function M.fill(model, objects)
  local state, added = model.state, {}
  for _, recorded in ipairs(objects) do
    local kind = kinds.of_object(recorded.apiVersion, recorded.kind)
    if kind then
      local object = data.copy(recorded)
      state.rv = state.rv + 1
      object.metadata.resourceVersion = ("%d"):format(state.rv)
      local key = store.key(object.metadata.namespace, object.metadata.name)
      state.objects[kind.id] = state.objects[kind.id] or {}
      state.objects[kind.id][key] = object
      if kind.id == "nodes" then
        has_node(model, object)
      elseif kind.id == "pods" then
        runs_on(model, object)
      elseif kind.id == "storageclasses.storage.k8s.io" then
        state.provisioners = state.provisioners or {}
        state.provisioners[object.provisioner] = true
      end
      added[#added + 1] = { type = "ADDED", id = kind.id, key = key, object = object }
    end
  end
  model.keys, model.history, model.oldest = {}, {}, state.rv
  for _, change in ipairs(added) do
    control.notice(model, change)
  end
end

return M
