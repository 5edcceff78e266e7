--- platrun sim record: what is captured of a served cluster and of this machine, and a world of it.
local effect = require("plat.effect")
local fixture = require("plat.sim.fixture")
local fs = require("prim.fs")
local host = require("plat.host")
local httpd = require("plat.httpd")
local json = require("plat.json")
local k8s = require("plat.k8s")
local record = require("plat.sim.record")
local seeds = require("plat.sim.k8s.seeds")
local sim = require("plat.sim.k8s")
local world = require("plat.sim.world")

local NOW = 1900000000

local function encoded(text)
  return (require("prim.hash").base64(text))
end

--- A cluster with secrets where they are found in practice.
local function cluster_with_secrets()
  local model = sim.seed({ now = NOW, seed = 3 })
  seeds.put(model, {
    apiVersion = "v1",
    kind = "Secret",
    metadata = {
      name = "db",
      namespace = "data-platform",
      annotations = { ["kubectl.kubernetes.io/last-applied-configuration"] = "hunter2-applied" },
    },
    type = "Opaque",
    data = { password = encoded("hunter2-data"), user = encoded("hunter2-user") },
  })
  seeds.put(model, {
    apiVersion = "apps/v1",
    kind = "Deployment",
    metadata = { name = "app", namespace = "data-platform" },
    spec = {
      replicas = 1,
      selector = { matchLabels = { app = "app" } },
      template = {
        metadata = { labels = { app = "app" } },
        spec = {
          containers = json.array({
            {
              name = "app",
              image = "apache/superset:3.0.0",
              env = json.array({
                { name = "DB_PASSWORD", value = "hunter2-env" },
                { name = "LOG_LEVEL", value = "debug" },
              }),
            },
          }),
        },
      },
    },
  })
  model:advance(NOW + 120)
  return model
end

--- Serves a model by a real socket, and returns a client of it.
local function serve(t, model)
  local server = httpd.serve(function(req)
    return model:handle(
      world.parse_request(
        req.method,
        req.path .. (req.query and req.query ~= "" and "?" .. req.query or ""),
        req.headers,
        req.body
      )
    )
  end, { host = "127.0.0.1", port = 0 })
  t.defer(function()
    server:close()
  end)
  effect.open({ mode = "run" })
  t.defer(effect.close)
  return k8s.connect({ server = "http://127.0.0.1:" .. server:port() })
end

local function names(model, id)
  return require("plat.list").map(require("plat.sim.k8s.store").list(model, id), function(object)
    return object.metadata.name
  end)
end

return {
  ["a cluster, served and recorded: no secret and no clutter, and it loads as it was"] = function(
    t
  )
    local model = cluster_with_secrets()
    local objects, left_out = record.cluster(serve(t, model))
    t.equal(left_out, {})
    local doc = { recorded = "now", source = {}, left_out = {}, objects = objects, hosts = {} }
    local path = t.tmp() .. "/fixture.json"
    local text = fixture.text(doc)
    t.equal(text:find("hunter2", 1, true), nil)
    t.equal(text:find(encoded("hunter2-data"), 1, true), nil)
    t.equal(text:find("managedFields", 1, true), nil)
    t.match(text, '"LOG_LEVEL","value":"debug"')
    assert(fs.write(path, text))

    local copy = sim.new({ now = model.state.now })
    fixture.fill(copy, fixture.read(path).objects)
    for _, id in ipairs({ "pods", "statefulsets.apps", "secrets", "nodes", "replicasets.apps" }) do
      t.equal(names(copy, id), names(model, id), id)
    end
    local before = copy:pods({ namespace = "data-platform" })
    t.equal(before, model:pods({ namespace = "data-platform" }))
    copy:advance(copy.state.now + 7200)
    t.equal(copy:pods({ namespace = "data-platform" }), before, "two hours later")
  end,
  ["a recorded cluster lives: what is scaled in it grows and shrinks"] = function(t)
    local model = cluster_with_secrets()
    local objects = record.cluster(serve(t, model))
    local copy = sim.new({ now = model.state.now })
    fixture.fill(copy, objects)
    local function ready()
      local n = 0
      for _, pod in ipairs(copy:pods({ labels = { app = "dremio", role = "executor" } })) do
        n = n + (pod.ready and 1 or 0)
      end
      return n
    end
    for _, want in ipairs({ 5, 2 }) do
      local answer = copy:handle(
        world.parse_request(
          "PATCH",
          "/apis/apps/v1/namespaces/data-platform/statefulsets/dremio-executor",
          { ["content-type"] = "application/merge-patch+json" },
          ('{"spec":{"replicas":%d}}'):format(want)
        )
      )
      t.equal(answer.status, 200)
      copy:advance(copy.state.now + 1800)
      t.equal(ready(), want)
    end
  end,
  ["this machine, and a simulated host that says what it says"] = function(t)
    effect.open({ mode = "run" })
    t.defer(effect.close)
    local dir = t.tmp()
    assert(fs.write(dir .. "/shown", "for all\n", { mode = 420 }))
    assert(fs.write(dir .. "/key", "hunter2-file\n", { mode = 384 }))
    local here = host.new({ name = "here", address = "h", vars = { ansible_connection = "local" } })
    local spec = record.host(here, { dir .. "/shown", dir .. "/key", dir .. "/none" })
    t.equal(json.encode(spec):find("hunter2", 1, true), nil)
    local fleet = require("plat.sim.host").new({ now = NOW, hosts = { here = spec } })
    for _, argv in ipairs({
      { "uname", "-rm" },
      { "nproc" },
      { "id", "nobody" },
      { "getent", "passwd", "daemon" },
      { "cat", "/etc/os-release" },
      { "cat", dir .. "/shown" },
      { "stat", "-c", "%a %U %s", dir .. "/key" },
      { "test", "-e", dir .. "/none" },
      { "dpkg-query", "-W", "coreutils" },
    }) do
      local want = here:read(argv, { ok = { 0, 1 } })
      local got = fleet:ask("here", { verb = "command", argv = argv }).value
      t.equal({ got.code, got.stdout }, { want.code, want.stdout }, table.concat(argv, " "))
    end
  end,
  ["what is no fixture is refused"] = function(t)
    local path = t.tmp() .. "/x"
    assert(fs.write(path, "{}"))
    t.fails("this is no fixture", fixture.read, path)
    assert(fs.write(path, '{"fixture":{"schema":9},"objects":[]}'))
    t.fails("its schema is 9", fixture.read, path)
  end,
}
