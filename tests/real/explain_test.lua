--- Waits that explain themselves, on a real cluster: pods that cannot run, and the cause that the
--- wait names. Run by tests/real/kube/run, which names the cluster in KUBECONFIG.
local fault = require("plat.fault")
local hash = require("plat.hash")
local json = require("plat.json")
local k8s = require("plat.k8s")
local sys = require("prim.sys")
local task = require("plat.task")
local time = require("plat.time")

local SUFFIX = hash.digest("sha256", hash.random(16)):sub(1, 8)
local NS, QUOTA_NS = "explain-" .. SUFFIX, "quota-" .. SUFFIX
local IMAGE = sys.getenv("KUBE_IMAGE") or "local/busybox:1"
local SLEEP = { "sh", "-c", "trap 'exit 0' TERM; while :; do sleep 1 & wait $!; done" }

local function step(fn, ...)
  return task.with_context({ key = "test", counts = {} }, fn, ...)
end

local function pod_spec(container, more)
  container.name = "app"
  container.image = container.image or IMAGE
  container.imagePullPolicy = "IfNotPresent"
  container.command = container.command or SLEEP
  local spec = { terminationGracePeriodSeconds = 1, containers = { container } }
  for key, value in pairs(more or {}) do
    spec[key] = value
  end
  return spec
end

local function workload(kind, name, spec, more)
  local object = {
    apiVersion = "apps/v1",
    kind = kind,
    metadata = { name = name, namespace = NS },
    spec = {
      replicas = 1,
      selector = { matchLabels = { app = name } },
      template = { metadata = { labels = { app = name } }, spec = spec },
    },
  }
  if kind == "StatefulSet" then
    object.spec.serviceName = name
  end
  for key, value in pairs(more or {}) do
    object.spec[key] = value
  end
  return object
end

local CLAIM = {
  {
    metadata = { name = "data" },
    spec = {
      accessModes = { "ReadWriteOnce" },
      resources = { requests = { storage = "1Gi" } },
    },
  },
}

-- kind of fault, pattern of its first line, pattern of its evidence, longest time, object
local CASES = {
  {
    "failed",
    'image "registry.invalid/nope:1" of container app cannot be pulled',
    "event Failed pod/image%-",
    60,
    workload("Deployment", "image", pod_spec({ image = "registry.invalid/nope:1" })),
  },
  {
    "failed",
    "container app crashes %(exit 3%), %d restarts",
    "the database is not there",
    120,
    workload(
      "StatefulSet",
      "crash",
      pod_spec({
        command = { "sh", "-c", "echo the database is not there; exit 3" },
        readinessProbe = { exec = { command = { "false" } } }, -- or it is ready for a moment
      })
    ),
  },
  {
    "failed",
    "pod cpu%-0 cannot be scheduled: 0/1 nodes are available: 1 Insufficient cpu",
    "Pending",
    90,
    workload("StatefulSet", "cpu", pod_spec({ resources = { requests = { cpu = "1000" } } })),
  },
  {
    "timeout",
    "readiness probe of container app fails: .*still warming up",
    "event Unhealthy pod/probe%-",
    25,
    workload(
      "Deployment",
      "probe",
      pod_spec({
        readinessProbe = {
          exec = { command = { "sh", "-c", "echo still warming up; exit 1" } },
          periodSeconds = 1,
        },
      })
    ),
  },
  {
    "failed",
    "claim data%-claim%-0 is not bound: no persistent volumes available",
    "event FailedBinding",
    20,
    workload(
      "StatefulSet",
      "claim",
      pod_spec({ volumeMounts = { { name = "data", mountPath = "/data" } } }),
      { volumeClaimTemplates = CLAIM }
    ),
  },
  {
    "failed",
    'container app cannot be configured: configmap "nope" not found',
    "CreateContainerConfigError",
    30,
    workload(
      "StatefulSet",
      "config",
      pod_spec({ envFrom = { { configMapRef = { name = "nope" } } } })
    ),
  },
  {
    "timeout",
    'cannot start: .*secret "nope" not found',
    "event FailedMount",
    25,
    workload(
      "StatefulSet",
      "mount",
      pod_spec({ volumeMounts = { { name = "v", mountPath = "/v" } } }, {
        volumes = { { name = "v", secret = { secretName = "nope" } } },
      })
    ),
  },
  {
    "failed",
    "BackoffLimitExceeded: .*container app crashes %(exit 4%)",
    "table is locked",
    40,
    {
      apiVersion = "batch/v1",
      kind = "Job",
      metadata = { name = "job", namespace = NS },
      spec = {
        backoffLimit = 0,
        template = {
          spec = pod_spec(
            { command = { "sh", "-c", "echo table is locked; exit 4" } },
            { restartPolicy = "Never" }
          ),
        },
      },
    },
  },
}

local function make_namespace(t, client, name)
  t.defer(function()
    step(function()
      client:delete("ns", nil, name)
    end)
  end)
  step(function()
    client:create({ apiVersion = "v1", kind = "Namespace", metadata = { name = name } })
  end)
  local deadline = time.mono() + 30
  while not client:find("sa", name, "default") do
    assert(time.mono() < deadline, "no default service account")
    task.sleep(0.2)
  end
end

local function check_case(t, client, case)
  local kind, line, evidence, limit, object = table.unpack(case)
  local name = object.metadata.name
  step(function()
    client:apply(object)
  end)
  local began = time.mono()
  local err = t.fails(kind, function()
    client:wait_ready(object, NS, name, { within = kind == "timeout" and "15s" or "150s" })
  end)
  local text = fault.text(err)
  t.match(text:match("^[^\n]*"), line, name)
  t.match(text, evidence, name)
  t.ok(time.mono() - began < limit, ("%s took %.0f s"):format(name, time.mono() - began))
end

return {
  ["every cause is named in the first line"] = function(t)
    local client = k8s.connect()
    make_namespace(t, client, NS)
    task.each(CASES, {}, function(case)
      check_case(t, client, case)
    end)
  end,

  ["a quota that is used up is named, and no longer once there is room"] = function(t)
    local client = k8s.connect()
    make_namespace(t, client, QUOTA_NS)
    local object = workload("Deployment", "quota", pod_spec({}))
    object.metadata.namespace = QUOTA_NS
    local quota = {
      apiVersion = "v1",
      kind = "ResourceQuota",
      metadata = { name = "tight", namespace = QUOTA_NS },
      spec = { hard = { pods = "0" } },
    }
    step(function()
      client:apply(quota)
      client:apply(object)
    end)
    local set = client:deployment(QUOTA_NS, "quota")
    local err = t.fails("failed", set.wait_ready, set, { within = "60s" })
    t.match(err.msg, 'pods are not created: quota "tight" is used up')
    step(function()
      client:delete("quota", QUOTA_NS, "tight")
      client:patch("deploy", QUOTA_NS, "quota", {
        spec = { template = { metadata = { annotations = { again = "1" } } } },
      })
    end)
    t.ok(set:wait_ready({ within = "60s" }))
    t.equal(set:explain().causes, json.array({}))
  end,

  ["old pods do not fail a fixed Deployment; a StatefulSet's stuck pod is named"] = function(t)
    local client = k8s.connect()
    local ns = "fix-" .. SUFFIX
    make_namespace(t, client, ns)
    local function apply(kind, image)
      local object = workload(kind, "fix", pod_spec({ image = image }))
      object.metadata.namespace = ns
      step(client.apply, client, object)
    end
    apply("Deployment", "Not_A:Valid:Image")
    apply("StatefulSet", "Not_A:Valid:Image")
    for _, set in ipairs({ client:deployment(ns, "fix"), client:stateful_set(ns, "fix") }) do
      local err = t.fails("failed", set.wait_ready, set, { within = "60s" })
      t.match(err.msg, "InvalidImageName")
    end
    apply("Deployment", IMAGE)
    t.ok(client:deployment(ns, "fix"):wait_ready({ within = "60s" }))
    apply("StatefulSet", IMAGE)
    local set = client:stateful_set(ns, "fix")
    local err = t.fails("failed", set.wait_ready, set, { within = "60s" })
    t.match(err.hint, "fix%-0 is of an old revision.*delete it")
    step(client.delete, client, "pod", ns, "fix-0")
    t.ok(set:wait_ready({ within = "60s" }))
  end,
}
