--- Faults that a test or a person injects.
---
---   pod-crash     { pod =, namespace?, times? }  its container ends with code 1 soon after a start
---   probe-fails   { pod =, namespace? }          its readiness probe fails
---   image-pull    { prefix? }                    images, or images of pods, of this prefix (all,
---                                                without) cannot be had
---   no-capacity   {}                             no node has room for another pod
---   node-down     { node = }                     a node stops answering
---   node-up       { node = }                     and is back
---   load          { target =, pods =, namespace? }  what an autoscaled target has to carry
---   api-503       { times = 1 }                  the next requests are answered 503
---   slow          { ms = 1000 }                  every answer takes that long
---   watch-410     { times = 1 }                  open and the next watches end: version too old
---   clear         { name? }                      ends one fault, or all
---
--- Arguments may be given as text too: "pod-crash:dremio-executor-1", "api-503:3".
local data = require("plat.sim.k8s.data")
local json = require("plat.json")
local queue = require("plat.sim.k8s.queue")

local M = {}

local INJECT = {}

local function number(args, field, default)
  return math.tointeger(tonumber(args[field] or args[1])) or default
end

INJECT["pod-crash"] = function(model, args)
  local pod = assert(args.pod or args[1], "pod-crash: which pod?")
  local list = model.state.faults.crash or {}
  list[pod] = math.tointeger(tonumber(args.times)) or -1
  model.state.faults.crash = list
  queue.add(model, 0.1, "crash", pod, { pod = pod })
end

INJECT["probe-fails"] = function(model, args)
  local pod = assert(args.pod or args[1], "probe-fails: which pod?")
  local list = model.state.faults.probe or {}
  list[pod] = true
  model.state.faults.probe = list
  queue.add(model, 0.1, "reprobe", "")
end

INJECT["image-pull"] = function(model, args)
  model.state.faults.image_pull = args.prefix or args[1] or ""
end

INJECT["no-capacity"] = function(model)
  model.state.faults.no_capacity = true
end

INJECT["node-down"] = function(model, args)
  local node = assert(args.node or args[1], "node-down: which node?")
  queue.add(model, 0, "node-down", node, { node = node })
end

INJECT["node-up"] = function(model, args)
  local node = assert(args.node or args[1], "node-up: which node?")
  queue.add(model, 0, "node-up", node, { node = node })
end

INJECT["load"] = function(model, args)
  local target, pods = args.target, tonumber(args.pods)
  if args[1] then
    target, pods = args[1]:match("^(.-):([%d.]+)$")
  end
  assert(target and tonumber(pods), "load: target and pods, as load:airbyte-worker:6")
  model.state.load = model.state.load or {}
  model.state.load[(args.namespace or "data-platform") .. "/" .. target] = tonumber(pods)
end

INJECT["api-503"] = function(model, args)
  model.state.faults.api_503 = number(args, "times", 1)
end

INJECT["slow"] = function(model, args)
  model.state.faults.slow = number(args, "ms", 1000) / 1000
end

INJECT["watch-410"] = function(model, args)
  model.state.faults.watch_410 = number(args, "times", 1)
  require("plat.sim.k8s.watch").expire(model)
  model:wake()
end

local FIELD = {
  ["pod-crash"] = "crash",
  ["probe-fails"] = "probe",
  ["image-pull"] = "image_pull",
  ["no-capacity"] = "no_capacity",
  ["api-503"] = "api_503",
  ["slow"] = "slow",
  ["watch-410"] = "watch_410",
}

INJECT["clear"] = function(model, args)
  local name = args.name or args[1]
  if name then
    model.state.faults[assert(FIELD[name], "no such fault: " .. name)] = nil
  elseif not data.is_empty(model.state.faults) then
    model.state.faults = {}
  else
    return
  end
  queue.add(model, 0, "reprobe", "")
  queue.add(model, 0, "schedule-all", "")
end

--- Injects a fault; raises for a name or arguments that make no sense.
---@param model plat.sim.K8s
---@param name string "api-503", or with its argument "api-503:3"
---@param args? any table, or one text
function M.inject(model, name, args)
  local short, rest = name:match("^([^:]+):(.*)$")
  local given = args or rest
  if type(given) ~= "table" then
    given = { given }
  end
  local run = INJECT[short or name]
  if not run then
    error("no such fault of a cluster: " .. name, 2)
  end
  run(model, given)
end

--- Uses up one of a counted fault; false if none is left.
---@param model plat.sim.K8s
---@param field string
---@return boolean
function M.spend(model, field)
  local left = model.state.faults[field]
  if not left or left <= 0 then
    return false
  end
  model.state.faults[field] = left > 1 and left - 1 or nil
  return true
end

--- Returns the latency of answers in seconds, or nil.
---@param model plat.sim.K8s
---@return number?
function M.delay(model)
  return model.state.faults.slow
end

--- Returns the answer of a failing API server, if that is injected.
---@param model plat.sim.K8s
---@return table?
function M.answer(model)
  if not M.spend(model, "api_503") then
    return nil
  end
  local status = {
    kind = "Status",
    apiVersion = "v1",
    metadata = {},
    status = "Failure",
    message = "the server is currently unable to handle the request",
    reason = "ServiceUnavailable",
    details = { retryAfterSeconds = 1 },
    code = 503,
  }
  return {
    status = 503,
    headers = { ["content-type"] = "application/json", ["retry-after"] = "1" },
    body = json.encode(status) .. "\n",
  }
end

return M
