--- A stage for scale-dremio on a real Kubernetes: a namespace with a StatefulSet of small pods, and
--- a model of Dremio, served over HTTP on loopback, whose executors are those pods.
---
--- kubectl sets the stage and looks at it: nothing here uses platrun's own Kubernetes client.
local httpd = require("plat.httpd")
local json = require("plat.json")
local list = require("plat.list")
local model = require("plat.sim.dremio")
local proc = require("prim.proc")
local fs = require("prim.fs")
local sys = require("prim.sys")
local task = require("plat.task")
local time = require("prim.time")

local M = {}

local POLL = 0.4 -- seconds between two looks at the pods
local PASSWORD = "real-test-1"

local SET = [[
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: dremio-executor}
spec:
  serviceName: dremio-cluster-pod
  replicas: %d
  podManagementPolicy: Parallel
  selector: {matchLabels: {app: dremio-executor}}
  template:
    metadata: {labels: {app: dremio-executor}}
    spec:
      terminationGracePeriodSeconds: 2
      containers:
      - name: dremio-executor
        image: %s
        imagePullPolicy: IfNotPresent
        command: [sh, -c, "trap 'exit 0' TERM; while :; do sleep 1 & wait $!; done"]
        resources: {requests: {cpu: 10m, memory: 16Mi}}
]]

local HPA = [[
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: dremio-executor}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: StatefulSet, name: dremio-executor}
  minReplicas: %d
  maxReplicas: %d
  behavior: {scaleDown: {stabilizationWindowSeconds: 0}}
  metrics:
  - {type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 80}}}
]]

local INVENTORY = [[
platrun:
  environment: development
  clusters:
    real:
      kubernetes: {kubeconfig: "%s"}
      namespace: %s
  dremio:
    main:
      url: http://127.0.0.1:%d
      user: platrun
      password_file: %s
]]

local function env(name)
  return sys.getenv(name)
    or error(name .. " is not set: this test is run by tests/real/kube/run", 2)
end

--- Runs kubectl and returns what it prints; raises when it fails.
function M.kubectl(args, stdin)
  local argv = { env("KUBECTL"), "--kubeconfig", env("KUBECONFIG") }
  table.move(args, 1, #args, #argv + 1, argv)
  local out = assert(proc.run(argv, { stdin = stdin or "", timeout = 120, max_output = 1 << 24 }))
  if out.code ~= 0 then
    error(("kubectl %s: %s"):format(table.concat(args, " "), out.stderr), 2)
  end
  return out.stdout
end

local Scene = {}
Scene.__index = Scene

function Scene:kubectl(args, stdin)
  return M.kubectl(table.move(args, 1, #args, 3, { "-n", self.namespace }), stdin)
end

function Scene:get(what)
  return json.decode(self:kubectl({ "get", what, "-o", "json" }))
end

--- Returns the StatefulSet's spec.replicas as it is now.
function Scene:replicas()
  return self:get("statefulset/dremio-executor").spec.replicas
end

local function is_ready(pod)
  local ready = list.find(pod.status.conditions or {}, function(c)
    return c.type == "Ready"
  end)
  return ready ~= nil and ready.status == "True"
end

--- Looks at the pods and the set; notes the order in which pods leave and each value of replicas.
function Scene:look()
  local pods = {}
  for _, item in ipairs(self:get("statefulset,pods").items) do
    if item.kind == "StatefulSet" then
      if self.history[#self.history] ~= item.spec.replicas then
        table.insert(self.history, item.spec.replicas)
      end
    else
      local name, deleting = item.metadata.name, item.metadata.deletionTimestamp ~= nil
      if deleting and not self.leaving[item.metadata.uid] then
        self.leaving[item.metadata.uid] = true
        table.insert(self.left, name)
      end
      table.insert(pods, {
        name = name,
        uid = item.metadata.uid,
        ip = item.status.podIP,
        ready = is_ready(item),
        deleting = deleting,
      })
    end
  end
  self.pods = pods
end

--- Runs the playbook in a process of its own, as a person would; returns code, stdout, stderr.
function Scene:scale(words)
  local argv = { env("PLATRUN"), "playbooks/scale-dremio.lua", "-i", self.inventory, "--yes" }
  table.move(words, 1, #words, #argv + 1, argv)
  return assert(proc.run(argv, { timeout = 600, max_output = 1 << 24 }))
end

--- Returns the audit log's entries that platrun made since the scene was set or since `mark`.
function Scene:audit()
  local text = fs.read(env("KUBE_AUDIT_LOG"), { max = 1 << 28 })
  local out = {}
  for line in text:sub(self.audit_from):gmatch("[^\n]+") do
    local entry = json.decode(line)
    if entry.userAgent and entry.userAgent:find("^platrun") then
      table.insert(out, entry)
    end
  end
  return out
end

--- Forgets what the audit log holds so far.
function Scene:mark()
  self.audit_from = fs.stat(env("KUBE_AUDIT_LOG")).size + 1
end

local function serve_dremio(scene)
  local dremio = model.new({
    now = time.real,
    user = "platrun",
    password = PASSWORD,
    namespace = scene.namespace,
    executors = function()
      return scene.pods
    end,
  })
  scene.dremio = dremio
  return httpd.serve_model(dremio, time.real, { host = "127.0.0.1", port = 0 })
end

--- Sets a scene: `name` of the namespace, `replicas`, `hpa` { min, max }?
function M.set(t, opts)
  local scene = setmetatable({
    namespace = opts.name,
    pods = {},
    history = {},
    left = {},
    leaving = {},
    audit_from = 1,
  }, Scene)
  M.kubectl({ "create", "namespace", opts.name })
  t.defer(function()
    M.kubectl({ "delete", "namespace", opts.name, "--wait=false" })
  end)
  scene:kubectl({ "apply", "-f", "-" }, SET:format(opts.replicas, env("KUBE_IMAGE")))
  scene:kubectl({ "rollout", "status", "statefulset/dremio-executor", "--timeout=120s" })
  if opts.hpa then
    scene:kubectl({ "apply", "-f", "-" }, HPA:format(opts.hpa.min, opts.hpa.max))
  end
  scene:look()
  local watcher = task.spawn(function()
    while true do
      task.sleep(POLL)
      scene:look()
    end
  end)
  t.defer(function()
    watcher:cancel()
  end)
  local server = serve_dremio(scene)
  t.defer(function()
    server:close()
  end)
  local dir = t.tmp()
  fs.write(dir .. "/password", PASSWORD .. "\n", { mode = 384 }) -- 0600
  scene.inventory = dir .. "/real.yml"
  fs.write(
    scene.inventory,
    INVENTORY:format(env("KUBECONFIG"), opts.name, server:port(), dir .. "/password"),
    { mode = 384 }
  )
  scene:mark()
  return scene
end

return M
