--- How the client talks: when it asks again, what it says of answers, logs, and plans of waits.
local effect = require("plat.effect")
local errors = require("plat.k8s.errors")
local fault = require("plat.fault")
local json = require("plat.json")
local k8s = require("plat.k8s")
local predict = require("plat.k8s.predict")
local revision = require("plat.k8s.revision")
local stub = load(assert(require("prim.fs").read("tests/lua/k8s_stub.lua")), "@k8s_stub.lua")()
local task = require("plat.task")
local time = require("plat.time")

local CM = "/api/v1/namespaces/data/configmaps/c"

local function connect()
  return k8s.connect({ server = "https://stub:6443", name = "stub" })
end

--- Has sleeps only counted, for one test.
local function count_sleeps(t)
  local slept, sleep = {}, time.sleep
  function time.sleep(seconds)
    slept[#slept + 1] = seconds
  end
  t.defer(function()
    time.sleep = sleep
  end)
  return slept
end

local function busy(after, causes)
  return {
    status = 429,
    headers = { ["content-type"] = "application/json", ["retry-after"] = after },
    body = stub.status(429, "TooManyRequests", "please wait", causes and { causes = causes }),
  }
end

local function patch()
  stub.step(function()
    connect():patch("cm", "data", "c", { data = { k = "v" } })
  end)
end

local function routes(answer)
  return {
    ["GET " .. CM] = { body = { metadata = { name = "c" } } },
    ["PATCH " .. CM] = answer,
  }
end

return {
  ["a server that stays busy is asked five times, each time after what it said"] = function(t)
    local slept = count_sleeps(t)
    local requests = stub.open(t, routes(busy("7")))
    local err = t.fails("http", patch)
    t.equal({ err.code, err.detail.retry_after }, { 429, 7 })
    t.equal(#stub.lines(requests, "PATCH"), 5)
    t.equal(slept, { 7, 7, 7, 7 })
  end,

  ["half a minute is the longest pause"] = function(t)
    local slept = count_sleeps(t)
    stub.open(t, routes({ busy("600"), { body = { metadata = { name = "c" } } } }))
    patch()
    t.equal(slept, { 30 })
  end,

  ["a budget that forbids an eviction is an answer, not a busy server"] = function(t)
    local slept = count_sleeps(t)
    local cause = { reason = "DisruptionBudget", message = "needs 2 healthy pods" }
    local requests = stub.open(t, routes(busy("10", { cause })))
    local err = t.fails("http", patch)
    t.match(err.msg, "please wait needs 2 healthy pods$")
    t.equal({ #stub.lines(requests, "PATCH"), #slept }, { 1, 0 })
    requests = stub.open(t, routes(busy(nil)))
    t.fails("http", patch)
    t.equal({ #stub.lines(requests, "PATCH"), #slept }, { 1, 0 }, "no Retry-After: no promise")
  end,

  ["an answer that is no Status is shown, but not all of it"] = function(t)
    stub.open(t, {
      ["GET " .. CM] = {
        status = 500,
        headers = { ["content-type"] = "text/plain" },
        body = ("x"):rep(300) .. "\nmore",
      },
    })
    local client = connect()
    local err = t.fails("http", client.get, client, "cm", "data", "c")
    local shown = err.msg:match("^500 Internal Server Error: (x+)")
    t.equal(#shown, 200)
    t.equal(err.detail.body, ("x"):rep(300) .. "\nmore")
  end,

  ["warnings of the server are passed on once"] = function(t)
    local warned, warn = {}, effect.warn
    function effect.warn(text)
      warned[#warned + 1] = text
    end
    t.defer(function()
      effect.warn = warn
    end)
    stub.open(t, {
      ["GET " .. CM] = {
        headers = {
          ["content-type"] = "application/json",
          warning = '299 - "v1 ConfigMap is old"',
        },
        body = { metadata = { name = "c" } },
      },
    })
    local client = connect()
    client:get("cm", "data", "c")
    client:get("cm", "data", "c")
    t.equal(#warned, 1)
    t.match(warned[1], "v1 ConfigMap is old")
  end,

  ["the log of a container: which part of it is asked for"] = function(t)
    local requests = stub.open(t, {
      ["GET /api/v1/namespaces/data/pods/p/log"] = {
        headers = { ["content-type"] = "text/plain" },
        body = "a\n",
      },
    })
    local client = connect()
    t.equal(client:logs("data", "p"), "a\n")
    client:logs("data", "p", {
      container = "c",
      tail = 5,
      previous = true,
      since = "90s",
      timestamps = true,
    })
    t.equal(stub.lines(requests), {
      "GET /api/v1/namespaces/data/pods/p/log",
      "GET /api/v1/namespaces/data/pods/p/log"
        .. "?container=c&previous=true&sinceSeconds=90&tailLines=5&timestamps=true",
    })
  end,

  ["a workload when it is ready, as a plan foresees it"] = function(t)
    local function settled(kind, replicas, status)
      local object = { metadata = { generation = 4 }, spec = { replicas = replicas } }
      object.status = status
      return predict.settled(kind, object)
    end
    t.equal(settled("Deployment", 3, { unavailableReplicas = 2, observedGeneration = 3 }).status, {
      replicas = 3,
      updatedReplicas = 3,
      readyReplicas = 3,
      availableReplicas = 3,
      observedGeneration = 4,
    })
    t.equal(settled("StatefulSet", nil, { currentRevision = "a", updateRevision = "b" }).status, {
      replicas = 1,
      updatedReplicas = 1,
      readyReplicas = 1,
      availableReplicas = 1,
      currentReplicas = 1,
      observedGeneration = 4,
      currentRevision = "b",
      updateRevision = "b",
    })
    t.equal(settled("ReplicaSet", 0, { replicas = 2 }).status, { observedGeneration = 4 })
    t.equal(settled("Job", 1, {}), nil)
    t.equal(predict.settled("Deployment", nil), nil)
  end,

  ["what is no object, or no number of replicas, is said before anything is asked"] = function(t)
    local requests = stub.open(t, {})
    local client = connect()
    local wrong = {
      {},
      { metadata = { name = "x" } },
      { kind = "ConfigMap", metadata = { name = "x" } },
      { apiVersion = "v1", kind = "ConfigMap" },
      "text",
    }
    for _, object in ipairs(wrong) do
      for _, op in ipairs({ "create", "apply" }) do
        local err = t.fails("usage", client[op], client, object)
        t.equal(err.msg, "an object has apiVersion, kind and metadata")
        t.equal(err.op, "k8s." .. op)
      end
    end
    for _, count in ipairs({ -1, 1.5, "3" }) do
      local err = t.fails("usage", client.scale, client, "sts", "data", "exec", count)
      t.match(err.msg, "is not a number of replicas$")
    end
    t.equal(requests, {})
  end,

  ["long fields and owners do not push the values out of sight"] = function(t)
    local text = errors.conflict_table({
      { field = "." .. ("f"):rep(70), manager = ("m"):rep(50), ours = "1" },
      { field = ".spec", manager = "helm", ours = "1", theirs = "2" },
      { field = ".meta", manager = "helm" },
    })
    local lines = {}
    for line in text:gmatch("[^\n]+") do
      lines[#lines + 1] = line
    end
    t.equal(lines, {
      "  field" .. (" "):rep(57) .. "owner" .. (" "):rep(37) .. "theirs -> ours",
      "  ." .. ("f"):rep(70) .. "  " .. ("m"):rep(50) .. "  (none) -> 1",
      "  .spec" .. (" "):rep(57) .. "helm" .. (" "):rep(38) .. "2 -> 1",
      "  .meta" .. (" "):rep(57) .. "helm",
    })
  end,

  ["the newest ReplicaSet is the one with the highest revision"] = function(t)
    local function set(name, number, owner)
      return {
        metadata = {
          name = name,
          annotations = number and { ["deployment.kubernetes.io/revision"] = number },
          ownerReferences = { { uid = owner or "d1", controller = true } },
        },
      }
    end
    local object = { metadata = { uid = "d1" } }
    local function newest(...)
      local found = revision.newest_replica_set(object, { ... })
      return found and found.metadata.name
    end
    t.equal(newest(set("a", "9"), set("b", "10"), set("c", "8")), "b")
    t.equal(newest(set("a"), set("b", "1")), "b", "one without a revision is older")
    t.equal(newest(set("a", "2"), set("b", "3", "other")), "a")
    t.equal(newest(), nil)
  end,

  ["a wait ends when its pods cannot be read for another reason than a right"] = function(t)
    local path = "/apis/apps/v1/namespaces/data/statefulsets"
    local web = {
      metadata = { name = "web", namespace = "data", uid = "s1", generation = 1 },
      spec = { replicas = 1, selector = { matchLabels = { app = "web" } } },
      status = { observedGeneration = 1, replicas = 1 },
    }
    stub.open(t, {
      ["GET " .. path] = function(req)
        if req.url:find("watch=true", 1, true) then
          return {
            chunks = {
              function()
                task.sleep(60)
              end,
            },
          }
        end
        return { body = stub.list({ web }, { resourceVersion = "5" }) }
      end,
      ["GET /api/v1/namespaces/data/pods"] = {
        status = 400,
        body = stub.status(400, "BadRequest", "no such selector"),
      },
    })
    local client = connect()
    local err = t.fails("http", client.wait_ready, client, "sts", "data", "web", { within = "9s" })
    t.match(err.msg, "no such selector")
  end,

  ["a failure on the way: where to look next"] = function(t)
    local sleep = task.sleep
    function task.sleep() end -- the door asks several times
    t.defer(function()
      task.sleep = sleep
    end)
    local raised
    stub.open(t, {
      ["GET " .. CM] = function()
        fault.raise(raised[1], {}, { msg = raised[2], phase = raised[3], hint = raised[4] })
      end,
    })
    local address = "the address https://stub:6443 comes from the inventory"
    local client = connect()
    for want, case in pairs({
      [address] = { "connect", "connection refused", "connect" },
      ["its own"] = { "connect", "connection refused", "connect", "its own" },
      ["does the key belong to the certificate, and are both PEM? " .. address] = {
        "auth",
        "the client certificate cannot be used",
        "tls",
      },
      ["renew it, and its key with it"] = { "auth", "the client certificate is refused" },
      [address .. "; is it the right one? if so say server_name: NAME"] = {
        "auth",
        "the certificate is for another name",
      },
      [address .. "; the authority is `ca` there"] = { "auth", "not trusted" },
      ["ask for less at once: labels, fields or a smaller page"] = { "parse", "body over 64MB" },
      ["something on the way (a proxy, a load balancer) cuts answers; try again"] = {
        "connect",
        "body ended early",
      },
    }) do
      raised = case
      local err = t.fails(case[1], client.get, client, "cm", "data", "c")
      t.equal(err.hint, want)
    end
    raised = { "connect", "somehow" }
    t.equal(t.fails("connect", client.get, client, "cm", "data", "c").hint, nil)
  end,

  ["an error that comes in pieces is read whole"] = function(t)
    local text = json.encode(stub.status(403, "Forbidden", "no logs for you"))
    stub.open(t, {
      ["GET /api/v1/namespaces/data/pods/p/log"] = function()
        return { status = 403, chunks = { text:sub(1, 20), text:sub(21, 40), text:sub(41) } }
      end,
    })
    local client = connect()
    local err = t.fails("http", client.logs, client, "data", "p", { follow = true })
    t.equal({ err.code, err.reason }, { 403, "Forbidden" })
    t.match(err.msg, "no logs for you")
  end,

  ["a change that an earlier process did is answered by the object as it is now"] = function(t)
    local known = {}
    local requests = stub.open(t, routes({ body = {} }), false, {
      recall = function(change)
        known[#known + 1] = change
        return {}
      end,
    })
    stub.step(function()
      t.equal(connect():patch("cm", "data", "c", { data = {} }).metadata.name, "c")
    end)
    t.equal(stub.lines(requests, "PATCH"), {})
    t.equal({ known[1].private, known[1].recovery }, { false, "repeatable" })
  end,
}
