--- What a cluster starts with: the namespaces of a fresh one, and the platform of the sandbox.
local data = require("plat.sim.k8s.data")
local defaults = require("plat.sim.k8s.defaults")
local store = require("plat.sim.k8s.store")
local admit = require("plat.sim.k8s.admit")

local M = {}

local A = data.array

local function put(model, object)
  defaults.fill(object)
  admit.create(model, object)
  return store.create(model, object)
end

--- Stores an object as an administrator would have.
---@param model plat.sim.K8s
---@param object table
---@return table
function M.put(model, object)
  return put(model, data.copy(object))
end

--- Makes the namespaces that every cluster has.
---@param model plat.sim.K8s
function M.basics(model)
  for _, name in ipairs({ "default", "kube-node-lease", "kube-public", "kube-system" }) do
    put(model, { apiVersion = "v1", kind = "Namespace", metadata = { name = name } })
  end
end

--- Adds a node with a simulated kubelet.
---@param model plat.sim.K8s
---@param spec { name: string, cpu: string, memory: string, images: string[]? }
function M.node(model, spec)
  local subnet = 1
  for _ in pairs(model.state.nodes) do
    subnet = subnet + 1
  end
  local images = {}
  for _, image in ipairs(spec.images or {}) do
    images[image] = true
  end
  local ip = "10.0.10." .. (10 + subnet)
  model.state.nodes[spec.name] = { subnet = subnet, ip = ip, last_ip = 1, images = images }
  local room = { cpu = spec.cpu, memory = spec.memory, pods = "110" }
  local stamp = store.stamp(model)
  local function condition(kind, value, reason, message)
    return {
      type = kind,
      status = value,
      reason = reason,
      message = message,
      lastHeartbeatTime = stamp,
      lastTransitionTime = stamp,
    }
  end
  local labels = {
    ["kubernetes.io/hostname"] = spec.name,
    ["kubernetes.io/os"] = "linux",
    ["kubernetes.io/arch"] = "amd64",
  }
  put(model, {
    apiVersion = "v1",
    kind = "Node",
    metadata = { name = spec.name, labels = labels },
    spec = { podCIDR = ("10.244.%d.0/24"):format(subnet) },
    status = {
      capacity = room,
      allocatable = data.copy(room),
      addresses = A({
        { type = "InternalIP", address = ip },
        { type = "Hostname", address = spec.name },
      }),
      conditions = A({
        condition(
          "MemoryPressure",
          "False",
          "KubeletHasSufficientMemory",
          "kubelet has sufficient memory available"
        ),
        condition(
          "DiskPressure",
          "False",
          "KubeletHasNoDiskPressure",
          "kubelet has no disk pressure"
        ),
        condition(
          "PIDPressure",
          "False",
          "KubeletHasSufficientPID",
          "kubelet has sufficient PID available"
        ),
        condition("Ready", "True", "KubeletReady", "kubelet is posting ready status"),
      }),
      nodeInfo = {
        architecture = "amd64",
        containerRuntimeVersion = "containerd://2.1.4",
        kernelVersion = "6.1.0",
        kubeletVersion = "v1.34.4",
        operatingSystem = "linux",
        osImage = "Debian GNU/Linux 12 (bookworm)",
      },
    },
  })
end

local DREMIO = "dremio/dremio-oss:26.0.0"

local function workload(kind, name, opts)
  local labels = opts.labels or { app = name }
  return {
    apiVersion = "apps/v1",
    kind = kind,
    metadata = { name = name, namespace = "data-platform", labels = data.copy(labels) },
    spec = {
      replicas = opts.replicas,
      serviceName = kind == "StatefulSet" and (opts.service or name) or nil,
      podManagementPolicy = opts.policy,
      selector = { matchLabels = data.copy(labels) },
      template = {
        metadata = { labels = data.copy(labels) },
        spec = {
          terminationGracePeriodSeconds = opts.grace,
          containers = A({
            {
              name = opts.container or name,
              image = opts.image,
              ports = opts.ports,
              env = opts.env,
              resources = opts.resources,
              readinessProbe = opts.probe,
              volumeMounts = opts.mounts,
            },
          }),
        },
      },
      volumeClaimTemplates = opts.claims,
    },
  }
end

local function ports(list)
  local out = {}
  for i, port in ipairs(list) do
    out[i] = { containerPort = port }
  end
  return A(out)
end

local function room(cpu, memory)
  return { requests = { cpu = cpu, memory = memory } }
end

local function http_probe(path, port, delay)
  return { httpGet = { path = path, port = port }, initialDelaySeconds = delay, periodSeconds = 10 }
end

local EXECUTOR_OPTIONS = "-Dzookeeper=zk-hs:2181 -Dservices.coordinator.enabled=false "
  .. "-Dservices.coordinator.master.enabled=false "
  .. "-Dservices.coordinator.master.embedded-zookeeper.enabled=false "
  .. "-Dservices.executor.enabled=true -Dservices.conduit.port=45679"

local function executors(count)
  return workload("StatefulSet", "dremio-executor", {
    labels = { app = "dremio", role = "executor" },
    replicas = count,
    container = "dremio",
    image = DREMIO,
    grace = 720,
    ports = ports({ 45678, 45679, 9010 }),
    env = A({
      { name = "DREMIO_MAX_HEAP_MEMORY_SIZE_MB", value = "4096" },
      { name = "DREMIO_MAX_DIRECT_MEMORY_SIZE_MB", value = "10240" },
      { name = "DREMIO_JAVA_SERVER_EXTRA_OPTS", value = EXECUTOR_OPTIONS },
    }),
    resources = {
      requests = { cpu = "4", memory = "16Gi" },
      limits = { cpu = "8", memory = "16Gi" },
    },
    probe = { tcpSocket = { port = 45678 }, initialDelaySeconds = 20, periodSeconds = 10 },
    mounts = A({ { name = "dremio-data", mountPath = "/opt/dremio/data" } }),
    claims = A({
      {
        metadata = { name = "dremio-data" },
        spec = {
          accessModes = A({ "ReadWriteOnce" }),
          storageClassName = "fast-ssd",
          resources = { requests = { storage = "100Gi" } },
        },
      },
    }),
  })
end

local function service(name, selector, list, headless)
  local out = {}
  for i, port in ipairs(list) do
    out[i] = { name = ("port-%d"):format(port), port = port }
  end
  return {
    apiVersion = "v1",
    kind = "Service",
    metadata = { name = name, namespace = "data-platform" },
    spec = { clusterIP = headless and "None" or nil, selector = selector, ports = A(out) },
  }
end

local function budget(name, labels, spec)
  spec.selector = { matchLabels = labels }
  return {
    apiVersion = "policy/v1",
    kind = "PodDisruptionBudget",
    metadata = { name = name, namespace = "data-platform" },
    spec = spec,
  }
end

local function utilization(name, percent)
  local target = { type = "Utilization", averageUtilization = percent }
  return { type = "Resource", resource = { name = name, target = target } }
end

local WORKER_HPA = {
  apiVersion = "autoscaling/v2",
  kind = "HorizontalPodAutoscaler",
  metadata = { name = "airbyte-worker-hpa", namespace = "data-platform" },
  spec = {
    scaleTargetRef = { apiVersion = "apps/v1", kind = "Deployment", name = "airbyte-worker" },
    minReplicas = 2,
    maxReplicas = 10,
    metrics = A({ utilization("cpu", 70), utilization("memory", 80) }),
    behavior = {
      scaleUp = {
        stabilizationWindowSeconds = 60,
        policies = A({ { type = "Percent", value = 100, periodSeconds = 60 } }),
      },
      scaleDown = {
        stabilizationWindowSeconds = 300,
        policies = A({ { type = "Pods", value = 1, periodSeconds = 60 } }),
      },
    },
  },
}

local function infrastructure(model, spec)
  for _, name in ipairs({ "data-platform", "data-storage" }) do
    put(model, {
      apiVersion = "v1",
      kind = "Namespace",
      metadata = { name = name, labels = { name = name, environment = "sandbox" } },
    })
  end
  put(model, {
    apiVersion = "storage.k8s.io/v1",
    kind = "StorageClass",
    metadata = { name = "fast-ssd" },
    provisioner = "ebs.csi.aws.com",
    parameters = { type = "gp3" },
    allowVolumeExpansion = true,
    volumeBindingMode = "WaitForFirstConsumer",
  })
  model.state.metrics = true
  model.state.provisioners = { ["ebs.csi.aws.com"] = true }
  local images = { DREMIO, "airbyte/worker:0.50.33", "apache/superset:3.0.0" }
  for i = 1, spec.nodes or 4 do
    local size = { name = "worker-" .. i, cpu = "11", memory = "44Gi", images = images }
    M.node(model, size)
  end
end

--- Builds the sandbox: four workers with room for about eight executors in all, and the workloads
--- of the platform; lets time pass until all of them are ready.
---@param model plat.sim.K8s
---@param spec { nodes: integer?, executors: integer? }
function M.platform(model, spec)
  local ready_at = model.state.now
  model.state.now = ready_at - 900
  infrastructure(model, spec)
  local executor = { app = "dremio", role = "executor" }
  local coordinator = { app = "dremio", role = "coordinator" }
  local list = {
    service("dremio-executor", executor, { 45678, 45679 }, true),
    service("dremio-coordinator", coordinator, { 9047, 31010, 32010 }),
    service("superset-web", { app = "superset-web" }, { 8088 }),
    workload("StatefulSet", "dremio-coordinator", {
      labels = coordinator,
      replicas = 1,
      container = "dremio",
      image = DREMIO,
      grace = 120,
      ports = ports({ 9047, 31010, 32010, 45678 }),
      resources = room("2", "8Gi"),
      probe = http_probe("/apiv2/server_status", 9047, 15),
    }),
    executors(spec.executors or 3),
    workload("Deployment", "airbyte-worker", {
      replicas = 2,
      image = "airbyte/worker:0.50.33",
      resources = room("500m", "1Gi"),
    }),
    workload("Deployment", "superset-web", {
      replicas = 2,
      image = "apache/superset:3.0.0",
      ports = ports({ 8088 }),
      resources = room("500m", "1Gi"),
      probe = http_probe("/health", 8088, 5),
    }),
    budget("dremio-executor", executor, { maxUnavailable = 1 }),
    budget("superset-web", { app = "superset-web" }, { minAvailable = 1 }),
    WORKER_HPA,
  }
  for _, object in ipairs(list) do
    M.put(model, object)
  end
  model:advance(ready_at)
end

return M
