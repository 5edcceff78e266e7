--- Kubernetes: a client of one cluster, over the API server's HTTP interface.
local check = require("plat.check")
local connect = require("plat.k8s.connect")
local discovery = require("plat.k8s.discovery")
local explain = require("plat.k8s.explain")
local handle = require("plat.k8s.handle")
local logs = require("plat.k8s.logs")
local objects = require("plat.k8s.objects")
local scale = require("plat.k8s.scale")
local transport = require("plat.k8s.transport")
local wait = require("plat.k8s.wait")
local watch = require("plat.k8s.watch")

local M = {}

local LIST = check.options("k8s.list", {
  labels = { type = "any", help = "label selector: text, or a table of equalities" },
  fields = { type = "any", help = "field selector: text, or a table of equalities" },
  limit = { type = "integer", min = 1, help = "at most so many objects; default: all" },
})
local APPLY = check.options("k8s.apply", {
  force = { type = "boolean", default = false, help = "take over fields of other managers" },
  manager = { type = "string", default = transport.MANAGER, help = "field manager" },
})
local PATCH = check.options("k8s.patch", {
  type = { type = "enum", enum = { "merge", "json", "strategic" }, default = "merge" },
  subresource = { type = "enum", enum = { "status", "scale" } },
  text = { type = "string", help = "the line that the plan and the journal show" },
})
local DELETE = check.options("k8s.delete", {
  propagation = {
    type = "enum",
    enum = { "Foreground", "Background", "Orphan" },
    default = "Background",
    help = "what becomes of the objects it owns",
  },
  grace = { type = "duration", help = "default: the pod's own" },
  uid = { type = "string", help = "only this very object; default: the one that is there now" },
  resource_version = { type = "string", help = "only if it has not changed since" },
})
local WATCH = check.options("k8s.watch", {
  name = { type = "string", help = "only the object of this name" },
  labels = { type = "any" },
  fields = { type = "any" },
  resource_version = { type = "string", help = "start here instead of listing first" },
})
local LOGS = check.options("k8s.logs", {
  container = { type = "string", help = "needed when the pod has several" },
  tail = { type = "integer", min = 0, help = "only so many last lines" },
  previous = { type = "boolean", default = false, help = "of the container before its restart" },
  since = { type = "duration" },
  timestamps = { type = "boolean", default = false },
  limit = { type = "bytes", help = "at most so many bytes" },
  follow = { type = "boolean", default = false, help = "go on as lines are written" },
  timeout = { type = "duration" },
})
local SCALE = check.options("k8s.scale", {
  hpa = {
    type = "enum",
    enum = { "check", "ignore" },
    default = "check",
    help = "check: refuse when an autoscaler owns the replicas",
  },
})
local BOUNDS = check.options("k8s.set_hpa_bounds", {
  min = { type = "integer", min = 0 },
  max = { type = "integer", min = 1 },
})
local WAIT = check.options("k8s.wait_ready", {
  within = { type = "duration", default = "10m", help = "the longest wait" },
  every = { type = "duration", default = "2s", help = "between polls where watching is forbidden" },
})

local WAIT_FOR = check.options("k8s.wait_for", {
  within = { type = "duration", default = "10m", help = "the longest wait" },
  every = { type = "duration", default = "2s", help = "between polls where watching is forbidden" },
  goal = { type = "string", default = "as wanted", help = "what messages call it: gone, bound" },
})

---@class plat.k8s.Client
---@field name string the context or the configured name
---@field target string "cluster NAME", as messages call it
---@field namespace string the default namespace of the context
---@field transport plat.k8s.Transport
local Client = { __name = "plat.k8s.Client" }
Client.__index = Client

function Client:__tostring()
  return self.target
end

--- Connects to a cluster: reads the configuration, sends nothing yet. Without options: KUBECONFIG,
--- ~/.kube/config, then the service account of the pod this runs in.
---@param conf? table `{ kubeconfig, context }` or `{ server, ca, cert, key, token, ... }`
---@return plat.k8s.Client
function M.connect(conf)
  local found = connect.resolve(conf)
  local self = setmetatable({
    name = found.name,
    target = "cluster " .. found.name,
    namespace = found.namespace,
    transport = transport.new(found.server, "cluster " .. found.name, found.credentials),
  }, Client)
  self.discovery = discovery.new(self.transport)
  return self
end

--- Returns the version of the server.
---@async
---@return { major: string, minor: string, gitVersion: string }
function Client:version()
  return (self.transport:request({ path = "/version", op = "k8s.version", any_json = true }))
end

--- Returns every resource that the server has.
---@async
---@return plat.k8s.Resource[]
function Client:api_resources()
  return self.discovery:all()
end

--- Returns the resource that a name means: "sts", "StatefulSet", "statefulsets.apps".
---@async
---@param kind string|table
---@return plat.k8s.Resource
function Client:resource(kind)
  return self.discovery:resolve(kind)
end

--- Reads one object. A missing one raises kind "http", code 404.
---@async
---@param kind string|table
---@param ns? string nil for cluster-wide kinds
---@param name string
---@return table
function Client:get(kind, ns, name)
  return objects.get(self, kind, ns, name)
end

--- Reads one object, or returns nil when it is not there.
---@async
---@param kind string|table
---@param ns? string
---@param name string
---@return table?
function Client:find(kind, ns, name)
  return objects.find(self, kind, ns, name)
end

--- Reads a list, all pages of it.
---@async
---@param kind string|table
---@param ns? string nil: all namespaces
---@param opts? { labels?: string|table, fields?: string|table, limit?: integer }
---@return table[] items
---@return string resource_version
function Client:list(kind, ns, opts)
  return objects.list(self, kind, ns, LIST(opts))
end

--- Creates an object.
---@async
---@param object table
---@return table
function Client:create(object)
  return objects.create(self, object)
end

--- Applies an object (server-side apply). Fields that another manager owns raise a conflict that
--- names them, their owners and both values.
---@async
---@param object table
---@param opts? { force?: boolean, manager?: string }
---@return table
function Client:apply(object, opts)
  return objects.apply(self, object, APPLY(opts))
end

--- Patches an object.
---@async
---@param kind string|table
---@param ns? string
---@param name string
---@param patch table
---@param opts? { type?: "merge"|"json"|"strategic", subresource?: string, text?: string }
---@return table
function Client:patch(kind, ns, name, patch, opts)
  return objects.patch(self, kind, ns, name, patch, PATCH(opts))
end

--- Deletes an object: the one that is there now, not a later one of the same name.
---@async
---@param kind string|table
---@param ns? string
---@param name string
---@param opts? table `{ propagation, grace, uid, resource_version }`
---@return boolean deleted false when it was not there
function Client:delete(kind, ns, name, opts)
  return objects.delete(self, kind, ns, name, DELETE(opts))
end

--- Lists objects and follows their changes until the function returns true.
---@async
---@param kind string|table
---@param ns? string nil: all namespaces
---@param opts? table `{ name, labels, fields, resource_version }`
---@param fn fun(event: plat.k8s.Event): boolean?
function Client:watch(kind, ns, opts, fn)
  return watch.run(self, kind, ns, WATCH(opts), fn)
end

--- Reads the log of a container; with `follow` calls the function for each line until it returns
--- true.
---@async
---@param ns string
---@param pod string
---@param opts? { container?: string, tail?: integer, previous?: boolean, follow?: boolean }
---@param on_line? fun(line: string): boolean?
---@return string? text
function Client:logs(ns, pod, opts, on_line)
  return logs.read(self, ns, pod, LOGS(opts), on_line)
end

--- Scales an object. Does nothing when it has that many replicas; refuses when an autoscaler owns
--- them.
---@async
---@param kind string|table
---@param ns string
---@param name string
---@param replicas integer
---@param opts? { hpa?: "check"|"ignore" }
---@return boolean changed
function Client:scale(kind, ns, name, replicas, opts)
  return scale.set(self, kind, ns, name, replicas, SCALE(opts))
end

--- Reads the scale of an object.
---@async
---@param kind string|table
---@param ns string
---@param name string
---@return { replicas: integer, current: integer, selector: string? }
function Client:scale_of(kind, ns, name)
  return scale.read(self, kind, ns, name)
end

--- Returns the autoscalers that target an object, or all of the namespace.
---@async
---@param ns string
---@param kind? string|table
---@param name? string
---@return plat.k8s.Hpa[]
function Client:hpas(ns, kind, name)
  return scale.hpas(self, ns, kind, name)
end

--- Changes the bounds of an autoscaler; returns those it had.
---@async
---@param ns string
---@param name string
---@param bounds { min?: integer, max?: integer }
---@return { min: integer, max: integer } before
function Client:set_hpa_bounds(ns, name, bounds)
  return scale.set_bounds(self, ns, name, BOUNDS(bounds))
end

--- Waits until an object is ready; it need not exist yet. Says why when it takes long, ends early
--- with the cause when it will never be.
---@async
---@param kind string|table
---@param ns? string
---@param name string
---@param opts? { within?: string|number, every?: string|number }
---@return table? object
function Client:wait_ready(kind, ns, name, opts)
  return wait.ready(self, kind, ns, name, WAIT(opts))
end

--- Waits until a function of the object is true, by watching it. The function is given the object,
--- or nil while there is none; it returns true, or false and how far it is.
---@async
---@param kind string|table
---@param ns? string
---@param name string
---@param opts { within?: string|number, every?: string|number, goal?: string }
---@param fn fun(object: table?): boolean, string?
---@return table? object
function Client:wait_for(kind, ns, name, opts, fn)
  return wait.until_true(self, kind, ns, name, WAIT_FOR(opts), fn)
end

--- Waits until an object is gone.
---@async
---@param kind string|table
---@param ns? string
---@param name string
---@param opts? { within?: string|number, every?: string|number }
function Client:wait_gone(kind, ns, name, opts)
  opts = WAIT(opts)
  opts.goal = "gone"
  wait.until_true(self, kind, ns, name, opts, function(object)
    return object == nil, object and "still there" or "gone"
  end)
end

--- Returns why an object is not ready, the likeliest cause first.
---@async
---@param kind string|table
---@param ns? string
---@param name string
---@return plat.k8s.Explanation
function Client:explain(kind, ns, name)
  return explain.run(self, kind, ns, name)
end

--- Returns a handle of a StatefulSet.
---@param ns string
---@param name string
---@return plat.k8s.Handle
function Client:stateful_set(ns, name)
  return handle.new(self, "StatefulSet", ns, name)
end

--- Returns a handle of a Deployment.
---@param ns string
---@param name string
---@return plat.k8s.Handle
function Client:deployment(ns, name)
  return handle.new(self, "Deployment", ns, name)
end

--- Returns a handle of a DaemonSet.
---@param ns string
---@param name string
---@return plat.k8s.Handle
function Client:daemon_set(ns, name)
  return handle.new(self, "DaemonSet", ns, name)
end

--- Returns a handle of a Job.
---@param ns string
---@param name string
---@return plat.k8s.Handle
function Client:job(ns, name)
  return handle.new(self, "Job", ns, name)
end

--- Returns a handle of a Pod.
---@param ns string
---@param name string
---@return plat.k8s.Handle
function Client:pod(ns, name)
  return handle.new(self, "Pod", ns, name)
end

return M
