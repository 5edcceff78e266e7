--- Handles of workloads: their state, their pods, restarts, and what a wrong call is told.
local json = require("plat.json")
local k8s = require("plat.k8s")
local stub = load(assert(require("prim.fs").read("tests/lua/k8s_stub.lua")), "@k8s_stub.lua")()

local APPS = "/apis/apps/v1/namespaces/data/"
local PODS = "/api/v1/namespaces/data/pods"

local function connect()
  return k8s.connect({ server = "https://stub:6443", name = "stub" })
end

local function owned(name, uid, more)
  local object = {
    metadata = {
      name = name,
      uid = "u-" .. name,
      ownerReferences = json.array({ { uid = uid, controller = true } }),
    },
    spec = {},
    status = { phase = "Running" },
  }
  for key, value in pairs(more or {}) do
    object[key] = value
  end
  return object
end

local function workload(status, replicas)
  return {
    metadata = { name = "web", namespace = "data", uid = "w1", generation = 1 },
    spec = { replicas = replicas, selector = { matchLabels = { app = "web" } } },
    status = status,
  }
end

local function names(pods)
  local out = {}
  for i, pod in ipairs(pods) do
    out[i] = pod.name
  end
  return out
end

return {
  ["the pods of a Deployment are those of its ReplicaSets"] = function(t)
    local requests = stub.open(t, {
      ["GET " .. APPS .. "deployments/web"] = { body = workload({}, 2) },
      ["GET " .. APPS .. "replicasets"] = {
        body = stub.list({ owned("rs1", "w1"), owned("rs2", "w1"), owned("stray", "other") }),
      },
      ["GET " .. PODS] = {
        body = stub.list({
          owned("web-b", "u-rs2"),
          owned("web-a", "u-rs1"),
          owned("not-ours", "u-stray"),
          { metadata = { name = "nobody's" } },
        }),
      },
    })
    t.equal(names(connect():deployment("data", "web"):pods()), { "web-a", "web-b" })
    for _, line in ipairs(stub.lines(requests)) do
      t.ok(line:find("web$") or line:find("labelSelector=app%3Dweb&", 1, true), line)
    end
  end,

  ["what is told of a pod"] = function(t)
    local pod = owned("web-3", "w1", {
      spec = { nodeName = "node-7" },
      status = {
        phase = "Running",
        podIP = "10.1.2.3",
        conditions = json.array({ { type = "Ready", status = "True" } }),
        containerStatuses = json.array({
          { name = "c", ready = true, restartCount = 2, state = { running = {} } },
        }),
      },
    })
    local leaving = owned("web-x", "w1")
    leaving.metadata.deletionTimestamp = "2026-01-01T00:00:00Z"
    stub.open(t, {
      ["GET " .. APPS .. "statefulsets/web"] = { body = workload({}, 2) },
      ["GET " .. PODS] = { body = stub.list({ leaving, pod }) },
      ["GET " .. PODS .. "/web-3"] = { body = pod },
    })
    local pods = connect():stateful_set("data", "web"):pods()
    t.equal(names(pods), { "web-3", "web-x" })
    local one, two = pods[1], pods[2]
    t.equal({ one.ordinal, one.ready, one.state, one.restarts }, { 3, true, "Running", 2 })
    t.equal({ one.node, one.ip, one.terminating }, { "node-7", "10.1.2.3", false })
    t.equal({ two.ordinal, two.ready, two.terminating }, { nil, false, true })
    t.equal(names(connect():pod("data", "web-3"):pods()), { "web-3" })
  end,

  ["the counts of a DaemonSet come from its nodes"] = function(t)
    stub.open(t, {
      ["GET " .. APPS .. "daemonsets/web"] = {
        body = workload({
          observedGeneration = 1,
          desiredNumberScheduled = 5,
          currentNumberScheduled = 4,
          numberReady = 3,
          numberAvailable = 2,
          updatedNumberScheduled = 1,
        }),
      },
      ["GET " .. APPS .. "deployments/web"] = {
        body = workload({
          observedGeneration = 1,
          replicas = 4,
          readyReplicas = 3,
          availableReplicas = 2,
          updatedReplicas = 1,
        }),
      },
    })
    local function counts(state)
      return { state.replicas, state.current, state.ready, state.available, state.updated }
    end
    t.equal(counts(connect():daemon_set("data", "web"):get()), { 5, 4, 3, 2, 1 })
    local state = connect():deployment("data", "web"):get()
    t.equal(counts(state), { 1, 4, 3, 2, 1 }, "one replica, where nothing is said")
    t.equal({ state.is_ready, state.object.metadata.name }, { false, "web" })
  end,

  ["a restart is the annotation that kubectl sets; what has no rollout is refused"] = function(t)
    local requests = stub.open(t, {
      ["GET " .. APPS .. "statefulsets/web"] = { body = workload({}, 2) },
      ["PATCH " .. APPS .. "statefulsets/web"] = { body = workload({}, 2) },
    })
    stub.step(function()
      connect():stateful_set("data", "web"):restart()
    end)
    local sent = requests[#requests]
    t.equal(sent.headers["Content-Type"], "application/merge-patch+json")
    local notes = sent.body.spec.template.metadata.annotations
    t.match(notes["kubectl.kubernetes.io/restartedAt"], "^%d+%-%d+%-%d+T%d+:%d+:%d+Z$")
    for _, handle in ipairs({ connect():job("data", "web"), connect():pod("data", "web") }) do
      local err = t.fails("usage", stub.step, function()
        handle:restart()
      end)
      t.match(err.msg, "^a %a+ has no rollout to restart$")
      t.match(err.object, "data/web$")
    end
  end,

  ["a wrong call is told the place of the call"] = function(t)
    local client = connect()
    local here = "k8s_handle_test.lua:%d+: "
    t.fails(here .. "StatefulSet: namespace and name are strings", function()
      client:stateful_set("data")
    end)
    t.fails(here .. "Deployment: namespace and name are strings", function()
      client:deployment(nil, "web")
    end)
  end,

  ["handles show what they stand for"] = function(t)
    t.equal(tostring(connect()), "cluster stub")
    t.equal(tostring(connect():job("data", "web")), "cluster stub: Job data/web")
  end,
}
