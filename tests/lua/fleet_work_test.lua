--- What a fleet does to a set of executors and its autoscaler, and in which order.
local capacity = require("plat.capacity")
local effect = require("plat.effect")
local fault = require("plat.fault")
local fleet = require("plat.dremio.fleet")
local fs = require("prim.fs")
local help = load(assert(fs.read("tests/lua/dremio_help.lua")), "@dremio_help.lua")()
local list = require("plat.list")
local time = require("plat.time")

--- A fleet over a set and a coordinator that only write down what is done to them.
local function rigged(over)
  local did = {}
  local function note(...)
    did[#did + 1] = table.concat({ ... }, " ")
  end
  local it = fleet.open({
    name = "east",
    namespace = "lake",
    kubernetes = { server = "https://stub:6443", token = "x" },
    dremio = { name = "east", url = "http://dremio:9047", user = "u", password = "p" },
  })
  it.replicas, it.pods, it.hpas, it.busy = 3, {}, {}, {}
  it._set = {
    get = function()
      note("get")
      return {
        replicas = it.replicas,
        object = { metadata = {}, spec = { replicas = it.replicas }, status = it.status },
      }
    end,
    pods = function()
      return it.pods
    end,
    hpas = function()
      return it.hpas
    end,
    scale = function(_, n)
      note("scale", n)
    end,
    wait_ready = function(_, opts)
      note("ready within", opts.within)
    end,
    explain = function()
      return { causes = it.causes or {} }
    end,
  }
  it._client = {
    set_hpa_bounds = function(_, ns, name, bounds)
      note("bounds", ns, name, bounds.min, bounds.max)
    end,
    find = function(_, kind, ns, name)
      note("find", kind, ns, name)
      return it.there and it.there()
    end,
  }
  it.api = {
    executors = function()
      return it.nodes or {}
    end,
    wait_executors = function(_, names, opts)
      note("executors", table.concat(names, ","), "within", opts.within)
    end,
    wait_gone = function(_, name, opts)
      note("gone", name, "within", opts.within)
    end,
    wait_drained = function(_, name, opts)
      note("drained", name, "within", opts.within)
      local err = table.remove(it.busy, 1)
      if err then
        error(err, 0)
      end
    end,
    cancel = function(_, id)
      note("cancel", id)
    end,
    smoke = function()
      note("smoke")
      return 0.25
    end,
  }
  for key, value in pairs(over or {}) do
    it[key] = value
  end
  return it, did
end

local function hpa(min, max, desired)
  return { name = "auto", min = min, max = max, desired = desired, object = { metadata = {} } }
end

local function leaving(ordinal)
  return { name = "dremio-executor-" .. ordinal, ordinal = ordinal, terminating = true }
end

local tests = {
  ["an undo takes back one executor at a time, the last one first, each drained"] = function(t)
    local did, open = {}, fleet.open
    t.defer(function()
      fleet.open = open
    end)
    local replicas
    function fleet.open(cluster)
      local it = {}
      function it:look(within)
        did[#did + 1] = ("look %s %d"):format(cluster, within)
        return { replicas = replicas }
      end
      function it:names(from, to)
        return from == to and { "executor-" .. from } or { "wrong" }
      end
      function it:drain(name, opts)
        did[#did + 1] = ("drain %s %d %s"):format(name, opts.within, tostring(opts.cancel))
      end
      function it:resize(want, from)
        did[#did + 1] = ("resize %d %d"):format(want, from)
      end
      return it
    end
    local run = {}
    function run:cluster(name)
      return name
    end
    replicas = 5
    fleet.undo.executors(run, { cluster = "east", executors = 3 })
    t.equal(did, {
      "look east 120",
      "drain executor-4 120 true",
      "resize 4 5",
      "drain executor-3 120 true",
      "resize 3 4",
      "resize 3 2",
    })
    did, replicas = {}, 2
    fleet.undo.executors(run, { cluster = "east", executors = 4 })
    t.equal(did, { "look east 120", "resize 4 3" })
  end,

  ["an undo is recorded with the bounds that an autoscaler had"] = function(t)
    local saved = {}
    local step = {}
    function step:undo(name, value)
      saved[#saved + 1] = { name, value }
    end
    rigged():undo(step, 3)
    t.equal(saved, { { "executors", { cluster = "east", executors = 3 } } })
    saved = {}
    rigged({ hpas = { hpa(2, 6) } }):undo(step, 3)
    t.equal(saved, {
      { "bounds", { cluster = "east", bounds = { hpa = "auto", min = 2, max = 6 } } },
      { "executors", { cluster = "east", executors = 3 } },
    })
  end,

  ["an autoscaler has its bounds set, and is waited for; without one the set is scaled"] = function(
    t
  )
    local it, did = rigged()
    it:resize(5, 3)
    t.equal(did, { "scale 5" })
    it, did = rigged({ hpas = { hpa(2, 8, 5) } })
    it:resize(5, 3)
    t.equal(did, { "bounds lake auto 5 8" }, "it may still add")
    it, did = rigged({ hpas = { hpa(2, 4, 6) } })
    it:resize(6, 3)
    t.equal(did, { "bounds lake auto 6 6" })
    it, did = rigged({ hpas = { hpa(2, 8, 3) } })
    it:resize(3, 3)
    t.equal(did, { "bounds lake auto 3 8" })
    it, did = rigged({ hpas = { hpa(2, 8, 2) } })
    it:resize(2, 3)
    t.equal(did, { "bounds lake auto 2 2" }, "or it would bring them back")
  end,

  ["an autoscaler that does not follow is told after five minutes, and what it wants"] = function(
    t
  )
    local it, did = rigged({ hpas = { hpa(2, 8, 3) } })
    local began = time.now()
    local err = t.fails("timeout", it.resize, it, 5, 3)
    t.equal(err.msg, "the autoscaler wants at least 5: not within 5m: it wants 3")
    t.equal({ time.now() - began, did[1] }, { 300, "bounds lake auto 5 8" })
    err = t.fails("timeout", it.resize, it, 2, 3)
    t.equal(err.msg, "the autoscaler wants 2: not within 5m: it wants 3")
    it.hpas[1].desired = 9
    t.match(t.fails("timeout", it.resize, it, 5, 3).msg, "it wants 9$", "more than it may")
    local gone = rigged({ hpas = { hpa(2, 8, 3) } })
    function gone._client.set_hpa_bounds()
      gone.hpas = {}
    end
    t.match(t.fails("timeout", gone.resize, gone, 5, 3).msg, "it is gone$")
  end,

  ["an autoscaler is held at a number; two of them are refused"] = function(t)
    local it, did = rigged({ hpas = { hpa(2, 8) } })
    it:hold(4)
    t.equal(did, { "bounds lake auto 4 4" })
    it, did = rigged()
    it:hold(4)
    t.equal(did, {})
    it = rigged({ hpas = { hpa(1, 2), hpa(3, 4) } })
    local err = t.fails("refused", it.autoscaler, it)
    t.equal(err.object, "dremio-executor")
  end,

  ["a look waits for the executors that were sent away, and only for those"] = function(t)
    local asked = 0
    local it, did = rigged({ pods = { leaving(2), leaving(3), { name = "x", ordinal = 4 } } })
    it.there = function()
      asked = asked + 1
      return asked < 3 and { metadata = { name = "p" }, status = { phase = "Running" } } or nil
    end
    it.nodes = { { name = "dremio-executor-0" } }
    it.hpas = { hpa(1, 2) }
    local look = it:look(90)
    t.equal(did, {
      "get",
      "find pods lake dremio-executor-3",
      "find pods lake dremio-executor-3",
      "find pods lake dremio-executor-3",
      "gone dremio-executor-3 within 90",
      "get",
    })
    t.equal({ look.replicas, look.seen, #look.autoscalers }, { 3, { "dremio-executor-0" }, 1 })
    t.equal(look.moving, "dremio-executor-2 is being replaced")
    it.there = function()
      return { metadata = { name = "p" }, status = { phase = "Running" } }
    end
    local began = time.now()
    local err = t.fails("timeout", it.look, it, 45)
    t.equal(err.msg, "pod dremio-executor-3 is gone: not within 45s: Running")
    t.equal(time.now() - began, 45)
  end,

  ["a set in the middle of a change is noticed"] = function(t)
    local function moving(status, spec, generation)
      local it = rigged()
      it._set.get = function()
        return {
          replicas = 3,
          object = {
            metadata = { generation = generation or 1 },
            spec = list.merge({ replicas = 3 }, spec),
            status = status,
          },
        }
      end
      return it:look(1).moving
    end
    local rolling = {
      observedGeneration = 1,
      currentRevision = "a",
      updateRevision = "b",
      updatedReplicas = 1,
    }
    t.equal(moving({ observedGeneration = 1 }), nil)
    t.match(moving({ observedGeneration = 1 }, {}, 2), "^its controller has not taken note")
    t.match(moving(nil), "^its controller has not taken note")
    t.equal(moving(rolling), "a rolling update is in progress (1 of 3 pods updated)")
    t.equal(moving(rolling, { updateStrategy = { type = "OnDelete" } }), nil)
    t.equal(moving(rolling, { updateStrategy = { rollingUpdate = { partition = 2 } } }), nil)
    local at_zero = { updateStrategy = { rollingUpdate = { partition = 0 } } }
    t.match(moving(rolling, at_zero), "^a rolling update")
  end,

  ["queries that outlive a drain are cancelled if that is wanted, else named"] = function(t)
    local function busy(kind, seen)
      return fault.new(kind, {}, { msg = "2 running", seen = seen })
    end
    local jobs = { jobs = { "j1", "j2" } }
    local it, did = rigged({ busy = { busy("timeout", jobs) } })
    it:drain("e-1", { within = 60, cancel = true })
    t.equal(did, { "drained e-1 within 60", "cancel j1", "cancel j2", "drained e-1 within 120" })
    for _, case in ipairs({
      { busy("timeout", jobs), false },
      { busy("http", jobs), true },
      { busy("timeout", {}), true },
    }) do
      it.busy = { case[1] }
      t.fails(case[1].kind, it.drain, it, "e-1", { within = 60, cancel = case[2] })
    end
    t.equal(#did, 7, "nothing was cancelled")
    it.busy = { busy("timeout") }
    t.fails("timeout", it.drain, it, "e-1", { within = 60, cancel = true })
  end,

  ["executors have joined when the set is ready and the coordinator knows them all"] = function(t)
    local it, did = rigged({ replicas = 2 })
    it:wait_joined(2, 30)
    t.equal(did, {
      "ready within 30",
      "get",
      "executors dremio-executor-0,dremio-executor-1 within 30",
    })
    it, did = rigged({ replicas = 3, hpas = { hpa(2, 5) } })
    it:wait_joined(2, 30)
    t.match(did[3], "dremio%-executor%-2 within", "an autoscaler has added one")
    it, did = rigged({ replicas = 3 })
    it:wait_joined(2, 30)
    t.match(did[3], "dremio%-executor%-1 within", "nobody has: the set is being scaled down")
  end,

  ["whole is: all executors, one version, and a query runs"] = function(t)
    local function nodes(...)
      return list.map({ ... }, function(version)
        return { name = "n", version = version }
      end)
    end
    local it = rigged({ replicas = 2, nodes = nodes("26.0", "26.0") })
    t.equal({ it:is_whole(2) }, { true, "2 executors, select 1 in 0.2 s" })
    it.nodes = nodes("26.0", "25.1")
    local ok, why = it:is_whole(2)
    t.equal(ok, false)
    t.match(why, "^executors of different versions: ")
    it.nodes = { { name = "dremio-executor-1", version = "26.0" } }
    it.causes = { { what = "pod dremio-executor-0 cannot be scheduled" }, { what = "x" } }
    t.equal({ it:is_whole(2) }, {
      false,
      "the coordinator sees 1 of 2 executors; missing: dremio-executor-0; "
        .. "pod dremio-executor-0 cannot be scheduled",
    })
    it.nodes, it.causes = nodes("26.0", "26.0", "26.0"), {}
    t.match(select(2, it:is_whole(2)), "^the coordinator sees 3 of 2 executors; missing: ")
  end,

  ["whether more executors fit, and what is short"] = function(t)
    local check = capacity.check
    t.defer(function()
      capacity.check = check
    end)
    local asked
    function capacity.check(_, ns, template, count, what)
      asked = { ns, template, count, what }
      return { fits = 2, text = "2 of 3 fit", detail = { "node a: cpu", "node b: memory" } }
    end
    local it = rigged()
    t.equal({ it:has_room({ template = "T" }, 2) }, { true })
    t.equal(asked, { "lake", "T", 2, "new executors" })
    t.equal({ it:has_room({ template = "T" }, 3) }, {
      false,
      "2 of 3 fit",
      "node a: cpu; node b: memory",
    })
  end,

  ["what stands in the inventory, and what where nothing stands"] = function(t)
    local it = rigged()
    t.equal({ it.name, it.cluster, it.min }, { "dremio-executor", "east", 1 })
    t.equal(it:names(1, 2), { "dremio-executor-1", "dremio-executor-2" })
    t.equal(it:names(2, 1), {})
    local other = fleet.open({
      name = "west",
      namespace = "lake",
      kubernetes = { server = "https://stub:6443" },
      dremio = { url = "http://dremio:9047", statefulset = "workers", min = 2 },
    })
    t.equal({ other.name, other.min, other:names(0, 0)[1] }, { "workers", 2, "workers-0" })
    t.equal(effect.planning(), false)
  end,
}

for title, fn in pairs(tests) do
  tests[title] = help.with_world(fn)
end
return tests
