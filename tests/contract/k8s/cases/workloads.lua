--- Stateful sets and deployments. No node runs their pods; the cases write their status.
local need = ... -- loads another file of the contract
local help = need("workload_help")

local PODS = "/api/v1/namespaces/$NS/pods"
local STS = "/apis/apps/v1/namespaces/$NS/statefulsets"
local DEPLOY = "/apis/apps/v1/namespaces/$NS/deployments"
local RS = "/apis/apps/v1/namespaces/$NS/replicasets"
local STRATEGIC = "application/strategic-merge-patch+json"
local MERGE = "application/merge-patch+json"

local QUIET = { quiet = true }

local workload, ready, await_pods, await_status, ready_all =
  help.workload, help.ready, help.await_pods, help.await_status, help.ready_all

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
      t:call(
        "POST",
        STS,
        workload("StatefulSet", "s", 3, function(spec)
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
        end),
        QUIET
      )
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
      t:call(
        "POST",
        STS,
        workload("StatefulSet", "s", 2, function(spec)
          spec.updateStrategy = { type = "RollingUpdate", rollingUpdate = { partition = 1 } }
        end),
        QUIET
      )
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
      t:call(
        "PATCH",
        DEPLOY .. "/web",
        { spec = { template = { spec = { containers = image } } } },
        {
          type = STRATEGIC,
          keep = { "metadata.generation" },
        }
      )
      await_status(t, DEPLOY .. "/web", { replicas = 4, updatedReplicas = 1 }, {
        "status.replicas",
        "status.availableReplicas",
        "status.unavailableReplicas",
      })
      for _ = 1, 60 do
        local d = t:call("GET", DEPLOY .. "/web", nil, QUIET).json
        if
          d.status.updatedReplicas == 3
          and d.status.replicas == 3
          and d.status.availableReplicas == 3
        then
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
}
