local fleet = require("plat.dremio.fleet")
local playbooks = require("plat.playbook")
local stub = load(assert(require("prim.fs").read("tests/lua/k8s_stub.lua")), "@k8s_stub.lua")()

local HPA = "/apis/autoscaling/v2/namespaces/lake/horizontalpodautoscalers/dremio"

local function autoscaler(min, max)
  return {
    apiVersion = "autoscaling/v2",
    kind = "HorizontalPodAutoscaler",
    metadata = { name = "dremio", namespace = "lake", resourceVersion = "1" },
    spec = { minReplicas = min, maxReplicas = max },
  }
end

local function look(replicas, opts)
  opts = opts or {}
  local out = { replicas = replicas, pods = {}, seen = {} }
  for i = 0, (opts.pods or replicas) - 1 do
    local name = "dremio-executor-" .. i
    out.pods[i + 1] = { name = name, ordinal = i, ready = i ~= opts.unready, state = "Pending" }
    if i ~= opts.unready and i ~= opts.unseen then
      out.seen[#out.seen + 1] = name
    end
  end
  out.seen[#out.seen + 1] = opts.stranger
  return out
end

return {
  ["both sides agree"] = function(t)
    t.equal({ fleet.agree(look(3), 5) }, { true })
  end,

  ["a pod that is not ready, one that is unknown, a stranger, too few"] = function(t)
    local cases = {
      [{ unready = 2 }] = "dremio-executor-2 is not ready (Pending)",
      [{ unseen = 1 }] = "dremio-executor-1 is ready, but the coordinator does not know it",
      [{ stranger = "bob" }] = "the coordinator knows bob, which is no pod of the set",
      [{ pods = 2 }] = "2 pods of 3 exist",
    }
    for opts, want in next, cases do
      t.equal({ fleet.agree(look(3, opts), 5) }, { false, want })
    end
  end,

  ["all that they disagree on is told"] = function(t)
    local _, why = fleet.agree(look(3, { unready = 0, stranger = "bob" }), 5)
    t.equal(
      why,
      "dremio-executor-0 is not ready (Pending); "
        .. "the coordinator knows bob, which is no pod of the set"
    )
  end,

  ["an executor that is to leave may be broken"] = function(t)
    t.equal({ fleet.agree(look(5, { unready = 4 }), 3) }, { true })
    t.equal({ fleet.agree(look(5, { unseen = 3 }), 3) }, { true })
    t.equal((fleet.agree(look(5, { unready = 2 }), 3)), false)
  end,

  ["what has to happen"] = function(t)
    local function compare(replicas, want, min)
      return fleet.compare(
        { replicas = replicas, autoscalers = min and { { min = min } } or {} },
        want
      )
    end
    t.equal(compare(3, 5), "grow")
    t.equal(compare(3, 3), "nothing")
    t.equal(compare(3, 2), "shrink")
    t.equal(compare(3, 5, 2), "grow")
    t.equal(compare(3, 3, 2), "hold", "it could go down to 2")
    t.equal(compare(3, 3, 3), "nothing")
    t.equal(compare(5, 3, 3), "nothing", "the autoscaler has added two")
    t.equal(compare(5, 3, 4), "shrink")
  end,

  ["the playbook's number: asked for, from the schedule, from the inventory, or none"] = function(
    t
  )
    local playbook = playbooks.load("playbooks/scale-dremio.lua")
    local spec = { day = { from = "08:00", to = "18:00", executors = 4 }, otherwise = 1 }
    t.equal({ playbook.choose({ executors = 7 }, { executors = 2 }, 0) }, { 7, "asked for" })
    t.equal({ playbook.choose({}, { executors = 2 }, 0) }, { 2, "inventory" })
    t.equal({ playbook.choose({}, { executors = spec }, 9 * 3600) }, { 4, 'window "day"' })
    local number, reason = playbook.choose({}, {}, 0)
    t.ok(number == nil and reason:find("say executors=N", 1, true))
  end,

  ["who owns the number of executors"] = function(t)
    local function hpa(name, owner)
      return { name = name, object = { metadata = { ownerReferences = owner and { owner } } } }
    end
    local function owned(autoscalers, owner)
      return {
        autoscalers = autoscalers,
        object = { metadata = { ownerReferences = owner and { owner } } },
      }
    end
    local operator = { kind = "DremioCluster", name = "lake", controller = true }
    local keda = { kind = "ScaledObject", name = "dremio", controller = true }
    t.equal({ fleet.one_owner(owned({})) }, { true })
    t.equal({ fleet.one_owner(owned({ hpa("a") })) }, { true })
    t.equal({ fleet.one_owner(owned({ hpa("a"), hpa("b") })) }, {
      false,
      "autoscalers fight over it: a, b",
    })
    t.equal({ fleet.one_owner(owned({ hpa("a", keda) })) }, {
      false,
      "autoscaler a belongs to ScaledObject dremio: change that",
    })
    t.equal({ fleet.one_owner(owned({}, operator)) }, {
      false,
      "the StatefulSet belongs to DremioCluster lake: scale that",
    })
  end,

  ["a cluster without Dremio is a mistake in the inventory"] = function(t)
    local err = t.fails("usage", function()
      fleet.open({ name = "main", namespace = "x" })
    end)
    t.equal(err.msg, "cluster main has no Dremio in the inventory")
  end,
  ["what is put back is put back in the cluster that was changed"] = function(t)
    local requests = stub.open(t, {
      ["GET " .. HPA] = { body = autoscaler(5, 5) },
      ["PATCH " .. HPA] = { body = autoscaler(2, 8) },
    })
    local clusters = {
      east = {
        name = "east",
        namespace = "lake",
        kubernetes = { server = "https://stub:6443", token = "x" },
        dremio = { name = "east", url = "http://dremio:9047", user = "u", password = "p" },
      },
    }
    local run = {}
    function run:cluster(name)
      return clusters[name] or error("asked for " .. tostring(name))
    end
    stub.step(function()
      fleet.undo.bounds(run, { cluster = "east", bounds = { hpa = "dremio", min = 2, max = 8 } })
    end)
    local sent = requests[#requests].body
    t.equal({ sent.spec.minReplicas, sent.spec.maxReplicas }, { 2, 8 })
  end,
}
