--- Endpoints of services: the addresses of their pods.
local data = require("plat.sim.k8s.data")
local podinfo = require("plat.sim.k8s.podinfo")
local queue = require("plat.sim.k8s.queue")
local select = require("plat.sim.k8s.select")
local store = require("plat.sim.k8s.store")

local M = {}

local ID = "services"

local function address(pod)
  return {
    ip = data.get(pod, "status.podIP"),
    hostname = pod.spec.subdomain and pod.spec.hostname or nil,
    nodeName = pod.spec.nodeName,
    targetRef = {
      kind = "Pod",
      namespace = pod.metadata.namespace,
      name = pod.metadata.name,
      uid = pod.metadata.uid,
    },
  }
end

local function ports_of(service)
  local out = {}
  for i, port in ipairs(service.spec.ports or {}) do
    local number = math.type(port.targetPort) == "integer" and port.targetPort or port.port
    out[i] = { name = port.name, port = number, protocol = port.protocol }
  end
  return #out > 0 and data.array(out) or nil
end

local function subsets(model, service)
  local ready, waiting = data.array({}), data.array({})
  for _, pod in ipairs(store.list(model, "pods", service.metadata.namespace)) do
    local mine = select.matches({ matchLabels = service.spec.selector }, pod.metadata.labels)
    if mine and data.get(pod, "status.podIP") and not podinfo.is_over(pod) then
      local well = podinfo.is_ready(pod) and not podinfo.is_leaving(pod)
      local list = well and ready or waiting
      list[#list + 1] = address(pod)
    end
  end
  if #ready + #waiting == 0 then
    return nil
  end
  return data.array({
    {
      addresses = #ready > 0 and ready or nil,
      notReadyAddresses = #waiting > 0 and waiting or nil,
      ports = ports_of(service),
    },
  })
end

--- Writes the endpoints of a service that has a selector.
---@param model plat.sim.K8s
---@param service table
function M.sync(model, service)
  if not service.spec.selector then
    return
  end
  local meta = service.metadata
  local found = subsets(model, service)
  local present = store.get(model, "endpoints", meta.namespace, meta.name)
  if present then
    store.edit(model, present, function(copy)
      copy.subsets = found
    end)
    return
  end
  store.create(model, {
    apiVersion = "v1",
    kind = "Endpoints",
    metadata = {
      name = meta.name,
      namespace = meta.namespace,
      labels = data.copy(meta.labels),
    },
    subsets = found,
  })
end

--- Removes the endpoints of a service that is gone.
---@param model plat.sim.K8s
---@param service table
function M.gone(model, service)
  local meta = service.metadata
  local present = store.get(model, "endpoints", meta.namespace, meta.name)
  if present then
    store.remove(model, present)
  end
end

--- Has the services of a namespace looked at again.
---@param model plat.sim.K8s
---@param ns string?
function M.notice(model, ns)
  for _, service in ipairs(store.list(model, ID, ns)) do
    local meta = service.metadata
    local args = { id = ID, ns = meta.namespace, name = meta.name }
    queue.add(model, 0.03, "sync", ID .. " " .. meta.namespace .. "/" .. meta.name, args)
  end
end

return M
