--- What each error answer of a real server becomes: kind, code, text and hint.
local errors = require("plat.k8s.errors")
local fault = require("plat.fault")
local json = require("plat.json")
local transport = require("plat.k8s.transport")

local ABOUT = {
  op = "k8s.scale",
  target = "cluster prod",
  object = "statefulset data-platform/dremio-executor",
}

local function status(code, reason, message, details)
  return {
    status = code,
    headers = { ["content-type"] = "application/json" },
    body = json.encode({
      kind = "Status",
      apiVersion = "v1",
      metadata = {},
      status = "Failure",
      message = message,
      reason = reason,
      details = details,
      code = code,
    }),
  }
end

local function first_line(err)
  return fault.text(err):match("^[^\n]*")
end

return {
  ["403 says who may not do what, and which role would allow it"] = function(t)
    local err = errors.from_response(
      ABOUT,
      status(
        403,
        "Forbidden",
        'statefulsets.apps "dremio-executor" is forbidden: User "jane" cannot patch resource '
          .. '"statefulsets/scale" in API group "apps" in the namespace "data-platform"',
        { name = "dremio-executor", group = "apps", kind = "statefulsets" }
      )
    )
    t.equal(err.kind, "http")
    t.equal(err.code, 403)
    t.equal(err.reason, "Forbidden")
    t.equal(
      first_line(err),
      "cluster prod: k8s.scale statefulset data-platform/dremio-executor: 403 Forbidden: "
        .. 'user "jane" cannot patch resource "statefulsets/scale" in API group "apps" '
        .. 'in the namespace "data-platform"'
    )
    t.match(err.hint, "^jane needs a Role in data%-platform")
    t.match(err.hint, "%-%-verb=patch %-%-resource=statefulsets.apps/scale %-n data%-platform$")
  end,

  ["403 of a cluster-wide resource asks for a ClusterRole"] = function(t)
    local err = errors.from_response(
      ABOUT,
      status(
        403,
        "Forbidden",
        'nodes is forbidden: User "jane" cannot list resource "nodes" '
          .. 'in API group "" at the cluster scope'
      )
    )
    t.match(
      err.hint,
      "ClusterRole.*kubectl create clusterrole NAME %-%-verb=list %-%-resource=nodes$"
    )
  end,

  ["anonymous 403 points at the credentials"] = function(t)
    local err = errors.from_response(
      { op = "k8s.get", target = "cluster c", credentials = "the token of user x in y" },
      status(
        403,
        "Forbidden",
        'pods is forbidden: User "system:anonymous" cannot list resource "pods"'
      )
    )
    t.match(err.hint, "without accepted credentials %(the token of user x in y%)")
  end,

  ["401 names the credentials that were refused"] = function(t)
    local about = { op = "k8s.get", target = "cluster c", credentials = "the token of user x in y" }
    local err = errors.from_response(about, status(401, "Unauthorized", "Unauthorized"))
    t.equal(err.hint, "the server does not accept the token of user x in y: renew it")
  end,

  ["three different 409s"] = function(t)
    local exists = errors.from_response(
      ABOUT,
      status(
        409,
        "AlreadyExists",
        'configmaps "c5" already exists',
        { name = "c5", kind = "configmaps" }
      )
    )
    t.equal(exists.detail.conflict, "exists")
    t.match(exists.hint, "apply")
    local stale = errors.from_response(
      ABOUT,
      status(
        409,
        "Conflict",
        'Operation cannot be fulfilled on deployments.apps "web": the object has been modified',
        { name = "web", group = "apps", kind = "deployments" }
      )
    )
    t.equal(stale.detail.conflict, "stale")
    t.ok(errors.is_stale(stale))
    local manager = errors.from_response(
      ABOUT,
      status(
        409,
        "Conflict",
        'Apply failed with 1 conflict: conflict with "helm": .spec.replicas',
        {
          causes = {
            {
              reason = "FieldManagerConflict",
              message = 'conflict with "helm"',
              field = ".spec.replicas",
            },
          },
        }
      )
    )
    t.equal(manager.detail.conflict, "manager")
    t.equal(manager.detail.conflicts, { { field = ".spec.replicas", manager = "helm" } })
    t.ok(not errors.is_stale(manager))
    t.match(fault.text(manager), "%.spec%.replicas  helm")
    t.match(manager.hint, "force = true")
  end,

  ["404 of an object, of a namespace, of a resource"] = function(t)
    local object = errors.from_response(
      ABOUT,
      status(404, "NotFound", 'pods "x" not found', { name = "x", kind = "pods" })
    )
    t.ok(not errors.is_unserved(object))
    t.match(object.hint, "kubectl get pods")
    local namespace = errors.from_response(
      ABOUT,
      status(404, "NotFound", 'namespaces "x" not found', { name = "x", kind = "namespaces" })
    )
    t.match(namespace.hint, "namespace does not exist")
    local resource = errors.from_response(
      ABOUT,
      status(404, "NotFound", "the server could not find the requested resource", {})
    )
    t.ok(errors.is_unserved(resource))
    t.match(resource.hint, "does not serve")
    local path = errors.from_response({ op = "k8s.discovery", target = "cluster c" }, {
      status = 404,
      headers = { ["content-type"] = "text/plain; charset=utf-8" },
      body = "404 page not found\n",
    })
    t.ok(errors.is_unserved(path))
    t.equal(path.msg, "404 Not Found: 404 page not found")
  end,

  ["429 of an eviction tells which budget blocks"] = function(t)
    local err = errors.from_response(
      ABOUT,
      status(
        429,
        "TooManyRequests",
        "Cannot evict pod as it would violate the pod's disruption budget.",
        {
          causes = {
            {
              reason = "DisruptionBudget",
              message = "The disruption budget web needs 2 healthy pods and has 2 currently",
            },
          },
        }
      )
    )
    t.match(err.msg, "The disruption budget web needs 2")
  end,

  ["a log of a pod with several containers lists them"] = function(t)
    local err = errors.from_response(
      ABOUT,
      status(
        400,
        "BadRequest",
        "a container name must be specified for pod two, choose one of: [a b]"
      )
    )
    t.equal(err.hint, "name a container: a b")
  end,

  ["a web page is not a Kubernetes server"] = function(t)
    local err = errors.from_response(ABOUT, {
      status = 502,
      headers = { ["content-type"] = "text/html" },
      body = "<html><head><title>502 Bad Gateway</title></head></html>",
    })
    t.equal(err.kind, "parse")
    t.match(err.msg, 'answered with a web page %("502 Bad Gateway"%)')
    t.match(err.hint, "proxy")
    err = errors.from_response(ABOUT, {
      status = 502,
      headers = { ["content-type"] = "text/html" },
      body = "<title>\n  Sign\n  in\n</title>",
    })
    t.match(err.msg, 'answered with a web page %("Sign in"%)')
  end,

  ["a refused WebSocket has an empty body"] = function(t)
    local err = errors.from_response(ABOUT, { status = 403, headers = {}, body = "" })
    t.equal(err.msg, "403 Forbidden")
  end,

  ["warnings are read from the header"] = function(t)
    t.equal(transport.warnings('299 - "v1 ComponentStatus is deprecated in v1.19+"'), {
      "v1 ComponentStatus is deprecated in v1.19+",
    })
    t.equal(transport.warnings('299 - "a \\"b\\", c", 299 - "d"'), { 'a "b", c', "d" })
    t.equal(transport.warnings(nil), {})
  end,
}
