--- The simulated cluster: the sandbox's life on its clock, and its contract in process and over http.
local fs = require("prim.fs")
local httpd = require("plat.httpd")
local json = require("plat.json")
local k8s = require("plat.sim.k8s")
local mono = require("prim.time").mono
local out = require("plat.out")
local task = require("plat.task")

local ROOT = "tests/contract/k8s/"
local NOW = 1795000000

local function read(name)
  return (fs.read(ROOT .. name))
end

local loaded = {}

local function need(name)
  if loaded[name] == nil then
    loaded[name] = assert(load(assert(read(name .. ".lua")), "@" .. name .. ".lua"))(need)
  end
  return loaded[name]
end

-- Runs the whole contract over a mount; its TAP lines become notes.
local function contract(t, mount, tag)
  local lines = {}
  local failed = need("suite").run({
    read = read,
    tag = tag,
    mount = mount,
    json = json,
    files = need("files"),
    trace = tostring,
    say = function(line)
      lines[#lines + 1] = line
    end,
  })
  for _, line in ipairs(lines) do
    if failed > 0 and not line:match("^ok") then
      out.line("# " .. line)
    end
  end
  t.equal(failed, 0, "failed cases")
end

-- A cluster whose clock the test moves.
local function sandbox(spec)
  spec = spec or {}
  spec.now, spec.seed = NOW, spec.seed or 7
  return k8s.seed(spec)
end

local function ask(model, method, path, body, kind)
  local target, raw = path:match("^([^?]*)%??(.*)$")
  local query = {}
  for name, value in raw:gmatch("([^&=]+)=([^&]*)") do
    query[name] = value
  end
  local resp = model:handle({
    method = method,
    path = target,
    query = query,
    headers = { ["content-type"] = kind or "application/merge-patch+json" },
    body = body and json.encode(body),
  })
  return resp.body and resp.body:match("^{") and json.decode(resp.body) or resp, resp.status
end

local SETS = "/apis/apps/v1/namespaces/data-platform/statefulsets/"
local DEPLOYMENTS = "/apis/apps/v1/namespaces/data-platform/deployments/"
local HPA = "/apis/autoscaling/v2/namespaces/data-platform/horizontalpodautoscalers/"
local EXECUTORS = SETS .. "dremio-executor"
local LABELS = { app = "dremio", role = "executor" }

local function scale(model, n)
  return ask(model, "PATCH", EXECUTORS .. "/scale", { spec = { replicas = n } })
end

local function executors(model)
  local ready, all = 0, model:pods({ namespace = "data-platform", labels = LABELS })
  for _, pod in ipairs(all) do
    ready = ready + (pod.ready and 1 or 0)
  end
  return ready, all
end

local function pod(model, name)
  return (ask(model, "GET", "/api/v1/namespaces/data-platform/pods/" .. name))
end

local function waiting_reason(model, name)
  local state = pod(model, name).status.containerStatuses[1].state
  return state.waiting and state.waiting.reason
end

local function reasons(model, name)
  local path = "/api/v1/namespaces/data-platform/events?fieldSelector=involvedObject.name="
  local seen = {}
  for _, event in ipairs((ask(model, "GET", path .. name)).items) do
    seen[event.reason] = event.message
  end
  return seen
end

return {
  ["the contract holds in process"] = function(t)
    contract(t, need("mount_model").new(), "p")
  end,

  ["the contract holds behind httpd, through the real http primitive"] = function(t)
    local model = k8s.new({ now = NOW, seed = 1 })
    local start, ahead = mono(), 0
    model.hooks.now = function()
      return NOW + mono() - start + ahead
    end
    local function jump(seconds)
      ahead = ahead + seconds
      model:wake()
    end
    local server = httpd.serve(function(req)
      model:advance(model.hooks.now())
      local path, raw = req.path, req.query or ""
      local request = require("plat.sim.world").parse_request(
        req.method,
        path .. (raw ~= "" and "?" .. raw or ""),
        req.headers,
        req.body
      )
      return model:handle(request)
    end, { port = 0 })
    t.defer(function()
      server:close()
    end)
    local mount = need("mount_http").new({
      base = ("http://127.0.0.1:%d"):format(server:port()),
      jump = jump,
    })
    mount.sleep = function(_, seconds)
      jump(seconds)
      task.sleep(0)
    end
    contract(t, mount, "h")
  end,

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

  ["the next answers are 503, and slow ones say so"] = function(t)
    local model = sandbox()
    model:fault("api-503", { "2" })
    t.equal(select(2, ask(model, "GET", EXECUTORS)), 503, "first")
    t.equal(select(2, scale(model, 5)), 503, "second")
    t.equal(select(2, ask(model, "GET", EXECUTORS)), 200, "third")
    model:fault("slow", { "1500" })
    local resp = model:handle({ method = "GET", path = "/version", query = {}, headers = {} })
    t.equal(resp.delay, 1.5, "delay")
    t.fails("no such fault", function()
      model:fault("nonsense")
    end)
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
    t.equal(#(ask(model, "GET", "/api/v1/namespaces/data-platform/pods?labelSelector=job-name")).items, 0, "pods")
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
