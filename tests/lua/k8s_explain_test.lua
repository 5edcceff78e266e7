--- What an explanation gathers: claims and their events, an autoscaler at work, quotas, logs.
local explain_module = require("plat.k8s.explain")
local json = require("plat.json")
local k8s = require("plat.k8s")
local stub = load(assert(require("prim.fs").read("tests/lua/k8s_stub.lua")), "@k8s_stub.lua")()
local time = require("plat.time")

local DATA = "/api/v1/namespaces/data/"
local WEB = "/apis/apps/v1/namespaces/data/statefulsets/web"

local function connect()
  return k8s.connect({ server = "https://stub:6443", name = "stub" })
end

local function web()
  return {
    metadata = { name = "web", namespace = "data", uid = "s1", generation = 1 },
    spec = { replicas = 1, selector = { matchLabels = { app = "web" } } },
    status = { observedGeneration = 1, replicas = 1 },
  }
end

local function pod(status, spec)
  return {
    metadata = {
      name = "web-0",
      namespace = "data",
      uid = "p1",
      ownerReferences = json.array({ { uid = "s1", controller = true } }),
    },
    spec = spec or {},
    status = status,
  }
end

local function pending(...)
  local volumes = {}
  for i, claim in ipairs({ ... }) do
    volumes[i] = { name = claim, persistentVolumeClaim = { claimName = claim } }
  end
  return pod({ phase = "Pending" }, { volumes = json.array(volumes) })
end

local function crashing(restarts)
  return pod({
    phase = "Running",
    containerStatuses = json.array({
      {
        name = "c",
        restartCount = restarts or 4,
        state = { waiting = { reason = "CrashLoopBackOff" } },
        lastState = { terminated = { exitCode = 1 } },
      },
    }),
  })
end

local function event(uid, reason, message, kind)
  return {
    type = kind or "Normal",
    reason = reason,
    message = message,
    lastTimestamp = time.rfc3339(time.now()),
    involvedObject = { kind = "Pod", name = "web-0", uid = uid },
  }
end

--- Answers for the StatefulSet `web`, its pods and what else a test has.
local function open(t, pods, more)
  local routes = {
    ["GET " .. WEB] = { body = web() },
    ["GET " .. DATA .. "pods"] = { body = stub.list(pods) },
    ["GET " .. DATA .. "events"] = { body = stub.list({}) },
  }
  for key, value in pairs(more or {}) do
    routes[key] = value
  end
  return stub.open(t, routes)
end

local function claim(name, phase)
  return { body = { metadata = { name = name, uid = "c-" .. name }, status = { phase = phase } } }
end

local function claim_events(name)
  return "GET " .. DATA .. "events?fieldSelector=involvedObject.name%3D" .. name .. "&limit=50"
end

local function explain()
  return connect():explain("sts", "data", "web")
end

return {
  ["a pod that waits for its volume is explained by the events of the claim"] = function(t)
    open(t, { pending("data-web-0") }, {
      ["GET " .. DATA .. "persistentvolumeclaims/data-web-0"] = claim("data-web-0", "Pending"),
      [claim_events("data-web-0")] = {
        body = stub.list({
          event("c-data-web-0", "ProvisioningFailed", 'storageclass "fast" not found'),
        }),
      },
    })
    local why = explain()
    t.equal(why.causes[1].what, 'claim data-web-0 is not bound: storageclass "fast" not found')
    t.equal(why.causes[1].fatal, true)
    t.equal(why.unread, {})
  end,

  ["events of a claim that may not be read are named, the claim is told anyway"] = function(t)
    open(t, { pending("d") }, {
      ["GET " .. DATA .. "persistentvolumeclaims/d"] = claim("d", "Pending"),
      [claim_events("d")] = { status = 403, body = stub.status(403, "Forbidden", "no events") },
    })
    local why = explain()
    t.equal(why.causes[1].what, "claim d is not bound (no storage class)")
    t.match(why.unread[1], "^events cannot be read: 403 Forbidden")
    t.equal(#why.unread, 1)
  end,

  ["of many claims five are read, each once, and bound ones have no story"] = function(t)
    local requests = open(t, {
      pending("a", "b", "a", "c", "d", "e", "f"),
      pod({ phase = "Running" }, { volumes = pending("z").spec.volumes }),
    }, {
      ["GET " .. DATA .. "persistentvolumeclaims/a"] = claim("a", "Bound"),
      ["GET " .. DATA .. "persistentvolumeclaims/b"] = { status = 403, body = "" },
    })
    local why = explain()
    local asked = {}
    for _, line in ipairs(stub.lines(requests)) do
      asked[#asked + 1] = line:match("persistentvolumeclaims/(.*)$")
      t.ok(not line:find("involvedObject", 1, true), line)
    end
    t.equal(asked, { "a", "b", "c", "d", "e" })
    t.match(why.unread[1], "^claim b cannot be read: 403")
  end,

  ["an autoscaler that adds a node for a pod keeps the wait going"] = function(t)
    local unscheduled = pod({
      phase = "Pending",
      conditions = json.array({
        {
          type = "PodScheduled",
          status = "False",
          reason = "Unschedulable",
          message = "0/1 nodes are available: 1 Insufficient cpu",
          lastTransitionTime = time.rfc3339(time.now() - 600),
        },
      }),
    })
    open(t, { unscheduled }, {
      ["GET " .. DATA .. "events?fieldSelector=involvedObject.name%3Dweb-0&limit=50"] = {
        body = stub.list({
          event("p1", "TriggeredScaleUp", "pod triggered scale-up"),
          event("p1", "FailedScheduling", "of type Warning: listed before", "Warning"),
        }),
      },
    })
    local why = explain()
    t.equal(why.causes[1].fatal, false)
    t.match(why.causes[1].hint, "autoscaler")
    t.equal(#why.snapshot.events, 1, "a warning is not there twice")
    open(t, { unscheduled }, {
      ["GET " .. DATA .. "events?fieldSelector=involvedObject.name%3Dweb-0&limit=50"] = {
        status = 500,
        body = stub.status(500, "InternalError", "etcd is away"),
      },
    })
    why = explain()
    t.equal(why.causes[1].fatal, true)
    t.match(why.unread[1], "^events cannot be read: .*etcd is away")
  end,

  ["quotas are read when an event names one"] = function(t)
    local message = "Error creating: pods web-0 is forbidden: exceeded quota: q, "
      .. "requested: pods=1, used: pods=2, limited: pods=2"
    local requests = open(t, {}, {
      ["GET " .. DATA .. "events"] = {
        body = stub.list({
          event("s1", "FailedCreate", message, "Warning"),
          event("s1", "FailedCreate", message, "Warning"),
        }),
      },
      ["GET " .. DATA .. "resourcequotas"] = {
        body = stub.list({
          {
            metadata = { name = "q" },
            status = { used = { pods = "2" }, hard = { pods = "2" } },
          },
        }),
      },
    })
    local why = explain()
    t.match(why.causes[1].what, 'quota "q" is used up')
    t.equal(why.causes[1].fatal, true)
    local _, times = table.concat(stub.lines(requests), "\n"):gsub("resourcequotas", "")
    t.equal(times, 1)
    t.ok(requests[2].line:find("fieldSelector=type%3DWarning", 1, true), requests[2].line)
  end,

  ["the log of a crash: its previous life, else what there is"] = function(t)
    local asked = {}
    local function log(previous, now)
      return function(req)
        asked[#asked + 1] = req.url
        local text = req.url:find("previous=true", 1, true) and previous or now
        return { headers = { ["content-type"] = "text/plain" }, body = text }
      end
    end
    local route = "GET " .. DATA .. "pods/web-0/log"
    open(t, { crashing() }, { [route] = log("why it died\nreally\n", "starts again\n") })
    t.equal(explain().causes[1].evidence, {
      "last log lines of web-0/c (previous):",
      "  why it died",
      "  really",
    })
    t.equal(#asked, 1)
    t.match(asked[1], "container=c&limitBytes=16384&previous=true&tailLines=20$")
    local gone = "unable to retrieve container logs for containerd://x"
    open(t, { crashing() }, { [route] = log(gone, "starts again\n") })
    t.equal(explain().causes[1].evidence, { "last log lines of web-0/c:", "  starts again" })
    open(t, { crashing() }, { [route] = log(gone, "") })
    t.equal(explain().causes[1].evidence, {}, "no log, no headline")
    open(t, { crashing() }, { [route] = log(("x\n"):rep(30), "") })
    t.equal(#explain().causes[1].evidence, 21, "twenty lines and the headline")
    open(t, { crashing() }, { [route] = log("", "") })
    asked = {}
    t.equal(explain_module.run(connect(), "sts", "data", "web", { logs = false }).causes[1].log, {
      pod = "web-0",
      container = "c",
      previous = true,
      crash = true,
    })
    t.equal(asked, {})
  end,

  ["pods that are not ready are listed with their restarts"] = function(t)
    local good = pod({
      phase = "Running",
      conditions = json.array({ { type = "Ready", status = "True" } }),
    })
    good.metadata.name = "web-1"
    open(t, { crashing(4), good })
    t.equal(explain().pods, { "pod web-0: CrashLoopBackOff, 4 restarts" })
    open(t, { crashing(0) })
    t.equal(explain().pods, { "pod web-0: CrashLoopBackOff" })
  end,

  ["what does not exist is the cause, and nothing else is read"] = function(t)
    local requests = stub.open(t, {
      ["GET " .. WEB] = {
        status = 404,
        body = stub.status(404, "NotFound", "no", { name = "web", kind = "statefulsets" }),
      },
    })
    local why = explain()
    t.equal(why.causes[1].what, "statefulset data/web does not exist")
    t.equal({ why.ready, why.causes[1].fatal, #why.causes, #requests }, { false, false, 1, 1 })
  end,

  ["a cluster that does not answer is not a reason to fail"] = function(t)
    stub.open(t, { ["GET " .. WEB] = { status = 403, body = stub.status(403, "Forbidden", "no") } })
    local why = explain()
    t.match(why.text, "^cannot be explained: 403 Forbidden")
    t.match(why.unread[1], "^403 Forbidden")
    t.equal({ why.ready, why.causes }, { false, {} })
  end,

  ["a pod by itself, a Deployment with its ReplicaSets"] = function(t)
    open(t, {}, { ["GET " .. DATA .. "pods/web-0"] = { body = crashing() } })
    local why = connect():explain("pod", "data", "web-0")
    t.equal(why.pods, { "pod web-0: CrashLoopBackOff, 4 restarts" })
    local apps = "/apis/apps/v1/namespaces/data/"
    local old = crashing()
    old.metadata.ownerReferences = json.array({ { uid = "rs1", controller = true } })
    local function set(uid, revision)
      return {
        metadata = {
          name = uid,
          uid = uid,
          annotations = { ["deployment.kubernetes.io/revision"] = revision },
          ownerReferences = json.array({ { uid = "s1", controller = true } }),
        },
      }
    end
    local sets = { set("rs1", "1"), set("rs2", "2") }
    local requests = open(t, { old }, {
      ["GET " .. apps .. "deployments/web"] = { body = web() },
      ["GET " .. apps .. "replicasets"] = function()
        return { body = stub.list(sets) }
      end,
    })
    t.equal(connect():explain("deploy", "data", "web").causes, {}, "a pod of an old revision")
    sets[2] = nil
    t.equal(#connect():explain("deploy", "data", "web").causes, 1)
    t.match(table.concat(stub.lines(requests), "\n"), "replicasets%?labelSelector=app%%3Dweb")
  end,
}
