--- Faults that are injected into the simulated cluster.
local help = load(assert(require("prim.fs").read("tests/lua/sim_k8s_help.lua")), "@help")()

local sandbox, ask, scale, executors, pod, waiting_reason, reasons =
  help.sandbox, help.ask, help.scale, help.executors, help.pod, help.waiting_reason, help.reasons

local NOW = help.NOW
local DEPLOYMENTS = "/apis/apps/v1/namespaces/data-platform/deployments/"
local HPA = "/apis/autoscaling/v2/namespaces/data-platform/horizontalpodautoscalers/"

return {
  ["bounds of an autoscaler act at the next look, and load raises the number"] = function(t)
    local model = sandbox()
    ask(model, "PATCH", HPA .. "airbyte-worker-hpa", { spec = { minReplicas = 4 } })
    model:advance(NOW + 20)
    local hpa = ask(model, "GET", HPA .. "airbyte-worker-hpa")
    t.equal(hpa.status.desiredReplicas, 4, "desired")
    model:fault("load:airbyte-worker:7")
    model:advance(NOW + 240)
    t.equal((ask(model, "GET", DEPLOYMENTS .. "airbyte-worker")).spec.replicas, 7, "under load")
  end,

  ["a crashing pod backs off, keeps its last log, and recovers when the fault ends"] = function(t)
    local model = sandbox()
    model:fault("pod-crash", { "dremio-executor-1" })
    model:advance(NOW + 60)
    t.equal(waiting_reason(model, "dremio-executor-1"), "CrashLoopBackOff", "state")
    local status = pod(model, "dremio-executor-1").status.containerStatuses[1]
    t.ok(status.restartCount >= 2, "restarts")
    t.equal(status.lastState.terminated.exitCode, 1, "exit code")
    t.ok(reasons(model, "dremio-executor-1").BackOff, "event")
    local path = "/api/v1/namespaces/data-platform/pods/dremio-executor-1/log?previous=true"
    t.match((ask(model, "GET", path)).body, "fatal", "previous log")
    model:fault("clear")
    model:advance(NOW + 600)
    t.equal((executors(model)), 3, "ready again")
  end,

  ["an image that cannot be pulled"] = function(t)
    local model = sandbox()
    model:fault("image-pull", { "dremio-executor" })
    scale(model, 4)
    model:advance(NOW + 60)
    t.equal(waiting_reason(model, "dremio-executor-3"), "ImagePullBackOff", "state")
    t.match(reasons(model, "dremio-executor-3").BackOff, "Back%-off pulling image", "event")
    model:calm()
    model:advance(NOW + 600)
    t.equal((executors(model)), 4, "ready")
  end,

  ["a pod that takes long to end, at most its grace period"] = function(t)
    local model = sandbox()
    model:fault("slow-stop", { prefix = "dremio-executor", seconds = 90 })
    scale(model, 2)
    model:advance(NOW + 80)
    t.ok(pod(model, "dremio-executor-2").metadata.deletionTimestamp, "it ends")
    model:advance(NOW + 100)
    t.equal(pod(model, "dremio-executor-2").reason, "NotFound")
    model:fault("slow-stop", { "dremio-executor:9000" })
    scale(model, 1)
    model:advance(NOW + 700)
    t.ok(pod(model, "dremio-executor-1").metadata.deletionTimestamp, "its grace period is 720 s")
    model:advance(NOW + 900)
    t.equal(pod(model, "dremio-executor-1").reason, "NotFound")
    t.fails("slow%-stop: prefix and seconds", model.fault, model, "slow-stop", { "x" })
  end,

  ["no capacity, until there is"] = function(t)
    local model = sandbox()
    model:fault("no-capacity", {})
    scale(model, 4)
    model:advance(NOW + 120)
    t.equal(pod(model, "dremio-executor-3").status.phase, "Pending", "phase")
    model:calm()
    model:advance(NOW + 360)
    t.equal((executors(model)), 4, "ready")
  end,

  ["a failing probe takes readiness, not the pod"] = function(t)
    local model = sandbox()
    model:fault("probe-fails", { pod = "dremio-executor-0" })
    model:advance(NOW + 30)
    t.equal((executors(model)), 2, "ready")
    t.equal(pod(model, "dremio-executor-0").status.phase, "Running", "phase")
    t.ok(reasons(model, "dremio-executor-0").Unhealthy, "event")
  end,

  ["a node that is silent loses its pods, and gives them back"] = function(t)
    local model = sandbox()
    local node = pod(model, "dremio-executor-0").spec.nodeName
    model:fault("node-down", { node = node })
    model:advance(NOW + 60)
    t.ok((executors(model)) < 3, "not ready")
    model:advance(NOW + 400)
    t.ok(pod(model, "dremio-executor-0").metadata.deletionTimestamp, "marked for deletion")
    model:fault("node-up", { node = node })
    model:advance(NOW + 900)
    t.equal((executors(model)), 3, "ready")
  end,

  ["watches end with 410 when that is asked for"] = function(t)
    local model = sandbox()
    local now = NOW
    model.hooks.now = function()
      return now
    end
    model.hooks.wait = function(_, seconds)
      now = now + seconds
    end
    local function open()
      return model:handle({
        method = "GET",
        path = "/api/v1/namespaces/data-platform/pods",
        query = { watch = "true", resourceVersion = ("%d"):format(model.state.rv) },
        headers = {},
      }).stream
    end
    local one = open()
    model:fault("watch-410", {})
    t.match(one:read(), '"code":410', "open watch")
    t.equal(one:read(), nil, "its end")
    local two = open()
    t.match(two:read(), '"code":410', "next watch")
    two:close()
    local good = open()
    ask(model, "DELETE", "/api/v1/namespaces/data-platform/pods/dremio-executor-0")
    t.match(good:read(), '"type":"MODIFIED"', "the one after")
    good:close()
    t.equal(#model.streams, 0, "streams left")
  end,

  ["logs are tailed, stamped, and followed until the pod ends"] = function(t)
    local model = sandbox()
    local now = NOW
    model.hooks.now = function()
      return now
    end
    model.hooks.wait = function(_, seconds)
      now = now + seconds
    end
    local path = "/api/v1/namespaces/data-platform/pods/dremio-executor-2/log"
    t.equal((ask(model, "GET", path .. "?tailLines=1")).body, "started\n", "last line")
    local stamped = ask(model, "GET", path .. "?tailLines=1&timestamps=true").body
    t.match(stamped, "^20%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%d%.%d+Z started\n$", "stamped line")
    local follow = ask(model, "GET", path .. "?follow=true&tailLines=1").stream
    t.equal(follow:read(), "started\n", "first piece")
    model:fault("pod-crash", { pod = "dremio-executor-2", times = 1 })
    t.match(follow:read(), "fatal: injected fault", "what came later")
    local rest = follow:read()
    while rest do
      rest = follow:read()
    end
    t.equal(#model.streams, 0, "streams left")
  end,
}
