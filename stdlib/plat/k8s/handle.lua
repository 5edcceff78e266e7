--- One workload of a cluster: a Deployment, StatefulSet, DaemonSet, Job or Pod.
local explain = require("plat.k8s.explain")
local fault = require("plat.fault")
local kinds = require("plat.k8s.kinds")
local list = require("plat.list")
local objects = require("plat.k8s.objects")
local recovery = require("plat.k8s.recovery")
local revision = require("plat.k8s.revision")
local status = require("plat.k8s.status")
local time = require("plat.time")

local M = {}

local RESTARTED = "kubectl.kubernetes.io/restartedAt"

---@class plat.k8s.Handle
---@field namespace string
---@field name string
local Handle = { __name = "plat.k8s.Handle" }
Handle.__index = Handle

function Handle:__tostring()
  return ("%s: %s %s/%s"):format(self._client.target, self._kind, self.namespace, self.name)
end

--- Makes a handle; asks nothing.
---@param client plat.k8s.Client
---@param kind string
---@param ns string
---@param name string
---@return plat.k8s.Handle
function M.new(client, kind, ns, name)
  if type(ns) ~= "string" or type(name) ~= "string" then
    -- who calls this does so by a tail call: the second level is the playbook
    error(("%s: namespace and name are strings"):format(kind), 2)
  end
  return setmetatable({ _client = client, _kind = kind, namespace = ns, name = name }, Handle)
end

---@class plat.k8s.State
---@field replicas integer wanted (spec)
---@field current integer pods there are
---@field ready integer
---@field available integer
---@field updated integer pods of the newest revision
---@field is_ready boolean the rollout is complete
---@field failed? string why it never will be
---@field text string "2 of 3 ready"
---@field object table the object itself

local function count(object, field)
  return list.get(object, "status." .. field) or 0
end

--- Reads the present state.
---@async
---@return plat.k8s.State
function Handle:get()
  local client = self._client
  local object = client:get(self._kind, self.namespace, self.name)
  local state = status.read(client:resource(self._kind), object)
  local daemons = self._kind == "DaemonSet"
  return {
    replicas = daemons and count(object, "desiredNumberScheduled")
      or list.get(object, "spec.replicas")
      or 1,
    current = count(object, daemons and "currentNumberScheduled" or "replicas"),
    ready = count(object, daemons and "numberReady" or "readyReplicas"),
    available = count(object, daemons and "numberAvailable" or "availableReplicas"),
    updated = count(object, daemons and "updatedNumberScheduled" or "updatedReplicas"),
    is_ready = state.ready,
    failed = state.failed,
    text = state.text,
    object = object,
  }
end

--- Scales to so many replicas. Does nothing when it has them; refuses when an autoscaler owns them.
---@async
---@param replicas integer
---@param opts? { hpa?: "check"|"ignore" }
---@return boolean changed
function Handle:scale(replicas, opts)
  return self._client:scale(self._kind, self.namespace, self.name, replicas, opts)
end

--- Waits until it is ready.
---@async
---@param opts? { within?: string|number, every?: string|number }
---@return table? object
function Handle:wait_ready(opts)
  return self._client:wait_ready(self._kind, self.namespace, self.name, opts)
end

--- Returns why it is not ready, the likeliest cause first.
---@async
---@return plat.k8s.Explanation
function Handle:explain()
  return self._client:explain(self._kind, self.namespace, self.name)
end

--- Returns the autoscalers that own its replicas.
---@async
---@return plat.k8s.Hpa[]
function Handle:hpas()
  return self._client:hpas(self.namespace, self._kind, self.name)
end

local function pod_of(object)
  local state, restarts = status.pod_state(object)
  local ready = status.condition(object, "Ready")
  local name = object.metadata.name
  return {
    name = name,
    ordinal = math.tointeger(tonumber(name:match("%-(%d+)$"))),
    ready = ready ~= nil and ready.status == "True",
    state = state,
    restarts = restarts,
    node = list.get(object, "spec.nodeName"),
    ip = list.get(object, "status.podIP"),
    terminating = object.metadata.deletionTimestamp ~= nil,
    object = object,
  }
end

-- The pods a Deployment owns are owned by its ReplicaSets.
local function owners(self, object)
  local uids = { [object.metadata.uid or ""] = true }
  if self._kind == "Deployment" then
    local selector = revision.selector(list.get(object, "spec.selector"))
    local sets = self._client:list("replicasets", self.namespace, { labels = selector })
    for _, set in ipairs(sets) do
      if revision.owner_uid(set) == object.metadata.uid then
        uids[set.metadata.uid] = true
      end
    end
  end
  return uids
end

---@class plat.k8s.PodState
---@field name string
---@field ordinal? integer
---@field ready boolean
---@field state string as `kubectl get pods` shows it
---@field restarts integer
---@field node? string
---@field ip? string
---@field terminating boolean
---@field object table

--- Returns its pods, by name (a StatefulSet's by ordinal).
---@async
---@return plat.k8s.PodState[]
function Handle:pods()
  local client = self._client
  local object = client:get(self._kind, self.namespace, self.name)
  if self._kind == "Pod" then
    return { pod_of(object) }
  end
  local selector = explain.pod_selector(client:resource(self._kind), object)
  local uids = owners(self, object)
  local pods = {}
  for _, pod in ipairs(client:list("pods", self.namespace, { labels = selector })) do
    if uids[revision.owner_uid(pod) or "?"] then
      pods[#pods + 1] = pod_of(pod)
    end
  end
  table.sort(pods, function(a, b)
    if a.ordinal and b.ordinal and a.ordinal ~= b.ordinal then
      return a.ordinal < b.ordinal
    end
    return a.name < b.name
  end)
  return pods
end

--- Restarts it as its update strategy says (by the annotation of `kubectl rollout restart`).
---@async
function Handle:restart()
  local label = kinds.label(self._client:resource(self._kind), self.namespace, self.name)
  if self._kind == "Job" or self._kind == "Pod" then
    fault.raise("usage", { op = "k8s.restart", target = self._client.target, object = label }, {
      msg = "a " .. self._kind .. " has no rollout to restart",
    })
  end
  local stamp = time.rfc3339(time.now())
  local function find()
    return self._client:find(self._kind, self.namespace, self.name)
  end
  objects.patch(self._client, self._kind, self.namespace, self.name, {
    spec = { template = { metadata = { annotations = { [RESTARTED] = stamp } } } },
  }, {
    type = "merge",
    text = "restart " .. label,
    args = { restart = label },
    recovery = recovery.mark(
      find,
      { "spec", "template", "metadata", "annotations", RESTARTED },
      stamp
    ),
  })
end

return M
