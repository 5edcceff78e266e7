--- Refusals: their status codes, reasons, messages and details.
local CM = "/api/v1/namespaces/$NS/configmaps"
local DEPLOY = "/apis/apps/v1/namespaces/$NS/deployments"

local function config(name, data)
  return { apiVersion = "v1", kind = "ConfigMap", metadata = { name = name }, data = data }
end

local function deployment(name, spec)
  return { apiVersion = "apps/v1", kind = "Deployment", metadata = { name = name }, spec = spec }
end

local function web(edit)
  local spec = {
    replicas = 0,
    selector = { matchLabels = { app = "web" } },
    template = {
      metadata = { labels = { app = "web" } },
      spec = { containers = { { name = "c", image = "local/x:1" } } },
    },
  }
  if edit then
    edit(spec)
  end
  return deployment("web", spec)
end

local MERGE = { type = "application/merge-patch+json" }

return {
  {
    title = "404 for objects, namespaces, resources and paths",
    run = function(t)
      t:call("GET", "/api/v1/namespaces/$NS/pods/nope")
      t:call("GET", DEPLOY .. "/nope")
      t:call("GET", DEPLOY .. "/nope/scale")
      t:call("GET", "/api/v1/namespaces/$NS/pods/nope/log")
      t:call("POST", "/api/v1/namespaces/nope/configmaps", config("x"))
      t:call("GET", "/api/v1/namespaces/$NS/nopes")
      t:call("GET", CM .. "/x/scale")
      t:call("GET", "/apis/nope.io/v1/things")
      t:call("GET", "/nope")
      t:call("PUT", CM .. "/gone", config("gone"))
      t:call("PATCH", CM .. "/gone", { data = { a = "b" } }, MERGE)
      t:call("DELETE", CM .. "/gone")
    end,
  },
  {
    title = "405 and 415",
    run = function(t)
      t:call("PUT", "/api/v1/namespaces/$NS/pods", {})
      t:call("POST", CM .. "/x", {})
      t:call("POST", CM, "a: b", { type = "text/plain" })
      t:call("PATCH", CM .. "/x", {}, { type = "application/json" })
      t:call("PATCH", CM .. "/x", {}, { type = "application/apply-patch+json" })
    end,
  },
  {
    title = "406 for what cannot be had",
    run = function(t)
      t:call("GET", CM, nil, { headers = { accept = "text/html" } })
    end,
  },
  {
    title = "400 for bodies that cannot be read",
    run = function(t)
      t:call("POST", CM, '{"apiVersion":"v1",')
      t:call("POST", CM, config("t", { k = 1 }))
      t:call("POST", CM, { apiVersion = "v1", kind = "Secret", metadata = { name = "t" } })
      t:call(
        "POST",
        DEPLOY,
        web(function(spec)
          spec.replicas = "two"
        end)
      )
      t:call(
        "POST",
        DEPLOY,
        web(function(spec)
          spec.template.spec.containers = "none"
        end)
      )
      t:call("POST", CM, { apiVersion = "v2", kind = "ConfigMap", metadata = { name = "t" } })
    end,
  },
  {
    title = "400 for names that do not fit the path",
    run = function(t)
      t:call("POST", CM, config("c"), { quiet = true })
      t:call("PUT", CM .. "/c", config("d"))
      local other = config("e")
      other.metadata.namespace = "other"
      t:call("POST", CM, other)
      t:call("PATCH", CM .. "/c", { metadata = { name = "d" } }, MERGE)
    end,
  },
  {
    title = "fieldValidation: strict refuses, warn warns, ignore is silent",
    run = function(t)
      local object = config("c")
      object.nope = 1
      t:call("POST", CM .. "?fieldValidation=Strict", object)
      t:call("POST", CM .. "?fieldValidation=Warn&dryRun=All", object)
      t:call("POST", CM .. "?fieldValidation=Ignore&dryRun=All", object)
      t:call("POST", CM .. "?dryRun=All", object)
      t:call("POST", CM .. "?fieldValidation=Maybe", object)
      local deep = web(function(spec)
        spec.strange = true
        spec.template.spec.containers[1].imagge = "x"
      end)
      t:call("POST", DEPLOY .. "?fieldValidation=Strict", deep)
    end,
  },
  {
    title = "409 for a name that is taken",
    run = function(t)
      t:call("POST", CM, config("c"), { quiet = true })
      t:call("POST", CM, config("c"))
      t:call("POST", "/api/v1/namespaces", {
        apiVersion = "v1",
        kind = "Namespace",
        metadata = { name = "default" },
      })
    end,
  },
  {
    title = "413 over 3 MiB",
    run = function(t)
      local body = '{"apiVersion":"v1","data":{"k":"' .. ("x"):rep(3200000) .. '"}}'
      t:call("POST", CM, body)
    end,
  },
  {
    title = "422 with every cause",
    run = function(t)
      t:call(
        "POST",
        DEPLOY,
        deployment("Bad_Name", {
          selector = { matchLabels = { a = "b" } },
          template = {
            metadata = { labels = { a = "c" } },
            spec = { containers = { { name = "c" } } },
          },
        })
      )
      t:call(
        "POST",
        DEPLOY,
        web(function(spec)
          spec.replicas = -1
          spec.template.spec.restartPolicy = "Never"
        end)
      )
      t:call(
        "POST",
        DEPLOY,
        web(function(spec)
          spec.template.spec.containers =
            { { name = "c", image = "x" }, { name = "c", image = "y" } }
        end)
      )
      t:call("POST", CM, { apiVersion = "v1", kind = "ConfigMap" })
      t:call("POST", CM .. "?dryRun=Yes", config("x"))
    end,
  },
  {
    title = "422 for what never changes",
    run = function(t)
      t:call("POST", DEPLOY, web(), { quiet = true })
      t:call(
        "PATCH",
        DEPLOY .. "/web",
        { spec = { selector = { matchLabels = { app = "x" } } } },
        MERGE
      )
      local path = "/apis/apps/v1/namespaces/$NS/statefulsets"
      local set = web(function(spec)
        spec.serviceName = "web"
      end)
      set.kind = "StatefulSet"
      t:call("POST", path, set, { quiet = true })
      t:call("PATCH", path .. "/web", { spec = { serviceName = "other" } }, MERGE)
      t:call("PATCH", path .. "/web", { spec = { podManagementPolicy = "Parallel" } }, MERGE)
    end,
  },
  {
    title = "422 for autoscalers and budgets that cannot be",
    run = function(t)
      local hpas = "/apis/autoscaling/v2/namespaces/$NS/horizontalpodautoscalers"
      local function hpa(least, most)
        local target = { apiVersion = "apps/v1", kind = "Deployment", name = "web" }
        return {
          apiVersion = "autoscaling/v2",
          kind = "HorizontalPodAutoscaler",
          metadata = { name = "h" },
          spec = { scaleTargetRef = target, minReplicas = least, maxReplicas = most },
        }
      end
      t:call("POST", hpas, hpa(5, 2))
      t:call("POST", hpas, hpa(-1, 2))
      t:call("POST", hpas, hpa(1, 0))
      t:call("POST", "/apis/policy/v1/namespaces/$NS/poddisruptionbudgets", {
        apiVersion = "policy/v1",
        kind = "PodDisruptionBudget",
        metadata = { name = "b" },
        spec = { minAvailable = 1, maxUnavailable = 1, selector = { matchLabels = { a = "b" } } },
      })
    end,
  },
  {
    title = "422 for services and jobs that cannot be",
    run = function(t)
      local services = "/api/v1/namespaces/$NS/services"
      local function service(name, ports)
        return {
          apiVersion = "v1",
          kind = "Service",
          metadata = { name = name },
          spec = { ports = ports },
        }
      end
      t:call("POST", services, service("9bad", { { port = 80 } }))
      t:call("POST", services, service("none", nil))
      t:call("POST", services, service("two", { { port = 80 }, { port = 81 } }))
      t:call("POST", services, service("zero", { { port = 0 } }))
      t:call("POST", "/apis/batch/v1/namespaces/$NS/jobs", {
        apiVersion = "batch/v1",
        kind = "Job",
        metadata = { name = "j" },
        spec = { template = { spec = { containers = { { name = "c", image = "x" } } } } },
      })
    end,
  },
  {
    title = "500 for a version on a create",
    run = function(t)
      local object = config("c")
      object.metadata.resourceVersion = "5"
      t:call("POST", CM, object)
    end,
  },
  {
    title = "401 for a bad token, 403 without rights",
    run = function(t)
      local bad = { authorization = "Bearer nonsense" }
      t:call("GET", CM, nil, { headers = bad, anonymous = true })
      local jane = { ["impersonate-user"] = "jane" }
      t:call("GET", "/api/v1/namespaces/$NS/pods", nil, { headers = jane })
      t:call("GET", "/api/v1/nodes", nil, { headers = jane })
      t:call("GET", DEPLOY .. "/web", nil, { headers = jane })
      t:call("GET", DEPLOY .. "/web/scale", nil, { headers = jane })
      t:call("POST", CM, config("x"), { headers = jane })
      t:call("PATCH", DEPLOY .. "/web/scale", { spec = { replicas = 1 } }, {
        headers = jane,
        type = MERGE.type,
      })
      t:call("DELETE", CM .. "/x", nil, { headers = jane })
      t:call("DELETE", CM, nil, { headers = jane })
      t:call("GET", CM .. "?watch=true", nil, { headers = jane })
      t:call("POST", "/api/v1/namespaces/$NS/pods/p/eviction", {}, { headers = jane })
    end,
  },
}
