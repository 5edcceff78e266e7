--- Pods and what acts on them: autoscalers, budgets, evictions, the scheduler, logs, jobs.
local need = ... -- loads another file of the contract
local help = need("workload_help")

local PODS = "/api/v1/namespaces/$NS/pods"
local DEPLOY = "/apis/apps/v1/namespaces/$NS/deployments"
local RS = "/apis/apps/v1/namespaces/$NS/replicasets"
local PDB = "/apis/policy/v1/namespaces/$NS/poddisruptionbudgets"
local HPA = "/apis/autoscaling/v2/namespaces/$NS/horizontalpodautoscalers"
local MERGE = "application/merge-patch+json"

local QUIET = { quiet = true }

local workload, await_status, ready_all = help.workload, help.await_status, help.ready_all

return {
  {
    title = "an autoscaler holds its target between its bounds",
    run = function(t)
      t:call("POST", DEPLOY, workload("Deployment", "web", 1), QUIET)
      t:call("POST", HPA, {
        apiVersion = "autoscaling/v2",
        kind = "HorizontalPodAutoscaler",
        metadata = { name = "h" },
        spec = {
          scaleTargetRef = { apiVersion = "apps/v1", kind = "Deployment", name = "web" },
          minReplicas = 3,
          maxReplicas = 5,
        },
      }, QUIET)
      local function replicas(n)
        t:eventually("GET", DEPLOY .. "/web", function(d)
          return d.spec.replicas == n
        end, { keep = { "spec.replicas" }, seconds = 40 })
      end
      replicas(3)
      t:eventually("GET", HPA .. "/h", function(h)
        return h.status.desiredReplicas == 3
      end, { keep = { "status.desiredReplicas" }, seconds = 40 })
      t:call("PATCH", DEPLOY .. "/web/scale", { spec = { replicas = 9 } }, {
        type = MERGE,
        keep = { "spec" },
      })
      replicas(5)
      local events = t:call(
        "GET",
        "/api/v1/namespaces/$NS/events?fieldSelector="
          .. "involvedObject.name%3Dh,reason%3DSuccessfulRescale",
        nil,
        QUIET
      ).json.items
      local said = {}
      for i, event in ipairs(events) do
        said[i] = event.message
      end
      table.sort(said)
      t:equal(
        table.concat(said, "; "),
        "New size: 3; reason: Current number of replicas below Spec.MinReplicas; "
          .. "New size: 5; reason: Current number of replicas above Spec.MaxReplicas",
        "events"
      )
    end,
  },
  {
    title = "a budget counts, and an eviction that it forbids is 429",
    run = function(t)
      t:call("POST", RS, workload("ReplicaSet", "web", 2), QUIET)
      t:call("POST", PDB, {
        apiVersion = "policy/v1",
        kind = "PodDisruptionBudget",
        metadata = { name = "web" },
        spec = { minAvailable = 2, selector = { matchLabels = { app = "web" } } },
      }, QUIET)
      ready_all(t, "app%3Dweb", 2)
      await_status(t, PDB .. "/web", { currentHealthy = 2 })
      local function evict(query)
        local pod
        for _, item in ipairs(t:call("GET", PODS, nil, QUIET).json.items) do
          if item.status.phase == "Running" then
            pod = item.metadata.name
          end
        end
        local eviction = { apiVersion = "policy/v1", kind = "Eviction", metadata = { name = pod } }
        local resp = t:call("POST", PODS .. "/" .. pod .. "/eviction" .. (query or ""), eviction)
        t:log_drop_request()
        return resp
      end
      t:equal(evict().status, 429, "forbidden")
      t:call("PATCH", PDB .. "/web", { spec = { minAvailable = 1 } }, {
        type = MERGE,
        keep = { "spec", "metadata.generation" },
      })
      await_status(t, PDB .. "/web", { disruptionsAllowed = 1 })
      t:equal(evict("?dryRun=All").status, 201, "dry run")
      t:equal(evict().status, 201, "allowed")
      t:call("POST", PODS .. "/nope/eviction", {
        apiVersion = "policy/v1",
        kind = "Eviction",
        metadata = { name = "nope" },
      })
    end,
  },
  {
    title = "a quota counts what is there and forbids what is too much",
    run = function(t)
      local quotas = "/api/v1/namespaces/$NS/resourcequotas"
      local secrets = "/api/v1/namespaces/$NS/secrets"
      t:call("POST", quotas, {
        apiVersion = "v1",
        kind = "ResourceQuota",
        metadata = { name = "q" },
        spec = { hard = { secrets = "1", pods = "1", ["requests.cpu"] = "2" } },
      }, QUIET)
      local function used(resource, value)
        t:eventually("GET", quotas .. "/q", function(q)
          return q.status and q.status.used and q.status.used[resource] == value
        end, { keep = { "status.hard", "status.used" } })
      end
      used("secrets", "0")
      local function secret(name)
        local object = { apiVersion = "v1", kind = "Secret", metadata = { name = name } }
        return t:call("POST", secrets, object)
      end
      t:equal(secret("a").status, 201, "first")
      used("secrets", "1")
      t:equal(secret("b").status, 403, "second")
      local function pod(name, requests)
        return t:call("POST", PODS, {
          apiVersion = "v1",
          kind = "Pod",
          metadata = { name = name },
          spec = {
            schedulerName = "nobody",
            containers = { { name = "c", image = "x:1", resources = { requests = requests } } },
          },
        }, { keep = { "message", "reason", "code", "details", "status.phase" } })
      end
      pod("none", nil)
      pod("big", { cpu = "2500m" })
      pod("fits", { cpu = "1500m" })
      used("pods", "1")
      pod("more", { cpu = "600m" })
    end,
  },
  {
    title = "a replica set that a quota stops says so",
    run = function(t)
      t:call("POST", "/api/v1/namespaces/$NS/resourcequotas", {
        apiVersion = "v1",
        kind = "ResourceQuota",
        metadata = { name = "q" },
        spec = { hard = { pods = "1" } },
      }, QUIET)
      t:eventually("GET", "/api/v1/namespaces/$NS/resourcequotas/q", function(q)
        return q.status and q.status.used and q.status.used.pods == "0"
      end, { keep = { "kind" } })
      t:call("POST", RS, workload("ReplicaSet", "web", 2), QUIET)
      local query = "?fieldSelector=involvedObject.name%3Dweb,reason%3DFailedCreate"
      local found = t:eventually("GET", "/api/v1/namespaces/$NS/events" .. query, function(list)
        return #list.items > 0
      end, { keep = { "kind" } }).json.items[1]
      t:ok(found.message:find('^Error creating: pods "web%-'), "message: " .. found.message)
      t:ok(found.message:find("is forbidden: exceeded quota: q, requested: pods=1", 1, true), "why")
      t:equal(found.type, "Warning", "type")
    end,
  },
  {
    title = "a pod that no node can take says why",
    without_nodes = true,
    run = function(t)
      t:call("POST", PODS, {
        apiVersion = "v1",
        kind = "Pod",
        metadata = { name = "p" },
        spec = { containers = { { name = "c", image = "local/x:1" } } },
      }, QUIET)
      t:eventually("GET", PODS .. "/p", function(pod)
        return pod.status.conditions ~= nil
      end, { keep = { "status" } })
      t:call("GET", PODS .. "/p/log", nil, { loose = true })
      t:call("DELETE", PODS .. "/p", nil, {
        keep = {
          "kind",
          "metadata.deletionTimestamp",
          "metadata.deletionGracePeriodSeconds",
          "metadata.generation",
        },
      })
      t:call("GET", PODS .. "/p")
    end,
  },
  {
    title = "logs that cannot be had",
    run = function(t)
      t:call("POST", PODS, {
        apiVersion = "v1",
        kind = "Pod",
        metadata = { name = "two" },
        spec = {
          schedulerName = "nobody",
          containers = { { name = "a", image = "local/x:1" }, { name = "b", image = "local/x:1" } },
        },
      }, QUIET)
      t:call("GET", PODS .. "/two/log")
      t:call("GET", PODS .. "/two/log?container=nope")
      local options = "&tailLines=3&sinceSeconds=60&timestamps=true&limitBytes=10"
      t:call("GET", PODS .. "/two/log?container=a" .. options)
      t:call("GET", PODS .. "/two/log?container=a&previous=true")
      t:call("GET", PODS .. "/two/log?container=a&follow=true")
      t:call("GET", "/api/v1/namespaces/$NS/events?fieldSelector=type%3DWarning&limit=5", nil, {
        keep = { "kind" },
      })
    end,
  },
  {
    title = "a job ends with its pod",
    run = function(t)
      local jobs = "/apis/batch/v1/namespaces/$NS/jobs"
      local function job(name)
        local pod = { restartPolicy = "Never", schedulerName = "nobody" }
        pod.containers = { { name = "c", image = "local/x" } }
        t:call("POST", jobs, {
          apiVersion = "batch/v1",
          kind = "Job",
          metadata = { name = name },
          spec = { backoffLimit = 0, template = { spec = pod } },
        }, QUIET)
        local found
        t:eventually("GET", PODS .. "?labelSelector=job-name%3D" .. name, function(list)
          found = list.items[1]
          return found ~= nil
        end, { keep = { "kind" } })
        return found.metadata.name
      end
      local function finish(pod, phase, code)
        t:call("PATCH", PODS .. "/" .. pod .. "/status", {
          status = {
            phase = phase,
            containerStatuses = {
              {
                name = "c",
                image = "local/x",
                imageID = "",
                ready = false,
                restartCount = 0,
                state = { terminated = { exitCode = code } },
              },
            },
          },
        }, { type = MERGE, quiet = true })
      end
      local function ended(name, kind)
        local resp = t:eventually("GET", jobs .. "/" .. name, function(j)
          for _, condition in ipairs(j.status.conditions or {}) do
            if condition.type == kind then
              return true
            end
          end
          return false
        end, { keep = { "status.succeeded", "status.failed", "status.active" } })
        for _, condition in ipairs(resp.json.status.conditions) do
          if condition.type == kind then
            t:equal(condition.status, "True", "condition")
            return condition
          end
        end
      end
      finish(job("good"), "Succeeded", 0)
      t:equal(ended("good", "Complete").reason, "CompletionsReached", "reason")
      finish(job("bad"), "Failed", 1)
      t:equal(ended("bad", "Failed").reason, "BackoffLimitExceeded", "reason")
    end,
  },
}
