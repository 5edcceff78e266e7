--- Objects: create, read, update, delete; what the server fills in.
local CM = "/api/v1/namespaces/$NS/configmaps"
local STS = "/apis/apps/v1/namespaces/$NS/statefulsets"

local function config(name, data)
  return { apiVersion = "v1", kind = "ConfigMap", metadata = { name = name }, data = data }
end

local function labels(name)
  return { matchLabels = { app = name } }
end

local function template(name, spec)
  spec = spec or {}
  spec.containers = spec.containers or { { name = "c", image = "local/x:1" } }
  return { metadata = { labels = { app = name } }, spec = spec }
end

local RICH = {
  terminationGracePeriodSeconds = 5,
  initContainers = { { name = "i", image = "local/x" } },
  containers = {
    {
      name = "c",
      image = "local/x:1",
      args = { "a", "b" },
      ports = { { containerPort = 80, name = "http" } },
      env = {
        { name = "A", value = "1" },
        { name = "B", valueFrom = { fieldRef = { fieldPath = "metadata.name" } } },
      },
      readinessProbe = { httpGet = { port = 80 } },
      livenessProbe = { tcpSocket = { port = 80 }, periodSeconds = 5 },
      resources = { limits = { cpu = 1, memory = "1Gi" }, requests = { cpu = "500m" } },
      volumeMounts = { { name = "v", mountPath = "/v" } },
    },
    { name = "e", image = "local/y@sha256:" .. ("a"):rep(64) },
  },
  volumes = {
    { name = "v", configMap = { name = "q" } },
    { name = "w", secret = { secretName = "q" } },
    { name = "z", emptyDir = {} },
  },
}

return {
  {
    title = "a created object gets uid, version, time and managed fields",
    run = function(t)
      local made = t:call("POST", CM, config("c", { k = "1" }))
      t:equal(made.status, 201, "status")
      local read = t:call("GET", CM .. "/c")
      t:equal(read.json.metadata.uid, made.json.metadata.uid, "uid")
    end,
  },
  {
    title = "an update moves the version, an equal one does not",
    run = function(t)
      local a = t:call("POST", CM, config("c", { k = "1" })).json
      a.data.k = "2"
      local b = t:call("PUT", CM .. "/c", a).json
      t:ok(tonumber(b.metadata.resourceVersion) > tonumber(a.metadata.resourceVersion), "newer")
      local c = t:call("PUT", CM .. "/c", b).json
      t:equal(c.metadata.resourceVersion, b.metadata.resourceVersion, "version of an equal update")
      t:call("PUT", CM .. "/c", config("c", { k = "3" }))
    end,
  },
  {
    title = "a stale update is a conflict",
    run = function(t)
      local a = t:call("POST", CM, config("c", { k = "1" })).json
      t:call("PUT", CM .. "/c", config("c", { k = "2" }))
      t:equal(t:call("PUT", CM .. "/c", a).status, 409, "status")
    end,
  },
  {
    title = "an update that names another uid is a conflict",
    run = function(t)
      t:call("POST", CM, config("c", { k = "1" }))
      local other = config("c")
      other.metadata.uid = "00000000-0000-0000-0000-000000000000"
      t:equal(t:call("PUT", CM .. "/c", other).status, 409, "status")
    end,
  },
  {
    title = "what a client may not set is left out",
    run = function(t)
      local object = config("c")
      object.metadata.uid = "00000000-0000-0000-0000-000000000000"
      object.metadata.creationTimestamp = "2020-01-01T00:00:00Z"
      object.metadata.generation = 7
      t:call("POST", CM, object)
    end,
  },
  {
    title = "generateName makes a name",
    run = function(t)
      local object = { metadata = { generateName = "gen-" }, data = { a = "b" } }
      local made = t:call("POST", CM, object, { drop = { "metadata.name" } }).json
      t:ok(made.metadata.name:match("^gen%-%w%w%w%w%w$"), "gen- and five characters")
    end,
  },
  {
    title = "a secret's stringData is stored as base64",
    run = function(t)
      local path = "/api/v1/namespaces/$NS/secrets"
      local object = { apiVersion = "v1", kind = "Secret", metadata = { name = "s" } }
      object.stringData = { a = "b", long = "hello, world" }
      t:call("POST", path, object)
      t:call("PATCH", path .. "/s", { stringData = { a = "cc" } }, {
        type = "application/merge-patch+json",
      })
    end,
  },
  {
    title = "the type is deduced from the path",
    run = function(t)
      t:call("POST", CM, { metadata = { name = "bare" } })
    end,
  },
  {
    title = "a delete of a simple object answers a status",
    run = function(t)
      t:call("POST", CM, config("c"))
      t:call("DELETE", CM .. "/c")
      t:call("GET", CM .. "/c")
      t:call("DELETE", CM .. "/c")
    end,
  },
  {
    title = "a delete of some kinds answers the object",
    run = function(t)
      local path = "/api/v1/namespaces/$NS/services"
      local object = { apiVersion = "v1", kind = "Service", metadata = { name = "s" } }
      object.spec = { selector = { a = "b" }, ports = { { port = 80 } } }
      t:call("POST", path, object)
      t:call("DELETE", path .. "/s")
    end,
  },
  {
    title = "preconditions guard a delete",
    run = function(t)
      local made = t:call("POST", CM, config("c")).json.metadata
      local function delete(conditions)
        local options = { kind = "DeleteOptions", apiVersion = "v1", preconditions = conditions }
        return t:call("DELETE", CM .. "/c", options)
      end
      t:equal(delete({ uid = "00000000-0000-0000-0000-000000000000" }).status, 409, "other uid")
      t:equal(delete({ resourceVersion = "1" }).status, 409, "other version")
      t:equal(delete({ uid = made.uid }).status, 200, "right uid")
    end,
  },
  {
    title = "a finalizer holds an object back",
    run = function(t)
      local object = config("c")
      object.metadata.finalizers = { "example.com/hold" }
      t:call("POST", CM, object)
      local held = t:call("DELETE", CM .. "/c")
      t:ok(held.json.metadata.deletionTimestamp, "deletionTimestamp")
      t:call("PATCH", CM .. "/c", { metadata = { finalizers = t.json.null } }, {
        type = "application/merge-patch+json",
      })
      t:equal(t:call("GET", CM .. "/c").status, 404, "status after release")
    end,
  },
  {
    title = "a collection is deleted by selector",
    run = function(t)
      for _, name in ipairs({ "a", "b", "c" }) do
        local object = config(name)
        object.metadata.labels = { part = name == "c" and "two" or "one" }
        t:call("POST", CM, object, { quiet = true })
      end
      local drop = { drop = { "metadata" } }
      t:call("DELETE", CM .. "?labelSelector=part%3Done", nil, drop)
      t:call("GET", CM .. "?labelSelector=part", nil, drop)
      t:call("DELETE", CM .. "?labelSelector=none%3Dhere", nil, drop)
    end,
  },
  {
    title = "a dry run stores nothing",
    run = function(t)
      t:call("POST", CM .. "?dryRun=All&fieldManager=platrun", config("dry", { k = "1" }))
      t:equal(t:call("GET", CM .. "/dry").status, 404, "status")
      local made = t:call("POST", CM, config("c", { k = "1" })).json
      t:call("PUT", CM .. "/c?dryRun=All", config("c", { k = "2" }))
      t:call("DELETE", CM .. "/c?dryRun=All")
      t:call(
        "DELETE",
        CM .. "/c",
        { kind = "DeleteOptions", apiVersion = "v1", dryRun = { "All" } }
      )
      local now = t:call("GET", CM .. "/c").json
      t:equal(now.metadata.resourceVersion, made.metadata.resourceVersion, "version")
    end,
  },
  {
    title = "defaults and managed fields of a stateful set",
    run = function(t)
      local object = { apiVersion = "apps/v1", kind = "StatefulSet", metadata = { name = "s" } }
      object.spec = {
        serviceName = "s",
        replicas = 0,
        selector = labels("s"),
        template = template("s", RICH),
        volumeClaimTemplates = {
          {
            metadata = { name = "data" },
            spec = {
              accessModes = { "ReadWriteOnce" },
              resources = { requests = { storage = "1Gi" } },
            },
          },
        },
      }
      t:call("POST", STS, object)
    end,
  },
  {
    title = "defaults of a deployment, a daemon set and a replica set",
    run = function(t)
      for _, pair in ipairs({
        { "Deployment", "deployments" },
        { "DaemonSet", "daemonsets" },
        { "ReplicaSet", "replicasets" },
      }) do
        local object = { apiVersion = "apps/v1", kind = pair[1], metadata = { name = "w" } }
        object.spec = { selector = labels("w"), template = template("w") }
        if pair[1] ~= "DaemonSet" then
          object.spec.replicas = 0
        end
        t:call("POST", "/apis/apps/v1/namespaces/$NS/" .. pair[2], object)
      end
    end,
  },
  {
    title = "defaults of a job",
    run = function(t)
      local object = { apiVersion = "batch/v1", kind = "Job", metadata = { name = "j" } }
      local pod = { restartPolicy = "Never", containers = { { name = "c", image = "local/x" } } }
      object.spec = { suspend = true, template = { spec = pod } }
      t:call("POST", "/apis/batch/v1/namespaces/$NS/jobs", object)
    end,
  },
  {
    title = "defaults of an autoscaler",
    run = function(t)
      local path = "/apis/autoscaling/v2/namespaces/$NS/horizontalpodautoscalers"
      local target = { apiVersion = "apps/v1", kind = "Deployment", name = "nope" }
      local object = { apiVersion = "autoscaling/v2", kind = "HorizontalPodAutoscaler" }
      object.metadata = { name = "a" }
      object.spec = { scaleTargetRef = target, maxReplicas = 5 }
      t:call("POST", path, object)
      object.metadata.name = "b"
      object.spec.behavior = { scaleDown = { stabilizationWindowSeconds = 5 } }
      t:call("POST", path, object)
    end,
  },
  {
    title = "defaults of a budget, a claim, a service and a pod",
    run = function(t)
      t:call("POST", "/apis/policy/v1/namespaces/$NS/poddisruptionbudgets", {
        apiVersion = "policy/v1",
        kind = "PodDisruptionBudget",
        metadata = { name = "b" },
        spec = { minAvailable = 2, selector = labels("b") },
      })
      t:call("POST", "/api/v1/namespaces/$NS/persistentvolumeclaims", {
        apiVersion = "v1",
        kind = "PersistentVolumeClaim",
        metadata = { name = "p" },
        spec = {
          accessModes = { "ReadWriteOnce" },
          resources = { requests = { storage = "1Gi" } },
        },
      })
      local services = "/api/v1/namespaces/$NS/services"
      local service = { apiVersion = "v1", kind = "Service", metadata = { name = "a" } }
      service.spec = { selector = { a = "b" }, ports = { { port = 80 } } }
      t:call("POST", services, service)
      service.metadata.name = "h"
      service.spec.clusterIP = "None"
      service.spec.ports =
        { { name = "x", port = 80, targetPort = "http" }, { name = "y", port = 1 } }
      t:call("POST", services, service)
    end,
  },
  {
    title = "an ingress and a network policy",
    run = function(t)
      local base = "/apis/networking.k8s.io/v1/namespaces/$NS/"
      local backend = { service = { name = "web", port = { number = 80 } } }
      t:call("POST", base .. "ingresses", {
        apiVersion = "networking.k8s.io/v1",
        kind = "Ingress",
        metadata = { name = "i" },
        spec = {
          ingressClassName = "nginx",
          rules = {
            {
              host = "web.example.com",
              http = { paths = { { path = "/", pathType = "Prefix", backend = backend } } },
            },
          },
        },
      })
      t:call("POST", base .. "networkpolicies", {
        apiVersion = "networking.k8s.io/v1",
        kind = "NetworkPolicy",
        metadata = { name = "n" },
        spec = {
          podSelector = { matchLabels = { app = "web" } },
          egress = { { ports = { { port = 53, protocol = "UDP" } } } },
        },
      })
      local path = base .. "networkpolicies/n"
      t:call("PATCH", path, { spec = { podSelector = { matchLabels = { app = "x" } } } }, {
        type = "application/merge-patch+json",
        keep = { "spec", "metadata.generation" },
      })
    end,
  },
  {
    title = "a lease is taken and renewed by version",
    run = function(t)
      local path = "/apis/coordination.k8s.io/v1/namespaces/$NS/leases"
      local lease = { apiVersion = "coordination.k8s.io/v1", kind = "Lease" }
      lease.metadata = { name = "l" }
      lease.spec = {
        holderIdentity = "run-1",
        leaseDurationSeconds = 30,
        renewTime = "2026-01-01T00:00:00.000000Z",
      }
      local made = t:call("POST", path, lease).json
      made.spec.renewTime = "2026-01-01T00:00:10.000000Z"
      t:equal(t:call("PUT", path .. "/l", made).status, 200, "renewal")
      t:equal(t:call("PUT", path .. "/l", made).status, 409, "stale renewal")
      t:equal(t:call("PUT", path .. "/l", lease).status, 422, "renewal without a version")
    end,
  },
  {
    title = "an access review is answered and not stored",
    bare = true,
    run = function(t)
      local path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
      local function ask(headers)
        local attributes = { namespace = "default", verb = "get", resource = "pods" }
        local review = { apiVersion = "authorization.k8s.io/v1", kind = "SelfSubjectAccessReview" }
        review.spec = { resourceAttributes = attributes }
        local opts = { headers = headers, drop = { "metadata.managedFields", "status.reason" } }
        return t:call("POST", path, review, opts)
      end
      t:equal(ask().json.status.allowed, true, "the administrator may")
      t:equal(ask({ ["impersonate-user"] = "jane" }).json.status.allowed, false, "jane may not")
      t:call("GET", path)
    end,
  },
  {
    title = "a namespace has its name as a label and goes with what is in it",
    bare = true,
    run = function(t)
      local object = { apiVersion = "v1", kind = "Namespace", metadata = { name = t.ns } }
      t:call("POST", "/api/v1/namespaces", object)
      t:call("POST", CM, config("c"), { quiet = true })
      t:call("DELETE", "/api/v1/namespaces/$NS")
      t:call("POST", CM, config("d"))
      for _ = 1, 100 do
        if t:call("GET", "/api/v1/namespaces/$NS", nil, { quiet = true }).status == 404 then
          break
        end
        t:sleep(0.2)
      end
      t:equal(t:call("GET", "/api/v1/namespaces/$NS").status, 404, "namespace")
      t:equal(t:call("GET", CM .. "/c").status, 404, "object")
    end,
  },
}
