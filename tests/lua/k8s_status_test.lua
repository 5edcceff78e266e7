--- The conditions of readiness, kind by kind; quantities and selectors.
local kinds = require("plat.k8s.kinds")
local quantity = require("plat.k8s.quantity")
local revision = require("plat.k8s.revision")
local status = require("plat.k8s.status")

local function read(kind, object)
  object.metadata = object.metadata or { generation = 2 }
  return status.read(kinds.find(kinds.stable, kind), object)
end

local function deployment(st, spec)
  return { spec = spec or { replicas = 3 }, status = st }
end

local function complete(more)
  local st = {
    observedGeneration = 2,
    replicas = 3,
    updatedReplicas = 3,
    readyReplicas = 3,
    availableReplicas = 3,
  }
  for key, value in pairs(more or {}) do
    st[key] = value
  end
  return st
end

local function sts(more, spec)
  local st = {
    observedGeneration = 2,
    replicas = 3,
    readyReplicas = 3,
    updatedReplicas = 3,
    currentRevision = "r2",
    updateRevision = "r2",
  }
  for key, value in pairs(more or {}) do
    st[key] = value
  end
  return { spec = spec or { replicas = 3 }, status = st }
end

return {
  ["a Deployment needs every count and the newest generation"] = function(t)
    t.equal(read("deploy", deployment(complete())).ready, true)
    for _, field in ipairs({ "replicas", "updatedReplicas", "availableReplicas" }) do
      t.equal(read("deploy", deployment(complete({ [field] = 2 }))).ready, false, field)
    end
    t.equal(
      read("deploy", deployment(complete({ replicas = 4 }))).ready,
      false,
      "an old pod is left"
    )
    local stale = read("deploy", deployment(complete({ observedGeneration = 1 })))
    t.equal({ stale.ready, stale.settled }, { false, false })
    t.equal(read("deploy", deployment({ observedGeneration = 2 }, { replicas = 0 })).ready, true)
    t.equal(
      read("deploy", deployment({ observedGeneration = 2 })).text,
      "0 of 3 ready, 0 available, 0 updated, 0 in all"
    )
  end,

  ["a Deployment fails when its progress deadline passes, and only then"] = function(t)
    local function with(reason)
      return deployment(complete({
        updatedReplicas = 1,
        conditions = {
          { type = "Progressing", status = "False", reason = reason, message = "has timed out" },
        },
      }))
    end
    local state = read("deploy", with("ProgressDeadlineExceeded"))
    t.equal(state.failed, "ProgressDeadlineExceeded: has timed out")
    t.equal(read("deploy", with("Other")).failed, nil)
    local old = with("ProgressDeadlineExceeded")
    old.status.observedGeneration = 1
    t.equal(read("deploy", old).failed, nil, "the verdict is about the old generation")
  end,

  ["a paused Deployment never finishes"] = function(t)
    local spec = { replicas = 3, paused = true }
    t.match(read("deploy", deployment(complete({ updatedReplicas = 0 }), spec)).failed, "paused")
    t.equal(read("deploy", deployment(complete(), spec)).ready, true)
  end,

  ["a StatefulSet needs its revision, unless it is partitioned"] = function(t)
    t.equal(read("sts", sts()).ready, true)
    t.equal(read("sts", sts({ currentRevision = "r1" })).ready, false)
    t.equal(read("sts", sts({ updatedReplicas = 2 })).ready, false)
    t.equal(read("sts", sts({ readyReplicas = 2 })).ready, false)
    t.equal(read("sts", sts({ replicas = 4 })).ready, false, "a pod is still leaving")
    local canary = { replicas = 3, updateStrategy = { rollingUpdate = { partition = 2 } } }
    t.equal(read("sts", sts({ currentRevision = "r1", updatedReplicas = 1 }, canary)).ready, true)
    t.equal(read("sts", sts({ currentRevision = "r1", updatedReplicas = 0 }, canary)).ready, false)
    local manual = { replicas = 3, updateStrategy = { type = "OnDelete" } }
    t.equal(read("sts", sts({ currentRevision = "r1", updatedReplicas = 0 }, manual)).ready, true)
    t.equal(read("sts", sts({ observedGeneration = 1 })).ready, false)
  end,

  ["a DaemonSet counts nodes"] = function(t)
    local st = {
      observedGeneration = 2,
      desiredNumberScheduled = 2,
      updatedNumberScheduled = 2,
      numberAvailable = 2,
    }
    t.equal(read("ds", { spec = {}, status = st }).ready, true)
    st.updatedNumberScheduled = 1
    t.equal(read("ds", { spec = {}, status = st }).ready, false)
    st.updatedNumberScheduled, st.numberAvailable = 2, 1
    t.equal(read("ds", { spec = {}, status = st }).ready, false)
  end,

  ["a Pod is ready, completed, failed or leaving"] = function(t)
    local function pod(phase, more)
      local object = { metadata = {}, status = { phase = phase } }
      for key, value in pairs(more or {}) do
        object.status[key] = value
      end
      return object
    end
    t.equal(
      read("pod", pod("Running", { conditions = { { type = "Ready", status = "True" } } })).ready,
      true
    )
    t.equal(read("pod", pod("Running")).ready, false)
    t.equal(read("pod", pod("Succeeded")).ready, true)
    t.equal(
      read("pod", pod("Failed", { reason = "Evicted", message = "disk" })).failed,
      "failed: Evicted: disk"
    )
    local leaving = pod("Running", { conditions = { { type = "Ready", status = "True" } } })
    leaving.metadata.deletionTimestamp = "2026-01-01T00:00:00Z"
    t.equal(read("pod", leaving).ready, false)
  end,

  ["a Job is complete or failed"] = function(t)
    local function job(name)
      return {
        metadata = {},
        spec = { completions = 2 },
        status = { conditions = { { type = name, status = "True", reason = "R", message = "m" } } },
      }
    end
    t.equal(read("job", job("Complete")).ready, true)
    t.equal(read("job", job("Failed")).failed, "R: m")
    t.equal(read("job", job("FailureTarget")).failed, "R: m")
    t.equal(
      read("job", { metadata = {}, spec = {}, status = { active = 1 } }).text,
      "0 of 1 succeeded, 1 active, 0 failed"
    )
  end,

  ["other kinds go by their conditions"] = function(t)
    local res = { group = "x.io", kind = "Thing" }
    local function thing(st)
      return status.read(res, { metadata = { generation = 2 }, status = st })
    end
    t.equal(thing(nil).ready, true)
    t.equal(thing({ observedGeneration = 1 }).ready, false)
    t.equal(
      thing({ conditions = { { type = "Ready", status = "False", reason = "No" } } }).ready,
      false
    )
    t.equal(thing({ conditions = { { type = "Ready", status = "True" } } }).ready, true)
    t.equal(
      thing({ conditions = { { type = "Stalled", status = "True", reason = "Bad" } } }).failed,
      "Bad"
    )
  end,

  ["an object that does not exist is waited for"] = function(t)
    local state = status.read(kinds.find(kinds.stable, "sts"), nil)
    t.equal({ state.ready, state.failed, state.text }, { false, nil, "does not exist yet" })
  end,

  ["quantities"] = function(t)
    for text, want in pairs({
      ["500m"] = 0.5,
      ["2"] = 2,
      ["1Gi"] = 2 ^ 30,
      ["1e3"] = 1000,
      ["1.5k"] = 1500,
    }) do
      t.equal(quantity.parse(text), want, text)
    end
    t.equal(quantity.parse("x"), nil)
    t.equal(quantity.parse(nil), nil)
    t.equal(quantity.parse("1q"), nil)
  end,

  ["selectors as text"] = function(t)
    t.equal(
      revision.selector({
        matchLabels = { b = "2", a = "1" },
        matchExpressions = {
          { key = "x", operator = "In", values = { "p", "q" } },
          { key = "y", operator = "DoesNotExist" },
        },
      }),
      "a=1,b=2,x in (p,q),!y"
    )
    local one = { key = "x", operator = "NotIn", values = { "p", "q" } }
    local two = { key = "y", operator = "Exists" }
    t.equal(revision.selector({ matchExpressions = { one, two } }), "x notin (p,q),y")
    t.equal(revision.selector(nil), nil)
    t.equal(revision.selector({}), nil)
  end,
}
