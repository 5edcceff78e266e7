--- What a plan shows: differences, how later reads look, and values in conflicts.
local effect_plan = require("plat.effect.plan")
local json = require("plat.json")
local k8s = require("plat.k8s")
local predict = require("plat.k8s.predict")
local strip = require("plat.k8s.strip")
local stub = load(assert(require("prim.fs").read("tests/lua/k8s_stub.lua")), "@k8s_stub.lua")()

local STS = "/apis/apps/v1/namespaces/data/statefulsets/exec"

local function decode(text)
  return json.decode(text)
end

-- Opens the door in plan mode; returns the requests and the lines and waits of the plan.
local function plan(t, routes)
  local seen = { lines = {}, waits = {} }
  local made = effect_plan.new(function(line)
    seen.lines[#seen.lines + 1] = line
  end, function(text)
    seen.waits[#seen.waits + 1] = text
  end)
  seen.requests = stub.open(t, routes, made)
  return seen
end

local function connect()
  return k8s.connect({ server = "https://stub:6443", name = "stub" })
end

local function sts(replicas)
  return {
    kind = "StatefulSet",
    apiVersion = "apps/v1",
    metadata = { name = "exec", namespace = "data", generation = 1 },
    spec = { replicas = replicas },
    status = { observedGeneration = 1, replicas = replicas, readyReplicas = replicas },
  }
end

local function scale_body(replicas)
  return {
    kind = "Scale",
    metadata = { name = "exec", resourceVersion = "7" },
    spec = { replicas = replicas },
  }
end

return {
  ["differences are rows of path, before and after"] = function(t)
    local before = decode([[{"metadata":{"name":"x","resourceVersion":"1","uid":"u"},
      "spec":{"containers":[{"name":"a","image":"i:1"},{"name":"b","image":"i:1"}],
        "args":["x","y"]},
      "status":{"replicas":1}}]])
    local after = decode(
      [[{"metadata":{"name":"x","resourceVersion":"2","labels":{"a.b/c":"d"}},
      "spec":{"containers":[{"name":"a","image":"i:2"}],"args":["x","z"]},"status":{"replicas":2}}]]
    )
    t.equal(predict.rows(before, after), {
      { path = "metadata.labels", before = nil, after = '{"a.b/c":"d"}' },
      { path = "spec.args[1]", before = "y", after = "z" },
      { path = "spec.containers[a].image", before = "i:1", after = "i:2" },
      { path = "spec.containers[b]", before = '{"image":"i:1","name":"b"}', after = nil },
    })
    t.equal(predict.rows(before, before), {})
  end,

  ["values of a Secret never show"] = function(t)
    local rows = predict.rows(
      { kind = "Secret", data = { password = "b25l" } },
      { kind = "Secret", data = { password = "dHdv" } }
    )
    t.equal(#rows, 1)
    t.match(rows[1].before, "^%*%*%* %(sha256 %x+%)$")
    t.ok(rows[1].before ~= rows[1].after)
    t.ok(
      not json
        .encode(strip.for_journal({ data = { k = "plain" } }, "Secret"))
        :find("plain", 1, true)
    )
  end,

  ["values at field paths"] = function(t)
    local object = decode([[{"spec":{"replicas":3,"containers":[{"name":"c","image":"i"}]},
      "metadata":{"labels":{"app.kubernetes.io/name":"web"}}}]])
    t.equal(strip.value_at(object, ".spec.replicas"), "3")
    t.equal(strip.value_at(object, '.spec.containers[name="c"].image'), "i")
    t.equal(strip.value_at(object, '.spec.containers[name="d"].image'), nil)
    t.equal(strip.value_at(object, ".metadata.labels.app.kubernetes.io/name"), "web")
    t.equal(strip.value_at(object, ".spec.none.at.all"), nil)
    t.equal(strip.value_at(nil, ".spec"), nil)
  end,

  ["a planned scale is predicted by a dry run and seen by later reads"] = function(t)
    local seen = plan(t, {
      ["GET " .. STS] = { body = sts(3) },
      ["GET " .. STS .. "/scale"] = { body = scale_body(3) },
      ["GET /apis/autoscaling/v2/namespaces/data/horizontalpodautoscalers"] = {
        body = stub.list({}),
      },
      ["GET /apis/apps/v1/namespaces/data/statefulsets"] = { body = stub.list({ sts(3) }) },
      ["PUT " .. STS .. "/scale"] = function(req)
        return { body = json.decode(req.body) }
      end,
    })
    local set = connect():stateful_set("data", "exec")
    stub.step(function()
      t.ok(set:scale(5))
      t.equal(set:get().replicas, 5)
      t.equal(connect():list("sts", "data")[1].spec.replicas, 5)
      t.equal(set:scale(5), false)
      set:wait_ready({ within = "5m" })
    end)
    t.equal(#seen.lines, 1)
    t.equal(seen.lines[1].class, "will")
    t.equal(seen.lines[1].change.text, "scale statefulset data/exec from 3 to 5")
    t.equal(seen.lines[1].diff, { { path = "spec.replicas", before = 3, after = 5 } })
    t.match(seen.waits[1], "^at most 5m until statefulset data/exec is ready; now: 3 of 5 ready")
    t.equal(
      stub.lines(seen.requests, "PUT"),
      { "PUT " .. STS .. "/scale?dryRun=All&fieldManager=platrun" }
    )
  end,

  ["a planned delete is seen as gone"] = function(t)
    local path = "/api/v1/namespaces/data/configmaps/c"
    local seen = plan(t, {
      ["GET " .. path] = { body = { metadata = { name = "c", uid = "u" } } },
      ["DELETE " .. path] = { body = stub.status(200, nil, "ok") },
      ["GET /api/v1/namespaces/data/configmaps"] = {
        body = stub.list({ { metadata = { name = "c" } }, { metadata = { name = "d" } } }),
      },
    })
    stub.step(function()
      local client = connect()
      t.ok(client:delete("cm", "data", "c"))
      t.equal(client:find("cm", "data", "c"), nil)
      t.equal(#client:list("cm", "data"), 1)
    end)
    t.match(stub.lines(seen.requests, "DELETE")[1], "dryRun=All")
  end,

  ["a dry run that is refused fails the plan"] = function(t)
    plan(t, {
      ["GET /api/v1/namespaces/data/configmaps/c"] = { body = { metadata = { name = "c" } } },
      ["PATCH /api/v1/namespaces/data/configmaps/c"] = {
        status = 422,
        body = stub.status(422, "Invalid", "c is invalid", { name = "c", kind = "configmaps" }),
      },
    })
    local err = t.fails("http", stub.step, function()
      connect():patch("cm", "data", "c", { data = { k = "v" } })
    end)
    t.equal(err.code, 422)
  end,

  ["a change whose namespace is only planned is opaque and ends the body"] = function(t)
    local seen = plan(t, {
      ["POST /api/v1/namespaces/new/configmaps"] = {
        status = 404,
        body = stub.status(404, "NotFound", "no", { name = "new", kind = "namespaces" }),
      },
    })
    local err = t.fails("cancelled", stub.step, function()
      connect():create({
        apiVersion = "v1",
        kind = "ConfigMap",
        metadata = { name = "c", namespace = "new" },
      })
    end)
    t.ok(err.plan_end)
    t.equal(seen.lines[1].class, "opaque")
  end,

  ["a watch and a followed log do not wait in a plan"] = function(t)
    local seen = plan(t, {
      ["GET /api/v1/namespaces/data/pods"] = {
        body = stub.list({ { metadata = { name = "p" } } }, { resourceVersion = "5" }),
      },
      ["GET /api/v1/namespaces/data/pods/p/log"] = { body = "a\nb\n" },
    })
    local events = {}
    connect():watch("pods", "data", {}, function(event)
      events[#events + 1] = event.type
    end)
    t.equal(events, { "ADDED", "SYNCED" })
    t.equal(seen.waits, { "follow pods of data" })
    t.equal(connect():logs("data", "p", { follow = true }), "a\nb\n")
    t.equal(seen.requests[2].line, "GET /api/v1/namespaces/data/pods/p/log")
  end,
}
