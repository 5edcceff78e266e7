--- The nodes: what becomes of a pod after it was placed.
---
--- A pod goes through the steps take, pull, run, ready; stop and gone end it. Only nodes that the
--- seed made have a kubelet: pods on others stay as they are until a client writes their status.
local chance = require("plat.sim.k8s.chance")
local data = require("plat.sim.k8s.data")
local logs = require("plat.sim.k8s.logs")
local podinfo = require("plat.sim.k8s.podinfo")
local podstate = require("plat.sim.k8s.podstate")
local queue = require("plat.sim.k8s.queue")
local recorder = require("plat.sim.k8s.recorder")
local store = require("plat.sim.k8s.store")

local M = {}

local STEPS = {}

---@class plat.sim.k8s.Runtime what a node knows about a pod
---@field ip string
---@field run integer counts starts, so that events of an earlier run are ignored
---@field pulls integer failed pulls in a row
---@field crashes integer

local function node_of(model, pod)
  local node = pod.spec.nodeName and model.state.nodes[pod.spec.nodeName]
  return node and not node.down and node or nil
end

local function step(model, pod, name, delay, extra)
  local meta = pod.metadata
  local args = { ns = meta.namespace, name = meta.name, uid = meta.uid, step = name }
  for key, value in pairs(extra or {}) do
    args[key] = value
  end
  queue.add(model, delay, "pod", nil, args)
end

local function tell(model, pod, kind, reason, message)
  recorder.event(model, pod, kind, reason, message, "kubelet", pod.spec.nodeName)
end

local function next_ip(model, node)
  local taken = {}
  for _, pod in ipairs(store.list(model, "pods")) do
    taken[data.get(pod, "status.podIP") or ""] = true
  end
  repeat
    node.last_ip = node.last_ip % 250 + 1
  until not taken[("10.244.%d.%d"):format(node.subnet, node.last_ip)]
  return ("10.244.%d.%d"):format(node.subnet, node.last_ip)
end

--- Says whether all claims of a pod are bound; also whether it has any.
local function volumes(model, pod)
  local any, bound = false, true
  for _, volume in ipairs(pod.spec.volumes or {}) do
    local name = data.get(volume, "persistentVolumeClaim.claimName")
    if name then
      any = true
      local claim = store.get(model, "persistentvolumeclaims", pod.metadata.namespace, name)
      bound = bound and data.get(claim, "status.phase") == "Bound"
    end
  end
  return bound, any
end

function STEPS.take(model, pod, node)
  if not podinfo.condition(pod, "Initialized") then
    pod = podstate.taken(model, pod, node.ip)
  end
  local bound, any = volumes(model, pod)
  if not bound then
    return step(model, pod, "take", 1)
  end
  local delay = chance.between(model, 0.4, 1.2)
  if any then
    delay = delay + chance.between(model, 2, 6)
    for _, volume in ipairs(pod.spec.volumes) do
      local name = data.get(volume, "persistentVolumeClaim.claimName")
      local claim = name
        and store.get(model, "persistentvolumeclaims", pod.metadata.namespace, name)
      if claim then
        local text = ('AttachVolume.Attach succeeded for volume "%s" '):format(
          claim.spec.volumeName
        )
        local by = "attachdetach-controller"
        recorder.event(model, pod, "Normal", "SuccessfulAttachVolume", text, by)
      end
    end
  end
  step(model, pod, "pull", delay, { index = 1 })
end

--- Says why an image cannot be had, or nil. Registries under ".invalid" do not exist.
local function pull_error(model, pod, image)
  local prefix = model.state.faults.image_pull
  local host = image:match("^([^/]+)/") or ""
  local function begins(text)
    return text:sub(1, #prefix) == prefix
  end
  if prefix and (begins(image) or begins(pod.metadata.name)) then
    return (
      'rpc error: code = NotFound desc = failed to pull and unpack image "%s": failed to '
      .. 'resolve reference "%s": %s: not found'
    ):format(image, image, image)
  elseif host:match("%.invalid$") or host:match("%.invalid:%d+$") then
    return (
      'failed to pull and unpack image "%s": failed to resolve reference "%s": failed to do '
      .. "request: dial tcp: lookup %s: no such host"
    ):format(image, image, host)
  end
  return nil
end

local function pull_fails(model, pod, c, message)
  local runtime = model.state.pods[pod.metadata.uid]
  runtime.pulls = runtime.pulls + 1
  tell(model, pod, "Normal", "Pulling", ('Pulling image "%s"'):format(c.image))
  local failed = ('Failed to pull image "%s": %s'):format(c.image, message)
  tell(model, pod, "Warning", "Failed", failed)
  tell(model, pod, "Warning", "Failed", "Error: ErrImagePull")
  podstate.waiting(model, pod, c.name, "ErrImagePull", message)
  step(model, pod, "backoff", 2, { container = c.name, why = "image" })
  local delay = math.min(300, 10 * 2 ^ (runtime.pulls - 1))
  step(model, pod, "pull", delay + chance.between(model, 0, 2), { index = 1 })
end

function STEPS.backoff(model, pod, _, args)
  local c = data.find(pod.spec.containers, { name = args.container })
  local found = data.find(pod.status.containerStatuses, { name = args.container })
  if not c or not found or not found.state.waiting then
    return
  end
  local text = ('Back-off pulling image "%s"'):format(c.image)
  tell(model, pod, "Normal", "BackOff", text)
  tell(model, pod, "Warning", "Failed", "Error: ImagePullBackOff")
  podstate.waiting(model, pod, c.name, "ImagePullBackOff", text)
end

function STEPS.pull(model, pod, node, args)
  local c = pod.spec.containers[args.index]
  if not c then
    return step(model, pod, "run", 0.2)
  end
  local message = pull_error(model, pod, c.image)
  if node.images[c.image] and c.imagePullPolicy ~= "Always" and not message then
    local text = ('Container image "%s" already present on machine'):format(c.image)
    tell(model, pod, "Normal", "Pulled", text)
    return step(model, pod, "pull", 0.1, { index = args.index + 1 })
  end
  if message then
    return pull_fails(model, pod, c, message)
  end
  model.state.pods[pod.metadata.uid].pulls = 0
  tell(model, pod, "Normal", "Pulling", ('Pulling image "%s"'):format(c.image))
  local known = node.images[c.image]
  local delay = known and chance.between(model, 0.3, 0.9) or chance.between(model, 6, 20)
  step(model, pod, "pulled", delay, { index = args.index, took = delay })
end

function STEPS.pulled(model, pod, node, args)
  local c = pod.spec.containers[args.index]
  node.images[c.image] = true
  local text = ('Successfully pulled image "%s" in %.3fs (%.3fs including waiting).'):format(
    c.image,
    args.took,
    args.took
  )
  tell(model, pod, "Normal", "Pulled", text)
  step(model, pod, "pull", 0.1, { index = args.index + 1 })
end

local function crashes(model, pod)
  local list = model.state.faults.crash
  local left = list and list[pod.metadata.name]
  return left ~= nil and left ~= 0
end

local function spend_crash(model, pod)
  local list = model.state.faults.crash
  local left = list and list[pod.metadata.name]
  if left and left > 0 then
    list[pod.metadata.name] = left > 1 and left - 1 or nil
  end
end

local function start(model, pod, c, runtime)
  tell(model, pod, "Normal", "Created", "Created container: " .. c.name)
  tell(model, pod, "Normal", "Started", "Started container " .. c.name)
  runtime.run = runtime.run + 1
  local doomed = crashes(model, pod)
  local ready = c.readinessProbe == nil
  podstate.running(model, pod, c.name, ready, runtime.ip)
  logs.write(model, pod, c.name, ("starting %s"):format(c.image))
  if doomed then
    logs.write(model, pod, c.name, "fatal: cannot start: injected fault")
    step(model, pod, "exit", chance.between(model, 1, 3), {
      container = c.name,
      code = 1,
      run = runtime.run,
    })
    return
  end
  logs.write(model, pod, c.name, "started")
  if pod.spec.restartPolicy ~= "Always" then
    local code, after = 0, chance.between(model, 3, 8)
    step(model, pod, "exit", after, { container = c.name, code = code, run = runtime.run })
  end
  if not ready then
    local probe = c.readinessProbe
    local after = (probe.initialDelaySeconds or 0) + chance.between(model, 2, 12)
    step(model, pod, "ready", after, { run = runtime.run })
  end
end

function STEPS.run(model, pod, node, args)
  local runtime = model.state.pods[pod.metadata.uid]
  runtime.ip = runtime.ip or next_ip(model, node)
  for _, c in ipairs(pod.spec.containers) do
    if not args.container or args.container == c.name then
      local present = store.get(model, "pods", pod.metadata.namespace, pod.metadata.name)
      start(model, present, c, runtime)
    end
  end
end

function STEPS.ready(model, pod, _, args)
  local runtime = model.state.pods[pod.metadata.uid]
  if args.run ~= runtime.run then
    return
  end
  local failing = model.state.faults.probe and model.state.faults.probe[pod.metadata.name]
  if not failing then
    podstate.probed(model, pod, true)
    return
  end
  local probe, name = nil, nil
  for _, c in ipairs(pod.spec.containers) do
    probe, name = probe or c.readinessProbe, name or c.name
  end
  local text = "Readiness probe failed: HTTP probe failed with statuscode: 503"
  tell(model, pod, "Warning", "Unhealthy", text)
  podstate.probed(model, pod, false)
  step(model, pod, "ready", probe and probe.periodSeconds or 10, { run = args.run })
end

function STEPS.exit(model, pod, _, args)
  local runtime = model.state.pods[pod.metadata.uid]
  if args.run ~= runtime.run or podinfo.is_leaving(pod) then
    return
  end
  local policy = pod.spec.restartPolicy
  local again = policy == "Always" or (policy == "OnFailure" and args.code ~= 0)
  logs.write(model, pod, args.container, ("exit code %d"):format(args.code))
  spend_crash(model, pod)
  pod = podstate.ended(model, pod, args.container, args.code, again) or pod
  if not again then
    return
  end
  logs.rotate(model, pod, args.container)
  runtime.crashes = runtime.crashes + 1
  local delay = runtime.crashes == 1 and 1 or math.min(300, 10 * 2 ^ (runtime.crashes - 2))
  if runtime.crashes > 1 then
    local meta = pod.metadata
    local text = ("back-off %ds restarting failed container=%s pod=%s_%s(%s)"):format(
      math.floor(delay),
      args.container,
      meta.name,
      meta.namespace,
      meta.uid
    )
    podstate.waiting(model, pod, args.container, "CrashLoopBackOff", text)
    tell(
      model,
      pod,
      "Warning",
      "BackOff",
      ("Back-off restarting failed container %s in pod %s_%s(%s)"):format(
        args.container,
        meta.name,
        meta.namespace,
        meta.uid
      )
    )
  end
  step(model, pod, "run", delay, { container = args.container })
end

function STEPS.stop(model, pod)
  local runtime = model.state.pods[pod.metadata.uid]
  local grace = pod.metadata.deletionGracePeriodSeconds or 30
  local left = store.instant(model, pod.metadata.deletionTimestamp) - model.state.now
  local takes
  if model.hooks.stop_seconds then
    takes = model.hooks.stop_seconds(pod, grace)
  end
  local slow = model.state.faults.slow_stop
  if slow and pod.metadata.name:sub(1, #slow.prefix) == slow.prefix then
    takes = slow.seconds
  end
  takes = takes or chance.between(model, 0.5, 2)
  for _, c in ipairs(pod.spec.containers) do
    tell(model, pod, "Normal", "Killing", "Stopping container " .. c.name)
  end
  runtime.run = runtime.run + 1
  step(model, pod, "gone", math.max(0.1, math.min(takes, math.max(left, 0) + 0.3)))
end

function STEPS.gone(model, pod)
  if #(pod.metadata.finalizers or {}) > 0 then
    return
  end
  store.remove(model, pod)
end

--- Runs one step of a pod, if the pod is still the same and its node answers.
---@param model plat.sim.K8s
---@param entry plat.sim.k8s.Entry
function M.run(model, entry)
  local args = entry.args
  local pod = store.get(model, "pods", args.ns, args.name)
  local node = pod and pod.metadata.uid == args.uid and node_of(model, pod)
  if not node then
    return
  end
  local ending = args.step == "stop" or args.step == "gone"
  if podinfo.is_leaving(pod) and not ending then
    return
  end
  STEPS[args.step](model, pod, node, args)
end

--- Is told of a change of a pod.
---@param model plat.sim.K8s
---@param change plat.sim.k8s.Change
function M.notice(model, change)
  local pod, prev = change.object, change.prev
  local uid = pod.metadata.uid
  if change.type == "DELETED" then
    model.state.pods[uid] = nil
    logs.forget(model, uid)
    return
  end
  if not node_of(model, pod) then
    return
  end
  if not model.state.pods[uid] then
    model.state.pods[uid] = { run = 0, pulls = 0, crashes = 0 }
    step(model, pod, "take", 0.1)
  end
  if podinfo.is_leaving(pod) then
    local before = prev and prev.metadata.deletionTimestamp
    if before ~= pod.metadata.deletionTimestamp then
      step(model, pod, "stop", 0.05)
    end
  end
end

--- Kills the container of a pod that runs, for the fault pod-crash.
---@param model plat.sim.K8s
---@param entry plat.sim.k8s.Entry
function M.crash(model, entry)
  for _, pod in ipairs(store.list(model, "pods")) do
    local runtime = model.state.pods[pod.metadata.uid]
    if pod.metadata.name == entry.args.pod and runtime and not podinfo.is_leaving(pod) then
      local c = pod.spec.containers[1]
      local found = data.find(pod.status.containerStatuses, { name = c.name })
      if found and found.state.running then
        logs.write(model, pod, c.name, "fatal: injected fault")
        step(model, pod, "exit", 0.1, { container = c.name, code = 1, run = runtime.run })
      end
    end
  end
end

--- Probes every running pod again: a fault has begun or ended.
---@param model plat.sim.K8s
function M.reprobe(model)
  for _, pod in ipairs(store.list(model, "pods")) do
    local runtime = model.state.pods[pod.metadata.uid]
    if runtime and data.get(pod, "status.phase") == "Running" then
      step(model, pod, "ready", 1, { run = runtime.run })
    end
  end
end

return M
