--- The client against a scripted server: requests as sent, paging, races, discovery, credentials.
local fs = require("prim.fs")
local json = require("plat.json")
local k8s = require("plat.k8s")
local stub = load(assert(require("prim.fs").read("tests/lua/k8s_stub.lua")), "@k8s_stub.lua")()
local task = require("plat.task")

local function connect(conf)
  conf = conf or {}
  conf.server, conf.name = "https://stub:6443", "stub"
  return k8s.connect(conf)
end

local STS = "/apis/apps/v1/namespaces/data/statefulsets/exec"

local function named(...)
  local items = {}
  for i, name in ipairs({ ... }) do
    items[i] = { metadata = { name = name, namespace = "data", resourceVersion = tostring(i) } }
  end
  return items
end

return {
  ["a list is read page by page and gets its kinds"] = function(t)
    local requests = stub.open(t, {
      ["GET /api/v1/namespaces/data/pods?labelSelector=app%3Dx&limit=500"] = {
        body = stub.list(named("a", "b"), { continue = "next", resourceVersion = "9" }),
      },
      ["GET /api/v1/namespaces/data/pods?continue=next&labelSelector=app%3Dx&limit=500"] = {
        body = stub.list(named("c"), { continue = "", resourceVersion = "10" }),
      },
    })
    local items, version = connect():list("po", "data", { labels = { app = "x" } })
    t.equal(#items, 3)
    t.equal(items[3].metadata.name, "c")
    t.equal(items[1].kind, "Pod")
    t.equal(items[1].apiVersion, "v1")
    t.equal(version, "9")
    t.equal(#requests, 2)
  end,

  ["an expired continue token restarts the list, then goes on with the fresh one"] = function(t)
    local first = "GET /api/v1/namespaces/data/pods?limit=500"
    local gone = {
      status = 410,
      body = stub.status(410, "Expired", "too old", nil, { continue = "fresh" }),
    }
    local requests = stub.open(t, {
      [first] = { body = stub.list(named("a"), { continue = "old", resourceVersion = "1" }) },
      ["GET /api/v1/namespaces/data/pods?continue=old&limit=500"] = gone,
      ["GET /api/v1/namespaces/data/pods?continue=fresh&limit=500"] = {
        body = stub.list(named("b"), { resourceVersion = "5" }),
      },
    })
    local items = connect():list("pods", "data")
    t.equal(#items, 2)
    t.equal(#stub.lines(requests), 5) -- page, 410, again: page, 410, the rest
  end,

  ["a limit bounds the whole list"] = function(t)
    stub.open(t, {
      ["GET /api/v1/pods?limit=2"] = { body = stub.list(named("a", "b"), { continue = "x" }) },
    })
    t.equal(#connect():list("pods", nil, { limit = 2 }), 2)
  end,

  ["a refused apply tells owner and both values of each field"] = function(t)
    local path = "/apis/apps/v1/namespaces/data/deployments/web"
    stub.open(t, {
      ["GET /apis/autoscaling/v2/namespaces/data/horizontalpodautoscalers"] = {
        body = stub.list({}),
      },
      ["GET " .. path] = { body = { metadata = { name = "web" }, spec = { replicas = 3 } } },
      ["PATCH " .. path] = {
        status = 409,
        body = stub.status(409, "Conflict", "Apply failed with 1 conflict", {
          causes = {
            {
              reason = "FieldManagerConflict",
              message = 'conflict with "helm"',
              field = ".spec.replicas",
            },
          },
        }),
      },
    })
    local err = t.fails("http", stub.step, function()
      connect():apply({
        apiVersion = "apps/v1",
        kind = "Deployment",
        metadata = { name = "web", namespace = "data" },
        spec = { replicas = 5 },
      })
    end)
    t.match(err.msg, "%.spec%.replicas +helm +3 %-> 5")
  end,

  ["apply sends its manager as YAML typed JSON"] = function(t)
    local path = "/api/v1/namespaces/data/configmaps/c"
    local requests = stub.open(t, {
      ["GET " .. path] = {
        status = 404,
        body = stub.status(404, "NotFound", "no", { name = "c", kind = "configmaps" }),
      },
      ["PATCH " .. path] = { status = 201, body = { metadata = { name = "c" } } },
    })
    stub.step(function()
      connect():apply({
        apiVersion = "v1",
        kind = "ConfigMap",
        metadata = { name = "c", namespace = "data" },
      }, { force = true })
    end)
    t.equal(requests[2].line, "PATCH " .. path .. "?fieldManager=platrun&force=true")
    t.equal(requests[2].headers["Content-Type"], "application/apply-patch+yaml")
  end,

  ["delete keeps to the object that was read"] = function(t)
    local path = "/api/v1/namespaces/data/pods/p"
    local requests = stub.open(t, {
      ["GET " .. path] = { body = { metadata = { name = "p", uid = "u1" } } },
      ["DELETE " .. path] = { body = stub.status(200, nil, "ok") },
    })
    stub.step(function()
      t.equal(connect():delete("pod", "data", "p", { grace = "5s" }), true)
    end)
    t.equal(requests[2].body.preconditions, { uid = "u1" })
    t.equal(requests[2].body.gracePeriodSeconds, 5)
    t.equal(requests[2].body.propagationPolicy, "Background")
  end,

  ["delete of what is not there is no change"] = function(t)
    local requests = stub.open(t, {
      ["GET /api/v1/namespaces/data/pods/p"] = {
        status = 404,
        body = stub.status(404, "NotFound", "no", { name = "p", kind = "pods" }),
      },
    })
    t.equal(connect():delete("pod", "data", "p"), false)
    t.equal(#requests, 1)
  end,

  ["discovery falls back to plain lists and remembers groups that are down"] = function(t)
    local sleep = task.sleep
    function task.sleep() end -- the door asks a group that is down several times
    t.defer(function()
      task.sleep = sleep
    end)
    stub.open(t, {
      ["GET /api"] = { body = { kind = "APIVersions", versions = json.array({ "v1" }) } },
      ["GET /apis"] = {
        body = {
          kind = "APIGroupList",
          groups = json.array({
            {
              name = "facts.io",
              versions = json.array({ { groupVersion = "facts.io/v1", version = "v1" } }),
              preferredVersion = { groupVersion = "facts.io/v1" },
            },
            {
              name = "metrics.k8s.io",
              versions = json.array({ { groupVersion = "metrics.k8s.io/v1beta1" } }),
            },
          }),
        },
      },
      ["GET /api/v1"] = { body = { groupVersion = "v1", resources = json.array({}) } },
      ["GET /apis/facts.io/v1"] = {
        body = {
          groupVersion = "facts.io/v1",
          resources = json.array({
            {
              name = "things",
              singularName = "thing",
              kind = "Thing",
              namespaced = true,
              shortNames = { "th" },
            },
            { name = "things/status", kind = "Thing" },
          }),
        },
      },
      ["GET /apis/metrics.k8s.io/v1beta1"] = {
        status = 503,
        headers = { ["content-type"] = "text/plain" },
        body = "service unavailable",
      },
    })
    local client = connect()
    t.equal(client:resource("th").plural, "things")
    t.equal(client:resource("Thing").subresources.status, true)
    t.equal(client:resource("things.facts.io").group, "facts.io")
    local err = t.fails("usage", client.resource, client, "thimgs")
    t.equal(err.hint, 'did you mean "things"?')
    err = t.fails("usage", client.resource, client, "podmetrics")
    t.match(err.hint, "metrics.k8s.io/v1beta1")
  end,

  ["aggregated discovery is two requests, stable kinds none"] = function(t)
    local requests = stub.open(t, {
      ["GET /api"] = { body = { kind = "APIGroupDiscoveryList", items = json.array({}) } },
      ["GET /apis"] = {
        body = {
          kind = "APIGroupDiscoveryList",
          items = json.array({
            {
              metadata = { name = "policy" },
              versions = json.array({
                {
                  version = "v1",
                  resources = json.array({
                    {
                      resource = "poddisruptionbudgets",
                      singularResource = "poddisruptionbudget",
                      responseKind = { kind = "PodDisruptionBudget" },
                      scope = "Namespaced",
                      shortNames = json.array({ "pdb" }),
                      verbs = json.array({ "get", "list" }),
                    },
                  }),
                },
              }),
            },
          }),
        },
      },
    })
    local client = connect()
    t.equal(client:resource("statefulsets.apps").kind, "StatefulSet")
    t.equal(client:resource("apps/v1/StatefulSet").plural, "statefulsets")
    t.equal(#requests, 0)
    t.equal(client:resource("pdb").kind, "PodDisruptionBudget")
    t.ok(client:resource("pdb").verbs.list)
    t.equal(#requests, 2)
  end,

  ["a token file is read again after a 401"] = function(t)
    local path = t.tmp() .. "/token"
    assert(fs.write(path, "old\n"))
    local requests = stub.open(t, {
      ["GET /version"] = function(req)
        if req.headers.Authorization == "Bearer new" then
          return { body = { gitVersion = "v1.34.4" } }
        end
        assert(fs.write(path, "new\n"))
        return { status = 401, body = stub.status(401, "Unauthorized", "Unauthorized") }
      end,
    })
    t.equal(connect({ token_file = path }):version().gitVersion, "v1.34.4")
    t.equal(#requests, 2)
  end,

  ["a 401 that a new token does not cure is raised once"] = function(t)
    local requests = stub.open(t, {
      ["GET /version"] = { status = 401, body = stub.status(401, "Unauthorized", "Unauthorized") },
    })
    local client = connect({ token = "bad" })
    local err = t.fails("http", client.version, client)
    t.match(err.hint, "does not accept the token")
    t.equal(#requests, 1)
  end,

  ["a busy server is asked again after its Retry-After"] = function(t)
    local requests = stub.open(t, {
      ["PATCH /api/v1/namespaces/data/configmaps/c"] = {
        {
          status = 429,
          headers = { ["content-type"] = "application/json", ["retry-after"] = "0" },
          body = stub.status(429, "TooManyRequests", "please try again"),
        },
        { body = { metadata = { name = "c" } } },
      },
      ["GET /api/v1/namespaces/data/configmaps/c"] = { body = { metadata = { name = "c" } } },
    })
    stub.step(function()
      connect():patch("cm", "data", "c", { data = { k = "v" } })
    end)
    t.equal(#stub.lines(requests, "PATCH"), 2)
  end,

  ["an answer that is not JSON is not a Kubernetes server"] = function(t)
    stub.open(t, {
      ["GET /version"] = {
        headers = { ["content-type"] = "text/html" },
        body = "<html><title>Sign in</title></html>",
      },
    })
    local client = connect()
    local err = t.fails("parse", client.version, client)
    t.match(
      err.msg,
      'this is not a Kubernetes API server: it answered with a web page %("Sign in"%)'
    )
  end,

  ["the pods of a handle are its own, by ordinal"] = function(t)
    local function pod(name, uid)
      return {
        metadata = {
          name = name,
          ownerReferences = json.array({ { uid = uid, controller = true } }),
        },
        status = { phase = "Running" },
      }
    end
    stub.open(t, {
      ["GET " .. STS] = {
        body = {
          metadata = { name = "exec", uid = "s1", generation = 1 },
          spec = { replicas = 3, selector = { matchLabels = { app = "exec" } } },
          status = { observedGeneration = 1, readyReplicas = 2, replicas = 3 },
        },
      },
      ["GET /api/v1/namespaces/data/pods?labelSelector=app%3Dexec&limit=500"] = {
        body = stub.list({ pod("exec-10", "s1"), pod("exec-2", "s1"), pod("stray-1", "other") }),
      },
    })
    local set = connect():stateful_set("data", "exec")
    local state = set:get()
    t.equal({ state.replicas, state.ready, state.is_ready }, { 3, 2, false })
    local pods = set:pods()
    t.equal({ pods[1].name, pods[2].name, #pods }, { "exec-2", "exec-10", 2 })
  end,
}
