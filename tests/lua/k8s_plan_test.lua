--- What a plan knows of objects that it has changed, and where it has to say that it does not know.
local effect_plan = require("plat.effect.plan")
local json = require("plat.json")
local k8s = require("plat.k8s")
local stub = load(assert(require("prim.fs").read("tests/lua/k8s_stub.lua")), "@k8s_stub.lua")()

local CM = "/api/v1/namespaces/data/configmaps"
local STS = "/apis/apps/v1/namespaces/data/statefulsets/exec"

--- Opens the door in plan mode; returns what the plan says, and the requests.
local function plan(t, routes)
  local seen = { lines = {} }
  seen.plan = effect_plan.new(function(line)
    seen.lines[#seen.lines + 1] = line
  end, function() end)
  seen.requests = stub.open(t, routes, seen.plan)
  return seen
end

local function connect()
  return k8s.connect({ server = "https://stub:6443", name = "stub" })
end

local function config_map(name, data, more)
  local object = {
    apiVersion = "v1",
    kind = "ConfigMap",
    metadata = { name = name, namespace = "data" },
    data = data,
  }
  for key, value in pairs(more or {}) do
    object.metadata[key] = value
  end
  return object
end

--- The server's answer to a dry run: what it was asked, with what it makes up.
local function made(req)
  local object = json.decode(req.body)
  local meta = object.metadata
  meta.uid, meta.resourceVersion, meta.creationTimestamp = "made-up", "99", "2026-01-01T00:00:00Z"
  meta.name = meta.name or meta.generateName .. "abcde"
  return { body = object }
end

local function not_there(name, kind)
  return { status = 404, body = stub.status(404, "NotFound", "no", { name = name, kind = kind }) }
end

--- Whether the body of a step ends for what the plan cannot know; returns the reason.
local function cut(t, fn, ...)
  local err = t.fails("cancelled", stub.step, fn, ...)
  t.ok(err.plan_end)
  return err.msg
end

local function exec_set(replicas)
  return {
    apiVersion = "apps/v1",
    kind = "StatefulSet",
    metadata = { name = "exec", namespace = "data", generation = 1, resourceVersion = "7" },
    spec = { replicas = replicas, selector = { matchLabels = { app = "exec" } } },
    status = { observedGeneration = 1, replicas = replicas, readyReplicas = replicas },
  }
end

local function scaled_routes(more)
  local routes = {
    ["GET " .. STS] = { body = exec_set(3) },
    ["GET " .. STS .. "/scale"] = {
      body = {
        kind = "Scale",
        metadata = { name = "exec", resourceVersion = "7" },
        spec = { replicas = 3 },
      },
    },
    ["GET /apis/autoscaling/v2/namespaces/data/horizontalpodautoscalers"] = {
      body = stub.list({}),
    },
    ["PUT " .. STS .. "/scale"] = function(req)
      return { body = json.decode(req.body) }
    end,
    ["GET /api/v1/namespaces/data/pods"] = { body = stub.list({}) },
    ["GET /api/v1/namespaces/other/pods"] = { body = stub.list({}) },
    ["GET /api/v1/pods"] = { body = stub.list({}) },
    ["GET " .. CM] = { body = stub.list({}) },
  }
  for key, value in pairs(more or {}) do
    routes[key] = value
  end
  return routes
end

return {
  ["what the server will make up for a new object is not known yet"] = function(t)
    for _, field in ipairs({ "uid", "resourceVersion", "creationTimestamp" }) do
      plan(t, { ["POST " .. CM] = made })
      local why = cut(t, function()
        return connect():create(config_map("c", { k = "v" })).metadata[field]
      end)
      t.equal(
        why,
        ("what follows depends on metadata.%s of configmap data/c, which the plan changes"):format(
          field
        )
      )
    end
    plan(t, { ["POST " .. CM] = made })
    stub.step(function()
      local object = connect():create(config_map("c", { k = "v" }))
      t.equal({ object.metadata.name, object.data.k }, { "c", "v" })
    end)
  end,

  ["the name of an object that the server names is not known yet"] = function(t)
    plan(t, { ["POST " .. CM] = made })
    local why = cut(t, function()
      local object = config_map(nil, {}, { generateName = "c-" })
      return connect():create(object).metadata.name
    end)
    t.match(why, "metadata%.name of configmap data/c%-%*,")
  end,

  ["a planned object is there for later reads, in the order of the server"] = function(t)
    plan(t, {
      ["POST " .. CM] = made,
      ["GET " .. CM] = { body = stub.list({ config_map("a"), config_map("c") }) },
      ["GET " .. CM .. "/b"] = not_there("b", "configmaps"),
    })
    stub.step(function()
      local client = connect()
      client:create(config_map("b", { k = "v" }, { labels = { app = "x" } }))
      t.equal(client:get("cm", "data", "b").data.k, "v")
      local names = {}
      for i, item in ipairs(client:list("cm", "data")) do
        names[i] = item.metadata.name
      end
      t.equal(names, { "a", "b", "c" })
      t.equal(#client:list("cm", "data", { labels = { app = "y" } }), 2, "as the server filtered")
    end)
  end,

  ["a second patch is put on top of the first"] = function(t)
    local seen = plan(t, {
      ["GET " .. CM .. "/c"] = { body = config_map("c", { a = "1" }, { resourceVersion = "5" }) },
      ["PATCH " .. CM .. "/c"] = {
        body = config_map("c", { a = "1", b = "2" }, { resourceVersion = "6" }),
      },
      ["PUT " .. CM .. "/c"] = function(req)
        return { body = json.decode(req.body) }
      end,
    })
    stub.step(function()
      local client = connect()
      client:patch("cm", "data", "c", { data = { b = "2" } })
      client:patch("cm", "data", "c", { data = { a = json.null, d = "4" } })
      t.equal(client:get("cm", "data", "c").data, { b = "2", d = "4" })
    end)
    t.equal(#stub.lines(seen.requests, "PATCH"), 1)
    t.match(stub.lines(seen.requests, "PUT")[1], "dryRun=All")
    t.equal(seen.lines[2].class, "will")
    t.equal(seen.lines[2].diff, {
      { path = "data.a", before = "1", after = nil },
      { path = "data.d", before = nil, after = "4" },
    })
  end,

  ["a second patch that only the server can merge leaves the object unknown"] = function(t)
    local path = "/apis/apps/v1/namespaces/data/deployments/web"
    local function web()
      return {
        apiVersion = "apps/v1",
        kind = "Deployment",
        metadata = { name = "web", namespace = "data", resourceVersion = "5" },
        spec = { template = { spec = { containers = json.array({ { name = "c" } }) } } },
      }
    end
    plan(t, { ["GET " .. path] = { body = web() }, ["PATCH " .. path] = { body = web() } })
    local patch =
      { spec = { template = { spec = { containers = json.array({ { name = "d" } }) } } } }
    local last = 0
    cut(t, function()
      local client = connect()
      client:patch("deploy", "data", "web", patch, { type = "strategic" })
      last = 1
      client:patch("deploy", "data", "web", patch, { type = "strategic" })
      last = 2
      client:get("deploy", "data", "web")
      last = 3
    end)
    t.ok(last == 1 or last == 2, last)
  end,

  ["what controllers make of a change is unknown, in its namespace only"] = function(t)
    local function look(kind, ns)
      plan(t, scaled_routes())
      return function()
        local client = connect()
        client:stateful_set("data", "exec"):scale(5)
        return client:list(kind, ns)
      end
    end
    for _, ns in ipairs({ "data", false }) do
      local why = cut(t, look("pods", ns or nil))
      t.match(why, "which follows from what the plan changes")
    end
    t.equal(stub.step(look("pods", "other")), {})
    t.equal(stub.step(look("cm", "data")), {})
  end,

  ["what is in a namespace that the plan deletes is unknown, the rest is not"] = function(t)
    local namespace = {
      apiVersion = "v1",
      kind = "Namespace",
      metadata = { name = "data", uid = "n1", resourceVersion = "3" },
    }
    local routes = scaled_routes({
      ["GET /api/v1/namespaces/data"] = { body = namespace },
      ["DELETE /api/v1/namespaces/data"] = { body = namespace },
    })
    local function look(kind, ns)
      plan(t, routes)
      return function()
        local client = connect()
        client:delete("namespace", nil, "data")
        return client:list(kind, ns)
      end
    end
    for _, kind in ipairs({ "cm", "sts" }) do
      t.match(cut(t, look(kind, "data")), "which follows from what the plan changes")
    end
    t.equal(stub.step(look("pods", "other")), {})
  end,

  ["a delete and a create of the same name are asked under another name"] = function(t)
    local seen = plan(t, {
      ["GET " .. CM .. "/c"] = {
        body = config_map("c", { a = "1" }, { resourceVersion = "5", uid = "u" }),
      },
      ["DELETE " .. CM .. "/c"] = { body = stub.status(200, nil, "ok") },
      ["POST " .. CM] = made,
    })
    stub.step(function()
      local client = connect()
      client:delete("cm", "data", "c")
      t.equal(client:find("cm", "data", "c"), nil)
      client:create(config_map("c", { a = "2" }))
      t.equal(client:get("cm", "data", "c").data, { a = "2" })
      client:delete("cm", "data", "c")
      t.equal(client:find("cm", "data", "c"), nil)
      client:create(config_map("c", { a = "3" }))
      local err = t.fails("http", client.create, client, config_map("c", { a = "4" }))
      t.equal(err.detail.conflict, "exists")
    end)
    t.equal(#stub.lines(seen.requests, "DELETE"), 1, "the second exists in the plan only")
    for _, request in ipairs(seen.requests) do
      if request.line:find("^POST") then
        t.equal(request.body.metadata.name, "c-plan")
      end
    end
  end,

  ["the log of a pod is there until the plan has waited for the pod to be gone"] = function(t)
    local path = "/api/v1/namespaces/data/pods/p"
    local pod = {
      apiVersion = "v1",
      kind = "Pod",
      metadata = { name = "p", namespace = "data", uid = "p1", resourceVersion = "3" },
      spec = {},
      status = { phase = "Running" },
    }
    local routes = {
      ["GET " .. path] = { body = pod },
      ["DELETE " .. path] = { body = pod },
      ["GET " .. path .. "/log"] = { body = "hello\n" },
    }
    plan(t, routes)
    stub.step(function()
      local client = connect()
      client:delete("pod", "data", "p")
      t.equal(client:logs("data", "p"), "hello\n")
      client:wait_gone("pod", "data", "p")
      t.equal(client:find("pod", "data", "p"), nil)
      local err = t.fails("http", client.logs, client, "data", "p")
      t.equal(err.code, 404)
    end)
    pod.metadata.ownerReferences = json.array({ { uid = "s1", controller = true } })
    plan(t, routes)
    local why = cut(t, function()
      local client = connect()
      client:delete("pod", "data", "p")
      client:wait_gone("pod", "data", "p")
      client:find("pod", "data", "p")
    end)
    t.match(why, "which the plan changes$", "its owner may have made another")
  end,
}
