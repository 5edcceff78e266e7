--- The life of the simulated cluster's sandbox on its clock.
local json = require("plat.json")
local k8s = require("plat.sim.k8s")
local help = load(assert(require("prim.fs").read("tests/lua/sim_k8s_help.lua")), "@help")()

local sandbox, ask, scale, executors, pod, reasons =
  help.sandbox, help.ask, help.scale, help.executors, help.pod, help.reasons

local NOW = help.NOW
local DEPLOYMENTS = "/apis/apps/v1/namespaces/data-platform/deployments/"
local HPA = "/apis/autoscaling/v2/namespaces/data-platform/horizontalpodautoscalers/"
local EXECUTORS = "/apis/apps/v1/namespaces/data-platform/statefulsets/dremio-executor"

return {
  ["the sandbox starts with everything ready"] = function(t)
    local model = sandbox()
    local ready = executors(model)
    t.equal(ready, 3, "ready executors")
    for _, p in ipairs(model:pods({ namespace = "data-platform" })) do
      t.ok(p.ready and p.ip and p.phase == "Running", p.name .. " is ready")
    end
    t.equal((ask(model, "GET", HPA .. "airbyte-worker-hpa")).status.desiredReplicas, 2, "workers")
  end,

  ["executors come one after the other, and each takes a while"] = function(t)
    local model = sandbox()
    local _, status = scale(model, 5)
    t.equal(status, 200, "status of the scale")
    model:advance(NOW + 10)
    t.equal((executors(model)), 3, "ready after 10 s")
    local _, all = executors(model)
    t.equal(#all, 4, "one at a time")
    model:advance(NOW + 240)
    t.equal((executors(model)), 5, "ready after 4 min")
    local set = ask(model, "GET", EXECUTORS)
    t.equal(set.status.readyReplicas, 5, "readyReplicas")
    t.equal(set.status.observedGeneration, set.metadata.generation, "observedGeneration")
  end,

  ["a day in which nothing happens is the same, skipped or lived through"] = function(t)
    local day = NOW + 86400
    local lived, skipped = sandbox(), sandbox()
    lived:advance(day)
    local turns = 0
    while (skipped:next_event() or math.huge) <= day do
      skipped:advance(skipped:next_event(), day)
      turns = turns + 1
    end
    skipped:advance(day)
    t.ok(turns < 2000, turns .. " turns")
    local a, b = lived:dump(), skipped:dump()
    a.seq, b.seq = nil, nil -- how often the clock of the autoscalers ticked
    for _, dump in ipairs({ a, b }) do
      for _, entry in ipairs(dump.queue) do
        entry.seq = nil
      end
    end
    t.ok(require("plat.list").deep_equal(a, b), "the same cluster")
  end,

  ["the highest ordinal leaves first, and its claim stays for the next"] = function(t)
    local model = sandbox()
    scale(model, 2)
    model:advance(NOW + 1)
    t.ok(pod(model, "dremio-executor-2").metadata.deletionTimestamp, "executor 2 leaves")
    t.ok(not pod(model, "dremio-executor-1").metadata.deletionTimestamp, "executor 1 stays")
    model:advance(NOW + 30)
    local path = "/api/v1/namespaces/data-platform/persistentvolumeclaims/dremio-data-"
    local claim = ask(model, "GET", path .. "dremio-executor-2")
    t.equal(claim.status.phase, "Bound", "claim")
    scale(model, 3)
    model:advance(NOW + 300)
    t.equal((executors(model)), 3, "ready")
    local again = ask(model, "GET", path .. "dremio-executor-2")
    t.equal(again.metadata.uid, claim.metadata.uid, "the same claim")
  end,

  ["a pod ends as its hook says, and never later than its grace"] = function(t)
    local model = sandbox()
    model.hooks.stop_seconds = function(p, grace)
      t.equal(grace, 720, "grace")
      return p.metadata.name == "dremio-executor-2" and 100 or 5000
    end
    scale(model, 1)
    model:advance(NOW + 90)
    t.equal(#select(2, executors(model)), 3, "executor 2 drains")
    model:advance(NOW + 110)
    t.equal(#select(2, executors(model)), 2, "executor 2 is gone")
    model:advance(NOW + 100 + 715)
    t.equal(#select(2, executors(model)), 2, "executor 1 drains")
    model:advance(NOW + 100 + 740)
    t.equal(#select(2, executors(model)), 1, "executor 1 is killed")
  end,

  ["a ninth executor finds no room and says so"] = function(t)
    local model = sandbox()
    scale(model, 9)
    model:advance(NOW + 1200)
    t.equal((executors(model)), 8, "ready")
    local conditions = pod(model, "dremio-executor-8").status.conditions
    t.equal(conditions[1].reason, "Unschedulable", "reason")
    t.match(conditions[1].message, "^0/4 nodes are available: .*Insufficient cpu", "message")
    t.ok(reasons(model, "dremio-executor-8").FailedScheduling, "event")
    scale(model, 8)
    model:advance(NOW + 1300)
    t.equal(#select(2, executors(model)), 8, "pods")
  end,

  ["the autoscaler undoes a manual scale, within its windows"] = function(t)
    local model = sandbox()
    ask(model, "PATCH", DEPLOYMENTS .. "airbyte-worker/scale", { spec = { replicas = 1 } })
    model:advance(NOW + 20)
    t.equal((ask(model, "GET", DEPLOYMENTS .. "airbyte-worker")).spec.replicas, 2, "back at two")
    ask(model, "PATCH", DEPLOYMENTS .. "airbyte-worker/scale", { spec = { replicas = 12 } })
    model:advance(NOW + 40)
    t.equal((ask(model, "GET", DEPLOYMENTS .. "airbyte-worker")).spec.replicas, 10, "at most ten")
    model:advance(NOW + 140)
    local after = ask(model, "GET", DEPLOYMENTS .. "airbyte-worker").spec.replicas
    t.ok(after < 10 and after >= 7, "down by one a minute, not at once: " .. after)
    model:advance(NOW + 1200)
    t.equal((ask(model, "GET", DEPLOYMENTS .. "airbyte-worker")).spec.replicas, 2, "idle")
  end,

  ["a budget allows one executor to be evicted at a time"] = function(t)
    local model = sandbox()
    local function evict(name)
      local body = { apiVersion = "policy/v1", kind = "Eviction", metadata = { name = name } }
      local path = "/api/v1/namespaces/data-platform/pods/" .. name .. "/eviction"
      return select(2, ask(model, "POST", path, body, "application/json"))
    end
    t.equal(evict("dremio-executor-0"), 201, "first")
    model:advance(NOW + 1)
    t.equal(evict("dremio-executor-1"), 429, "second")
    model:advance(NOW + 300)
    t.equal(evict("dremio-executor-1"), 201, "later")
  end,

  ["a rollout replaces the executors from the highest"] = function(t)
    local model = sandbox()
    local containers = { { name = "dremio", image = "dremio/dremio-oss:26.0.1" } }
    ask(model, "PATCH", EXECUTORS, {
      spec = { template = { spec = { containers = containers } } },
    }, "application/strategic-merge-patch+json")
    model:advance(NOW + 20)
    local _, all = executors(model)
    t.equal(all[1].image, "dremio/dremio-oss:26.0.0", "executor 0")
    t.equal(all[3].image, "dremio/dremio-oss:26.0.1", "executor 2")
    model:advance(NOW + 600)
    local set = ask(model, "GET", EXECUTORS)
    t.equal(set.status.currentRevision, set.status.updateRevision, "revision")
    t.equal((executors(model)), 3, "ready")
  end,

  ["a job runs to its end and is removed after its time"] = function(t)
    local model = sandbox()
    local path = "/apis/batch/v1/namespaces/data-platform/jobs"
    local spec = { restartPolicy = "Never", containers = { { name = "c", image = "local/x:1" } } }
    local job = { apiVersion = "batch/v1", kind = "Job", metadata = { name = "j" } }
    job.spec = { backoffLimit = 0, ttlSecondsAfterFinished = 60, template = { spec = spec } }
    t.equal(select(2, ask(model, "POST", path, job, "application/json")), 201, "created")
    model:advance(NOW + 50)
    t.equal((ask(model, "GET", path .. "/j")).status.succeeded, 1, "succeeded")
    model:advance(NOW + 200)
    t.equal(select(2, ask(model, "GET", path .. "/j")), 404, "after its time")
    t.equal(
      #(ask(model, "GET", "/api/v1/namespaces/data-platform/pods?labelSelector=job-name")).items,
      0,
      "pods"
    )
  end,

  ["a continued list from before a restart is 410 with a fresh token"] = function(t)
    local model = sandbox()
    local path = "/api/v1/namespaces/data-platform/pods?limit=2"
    local page = ask(model, "GET", path)
    local token = page.metadata["continue"]
    scale(model, 4)
    model:advance(NOW + 5)
    local again = k8s.restore(model:dump())
    local gone, status = ask(again, "GET", path .. "&continue=" .. token)
    t.equal(status, 410, "status")
    t.equal(gone.reason, "Expired", "reason")
    local rest = ask(again, "GET", path .. "&continue=" .. gone.metadata["continue"])
    t.ok(rest.items[1].metadata.name > page.items[2].metadata.name, "it goes on")
  end,

  ["claims go with the pods where the set says so"] = function(t)
    local model = sandbox()
    local policy = { whenScaled = "Delete", whenDeleted = "Retain" }
    ask(model, "PATCH", EXECUTORS, { spec = { persistentVolumeClaimRetentionPolicy = policy } })
    scale(model, 2)
    model:advance(NOW + 60)
    local claims = "/api/v1/namespaces/data-platform/persistentvolumeclaims"
    t.equal(#(ask(model, "GET", claims)).items, 2, "claims")
    t.equal(#(ask(model, "GET", "/api/v1/persistentvolumes")).items, 2, "volumes")
  end,

  ["a quota of the namespace stops the set, and says so"] = function(t)
    local model = sandbox()
    local quota = { apiVersion = "v1", kind = "ResourceQuota", metadata = { name = "q" } }
    quota.spec = { hard = { ["requests.cpu"] = "20" } }
    local path = "/api/v1/namespaces/data-platform/resourcequotas"
    t.equal(select(2, ask(model, "POST", path, quota, "application/json")), 201, "created")
    scale(model, 5)
    model:advance(NOW + 400)
    t.equal((executors(model)), 4, "ready")
    local used = ask(model, "GET", path .. "/q").status.used["requests.cpu"]
    t.equal(used, "20", "used")
    t.match(
      reasons(model, "dremio-executor").FailedCreate,
      "exceeded quota: q, requested: "
        .. "requests.cpu=4, used: requests.cpu=20, limited: requests.cpu=20",
      "event"
    )
  end,

  ["the same seed gives the same life, and a restored model goes on as the first"] = function(t)
    local one, two = sandbox(), sandbox()
    t.equal(json.encode(one:dump()), json.encode(two:dump()), "two seeds")
    for _, model in ipairs({ one, two }) do
      scale(model, 6)
      model:advance(NOW + 33)
    end
    local three = k8s.restore(json.decode(json.encode(two:dump())))
    one:advance(NOW + 50)
    one:advance(NOW + 400)
    three:advance(NOW + 400)
    t.equal(json.encode(three:dump()), json.encode(one:dump()), "restored")
    t.ok(json.encode(sandbox({ seed = 8 }):dump()) ~= json.encode(sandbox():dump()), "other seed")
  end,

  ["reads and dry runs leave no trace"] = function(t)
    local model = sandbox()
    local before = json.encode(model:dump())
    ask(model, "GET", EXECUTORS)
    ask(model, "GET", "/api/v1/namespaces/data-platform/pods?limit=2")
    ask(model, "GET", "/apis/apps/v1")
    ask(model, "PATCH", EXECUTORS .. "?dryRun=All", { spec = { replicas = 9 } })
    local map = { apiVersion = "v1", kind = "ConfigMap", metadata = { generateName = "x-" } }
    local path = "/api/v1/namespaces/data-platform/configmaps?dryRun=All"
    t.equal(select(2, ask(model, "POST", path, map, "application/json")), 201, "dry create")
    t.equal(json.encode(model:dump()), before, "state")
  end,
}
