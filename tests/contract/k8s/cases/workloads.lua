--- Controllers: what becomes of workloads. No node runs their pods; the cases write their status.
local PODS = "/api/v1/namespaces/$NS/pods"
local STS = "/apis/apps/v1/namespaces/$NS/statefulsets"
local DEPLOY = "/apis/apps/v1/namespaces/$NS/deployments"
local RS = "/apis/apps/v1/namespaces/$NS/replicasets"
local PDB = "/apis/policy/v1/namespaces/$NS/poddisruptionbudgets"
local HPA = "/apis/autoscaling/v2/namespaces/$NS/horizontalpodautoscalers"
local STRATEGIC = "application/strategic-merge-patch+json"
local MERGE = "application/merge-patch+json"

local QUIET = { quiet = true }

local function workload(kind, name, replicas, edit)
  local object = {
    apiVersion = "apps/v1",
    kind = kind,
    metadata = { name = name },
    spec = {
      replicas = replicas,
      serviceName = kind == "StatefulSet" and name or nil,
      selector = { matchLabels = { app = name } },
      template = {
        metadata = { labels = { app = name } },
        spec = { containers = { { name = "c", image = "local/x:1" } } },
      },
    },
  }
  if edit then
    edit(object.spec)
  end
  return object
end

local function ready(t, name, value)
  local stamp = "2026-01-01T00:00:00Z"
  local condition = { type = "Ready", status = value or "True", lastTransitionTime = stamp }
  t:call("PATCH", PODS .. "/" .. name .. "/status", {
    status = { phase = "Running", conditions = { condition } },
  }, { type = STRATEGIC, quiet = true })
end

local function names(list)
  local out = {}
  for _, pod in ipairs(list.items) do
    if not pod.metadata.deletionTimestamp then
      out[#out + 1] = pod.metadata.name
    end
  end
  table.sort(out)
  return table.concat(out, " ")
end

local function await_pods(t, wanted)
  t:eventually("GET", PODS, function(list)
    return names(list) == wanted
  end, { keep = { "kind" } })
end

local function await_status(t, path, fields, keep)
  return t:eventually("GET", path, function(object)
    for field, value in pairs(fields) do
      if (object.status or {})[field] ~= value then
        return false
      end
    end
    return object.status.observedGeneration == object.metadata.generation
  end, { keep = keep or { "status" } })
end

--- Makes every pod of a selector ready until there are as many as wanted.
local function ready_all(t, label, count)
  t:eventually("GET", PODS .. "?labelSelector=" .. label, function(list)
    local n = 0
    for _, pod in ipairs(list.items) do
      local phase = (pod.status or {}).phase
      if not pod.metadata.deletionTimestamp then
        if phase ~= "Running" then
          ready(t, pod.metadata.name)
        else
          n = n + 1
        end
      end
    end
    return n == count
  end, { keep = { "kind" } })
end

local POD_KEEP = {
  "metadata.labels",
  "metadata.generateName",
  "metadata.ownerReferences.1.kind",
  "metadata.ownerReferences.1.name",
  "metadata.ownerReferences.1.controller",
  "metadata.generation",
  "spec.hostname",
  "spec.subdomain",
}

return {
  {
    title = "a stateful set creates its pods in order, each after the one before is ready",
    run = function(t)
      t:call("POST", STS, workload("StatefulSet", "s", 2), QUIET)
      await_pods(t, "s-0")
      await_status(t, STS .. "/s", { replicas = 1 })
      ready(t, "s-0")
      await_pods(t, "s-0 s-1")
      ready(t, "s-1")
      await_status(t, STS .. "/s", { readyReplicas = 2 })
      t:call("GET", PODS .. "/s-1", nil, { keep = POD_KEEP })
    end,
  },
  {
    title = "a stateful set shrinks from its highest ordinal and keeps the claims",
    run = function(t)
      local claims = "/api/v1/namespaces/$NS/persistentvolumeclaims"
      t:call("POST", STS, workload("StatefulSet", "s", 3, function(spec)
        spec.podManagementPolicy = "Parallel"
        spec.volumeClaimTemplates = {
          {
            metadata = { name = "d" },
            spec = {
              accessModes = { "ReadWriteOnce" },
              resources = { requests = { storage = "1Gi" } },
            },
          },
        }
      end), QUIET)
      await_pods(t, "s-0 s-1 s-2")
      ready_all(t, "app%3Ds", 3)
      t:call("GET", PODS .. "/s-2", nil, { keep = { "spec.volumes.1", "metadata.labels" } })
      t:call("PATCH", STS .. "/s/scale", { spec = { replicas = 1 } }, {
        type = MERGE,
        keep = { "spec" },
      })
      await_pods(t, "s-0")
      await_status(t, STS .. "/s", { replicas = 1, readyReplicas = 1 })
      t:call("GET", claims .. "/d-s-2", nil, {
        keep = { "metadata.name", "metadata.labels", "spec", "status", "metadata.finalizers" },
      })
    end,
  },
  {
    title = "a stateful set rolls from its highest ordinal, and stops at the partition",
    run = function(t)
      t:call("POST", STS, workload("StatefulSet", "s", 2, function(spec)
        spec.updateStrategy = { type = "RollingUpdate", rollingUpdate = { partition = 1 } }
      end), QUIET)
      await_pods(t, "s-0")
      ready(t, "s-0")
      await_pods(t, "s-0 s-1")
      ready(t, "s-1")
      await_status(t, STS .. "/s", { readyReplicas = 2 }, { "status.updatedReplicas" })
      local image = { { name = "c", image = "local/x:2" } }
      t:call("PATCH", STS .. "/s", { spec = { template = { spec = { containers = image } } } }, {
        type = STRATEGIC,
        quiet = true,
      })
      local function image_is(name, wanted)
        t:eventually("GET", PODS .. "/" .. name, function(pod)
          return pod.spec and pod.spec.containers[1].image == wanted
        end, { keep = { "spec.containers.1.image" } })
      end
      image_is("s-1", "local/x:2")
      ready(t, "s-1")
      local s = await_status(t, STS .. "/s", { readyReplicas = 2, updatedReplicas = 1 }, {
        "status.currentReplicas",
        "status.updatedReplicas",
        "status.replicas",
      }).json.status
      t:ok(s.currentRevision ~= s.updateRevision, "two revisions")
      t:call("GET", PODS .. "/s-0", nil, { keep = { "spec.containers.1.image" } })
      t:call("PATCH", STS .. "/s", {
        spec = { updateStrategy = { rollingUpdate = { partition = 0 } } },
      }, { type = MERGE, quiet = true })
      image_is("s-0", "local/x:2")
      ready(t, "s-0")
      local done = await_status(t, STS .. "/s", { readyReplicas = 2, updatedReplicas = 2 }, {
        "status.currentReplicas",
        "status.updatedReplicas",
      }).json.status
      t:equal(done.currentRevision, done.updateRevision, "revision at the end")
      local revisions = "/apis/apps/v1/namespaces/$NS/controllerrevisions"
      local list = t:call("GET", revisions, nil, { quiet = true }).json.items
      t:equal(#list, 2, "revisions")
    end,
  },
  {
    title = "a deployment keeps its pods through a replica set",
    run = function(t)
      t:call("POST", DEPLOY, workload("Deployment", "web", 2), QUIET)
      await_status(t, DEPLOY .. "/web", { replicas = 2 }, {
        "status.replicas",
        "status.updatedReplicas",
        "status.unavailableReplicas",
        "status.conditions.1.type",
        "status.conditions.1.status",
        "status.conditions.1.reason",
        "status.conditions.1.message",
      })
      ready_all(t, "app%3Dweb", 2)
      await_status(t, DEPLOY .. "/web", { availableReplicas = 2 }, {
        "status.replicas",
        "status.updatedReplicas",
        "status.readyReplicas",
        "metadata.annotations",
      })
      local sets = t:call("GET", RS, nil, { quiet = true }).json.items
      t:equal(#sets, 1, "replica sets")
      t:call("GET", RS .. "/" .. sets[1].metadata.name, nil, {
        keep = {
          "metadata.annotations",
          "metadata.labels",
          "metadata.ownerReferences.1.kind",
          "spec.replicas",
          "spec.selector",
          "status",
        },
      })
      t:log_drop_request()
    end,
  },
  {
    title = "a deployment rolls within its bounds to a new replica set",
    run = function(t)
      t:call("POST", DEPLOY, workload("Deployment", "web", 3), QUIET)
      ready_all(t, "app%3Dweb", 3)
      await_status(t, DEPLOY .. "/web", { availableReplicas = 3 }, { "status.replicas" })
      local image = { { name = "c", image = "local/x:2" } }
      t:call("PATCH", DEPLOY .. "/web", { spec = { template = { spec = { containers = image } } } }, {
        type = STRATEGIC,
        keep = { "metadata.generation" },
      })
      await_status(t, DEPLOY .. "/web", { replicas = 4, updatedReplicas = 1 }, {
        "status.replicas",
        "status.availableReplicas",
        "status.unavailableReplicas",
      })
      for _ = 1, 60 do
        local d = t:call("GET", DEPLOY .. "/web", nil, QUIET).json
        if d.status.updatedReplicas == 3 and d.status.replicas == 3 and d.status.availableReplicas == 3 then
          break
        end
        for _, pod in ipairs(t:call("GET", PODS, nil, QUIET).json.items) do
          if pod.status.phase ~= "Running" then
            ready(t, pod.metadata.name)
          end
        end
        t:sleep(0.3)
      end
      local done = await_status(t, DEPLOY .. "/web", { availableReplicas = 3, replicas = 3 }, {
        "status.updatedReplicas",
        "status.unavailableReplicas",
        "metadata.annotations",
      }).json
      for _, condition in ipairs(done.status.conditions) do
        if condition.type == "Progressing" then
          t:equal(condition.reason, "NewReplicaSetAvailable", "reason of Progressing")
        end
      end
    end,
  },
  {
    title = "a deleted deployment takes its replica sets and pods along",
    run = function(t)
      t:call("POST", DEPLOY, workload("Deployment", "web", 1), QUIET)
      await_status(t, DEPLOY .. "/web", { replicas = 1 }, { "status.replicas" })
      t:call("DELETE", DEPLOY .. "/web")
      await_pods(t, "")
      t:equal(#t:call("GET", RS, nil, QUIET).json.items, 0, "replica sets")
    end,
  },
  {
    title = "a foreground deletion waits for the dependents, an orphaning one leaves them",
    run = function(t)
      local function delete(name, policy)
        local options = { kind = "DeleteOptions", apiVersion = "v1", propagationPolicy = policy }
        return t:call("DELETE", DEPLOY .. "/" .. name, options, {
          keep = {
            "kind",
            "metadata.finalizers",
            "metadata.deletionGracePeriodSeconds",
            "metadata.generation",
          },
        })
      end
      for _, name in ipairs({ "fore", "orph" }) do
        t:call("POST", DEPLOY, workload("Deployment", name, 1), QUIET)
        await_status(t, DEPLOY .. "/" .. name, { replicas = 1 }, { "status.replicas" })
      end
      delete("fore", "Foreground")
      delete("orph", "Orphan")
      t:eventually("GET", DEPLOY, function(list)
        return #list.items == 0
      end, { keep = { "kind" } })
      local left = t:call("GET", RS, nil, QUIET).json.items
      t:equal(#left, 1, "replica sets left")
      t:equal(left[1].metadata.ownerReferences, nil, "owner of the orphan")
      t:call("DELETE", RS .. "/" .. left[1].metadata.name, nil, QUIET)
    end,
  },
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
      local events = t:call("GET", "/api/v1/namespaces/$NS/events?fieldSelector="
        .. "involvedObject.name%3Dh,reason%3DSuccessfulRescale", nil, QUIET).json.items
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
    title = "a pod that no node can take says why",
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
    end,
  },
  {
    title = "a job ends with its pod",
    run = function(t)
      local jobs = "/apis/batch/v1/namespaces/$NS/jobs"
      local function job(name)
        local pod = { restartPolicy = "Never", containers = { { name = "c", image = "local/x" } } }
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
