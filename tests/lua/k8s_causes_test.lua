--- Why an object is not ready: causes out of pods, events, claims and quotas.
local causes = require("plat.k8s.causes")
local kinds = require("plat.k8s.kinds")
local list = require("plat.list")
local time = require("plat.time")

local NOW = 1767225600 -- 2026-01-01T00:00:00Z

local function at(seconds_ago)
  return time.rfc3339(NOW - seconds_ago)
end

local function event(uid, reason, message, more)
  local made = {
    type = "Warning",
    reason = reason,
    message = message,
    lastTimestamp = at(5),
    involvedObject = { kind = "Pod", name = "web-0", uid = uid },
  }
  for key, value in pairs(more or {}) do
    made[key] = value
  end
  return made
end

local function pod(name, st, more)
  local made = {
    metadata = {
      name = name,
      uid = "u-" .. name,
      labels = {},
      ownerReferences = { { uid = "owner", controller = true } },
    },
    spec = { nodeName = "node-1", containers = { { name = "c" } } },
    status = st,
  }
  for key, value in pairs(more or {}) do
    made[key] = value
  end
  return made
end

local function waiting(reason, message, more)
  local container = {
    name = "c",
    image = "registry/app:1",
    restartCount = 0,
    state = { waiting = { reason = reason, message = message } },
  }
  for key, value in pairs(more or {}) do
    container[key] = value
  end
  return { phase = "Pending", containerStatuses = { container } }
end

local function crashing(restarts, ended)
  return waiting("CrashLoopBackOff", "back-off", {
    restartCount = restarts,
    lastState = { terminated = ended or { exitCode = 1, reason = "Error" } },
  })
end

local function find(snap, kind)
  snap.res = kinds.find(kinds.stable, kind or "sts")
  snap.object = snap.object
    or { metadata = { name = "web", uid = "owner" }, spec = {}, status = {} }
  for _, field in ipairs({ "pods", "events", "claims", "quotas", "replica_sets" }) do
    snap[field] = snap[field] or {}
  end
  snap.now = NOW
  return causes.find(snap)
end

local function only(t, snap, kind)
  local found = find(snap, kind)
  t.equal(#found, 1)
  return found[1]
end

return {
  ["an image that cannot be pulled"] = function(t)
    local cause = only(t, {
      pods = { pod("web-0", waiting("ImagePullBackOff", "Back-off pulling image")) },
      events = {
        event(
          "u-web-0",
          "Failed",
          'Failed to pull image "registry/app:1": x: unauthorized: login needed'
        ),
      },
    })
    t.equal(
      cause.what,
      'pod web-0: image "registry/app:1" of container c cannot be pulled '
        .. "(ImagePullBackOff): login needed"
    )
    t.equal(cause.fatal, true)
    t.match(cause.hint, "imagePullSecrets")
    t.match(cause.evidence[1], "^event Failed pod/web%-0: Failed to pull")
    t.equal(only(t, { pods = { pod("web-0", waiting("ErrImagePull")) } }).fatal, false)
    t.equal(only(t, { pods = { pod("web-0", waiting("InvalidImageName")) } }).fatal, true)
  end,

  ["a crash loop is fatal from the third restart, never for a Job"] = function(t)
    t.equal(only(t, { pods = { pod("web-0", crashing(2)) } }).fatal, false)
    local cause = only(t, { pods = { pod("web-0", crashing(3)) } })
    t.equal(cause.fatal, true)
    t.equal(cause.what, "pod web-0: container c crashes (exit 1), 3 restarts")
    t.equal(cause.log, { pod = "web-0", container = "c", previous = true, crash = true })
    t.equal(only(t, { pods = { pod("web-0", crashing(9)) } }, "job").fatal, false)
  end,

  ["how a container ends: memory, signal, by itself, by its probe"] = function(t)
    local oom = pod("web-0", crashing(3, { exitCode = 137, reason = "OOMKilled" }))
    oom.spec.containers[1].resources = { limits = { memory = "128Mi" } }
    t.match(only(t, { pods = { oom } }).what, "is killed for memory %(limit 128Mi%), 3 restarts")
    t.match(
      only(t, { pods = { pod("web-0", crashing(3, { exitCode = 0 })) } }).what,
      "ends by itself %(exit 0%)"
    )
    local message = "Liveness probe failed: connection refused"
    local probe = { event("u-web-0", "Unhealthy", message) }
    t.match(
      only(t, { pods = { pod("web-0", crashing(3, { exitCode = 137 })) }, events = probe }).what,
      "restarted by its liveness probe: Liveness probe failed: connection refused"
    )
    local both = { probe[1], event("u-web-0", "BackOff", "Back-off restarting") }
    local told = only(t, {
      pods = { pod("web-0", crashing(3, { exitCode = 137 })) },
      events = both,
    }).evidence
    t.equal(#told, 2)
    t.match(told[1], "Liveness probe failed")
    t.match(told[2], "Back%-off restarting")
    t.match(
      only(t, { pods = { pod("web-0", crashing(3, { exitCode = 1 })) }, events = probe }).what,
      "crashes %(exit 1%)",
      "an exit of its own is no probe's doing"
    )
  end,

  ["a container that cannot be configured is fatal at once"] = function(t)
    local cause = only(t, {
      pods = { pod("web-0", waiting("CreateContainerConfigError", 'configmap "nope" not found')) },
    })
    t.equal({ cause.fatal, cause.what }, {
      true,
      'pod web-0: container c cannot be configured: configmap "nope" not found',
    })
  end,

  ["unschedulable is fatal after a minute, unless an autoscaler acts"] = function(t)
    local function unschedulable(seconds)
      return pod("web-0", {
        phase = "Pending",
        conditions = {
          {
            type = "PodScheduled",
            status = "False",
            reason = "Unschedulable",
            message = "0/1 nodes are available: 1 Insufficient cpu. no new claims to deallocate, "
              .. "preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.",
            lastTransitionTime = at(seconds),
          },
        },
      }, { spec = {} })
    end
    t.equal(only(t, { pods = { unschedulable(59) } }).fatal, false)
    local cause = only(t, { pods = { unschedulable(61) } })
    t.equal(cause.fatal, true)
    t.equal(
      cause.what,
      "pod web-0 cannot be scheduled: 0/1 nodes are available: 1 Insufficient cpu"
    )
    t.match(cause.hint, "add a node")
    cause = only(t, {
      pods = { unschedulable(600) },
      events = {
        event("u-web-0", "TriggeredScaleUp", "pod triggered scale-up", { type = "Normal" }),
      },
    })
    t.equal(cause.fatal, false)
    t.match(cause.hint, "autoscaler")
  end,

  ["probes that fail"] = function(t)
    local running = {
      phase = "Running",
      containerStatuses = { { name = "c", ready = false, state = { running = {} } } },
    }
    local cause = only(t, {
      pods = { pod("web-0", running) },
      events = {
        event(
          "u-web-0",
          "Unhealthy",
          "Readiness probe failed: HTTP probe failed with statuscode: 503"
        ),
        event("other", "Unhealthy", "Readiness probe failed: of another pod"),
      },
    })
    t.equal(
      cause.what,
      "pod web-0: readiness probe of container c fails: HTTP probe failed with statuscode: 503"
    )
    t.equal(cause.fatal, false)
    t.match(only(t, { pods = { pod("web-0", running) } }).what, "runs but is not ready yet")
  end,

  ["a volume that cannot be mounted"] = function(t)
    local cause = only(t, {
      pods = { pod("web-0", waiting("ContainerCreating")) },
      events = { event("u-web-0", "FailedMount", 'SetUp failed: secret "s" not found') },
    })
    t.equal(cause.what, 'pod web-0 cannot start: SetUp failed: secret "s" not found')
  end,

  ["a quota that is used up, as long as it is"] = function(t)
    local message = 'create Pod web-0 in StatefulSet web failed error: pods "web-0" is forbidden: '
      .. "exceeded quota: q, requested: cpu=500m, used: cpu=1800m, limited: cpu=2"
    local function snap(used)
      return {
        events = { event("owner", "FailedCreate", message) },
        quotas = {
          { metadata = { name = "q" }, status = { used = { cpu = used }, hard = { cpu = "2" } } },
        },
      }
    end
    local cause = only(t, snap("1800m"))
    t.equal(cause.fatal, true)
    t.equal(
      cause.what,
      'pods are not created: quota "q" is used up '
        .. "(requested: cpu=500m, used: cpu=1800m, limited: cpu=2)"
    )
    t.equal(find(snap("1")), {}, "there is room again")
  end,

  ["a Deployment's pods that are not created: its newest ReplicaSet says why"] = function(t)
    local function set(uid, number)
      return {
        metadata = {
          name = uid,
          uid = uid,
          annotations = { ["deployment.kubernetes.io/revision"] = number },
          ownerReferences = { { uid = "owner", controller = true } },
        },
      }
    end
    local said = 'Error creating: pods "web-1" is forbidden: violates PodSecurity "restricted"'
    local snap = {
      replica_sets = { set("rs-1", "1"), set("rs-2", "2") },
      events = { event("rs-2", "FailedCreate", said) },
    }
    local cause = only(t, snap, "deploy")
    t.match(cause.what, '^pods are not created: pods "web%-1" is forbidden: violates PodSecurity')
    t.equal(cause.fatal, true)
    t.equal(#cause.evidence, 1)
    snap.events = { event("rs-1", "FailedCreate", said) }
    t.equal(find(snap, "deploy"), {}, "an old one")
  end,

  ["why an image cannot be pulled, and what to do"] = function(t)
    local function hint(reason, said)
      return only(t, {
        pods = { pod("web-0", waiting(reason)) },
        events = said and { event("u-web-0", "Failed", "Failed to pull image: " .. said) } or {},
      }).hint
    end
    local login = "the registry wants a login: imagePullSecrets of the pod or its service account"
    local none = "no such image or tag in the registry"
    local away = "the node cannot reach the registry"
    for said, want in pairs({
      ["unauthorized"] = login,
      ["access denied"] = login,
      ["status 401"] = login,
      ["manifest for x not found"] = none,
      ["Manifest Unknown"] = none,
      ["lookup r: no such host"] = away,
      ["connection refused"] = away,
      ["i/o timeout"] = away,
      ["dial tcp 1.2.3.4"] = away,
    }) do
      t.equal(hint("ImagePullBackOff", said), want, said)
    end
    t.equal(hint("ImagePullBackOff", "something else"), nil)
    local told = only(t, { pods = { pod("web-0", waiting("ErrImagePull", "pull: denied")) } })
    t.equal({ told.evidence, told.hint }, { { "pull: denied" }, login }, "without an event")
    t.equal(hint("InvalidImageName"), "the image reference is malformed")
    t.match(hint("ErrImageNeverPull"), "^imagePullPolicy is Never")
  end,

  ["a claim that nothing can bind"] = function(t)
    local claim =
      { metadata = { name = "data-web-0", uid = "c1" }, spec = {}, status = { phase = "Pending" } }
    local function about(reason, message)
      return event("c1", reason, message, { type = "Normal" })
    end
    local cause = only(t, {
      claims = { claim },
      events = {
        about(
          "FailedBinding",
          "no persistent volumes available for this claim and no storage class is set"
        ),
      },
    })
    t.equal(cause.fatal, true)
    t.match(cause.what, "^claim data%-web%-0 is not bound: no persistent volumes")
    cause = only(t, {
      claims = { claim },
      events = { about("ProvisioningFailed", 'storageclass.storage.k8s.io "fast" not found') },
    })
    t.equal(cause.fatal, true)
    t.equal(
      find({
        claims = { claim },
        events = { about("WaitForFirstConsumer", "waiting for first consumer") },
      }),
      {}
    )
  end,

  ["only pods of the newest revision count"] = function(t)
    local function set(name, number)
      return {
        metadata = {
          name = name,
          uid = name,
          annotations = { ["deployment.kubernetes.io/revision"] = number },
          ownerReferences = { { uid = "owner", controller = true } },
        },
      }
    end
    local old = pod("old", waiting("ImagePullBackOff"))
    old.metadata.ownerReferences = { { uid = "rs-9", controller = true } }
    local snap = { pods = { old }, replica_sets = { set("rs-9", "9"), set("rs-10", "10") } }
    t.equal(find(snap, "deploy"), {})
    old.metadata.ownerReferences[1].uid = "rs-10"
    t.equal(#find(snap, "deploy"), 1)
  end,

  ["a broken pod of an old revision must be deleted by hand"] = function(t)
    local broken = pod("web-0", waiting("ImagePullBackOff"))
    broken.metadata.labels["controller-revision-hash"] = "r1"
    local object = {
      metadata = { name = "web", uid = "owner" },
      spec = {},
      status = { updateRevision = "r2" },
    }
    local cause = only(t, { object = object, pods = { broken } })
    t.match(cause.hint, "does not replace a broken pod: delete it")
    t.equal(cause.fatal, true)
    object.spec.podManagementPolicy = "Parallel"
    t.equal(only(t, { object = object, pods = { broken } }).fatal, false)
  end,

  ["a pod that should be gone: who holds it"] = function(t)
    local function leaving(late, finalizers)
      local it = pod("web-0", { phase = "Running" })
      it.metadata.deletionTimestamp, it.metadata.finalizers = at(late), finalizers
      return find({ pods = { it } })
    end
    local cause = leaving(30)[1]
    t.equal(cause.what, "pod web-0 should be gone for 30 s and still is not")
    t.equal({ cause.hint, cause.evidence }, { "is its node up? (node-1)", {} })
    cause = leaving(90, { "a/b", "c" })[1]
    t.equal(cause.hint, "whoever set the finalizer must remove it")
    t.equal(cause.evidence, { "finalizers: a/b, c" })
    t.equal(leaving(29), {})
  end,

  ["the same trouble is one cause, and fatal ones come first"] = function(t)
    local running = {
      phase = "Running",
      containerStatuses = { { name = "c", ready = false, state = { running = {} } } },
    }
    local found = find({
      pods = {
        pod("web-0", running),
        pod("web-1", crashing(4)),
        pod("web-2", crashing(5)),
      },
    })
    t.equal(#found, 2)
    t.match(found[1].what, "web%-1: container c crashes .* %(and 1 more like it%)")
    t.equal(
      list.map(found, function(cause)
        return cause.fatal
      end),
      { true, false }
    )
  end,
}
