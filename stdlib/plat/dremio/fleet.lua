--- The executors of one Dremio cluster as both sides see them: the StatefulSet that runs them, and
--- the coordinator that uses them. Looking, guards, growing and retiring; an autoscaler that owns
--- the number keeps it: then its bounds change, never the replicas.
local capacity = require("plat.capacity")
local dremio = require("plat.dremio")
local effect = require("plat.effect")
local fault = require("plat.fault")
local k8s = require("plat.k8s")
local list = require("plat.list")
local pod_status = require("plat.k8s.status")
local watch = require("plat.dremio.watch")

local M = {}

local HPA_LOOP = 300 -- seconds an autoscaler may take to follow its bounds; its loop takes 15
local UNDO_DRAIN = 120 -- seconds queries on an executor that is taken back may still run
local AFTER_CANCEL = 120 -- seconds cancelled queries may take to leave

---@class plat.dremio.Fleet
---@field name string of the StatefulSet
---@field cluster string in the inventory
---@field min integer executors that are never gone below
---@field api plat.dremio.Client
local Fleet = { __name = "plat.dremio.Fleet" }
Fleet.__index = Fleet

--- Opens the executors of a cluster of the inventory.
---@param cluster table from run:cluster()
---@return plat.dremio.Fleet
function M.open(cluster)
  if not cluster.dremio then
    fault.raise("usage", { op = "dremio.fleet" }, {
      msg = ("cluster %s has no Dremio in the inventory"):format(cluster.name),
      hint = "platrun: {dremio: {NAME: {cluster: " .. cluster.name .. ", url: ...}}}",
    })
  end
  local name = cluster.dremio.statefulset or "dremio-executor"
  local client = k8s.connect(cluster.kubernetes)
  return setmetatable({
    name = name,
    cluster = cluster.name,
    min = cluster.dremio.min or 1,
    api = dremio.connect(cluster.dremio),
    _client = client,
    _namespace = cluster.namespace,
    _set = client:stateful_set(cluster.namespace, name),
  }, Fleet)
end

--- Returns the pod names of the executors `from` to `to` (ordinals).
---@param from integer
---@param to integer
---@return string[]
function Fleet:names(from, to)
  local out = {}
  for ordinal = from, to do
    out[#out + 1] = ("%s-%d"):format(self.name, ordinal)
  end
  return out
end

---@class plat.dremio.Look
---@field replicas integer wanted by the StatefulSet
---@field pods plat.k8s.PodState[]
---@field seen string[] executors that the coordinator knows
---@field moving? string why another change seems to be in progress
---@field autoscalers table[] that own the number of executors
---@field object table the StatefulSet
---@field template table pod template of the executors

--- Returns why the StatefulSet is in the middle of a change, or nil.
local function movement(object, pods)
  local status = object.status or {}
  if (status.observedGeneration or 0) < (object.metadata.generation or 0) then
    return "its controller has not taken note of the last change yet"
  end
  local on_delete = list.get(object, "spec.updateStrategy.type") == "OnDelete"
  local partition = list.get(object, "spec.updateStrategy.rollingUpdate.partition") or 0
  if not on_delete and partition == 0 and status.currentRevision ~= status.updateRevision then
    return ("a rolling update is in progress (%d of %d pods updated)"):format(
      status.updatedReplicas or 0,
      object.spec.replicas
    )
  end
  local leaving = list.find(pods, function(pod)
    return pod.terminating and (pod.ordinal or 0) < object.spec.replicas
  end)
  return leaving and leaving.name .. " is being replaced" or nil
end

--- Waits for the executors that an earlier run has sent away and was not there to see leave.
local function wait_sent_away(self, within)
  local replicas = self._set:get().replicas
  for _, pod in ipairs(self._set:pods()) do
    if pod.terminating and pod.ordinal and pod.ordinal >= replicas then
      self:wait_left(pod.name, within)
    end
  end
end

--- Reads both sides, after the executors that are on their way out have left.
---@async
---@param within number seconds that may take
---@return plat.dremio.Look
function Fleet:look(within)
  wait_sent_away(self, within)
  local state, pods = self._set:get(), self._set:pods()
  return {
    replicas = state.replicas,
    pods = pods,
    seen = list.map(self.api:executors(), function(node)
      return node.name
    end),
    moving = movement(state.object, pods),
    autoscalers = self._set:hpas(),
    object = state.object,
    template = list.get(state.object, "spec.template"),
  }
end

--- Returns what has to happen: "grow", "shrink", "hold" (the number is right, but the autoscaler
--- may go below it) or "nothing". An autoscaler whose minimum is the number may run more. Pure.
---@param look plat.dremio.Look
---@param want integer
---@return "grow"|"shrink"|"hold"|"nothing"
function M.compare(look, want)
  local hpa = look.autoscalers[1]
  if want > look.replicas then
    return "grow"
  elseif hpa and hpa.min == want then
    return "nothing"
  elseif want < look.replicas then
    return "shrink"
  end
  return hpa and "hold" or "nothing"
end

--- Returns whether both sides agree on the executors that stay, and what they disagree on. An
--- executor that is to leave may be broken: that may be the reason why it has to.
---@param look plat.dremio.Look
---@param want integer
---@return boolean ok
---@return string? reason
function M.agree(look, want)
  local problems = {}
  local known = {}
  for _, pod in ipairs(look.pods) do
    known[pod.name] = true
    if not pod.ordinal or pod.ordinal < math.min(want, look.replicas) then
      if not pod.ready then
        problems[#problems + 1] = ("%s is not ready (%s)"):format(pod.name, pod.state)
      elseif not list.contains(look.seen, pod.name) then
        problems[#problems + 1] = ("%s is ready, but the coordinator does not know it"):format(
          pod.name
        )
      end
    end
  end
  for _, name in ipairs(look.seen) do
    if not known[name] then
      problems[#problems + 1] = ("the coordinator knows %s, which is no pod of the set"):format(
        name
      )
    end
  end
  if #look.pods < math.min(want, look.replicas) then
    problems[#problems + 1] = ("%d pods of %d exist"):format(#look.pods, look.replicas)
  end
  if #problems > 0 then
    return false, table.concat(problems, "; ")
  end
  return true
end

local function controller_of(object)
  return list.find(list.get(object, "metadata.ownerReferences") or {}, { controller = true })
end

--- Returns whether the number of executors has one owner that this module can speak to: nobody, or
--- one autoscaler. What belongs to an operator is changed there, or the operator changes it back.
---@param look plat.dremio.Look
---@return boolean ok
---@return string? reason
function M.one_owner(look)
  local owner = controller_of(look.object)
  if owner then
    return false, ("the StatefulSet belongs to %s %s: scale that"):format(owner.kind, owner.name)
  elseif #look.autoscalers > 1 then
    local names = list.map(look.autoscalers, function(hpa)
      return hpa.name
    end)
    return false, "autoscalers fight over it: " .. table.concat(names, ", ")
  end
  local hpa = look.autoscalers[1]
  owner = hpa and controller_of(hpa.object)
  if owner then
    return false,
      ("autoscaler %s belongs to %s %s: change that"):format(hpa.name, owner.kind, owner.name)
  end
  return true
end

--- Returns whether `count` more executors fit on the nodes, and what is short.
---@async
---@param look plat.dremio.Look
---@param count integer
---@return boolean ok
---@return string? reason
---@return string? hint
function Fleet:has_room(look, count)
  local fit = capacity.check(self._client, self._namespace, look.template, count, "new executors")
  if fit.fits >= count then
    return true
  end
  return false, fit.text, table.concat(fit.detail, "; ")
end

--- Returns the autoscaler that owns the number of executors, or nil.
---@async
---@return plat.k8s.Hpa?
function Fleet:autoscaler()
  local found = self._set:hpas()
  if #found > 1 then
    fault.raise("refused", { op = "dremio.fleet", object = self.name }, {
      msg = "more than one autoscaler owns the number of executors",
    })
  end
  return found[1]
end

--- Sets the bounds of an autoscaler.
---@async
---@param bounds { hpa: string, min: integer, max: integer }
function Fleet:set_bounds(bounds)
  self._client:set_hpa_bounds(self._namespace, bounds.hpa, { min = bounds.min, max = bounds.max })
end

local function wait_autoscaler(self, least, most)
  local about = { op = "dremio.fleet", object = self.name }
  local what = least == most and ("the autoscaler wants %d"):format(least)
    or ("the autoscaler wants at least %d"):format(least)
  watch.watch(about, { what = what, within = HPA_LOOP, readings = 1 }, function()
    local hpa = self:autoscaler()
    local desired = hpa and hpa.desired or -1
    return {
      good = desired >= least and desired <= most,
      text = hpa and ("it wants %d"):format(desired) or "it is gone",
    }
  end)
end

--- Sets the number of executors: the replicas, or the bounds of the autoscaler that owns them. More
--- of them leaves an autoscaler free to add; fewer pins it, or it would bring them back.
---@async
---@param want integer
---@param from integer
function Fleet:resize(want, from)
  local hpa = self:autoscaler()
  if not hpa then
    self._set:scale(want)
    return
  end
  local max = want >= from and math.max(want, hpa.max) or want
  self:set_bounds({ hpa = hpa.name, min = want, max = max })
  wait_autoscaler(self, want, max)
end

--- Keeps an autoscaler from changing the number while executors are drained: one that it adds would
--- be removed undrained, because the highest ordinal goes first.
---@async
---@param count integer
function Fleet:hold(count)
  local hpa = self:autoscaler()
  if hpa then
    self:set_bounds({ hpa = hpa.name, min = count, max = count })
  end
end

--- An autoscaler may add executors to those that were asked for.
local function expected(self, want)
  local replicas = self._set:get().replicas
  return replicas > want and self:autoscaler() and replicas or want
end

--- Waits until the executors run and the coordinator uses them.
---@async
---@param want integer
---@param within number seconds
function Fleet:wait_joined(want, within)
  self._set:wait_ready({ within = within })
  local count = expected(self, want)
  self.api:wait_executors(self:names(0, count - 1), { within = within })
end

--- Waits until no query runs on an executor. When it takes longer than `within` the wait fails and
--- names the jobs; with `cancel` they are cancelled instead.
---@async
---@param name string
---@param opts { within: number, cancel: boolean }
function Fleet:drain(name, opts)
  local plan = opts.cancel and effect.plan()
  if plan then
    plan:possible(("queries that outlive the drain of %s are cancelled"):format(name))
  end
  local _, err = fault.try(self.api.wait_drained, self.api, name, { within = opts.within })
  if not err then
    return
  elseif err.kind ~= "timeout" or not opts.cancel or not err.seen or not err.seen.jobs then
    error(err, 0)
  end
  for _, job in ipairs(err.seen.jobs) do
    self.api:cancel(job)
  end
  self.api:wait_drained(name, { within = AFTER_CANCEL })
end

--- Waits until an executor has left Kubernetes and the coordinator.
---@async
---@param name string
---@param within number seconds
function Fleet:wait_left(name, within)
  local about = { op = "dremio.fleet", object = name }
  local opts = { what = "pod " .. name .. " is gone", within = within, readings = 1 }
  watch.watch(about, opts, function()
    local pod = self._client:find("pods", self._namespace, name)
    return { good = not pod, text = pod and pod_status.pod_state(pod) or "gone" }
  end)
  self.api:wait_gone(name, { within = within })
end

--- Returns which executors the coordinator does not see, and the likeliest reason that Kubernetes
--- knows.
local function who_is_missing(self, nodes, count)
  local missing = {}
  for _, name in ipairs(self:names(0, count - 1)) do
    if not list.find(nodes, { name = name }) then
      missing[#missing + 1] = name
    end
  end
  local cause = self._set:explain().causes[1]
  return ("%s%s"):format(
    #missing > 0 and "; missing: " .. table.concat(missing, ", ") or "",
    cause and "; " .. cause.what or ""
  )
end

--- Returns whether Dremio is whole: every executor in use, all of one version, a query runs.
---@async
---@param want integer
---@return boolean ok
---@return string what was seen
function Fleet:is_whole(want)
  local nodes, count = self.api:executors(), expected(self, want)
  local versions = {}
  for _, node in ipairs(nodes) do
    versions[node.version] = true
  end
  versions = list.keys(versions)
  if #nodes ~= count then
    local text = ("the coordinator sees %d of %d executors"):format(#nodes, count)
    return false, text .. who_is_missing(self, nodes, count)
  elseif #versions > 1 then
    return false, "executors of different versions: " .. table.concat(versions, ", ")
  end
  local took = self.api:smoke()
  return true, ("%d executors, select 1 in %.1f s"):format(count, took)
end

--- Records how to undo a change of the number of executors. A playbook that calls this takes
--- `M.undo` of this module as its own.
---@async
---@param step plat.Step
---@param count integer executors before the run
function Fleet:undo(step, count)
  local hpa = self:autoscaler()
  if hpa then -- recorded first, so undone last
    local bounds = { hpa = hpa.name, min = hpa.min, max = hpa.max }
    step:undo("bounds", { cluster = self.cluster, bounds = bounds })
  end
  step:undo("executors", { cluster = self.cluster, executors = count })
end

--- Compensations: what a failed run puts back.
M.undo = {
  --- Scales back to the number of before, draining what has to leave.
  executors = function(run, saved)
    local fleet = M.open(run:cluster(saved.cluster))
    for last = fleet:look(UNDO_DRAIN).replicas - 1, saved.executors, -1 do
      fleet:drain(fleet:names(last, last)[1], { within = UNDO_DRAIN, cancel = true })
      fleet:resize(last, last + 1)
    end
    fleet:resize(saved.executors, saved.executors - 1)
  end,
  --- Gives an autoscaler the bounds it had.
  bounds = function(run, saved)
    M.open(run:cluster(saved.cluster)):set_bounds(saved.bounds)
  end,
}

return M
