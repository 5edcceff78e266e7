--- The simulated world as a test sees it, in invariants, goals and preparations.

local store = require("plat.env").lazy("plat.sim.k8s.store")
local sim = require("plat.env").lazy("plat.sim.world")

local M = {}

local NAMESPACE = "data-platform"

---@class plat.test.View
---@field now number unix seconds
local View = { __name = "plat.test.View" }

View.__index = function(self, name)
  if name == "now" then
    return rawget(self, "world").now
  end
  return View[name]
end

--- Makes the view of an open world.
---@param world table
---@return plat.test.View
function M.new(world)
  return setmetatable({ world = world }, View)
end

local KINDS = {
  statefulset = "statefulsets.apps",
  deployment = "deployments.apps",
  replicaset = "replicasets.apps",
  daemonset = "daemonsets.apps",
  job = "jobs.batch",
  cronjob = "cronjobs.batch",
  hpa = "horizontalpodautoscalers.autoscaling",
  pdb = "poddisruptionbudgets.policy",
  pvc = "persistentvolumeclaims",
  lease = "leases.coordination.k8s.io",
}

local function id_of(kind)
  return KINDS[kind] or (kind:find("s$") and kind) or kind .. "s"
end

local function cluster(self)
  self.world:live()
  return self.world.models.kubernetes
end

--- Returns an object of the cluster; it must not be changed.
---@param kind string "statefulset", "pod", "hpa", or an id: "ingresses.networking.k8s.io"
---@param name string
---@param namespace? string default: the platform's; "" for an object of the cluster
---@return table?
function View:object(kind, name, namespace)
  return store.get(cluster(self), id_of(kind), namespace or NAMESPACE, name)
end

--- Returns the objects of a kind in a namespace, in the order of their names.
---@param kind string
---@param namespace? string
---@return table[]
function View:objects(kind, namespace)
  return store.list(cluster(self), id_of(kind), namespace or NAMESPACE)
end

--- Returns the pods that have all these labels.
---@param labels table<string, string>
---@param namespace? string
---@return { name: string, ready: boolean, phase: string, node: string?, deleting: boolean }[]
function View:pods(labels, namespace)
  return cluster(self):pods({ namespace = namespace or NAMESPACE, labels = labels })
end

--- Returns the queries of Dremio that were not ended by themselves: `{ id, state, error }`.
---@return table[]
function View:queries()
  self.world:live()
  local model = self.world.models.dremio
  local found = {}
  for _, id in ipairs(model.state.order) do
    local job = model.state.jobs[id]
    local word = model:job_state(job)
    found[#found + 1] = { id = id, state = word, error = job.error, user = job.user }
  end
  return found
end

--- Returns the names of the executors that Dremio's coordinator counts.
---@return string[]
function View:executors()
  self.world:live()
  local names = {}
  for i, node in ipairs(self.world.models.dremio:listed()) do
    names[i] = node.name
  end
  return names
end

--- Returns a simulated host: its `files`, `services`, `processes`, `packages`, `users`.
---@param name string
---@return plat.sim.Machine
function View:host(name)
  return self.world:host(name)
end

--- Puts an object into the cluster as it is, or in the place of the one with its name.
---@param object table with kind, apiVersion, metadata, spec
function View:put(object)
  require("plat.sim.k8s.seeds").put(cluster(self), object)
end

--- Adds a node to the cluster.
---@param spec { name: string, cpu: string, memory: string, images: string[]? } images: those that
---  need not be pulled
function View:node(spec)
  require("plat.sim.k8s.seeds").node(cluster(self), spec)
end

--- Sends a request to the cluster's API and returns the answer. For what `put` cannot do.
---@param method string
---@param path string
---@param body? string
---@param kind? string of the body; default "application/json"
---@return table resp
function View:api(method, path, body, kind)
  local headers = { ["content-type"] = kind or "application/json" }
  return cluster(self):handle(sim.parse_request(method, path, headers, body))
end

--- Brings a fault about, as --fault does.
---@param text string "query:90"
function View:fault(text)
  self.world:fault(sim.parse_fault(text))
end

--- Lets time pass.
---@param seconds number
function View:advance(seconds)
  self.world:advance(self.world.now + seconds)
end

return M
