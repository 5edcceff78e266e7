--- Faults that a test or a person injects.
---
---   pod-crash     { pod =, namespace?, times? }  its container ends with code 1 soon after a start
---   probe-fails   { pod =, namespace? }          its readiness probe fails
---   image-pull    { prefix? }                    images, or images of pods, of this prefix (all,
---                                                without) cannot be had
---   slow-stop     { prefix =, seconds = }        pods of this prefix take so long to end, within
---                                                their grace period
---   no-capacity   {}                             no node has room for another pod
---   node-down     { node = }                     a node stops answering
---   node-up       { node = }                     and is back
---   load          { target =, pods =, namespace? }  what an autoscaled target has to carry
---   clock-skew    { seconds = }                  its clock is so far ahead of ours
---   lease-stolen  { name? }                      somebody else takes a lease that platrun holds
---   meddle        { path =, replicas? }          somebody else changes an object
---   watch-410     { times = 1 }                  open and the next watches end: version too old
---   clear         { name? }                      ends one fault, or all
---
--- Arguments may be given as text too: "pod-crash:dremio-executor-1", "watch-410:3".
local data = require("plat.sim.k8s.data")
local list = require("plat.list")
local others = require("plat.sim.k8s.others")
local queue = require("plat.sim.k8s.queue")

local M = {}

local INJECT = {}

local function number(args, field, default)
  return math.tointeger(tonumber(args[field] or args[1])) or default
end

INJECT["pod-crash"] = function(model, args)
  local pod = assert(args.pod or args[1], "pod-crash: which pod?")
  local crash = model.state.faults.crash or {}
  crash[pod] = math.tointeger(tonumber(args.times)) or -1
  model.state.faults.crash = crash
  queue.add(model, 0.1, "crash", pod, { pod = pod })
end

INJECT["probe-fails"] = function(model, args)
  local pod = assert(args.pod or args[1], "probe-fails: which pod?")
  local probe = model.state.faults.probe or {}
  probe[pod] = true
  model.state.faults.probe = probe
  queue.add(model, 0.1, "reprobe", "")
end

INJECT["image-pull"] = function(model, args)
  model.state.faults.image_pull = args.prefix or args[1] or ""
end

INJECT["slow-stop"] = function(model, args)
  local prefix, seconds = args.prefix, args.seconds
  if args[1] then
    prefix, seconds = args[1]:match("^(.*):([%d.]+)$")
  end
  if not (prefix and tonumber(seconds)) then
    error("slow-stop: prefix and seconds, as slow-stop:dremio-executor:60", 0)
  end
  model.state.faults.slow_stop = { prefix = prefix, seconds = tonumber(seconds) }
end

INJECT["no-capacity"] = function(model)
  model.state.faults.no_capacity = true
end

--- Returns the name of a node if there is one; raises a text if not.
---@param model plat.sim.K8s
---@param name? string
---@return string
function M.node(model, name)
  if not model.state.nodes[name or ""] then
    local names = table.concat(list.keys(model.state.nodes), ", ")
    error(("no node %q; there are %s"):format(name or "", names), 0)
  end
  return name
end

INJECT["node-down"] = function(model, args)
  local node = M.node(model, args.node or args[1])
  queue.add(model, 0, "node-down", node, { node = node })
end

INJECT["node-up"] = function(model, args)
  local node = M.node(model, args.node or args[1])
  queue.add(model, 0, "node-up", node, { node = node })
end

INJECT["load"] = function(model, args)
  local target, pods = args.target, tonumber(args.pods)
  if args[1] then
    target, pods = args[1]:match("^(.-):([%d.]+)$")
  end
  if not (target and tonumber(pods)) then
    error("load: target and pods, as load:airbyte-worker:6", 0)
  end
  model.state.load = model.state.load or {}
  model.state.load[(args.namespace or "data-platform") .. "/" .. target] = tonumber(pods)
end

INJECT["watch-410"] = function(model, args)
  model.state.faults.watch_410 = number(args, "times", 1)
  require("plat.sim.k8s.watch").expire(model)
  model:wake()
end

INJECT["clock-skew"] = function(model, args)
  model.state.skew = tonumber(args.seconds or args[1])
end

INJECT["lease-stolen"] = function(model, args)
  others.steal(model, args.name or args[1])
end

INJECT["meddle"] = function(model, args)
  others.meddle(model, args.path or args[1], args.replicas)
end

local FIELD = {
  ["pod-crash"] = "crash",
  ["probe-fails"] = "probe",
  ["image-pull"] = "image_pull",
  ["slow-stop"] = "slow_stop",
  ["no-capacity"] = "no_capacity",
  ["watch-410"] = "watch_410",
}

INJECT["clear"] = function(model, args)
  local name = args.name or args[1]
  if name then
    model.state.faults[assert(FIELD[name], "no such fault: " .. name)] = nil
  elseif model.state.skew or not data.is_empty(model.state.faults) then
    model.state.faults, model.state.skew = {}, nil
  else
    return
  end
  queue.add(model, 0, "reprobe", "")
  queue.add(model, 0, "schedule-all", "")
end

--- Injects a fault; raises for a name or arguments that make no sense.
---@param model plat.sim.K8s
---@param name string "watch-410", or with its argument "watch-410:3"
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

return M
