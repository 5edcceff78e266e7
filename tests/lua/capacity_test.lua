local capacity = require("plat.capacity")

local function node(name, opts)
  opts = opts or {}
  return {
    metadata = { name = name, labels = opts.labels or { ["kubernetes.io/hostname"] = name } },
    spec = { unschedulable = opts.cordoned, taints = opts.taints },
    status = {
      allocatable = {
        cpu = opts.cpu or "8",
        memory = opts.memory or "32Gi",
        pods = opts.pods or "110",
      },
      conditions = { { type = "Ready", status = opts.down and "Unknown" or "True" } },
    },
  }
end

local function container(cpu, memory, policy)
  return { resources = { requests = { cpu = cpu, memory = memory } }, restartPolicy = policy }
end

local function pod(on, cpu, memory, phase)
  return {
    metadata = { labels = { role = "executor" } },
    spec = { nodeName = on, containers = { container(cpu, memory) } },
    status = { phase = phase or "Running" },
  }
end

local function template(more)
  local spec = { containers = { container("4", "16Gi") } }
  for key, value in pairs(more or {}) do
    spec[key] = value
  end
  return { metadata = { labels = { role = "executor" } }, spec = spec }
end

local GI = 2 ^ 30

return {
  ["requests: containers together, or the largest init container"] = function(t)
    t.equal(
      capacity.requests({ containers = { container("500m", "1Gi"), container("1", "512Mi") } }),
      { cpu = 1.5, memory = 1.5 * GI }
    )
    t.equal(
      capacity.requests({
        containers = { container("1", "1Gi") },
        initContainers = { container("3", "512Mi") },
      }),
      { cpu = 3, memory = GI }
    )
    t.equal(
      capacity.requests({
        containers = { container("1", "1Gi") },
        initContainers = { container("1", "1Gi", "Always"), container("2", "1Gi") },
        overhead = { cpu = "250m" },
      }),
      { cpu = 3.25, memory = 2 * GI },
      "a sidecar runs beside the later init container and beside the containers"
    )
  end,

  ["all fit"] = function(t)
    local fit = capacity.fit({ node("a"), node("b") }, {}, template(), 4)
    t.equal({ fit.fits, fit.text }, { 4, "room for 4" })
  end,

  ["the shortage is named, node by node"] = function(t)
    local pods = { pod("a", "4", "16Gi"), pod("b", "2", "20Gi"), pod("b", "1", "1Gi", "Succeeded") }
    local fit =
      capacity.fit({ node("b"), node("a"), node("c", { cordoned = true }) }, pods, template(), 4)
    t.equal(fit.fits, 1)
    t.equal(
      fit.text,
      "3 of 4 pods do not fit: each needs 4 cpu, 16Gi memory; 3 nodes have room for 1"
    )
    t.equal(fit.detail, {
      "a: room for 1 (4 cpu, 16Gi memory free)",
      "b: room for 0 (6 cpu, 12Gi memory free, short of memory)",
      "c: cordoned",
    })
  end,

  ["nodes that cannot take the pod"] = function(t)
    local taint = { { key = "gpu", value = "yes", effect = "NoSchedule" } }
    local function room(n, more)
      return capacity.fit({ n }, {}, template(more), 2).fits
    end
    t.equal(room(node("a", { down = true })), 0)
    t.equal(room(node("a", { taints = taint })), 0)
    t.equal(
      room(
        node("a", { taints = taint }),
        { tolerations = { { key = "gpu", operator = "Exists" } } }
      ),
      2
    )
    t.equal(
      room(node("a", { taints = taint }), { tolerations = { { key = "gpu", value = "no" } } }),
      0
    )
    t.equal(room(node("a", { taints = { { key = "x", effect = "PreferNoSchedule" } } })), 2)
    t.equal(room(node("a"), { nodeSelector = { disk = "ssd" } }), 0)
    t.equal(room(node("a", { labels = { disk = "ssd" } }), { nodeSelector = { disk = "ssd" } }), 2)
    t.equal(room(node("a", { pods = "1" })), 1)
  end,

  ["quotas of the namespace"] = function(t)
    local function over(hard, used, spec)
      local quota = {
        metadata = { name = "q" },
        spec = spec or { hard = hard },
        status = { hard = hard, used = used },
      }
      return capacity.over_quota({ quota }, template(), 2)
    end
    t.equal(over({ ["requests.cpu"] = "20" }, { ["requests.cpu"] = "12" }), nil)
    t.equal(
      over({ ["requests.cpu"] = "20" }, { ["requests.cpu"] = "12500m" }),
      "requests.cpu of quota q (20, used 12500m)"
    )
    t.equal(over({ pods = "5" }, { pods = "4" }), "pods of quota q (5, used 4)")
    t.equal(over({ memory = "64Gi" }, { memory = "32Gi" }), nil)
    t.equal(over({ pods = "5" }, { pods = "5" }, { scopes = { "BestEffort" } }), nil)
    t.equal(over({ secrets = "1" }, { secrets = "1" }), nil)
  end,

  ["required node affinity"] = function(t)
    local function affinity(operator, values)
      local expression = { key = "zone", operator = operator, values = values }
      return {
        affinity = {
          nodeAffinity = {
            requiredDuringSchedulingIgnoredDuringExecution = {
              nodeSelectorTerms = { { matchExpressions = { expression } } },
            },
          },
        },
      }
    end
    local n = node("a", { labels = { zone = "1" } })
    for _, case in ipairs({
      { "In", { "1", "2" }, 2 },
      { "In", { "2" }, 0 },
      { "NotIn", { "1" }, 0 },
      { "Exists", nil, 2 },
      { "DoesNotExist", nil, 0 },
      { "Gt", { "0" }, 2 },
      { "Lt", { "0" }, 0 },
    }) do
      local fit = capacity.fit({ n }, {}, template(affinity(case[1], case[2])), 2)
      t.equal(fit.fits, case[3], case[1])
    end
  end,

  ["pods that repel each other take a node each"] = function(t)
    local alone = {
      affinity = {
        podAntiAffinity = {
          requiredDuringSchedulingIgnoredDuringExecution = {
            {
              topologyKey = "kubernetes.io/hostname",
              labelSelector = { matchLabels = { role = "executor" } },
            },
          },
        },
      },
    }
    local nodes = { node("a"), node("b"), node("c") }
    local fit = capacity.fit(nodes, { pod("a", "1", "1Gi") }, template(alone), 3)
    t.equal(fit.fits, 2)
    t.ok(fit.detail[1]:find("one pod of the kind a node", 1, true), fit.detail[1])
  end,
}
