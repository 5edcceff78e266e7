--- The HorizontalPodAutoscaler controller.
---
--- Load is given by the state: `load["NS/NAME"]` is the number of pods that the target would need
--- at its wanted utilization; without an entry it idles. A cluster without `metrics` only enforces
--- the bounds, as a real one without a metrics server does.
local data = require("plat.sim.k8s.data")
local json = require("plat.json")
local kinds = require("plat.sim.k8s.kinds")
local podinfo = require("plat.sim.k8s.podinfo")
local queue = require("plat.sim.k8s.queue")
local recorder = require("plat.sim.k8s.recorder")
local store = require("plat.sim.k8s.store")

local M = {}

local PERIOD = 15
local ID = "horizontalpodautoscalers.autoscaling"
local BY = "horizontal-pod-autoscaler"
local DOWN_WINDOW = 300

--- Returns the key of a target in the state's `load`.
---@param target table
---@return string
function M.load_key(target)
  return target.metadata.namespace .. "/" .. target.metadata.name
end

local function target_of(model, hpa)
  local ref = hpa.spec.scaleTargetRef
  local kind = kinds.of_object(ref.apiVersion or "apps/v1", ref.kind)
  if not kind then
    return nil, ("no matches for kind %q in group %q"):format(ref.kind, ref.apiVersion or "")
  end
  local object = store.get(model, kind.id, hpa.metadata.namespace, ref.name)
  if not object then
    return nil, ('%s "%s" not found'):format(kind.id, ref.name)
  end
  return object
end

local function shares_target(model, hpa)
  for _, other in ipairs(store.list(model, ID, hpa.metadata.namespace)) do
    if other.metadata.uid ~= hpa.metadata.uid then
      local a, b = hpa.spec.scaleTargetRef, other.spec.scaleTargetRef
      if a.kind == b.kind and a.name == b.name then
        return true
      end
    end
  end
  return false
end

--- Returns what the controller remembers of an autoscaler: recommendations and scalings.
local function memory_of(model, hpa)
  local all = model.state.autoscalers or {}
  model.state.autoscalers = all
  local uid = hpa.metadata.uid
  all[uid] = all[uid] or { advice = data.array({}), scaled = data.array({}) }
  return all[uid]
end

local function forget_older(list, limit)
  while list[1] and list[1].t < limit do
    table.remove(list, 1)
  end
end

--- Returns how many pods the rules allow to add or take away now.
local function allowance(model, memory, rules, current)
  local best
  for _, policy in ipairs(rules.policies) do
    local recent = 0
    for _, scaling in ipairs(memory.scaled) do
      if scaling.t > model.state.now - policy.periodSeconds and scaling.up == rules.up then
        recent = recent + scaling.by
      end
    end
    local base = rules.up and current - recent or current + recent
    local share = policy.type == "Percent" and math.ceil(base * policy.value / 100) or policy.value
    local left = math.max(0, share - recent)
    if rules.selectPolicy == "Min" then
      best = math.min(best or left, left)
    else
      best = math.max(best or left, left)
    end
  end
  return rules.selectPolicy == "Disabled" and 0 or best or current
end

local function rules_of(hpa, up)
  local given = data.get(hpa, up and "spec.behavior.scaleUp" or "spec.behavior.scaleDown") or {}
  local policies = given.policies
  if not policies and up then
    policies = {
      { type = "Pods", value = 4, periodSeconds = 15 },
      { type = "Percent", value = 100, periodSeconds = 15 },
    }
  elseif not policies then
    policies = { { type = "Percent", value = 100, periodSeconds = 15 } }
  end
  return {
    up = up,
    window = given.stabilizationWindowSeconds or (up and 0 or DOWN_WINDOW),
    selectPolicy = given.selectPolicy or "Max",
    policies = policies,
  }
end

--- Returns the wanted number by load, held back by windows and policies.
local function by_load(model, hpa, target, current)
  local spec = hpa.spec
  local memory = memory_of(model, hpa)
  local now = model.state.now
  local load = (model.state.load or {})[M.load_key(target)] or 0
  local advice = math.max(spec.minReplicas, math.min(spec.maxReplicas, math.ceil(load)))
  memory.advice[#memory.advice + 1] = { t = now, n = advice }
  local up, down = rules_of(hpa, true), rules_of(hpa, false)
  forget_older(memory.advice, now - math.max(up.window, down.window))
  forget_older(memory.scaled, now - 1800)
  local least, most = advice, advice
  for _, past in ipairs(memory.advice) do
    if past.t >= now - up.window then
      least = math.min(least, past.n)
    end
    if past.t >= now - down.window then
      most = math.max(most, past.n)
    end
  end
  local want = math.max(current, least)
  if advice <= current then
    want = math.min(current, most)
  end
  if want > current then
    want = math.min(want, current + allowance(model, memory, up, current))
  elseif want < current then
    want = math.max(want, current - allowance(model, memory, down, current))
  end
  local reason = want > current and "cpu resource utilization (percentage of request) above target"
    or "All metrics below target"
  return want, reason
end

local function decide(model, hpa, target)
  local spec = hpa.spec
  local current = target.spec.replicas or 1
  if current > spec.maxReplicas then
    return spec.maxReplicas, "Current number of replicas above Spec.MaxReplicas"
  elseif current < spec.minReplicas then
    return spec.minReplicas, "Current number of replicas below Spec.MinReplicas"
  elseif not model.state.metrics then
    return current, nil
  end
  return by_load(model, hpa, target, current)
end

local function set(model, status, kind, value, reason, message)
  podinfo.set_condition(model, status, {
    type = kind,
    status = value and "True" or "False",
    reason = reason,
    message = message,
  })
end

local function utilization(model, hpa, target)
  local metrics = data.array({})
  local load = (model.state.load or {})[M.load_key(target)] or 0
  local pods = math.max(1, data.get(target, "status.readyReplicas") or 1)
  for _, metric in ipairs(model.state.metrics and hpa.spec.metrics or {}) do
    local wanted = data.get(metric, "resource.target.averageUtilization")
    if wanted then
      local percent = math.floor(math.min(load, pods * 1.4) / pods * wanted + 0.5)
      local current = { averageUtilization = percent, averageValue = percent * 5 .. "m" }
      metrics[#metrics + 1] =
        { type = "Resource", resource = { name = metric.resource.name, current = current } }
    end
  end
  return #metrics > 0 and metrics or json.null
end

local function failed(model, hpa, kind, reason, message)
  recorder.event(model, hpa, "Warning", reason, message, BY)
  store.edit(model, hpa, function(copy)
    local text = kind == "AbleToScale"
        and "the HPA controller was unable to get the target's current scale: " .. message
      or message
    set(model, copy.status, kind, false, reason, text)
  end)
end

local function rescale(model, hpa, target, want, reason)
  local current = target.spec.replicas or 1
  store.edit(model, target, function(copy)
    copy.spec.replicas = want
  end)
  local memory = memory_of(model, hpa)
  memory.scaled[#memory.scaled + 1] =
    { t = model.state.now, by = math.abs(want - current), up = want > current }
  local text = ("New size: %d; reason: %s"):format(want, reason)
  recorder.event(model, hpa, "Normal", "SuccessfulRescale", text, BY)
end

local function write_status(model, hpa, target, want, current, idle)
  store.edit(model, hpa, function(copy)
    local s = copy.status
    s.currentReplicas = data.get(target, "status.replicas") or 0
    s.desiredReplicas = want
    s.currentMetrics = utilization(model, hpa, target)
    if want ~= current then
      s.lastScaleTime = store.stamp(model)
      local text = ("the HPA controller was able to update the target scale to %d"):format(want)
      set(model, s, "AbleToScale", true, "SucceededRescale", text)
    else
      local text = "recommended size matches current size"
      set(model, s, "AbleToScale", true, "ReadyForNewScale", text)
    end
    if idle then
      local text = "scaling is disabled since the replica count of the target is zero"
      set(model, s, "ScalingActive", false, "ScalingDisabled", text)
    elseif model.state.metrics then
      local text = "the HPA was able to successfully calculate a replica count from cpu resource "
        .. "utilization (percentage of request)"
      set(model, s, "ScalingActive", true, "ValidMetricFound", text)
    end
    local limited = want <= hpa.spec.minReplicas
    local text = limited and "the desired replica count is less than the minimum replica count"
      or "the desired count is within the acceptable range"
    set(
      model,
      s,
      "ScalingLimited",
      limited,
      limited and "TooFewReplicas" or "DesiredWithinRange",
      text
    )
  end)
end

local function sync(model, hpa)
  local target, message = target_of(model, hpa)
  if not target then
    return failed(model, hpa, "AbleToScale", "FailedGetScale", message)
  elseif shares_target(model, hpa) then
    local text = "pods by selector are controlled by multiple HPAs"
    return failed(model, hpa, "ScalingActive", "AmbiguousSelector", text)
  end
  local current = target.spec.replicas or 1
  if current == 0 then
    return write_status(model, hpa, target, 0, 0, true)
  end
  local want, reason = decide(model, hpa, target)
  if want ~= current then
    rescale(model, hpa, target, want, reason)
  end
  write_status(model, hpa, target, want, current, false)
end

--- Returns what the result of a look depends on beside the time, as text.
local function circumstances(model, hpa)
  local target = target_of(model, hpa)
  local present = store.get(model, ID, hpa.metadata.namespace, hpa.metadata.name)
  if not target or not present then
    return nil
  end
  local load = (model.state.load or {})[M.load_key(target)] or 0
  return ("%s %s %s"):format(
    present.metadata.resourceVersion,
    target.metadata.resourceVersion,
    tostring(load)
  )
end

--- Looks at an autoscaler, unless the last look found all settled and nothing has changed since:
--- then it returns true.
local function look(model, hpa)
  local memory = memory_of(model, hpa)
  local before = circumstances(model, hpa)
  if before and memory.settled == before then
    if memory.advice[1] then
      memory.advice = data.array({ { t = model.state.now, n = memory.advice[1].n } })
    end
    return true
  end
  sync(model, hpa)
  local target = target_of(model, hpa)
  local settled = target ~= nil
  for _, advice in ipairs(memory.advice) do
    settled = settled and advice.n == target.spec.replicas
  end
  memory.settled = settled and circumstances(model, hpa) or nil
  return false
end

--- Returns how long until the next look: where all is settled and nothing will happen for long,
--- the looks that would see nothing are left out.
local function pause(model, settled)
  local quiet = settled and model.quiet
  if not quiet then
    return PERIOD
  end
  local next_time = math.min(quiet, queue.next_time(model) or quiet)
  return math.max(1, (next_time - model.state.now) // PERIOD) * PERIOD
end

--- Looks at every autoscaler, and again after 15 seconds while there is one.
---@param model plat.sim.K8s
function M.run(model)
  local list = store.list(model, ID)
  local settled = true
  for _, hpa in ipairs(list) do
    settled = look(model, hpa) and settled
  end
  if #list > 0 then
    queue.add(model, pause(model, settled), "hpa", "")
  end
end

--- Forgets an autoscaler that is gone.
---@param model plat.sim.K8s
---@param hpa table
function M.gone(model, hpa)
  if model.state.autoscalers then
    model.state.autoscalers[hpa.metadata.uid] = nil
  end
end

--- Starts the round when an autoscaler appears.
---@param model plat.sim.K8s
function M.notice(model)
  queue.add(model, PERIOD, "hpa", "")
end

return M
