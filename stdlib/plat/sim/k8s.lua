--- A simulated Kubernetes cluster: its API, its controllers, scheduler and nodes, on a given clock.
---
--- Requests go in through `handle`, time through `advance`; the whole state is one plain table.
local api = require("plat.sim.k8s.api")
local control = require("plat.sim.k8s.control")
local data = require("plat.sim.k8s.data")
local faults = require("plat.sim.k8s.faults")
local queue = require("plat.sim.k8s.queue")
local seeds = require("plat.sim.k8s.seeds")
local select = require("plat.sim.k8s.select")
local status = require("plat.sim.k8s.status")
local store = require("plat.sim.k8s.store")
local users = require("plat.sim.k8s.users")

local M = {}

---@class plat.sim.K8s
---@field state table plain data: all that a dump holds
---@field history plat.sim.k8s.Change[]
---@field oldest integer changes after this version are in the history
---@field keys table<string, string[]> sorted keys of the objects of a kind, made when asked for
---@field events table<string, string>? keys of events by what they say, made when asked for
---@field streams plat.sim.k8s.Stream[]
---@field hooks table `now(model)`, `wait(stream, seconds)`, `stop_seconds(pod, grace)?`
local K8s = { __name = "plat.sim.K8s" }
K8s.__index = K8s

--- Waits for a change or for some seconds to pass, on the clock of the run.
local function wait(stream, seconds)
  local task = require("prim.task")
  stream.gate = stream.gate or task.gate()
  stream.gate:wait(seconds)
end

local function now()
  return require("plat.time").now()
end

local function wrap(state)
  return setmetatable({
    state = state,
    history = {},
    oldest = state.rv,
    keys = {},
    streams = {},
    seen_pods = setmetatable({}, { __mode = "k" }),
    hooks = { now = now, wait = wait },
  }, K8s)
end

--- Makes a cluster with the namespaces of a fresh one and no nodes.
---@param opts? { now: number?, seed: integer? }
---@return plat.sim.K8s
function M.new(opts)
  opts = opts or {}
  local model = wrap({
    now = opts.now or 0,
    rng = (opts.seed or 1) * 2862933555777941757 + 3037000493 & (1 << 48) - 1,
    rv = 1000,
    seq = 0,
    objects = {},
    queue = data.array({}),
    pending = {},
    logs = {},
    nodes = {},
    pods = {},
    faults = {},
    users = {},
    tokens = {},
  })
  seeds.basics(model)
  model.history, model.oldest = {}, model.state.rv
  return model
end

--- Makes the cluster of the sandbox (see plat.sim.k8s.seeds).
---@param spec? table
---@return plat.sim.K8s
function M.seed(spec)
  spec = spec or {}
  local model = M.new(spec)
  seeds.platform(model, spec)
  return model
end

--- Makes a model of what `dump` returned. Watches from before get 410, as after a restart.
---@param state table
---@return plat.sim.K8s
function M.restore(state)
  return wrap(data.copy(state))
end

--- Returns the state as plain data.
---@return table
function K8s:dump()
  return data.copy(self.state)
end

--- Processes all that is due up to a time.
---@param at number unix seconds
---@param quiet? number until then nothing comes from outside: what repeats itself may skip ahead
function K8s:advance(at, quiet)
  local state = self.state
  self.quiet = quiet
  local entry = queue.take(self, at)
  while entry do
    state.now = math.max(state.now, entry.at)
    control.run(self, entry)
    entry = queue.take(self, at)
  end
  state.now = math.max(state.now, at)
  self.quiet = nil
end

--- Returns the time of the next thing that will happen by itself.
---@return number?
function K8s:next_event()
  return queue.next_time(self)
end

--- Wakes the streams that wait.
function K8s:wake()
  for _, stream in ipairs(self.streams) do
    if stream.gate then
      stream.gate:open()
    end
  end
end

--- Is told of every change of an object.
---@param change plat.sim.k8s.Change
function K8s:changed(change)
  control.notice(self, change)
  self:wake()
end

--- Says whether a user may do something.
---@param user string
---@param spec table of an access review
---@return boolean
function K8s:allows(user, spec)
  return users.allows(self, user, spec)
end

--- Uses up one of the faults of a name, if any is left.
---@param name string
---@return boolean
function K8s:spend_fault(name)
  return faults.spend(self, name)
end

--- Injects a fault; see plat.sim.k8s.faults for their names.
---@param name string
---@param args? any
function K8s:fault(name, args)
  faults.inject(self, name, args)
end

--- Ends every fault that was injected: a new run brings its own.
function K8s:calm()
  faults.inject(self, "clear", {})
end

--- Answers one request at the present time of the model.
---@param request table `{ method, path, query, headers, body }`
---@return table response `{ status, headers, body | stream }`
function K8s:handle(request)
  local response
  local ok, code, answer, headers = pcall(function()
    local user = users.of(self, request)
    return api.serve(self, request, user)
  end)
  if ok then
    response = api.respond(code, answer, headers)
  elseif status.is_refusal(code) then
    local refusal = code
    response = api.respond(refusal.status.code, refusal.status, refusal.headers or {})
  else
    error(code, 0)
  end
  response.headers.date = store.http_date(self)
  return response
end

--- Lists pods as they are now, for other models. As long as nothing changes, the same options (the
--- very table) give the same list.
---@param opts { namespace: string?, labels: table<string, string>? }
---@return table[] pods `{ name, namespace, ip, ready, phase, image, node, deleting }`
function K8s:pods(opts)
  local seen = self.seen_pods[opts]
  if seen and seen.rv == self.state.rv then
    return seen.list
  end
  local out = {}
  self.seen_pods[opts] = { rv = self.state.rv, list = out }
  for _, pod in ipairs(store.list(self, "pods", opts.namespace)) do
    if select.matches({ matchLabels = opts.labels or {} }, pod.metadata.labels) then
      local ready = data.find(data.get(pod, "status.conditions"), { type = "Ready" })
      out[#out + 1] = {
        name = pod.metadata.name,
        namespace = pod.metadata.namespace,
        ip = data.get(pod, "status.podIP"),
        node = pod.spec.nodeName,
        ready = ready ~= nil and ready.status == "True",
        phase = data.get(pod, "status.phase"),
        image = data.get(pod, "spec.containers")[1].image,
        deleting = pod.metadata.deletionTimestamp ~= nil,
      }
    end
  end
  return out
end

return M
