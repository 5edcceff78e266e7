--- Waits: they end when the object is ready, early when it never will be, and say why.
local fault = require("plat.fault")
local json = require("plat.json")
local k8s = require("plat.k8s")
local stub = load(assert(require("prim.fs").read("tests/lua/k8s_stub.lua")), "@k8s_stub.lua")()
local task = require("plat.task")

local SETS = "/apis/apps/v1/namespaces/data/statefulsets"
local PODS = "/api/v1/namespaces/data/pods"
local EVENTS = "/api/v1/namespaces/data/events"
local JOBS = "/apis/batch/v1/namespaces/data/jobs"

local function connect()
  return k8s.connect({ server = "https://stub:6443", name = "stub" })
end

local function sts(ready, version)
  return {
    metadata = {
      name = "web",
      namespace = "data",
      uid = "s1",
      generation = 1,
      resourceVersion = version or "5",
    },
    spec = { replicas = 2, selector = { matchLabels = { app = "web" } } },
    status = {
      observedGeneration = 1,
      replicas = 2,
      readyReplicas = ready,
      updatedReplicas = 2,
      currentRevision = "r",
      updateRevision = "r",
    },
  }
end

local function broken_pod()
  return {
    metadata = {
      name = "web-1",
      namespace = "data",
      uid = "p1",
      resourceVersion = "4",
      ownerReferences = json.array({ { uid = "s1", controller = true } }),
    },
    spec = { nodeName = "n" },
    status = {
      phase = "Pending",
      containerStatuses = json.array({
        {
          name = "c",
          image = "app:2",
          restartCount = 0,
          state = {
            waiting = { reason = "CreateContainerConfigError", message = 'secret "s" not found' },
          },
        },
      }),
    },
  }
end

local function silent()
  task.sleep(600)
end

-- Lists `items`, then streams `chunks` and stays silent.
local function followed(items, chunks)
  return function(req)
    if req.url:find("watch=true", 1, true) then
      local all = { table.unpack(chunks or {}) }
      all[#all + 1] = silent
      return { chunks = all }
    end
    return { body = stub.list(items, { resourceVersion = "5" }) }
  end
end

return {
  ["ends at once when it is ready already"] = function(t)
    local requests = stub.open(t, { ["GET " .. SETS] = followed({ sts(2) }) })
    t.equal(connect():wait_ready("sts", "data", "web", { within = "5s" }).metadata.name, "web")
    t.match(requests[1].line, "fieldSelector=metadata.name%%3Dweb")
  end,

  ["ends with the event that makes it ready"] = function(t)
    stub.open(t, {
      ["GET " .. SETS] = followed({ sts(1) }, {
        function()
          task.sleep(0.1)
          return stub.event("MODIFIED", sts(2, "6"))
        end,
      }),
      ["GET " .. PODS] = followed({}),
    })
    local object = connect():stateful_set("data", "web"):wait_ready({ within = "5s" })
    t.equal(object.status.readyReplicas, 2)
  end,

  ["waits for an object that does not exist yet"] = function(t)
    stub.open(t, {
      ["GET " .. SETS] = followed({}, {
        function()
          task.sleep(0.1)
          return stub.event("ADDED", sts(2, "6"))
        end,
      }),
    })
    t.ok(connect():wait_ready("sts", "data", "web", { within = "5s" }))
  end,

  ["polls where watching is forbidden, does without the pods where reading them is"] = function(t)
    local polls = 0
    stub.open(t, {
      ["GET " .. SETS] = function(req)
        if req.url:find("watch=true", 1, true) then
          return { status = 403, body = stub.status(403, "Forbidden", "no watch") }
        end
        polls = polls + 1
        return { body = stub.list({ sts(polls > 3 and 2 or 1) }, { resourceVersion = "5" }) }
      end,
      ["GET " .. PODS] = { status = 403, body = stub.status(403, "Forbidden", "no watch") },
    })
    t.ok(connect():wait_ready("sts", "data", "web", { within = "5s", every = "20ms" }))
    t.ok(polls > 3)
  end,

  ["a deadline tells how far it got and why, cause first"] = function(t)
    stub.open(t, {
      ["GET " .. SETS] = followed({ sts(1) }),
      ["GET " .. PODS] = followed({ broken_pod() }),
      ["GET " .. EVENTS] = { body = stub.list({}) },
    })
    local client = connect()
    local err =
      t.fails("timeout", client.wait_ready, client, "sts", "data", "web", { within = "300ms" })
    t.equal(
      fault.text(err):match("^[^\n]*"),
      "cluster stub: k8s.wait_ready statefulset data/web: not ready within 0.3s (1 of 2 ready): "
        .. 'pod web-1: container c cannot be configured: secret "s" not found'
    )
    t.equal(#err.detail.causes, 1)
    t.match(fault.text(err), "hint: create what it refers to")
  end,

  ["a cause that waiting cannot cure ends it early"] = function(t)
    stub.open(t, {
      ["GET " .. SETS] = followed({ sts(1) }),
      ["GET " .. PODS] = followed({ broken_pod() }),
      ["GET " .. EVENTS] = { body = stub.list({}) },
    })
    local client = connect()
    local err =
      t.fails("failed", client.wait_ready, client, "sts", "data", "web", { within = "25s" })
    t.match(
      err.msg,
      "^will not become ready %(1 of 2 ready after %ds%): pod web%-1: container c cannot"
    )
  end,

  ["a Job that failed ends the wait at once, with its log"] = function(t)
    local job = {
      metadata = { name = "migrate", namespace = "data", uid = "j1", resourceVersion = "5" },
      spec = {},
      status = {
        failed = 1,
        conditions = json.array({
          { type = "Failed", status = "True", reason = "BackoffLimitExceeded", message = "limit" },
        }),
      },
    }
    local pod = {
      metadata = {
        name = "migrate-x",
        uid = "p1",
        ownerReferences = json.array({ { uid = "j1", controller = true } }),
      },
      spec = {},
      status = {
        phase = "Failed",
        containerStatuses = json.array({
          {
            name = "c",
            state = { terminated = { exitCode = 4, reason = "Error" } },
            restartCount = 0,
          },
        }),
      },
    }
    stub.open(t, {
      ["GET " .. JOBS] = followed({ job }),
      ["GET " .. PODS] = { body = stub.list({ pod }) },
      ["GET " .. PODS .. "/migrate-x/log"] = { body = "table is locked\n" },
      ["GET " .. EVENTS] = { body = stub.list({}) },
    })
    local err = t.fails("failed", function()
      connect():job("data", "migrate"):wait_ready({ within = "20s" })
    end)
    t.equal(err.msg, "BackoffLimitExceeded: limit: pod migrate-x: container c crashes (exit 4)")
    t.match(fault.text(err), "table is locked")
  end,

  ["what cannot be read does not hide the rest"] = function(t)
    stub.open(t, {
      ["GET " .. SETS .. "/web"] = { body = sts(1) },
      ["GET " .. PODS] = { body = stub.list({ broken_pod() }) },
      ["GET " .. EVENTS] = { status = 403, body = stub.status(403, "Forbidden", "events no") },
    })
    local why = connect():explain("sts", "data", "web")
    t.match(why.causes[1].what, "container c cannot be configured")
    t.match(why.unread[1], "events cannot be read: 403 Forbidden")
    t.equal(why.pods, { "pod web-1: CreateContainerConfigError" })
  end,

  ["waits for any condition of an object, and until it is gone"] = function(t)
    local function claim(phase, version)
      return {
        metadata = { name = "d", namespace = "data", resourceVersion = version },
        status = { phase = phase },
      }
    end
    stub.open(t, {
      ["GET /api/v1/namespaces/data/persistentvolumeclaims"] = followed(
        { claim("Pending", "1") },
        {
          stub.event("MODIFIED", claim("Bound", "6")),
          function()
            task.sleep(0.2)
            return stub.event("DELETED", claim("Bound", "7"))
          end,
        }
      ),
    })
    local client = connect()
    local bound = client:wait_for(
      "pvc",
      "data",
      "d",
      { within = "5s", goal = "bound" },
      function(object)
        local phase = object and object.status.phase
        return phase == "Bound", phase
      end
    )
    t.equal(bound.status.phase, "Bound")
    client:wait_gone("pvc", "data", "d", { within = "5s" })
    local err = t.fails("timeout", function()
      client:wait_for("pvc", "data", "d", { within = "100ms", goal = "lost" }, function(object)
        return object ~= nil and object.status.phase == "Lost"
      end)
    end)
    t.match(err.msg, "^not lost within 0.1s")
  end,

  ["a server that goes away is waited for, and named at the deadline"] = function(t)
    local lists = 0
    stub.open(t, {
      ["GET " .. SETS] = function(req)
        if req.url:find("watch=true", 1, true) then
          fault.raise("connect", { op = "http" }, { msg = "connection refused" })
        end
        lists = lists + 1
        return { body = stub.list({ sts(1) }, { resourceVersion = "5" }) }
      end,
      ["GET " .. PODS] = followed({}),
    })
    local client = connect()
    local err =
      t.fails("timeout", client.wait_ready, client, "sts", "data", "web", { within = "1s" })
    t.equal(err.msg, "not ready within 1s (1 of 2 ready)")
    t.match(fault.text(err), "because: .*connection refused")
    t.equal(lists, 1)
  end,
}
