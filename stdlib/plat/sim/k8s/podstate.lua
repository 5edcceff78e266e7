--- Status of pods as a kubelet writes it.
local chance = require("plat.sim.k8s.chance")
local data = require("plat.sim.k8s.data")
local json = require("plat.json")
local podinfo = require("plat.sim.k8s.podinfo")
local store = require("plat.sim.k8s.store")

local M = {}

--- Edits the status of a pod.
---@param model plat.sim.K8s
---@param pod table
---@param edit fun(status: table, copy: table)
---@return table? pod as stored
function M.edit(model, pod, edit)
  return store.edit(model, pod, function(copy)
    copy.status = copy.status or {}
    edit(copy.status, copy)
  end)
end

local function set(model, status, pod, kind, value, reason, message)
  podinfo.set_condition(model, status, {
    type = kind,
    status = value and "True" or "False",
    reason = reason,
    message = message,
    lastProbeTime = json.null,
    observedGeneration = pod.metadata.generation,
  })
end

--- Sets the two conditions that tell whether all containers are ready.
---@param model plat.sim.K8s
---@param status table being edited
---@param pod table
function M.settle_ready(model, status, pod)
  local unready, over = {}, status.phase == "Succeeded"
  for _, c in ipairs(status.containerStatuses or {}) do
    if not c.ready then
      unready[#unready + 1] = c.name
    end
  end
  local ready = #unready == 0 and status.phase == "Running"
  local reason, message
  if over then
    reason = "PodCompleted"
  elseif not ready then
    reason = "ContainersNotReady"
    message = ("containers with unready status: [%s]"):format(table.concat(unready, " "))
  end
  set(model, status, pod, "ContainersReady", ready, reason, message)
  set(model, status, pod, "Ready", ready, reason, message)
end

--- Writes the status of a pod that a node has just taken.
---@param model plat.sim.K8s
---@param pod table
---@param host_ip string
---@return table? pod
function M.taken(model, pod, host_ip)
  return M.edit(model, pod, function(status)
    status.phase = "Pending"
    status.startTime = store.stamp(model)
    status.hostIP = host_ip
    status.hostIPs = data.array({ { ip = host_ip } })
    status.containerStatuses = data.array({})
    for i, c in ipairs(pod.spec.containers) do
      status.containerStatuses[i] = {
        name = c.name,
        image = c.image,
        imageID = "",
        ready = false,
        started = false,
        restartCount = 0,
        lastState = {},
        state = { waiting = { reason = "ContainerCreating" } },
      }
    end
    set(model, status, pod, "PodReadyToStartContainers", false)
    set(model, status, pod, "Initialized", true)
    M.settle_ready(model, status, pod)
  end)
end

--- Writes that all containers wait for a reason.
---@param model plat.sim.K8s
---@param pod table
---@param container string
---@param reason string
---@param message string?
---@return table? pod
function M.waiting(model, pod, container, reason, message)
  return M.edit(model, pod, function(status)
    local c = data.find(status.containerStatuses, { name = container })
    c.state = { waiting = { reason = reason, message = message } }
    c.ready, c.started = false, false
    M.settle_ready(model, status, pod)
  end)
end

local function container_id(model)
  return ("containerd://%08x%08x%08x%08x"):format(
    chance.bits(model),
    chance.bits(model),
    chance.bits(model),
    chance.bits(model)
  )
end

--- Writes that a container runs.
---@param model plat.sim.K8s
---@param pod table
---@param container string
---@param ready boolean
---@param ip string
---@return table? pod
function M.running(model, pod, container, ready, ip)
  return M.edit(model, pod, function(status)
    local c = data.find(status.containerStatuses, { name = container })
    c.state = { running = { startedAt = store.stamp(model) } }
    c.containerID = container_id(model)
    c.imageID = "sha256:" .. c.containerID:sub(-32)
    c.ready, c.started = ready, true
    status.phase = "Running"
    status.podIP = ip
    status.podIPs = data.array({ { ip = ip } })
    set(model, status, pod, "PodReadyToStartContainers", true)
    M.settle_ready(model, status, pod)
  end)
end

--- Writes whether a running container passes its readiness probe.
---@param model plat.sim.K8s
---@param pod table
---@param ready boolean
---@return table? pod
function M.probed(model, pod, ready)
  return M.edit(model, pod, function(status)
    for _, c in ipairs(status.containerStatuses) do
      c.ready = ready and c.state.running ~= nil
    end
    M.settle_ready(model, status, pod)
  end)
end

--- Writes that a container has ended.
---@param model plat.sim.K8s
---@param pod table
---@param container string
---@param code integer
---@param restarts boolean it is going to be started again
---@return table? pod
function M.ended(model, pod, container, code, restarts)
  return M.edit(model, pod, function(status)
    local c = data.find(status.containerStatuses, { name = container })
    local terminated = {
      exitCode = code,
      reason = code == 0 and "Completed" or "Error",
      startedAt = data.get(c, "state.running.startedAt"),
      finishedAt = store.stamp(model),
      containerID = c.containerID,
    }
    c.ready, c.started = false, false
    c.state = { terminated = terminated }
    if restarts then
      c.lastState = { terminated = data.copy(terminated) }
      c.restartCount = c.restartCount + 1
    else
      local all, failed = true, false
      for _, other in ipairs(status.containerStatuses) do
        local ended = data.get(other, "state.terminated")
        all = all and ended ~= nil
        failed = failed or (ended ~= nil and ended.exitCode ~= 0)
      end
      if all then
        status.phase = failed and "Failed" or "Succeeded"
      end
    end
    M.settle_ready(model, status, pod)
  end)
end

return M
