--- The disruption controller: status of PodDisruptionBudgets.
local data = require("plat.sim.k8s.data")
local kinds = require("plat.sim.k8s.kinds")
local podinfo = require("plat.sim.k8s.podinfo")
local quantity = require("plat.sim.k8s.quantity")
local queue = require("plat.sim.k8s.queue")
local recorder = require("plat.sim.k8s.recorder")
local select = require("plat.sim.k8s.select")
local store = require("plat.sim.k8s.store")

local M = {}

local ID = "poddisruptionbudgets.policy"
local FORGET = 120 -- seconds after which an evicted pod that did not go counts again

--- Adds up the wanted numbers of the controllers of pods.
local function wanted(model, pods)
  local seen, sum = {}, 0
  for _, pod in ipairs(pods) do
    local ref = podinfo.controller_of(pod)
    local kind = ref and kinds.of_object(ref.apiVersion, ref.kind)
    local owner = kind and store.get(model, kind.id, pod.metadata.namespace, ref.name)
    if owner and not seen[ref.uid] then
      seen[ref.uid] = true
      sum = sum + (data.get(owner, "spec.replicas") or 0)
    end
  end
  return sum
end

local function matching(model, pdb)
  local out = {}
  for _, pod in ipairs(store.list(model, "pods", pdb.metadata.namespace)) do
    if select.matches(pdb.spec.selector, pod.metadata.labels) then
      out[#out + 1] = pod
    end
  end
  return out
end

local function needs(model, pdb, pods)
  local spec = pdb.spec
  if spec.maxUnavailable ~= nil then
    local expected = wanted(model, pods)
    local spare = quantity.share(spec.maxUnavailable, expected, true)
    return expected, math.max(0, expected - spare)
  elseif type(spec.minAvailable) == "string" then
    local expected = wanted(model, pods)
    return expected, quantity.share(spec.minAvailable, expected, true)
  end
  return #pods, spec.minAvailable or 1
end

--- Keeps the evictions whose pods are still there and not yet leaving.
local function disrupted(model, pdb)
  local keep, any = {}, false
  for name, stamp in pairs(pdb.status.disruptedPods or {}) do
    local pod = store.get(model, "pods", pdb.metadata.namespace, name)
    local age = model.state.now - store.instant(model, stamp)
    if pod and not podinfo.is_leaving(pod) and age < FORGET then
      keep[name], any = stamp, true
    end
  end
  return any and keep or nil
end

--- Writes the status of a budget.
---@param model plat.sim.K8s
---@param pdb table
function M.sync(model, pdb)
  local pods = matching(model, pdb)
  local evicted = disrupted(model, pdb)
  local healthy = 0
  for _, pod in ipairs(pods) do
    local counts = podinfo.is_ready(pod) and not podinfo.is_leaving(pod)
    if counts and not (evicted and evicted[pod.metadata.name]) then
      healthy = healthy + 1
    end
  end
  local expected, least = needs(model, pdb, pods)
  local allowed = expected > 0 and math.max(0, healthy - least) or 0
  if #pods == 0 and not podinfo.condition(pdb, "DisruptionAllowed") then
    recorder.event(model, pdb, "Normal", "NoPods", "No matching pods found", "controllermanager")
  end
  store.edit(model, pdb, function(copy)
    local s = copy.status
    s.observedGeneration = pdb.metadata.generation
    s.expectedPods, s.currentHealthy, s.desiredHealthy = expected, healthy, least
    s.disruptionsAllowed, s.disruptedPods = allowed, evicted
    podinfo.set_condition(model, s, {
      type = "DisruptionAllowed",
      status = allowed > 0 and "True" or "False",
      reason = allowed > 0 and "SufficientPods" or "InsufficientPods",
      message = "",
      observedGeneration = pdb.metadata.generation,
    })
  end)
end

--- Has the budgets of a namespace looked at again: a pod or its controller has changed.
---@param model plat.sim.K8s
---@param ns string?
function M.notice(model, ns)
  for _, pdb in ipairs(store.list(model, ID, ns)) do
    local meta = pdb.metadata
    local args = { id = ID, ns = meta.namespace, name = meta.name }
    queue.add(model, 0.03, "sync", ID .. " " .. meta.namespace .. "/" .. meta.name, args)
  end
end

return M
