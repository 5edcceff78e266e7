--- Logs of containers: what the simulated kubelet wrote, and the log subresource.
local data = require("plat.sim.k8s.data")
local status = require("plat.sim.k8s.status")
local store = require("plat.sim.k8s.store")
local stream = require("plat.sim.k8s.stream")
local time = require("plat.time")
local write = require("plat.sim.k8s.write")

local M = {}

local KEEP = 400 -- lines of a container

local function log_of(model, uid, container)
  local logs = model.state.logs
  logs[uid] = logs[uid] or {}
  logs[uid][container] = logs[uid][container] or { lines = data.array({}), count = 0 }
  return logs[uid][container]
end

--- Appends a line to the log of a running container.
---@param model plat.sim.K8s
---@param pod table
---@param container string
---@param text string
function M.write(model, pod, container, text)
  local log = log_of(model, pod.metadata.uid, container)
  log.lines[#log.lines + 1] = { t = model.state.now, text = text }
  log.count = log.count + 1
  if #log.lines > KEEP then
    table.remove(log.lines, 1)
  end
  model:wake()
end

--- Puts the log of a container that ended aside, as `previous`.
---@param model plat.sim.K8s
---@param pod table
---@param container string
function M.rotate(model, pod, container)
  local log = log_of(model, pod.metadata.uid, container)
  log.previous = log.lines
  log.lines = data.array({})
end

--- Forgets the logs of a pod.
---@param model plat.sim.K8s
---@param uid string
function M.forget(model, uid)
  model.state.logs[uid] = nil
end

local function text_of(line, stamps)
  if stamps then
    local fraction = math.floor(line.t % 1 * 1e9)
    local base = time.rfc3339(line.t):gsub("Z$", "")
    return ("%s.%09dZ %s\n"):format(base, fraction, line.text)
  end
  return line.text .. "\n"
end

local function container_of(ctx, pod)
  local names = {}
  for _, list in ipairs({ "containers", "initContainers" }) do
    for _, c in ipairs(pod.spec[list] or {}) do
      names[#names + 1] = c.name
    end
  end
  local wanted = ctx.query.container
  local name = pod.metadata.name
  if not wanted or wanted == "" then
    if #pod.spec.containers > 1 then
      status.bad_request(
        ("a container name must be specified for pod %s, choose one of: [%s]"):format(
          name,
          table.concat(names, " ")
        )
      )
    end
    return names[1]
  end
  for _, known in ipairs(names) do
    if known == wanted then
      return wanted
    end
  end
  status.bad_request(("container %s is not valid for pod %s"):format(wanted, name))
end

local function state_of(pod, container)
  for _, list in ipairs({ "containerStatuses", "initContainerStatuses" }) do
    local found = data.find(data.get(pod, "status." .. list), { name = container })
    if found then
      return found
    end
  end
end

--- Raises 400 where the kubelet has no such log.
local function check_there(ctx, pod, container)
  local name = pod.metadata.name
  local found = state_of(pod, container)
  if ctx.query.previous == "true" then
    if not data.get(found, "lastState.terminated") then
      status.bad_request(
        ('previous terminated container "%s" in pod "%s" not found'):format(container, name)
      )
    end
    return
  end
  local waiting = data.get(found, "state.waiting")
  local begun = (found and found.restartCount or 0) > 0
  if (waiting and not begun) or not found then
    local reason = waiting and waiting.reason or "ContainerCreating"
    local why = reason
    if reason == "ImagePullBackOff" or reason == "ErrImagePull" then
      why = "trying and failing to pull image"
    end
    status.bad_request(
      ('container "%s" in pod "%s" is waiting to start: %s'):format(container, name, why)
    )
  end
end

local function select_lines(ctx, lines, now)
  local query = ctx.query
  local since = tonumber(query.sinceSeconds)
  local from = 1
  local tail = tonumber(query.tailLines)
  if tail then
    from = math.max(1, #lines - tail + 1)
  end
  local out = {}
  for i = from, #lines do
    if not since or lines[i].t >= now - since then
      out[#out + 1] = text_of(lines[i], query.timestamps == "true")
    end
  end
  local text = table.concat(out)
  local limit = tonumber(query.limitBytes)
  return limit and text:sub(1, limit) or text
end

local function take(self)
  local log = (self.model.state.logs[self.uid] or {})[self.container]
  local text = self.first
  self.first = nil
  if log and log.count > self.seen then
    local new, out = log.count - self.seen, {}
    for i = math.max(1, #log.lines - new + 1), #log.lines do
      out[#out + 1] = text_of(log.lines[i], self.stamps)
    end
    self.seen = log.count
    text = (text or "") .. table.concat(out)
  end
  if not log or not self.running() then
    self.last = true
  end
  return text ~= "" and text or nil
end

--- Answers the log subresource.
---@param ctx plat.sim.k8s.Context
function M.serve(ctx)
  local model = ctx.model
  local pod = write.present(ctx)
  local container = container_of(ctx, pod)
  local headers = { ["content-type"] = "text/plain" }
  if not pod.spec.nodeName then
    return 204, "", {}
  end
  check_there(ctx, pod, container)
  local log = log_of(model, pod.metadata.uid, container)
  local lines = ctx.query.previous == "true" and (log.previous or {}) or log.lines
  local text = select_lines(ctx, lines, model.state.now)
  if ctx.query.follow ~= "true" then
    return 200, text, headers
  end
  local uid = pod.metadata.uid
  local function running()
    local present = store.get(model, "pods", pod.metadata.namespace, pod.metadata.name)
    local state = present and present.metadata.uid == uid and state_of(present, container)
    return state and state.state and state.state.running ~= nil
  end
  local fields = {
    uid = uid,
    container = container,
    seen = log.count,
    first = text,
    stamps = ctx.query.timestamps == "true",
    running = running,
    take = take,
  }
  return 200, stream.open(model, fields), headers
end

return M
