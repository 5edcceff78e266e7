--- The Kubernetes client on a real cluster: changes, conflicts, scaling, watches, logs, waits.
--- Run by tests/real/kube/run, which names the cluster in KUBECONFIG.
local fault = require("plat.fault")
local hash = require("plat.hash")
local k8s = require("plat.k8s")
local list = require("plat.list")
local sys = require("prim.sys")
local task = require("plat.task")
local time = require("plat.time")

local NS -- a new one each test: removing one takes a while
local IMAGE = sys.getenv("KUBE_IMAGE") or "local/busybox:1"
local CHATTY =
  "trap 'exit 0' TERM; i=0; while :; do i=$((i+1)); echo line $i; sleep 1 & wait $!; done"

local function step(fn, ...)
  return task.with_context({ key = "test", counts = {} }, fn, ...)
end

local function workload(kind, name, replicas)
  return {
    apiVersion = "apps/v1",
    kind = kind,
    metadata = { name = name, namespace = NS },
    spec = {
      serviceName = kind == "StatefulSet" and name or nil,
      replicas = replicas,
      selector = { matchLabels = { app = name } },
      template = {
        metadata = { labels = { app = name } },
        spec = {
          terminationGracePeriodSeconds = 1,
          containers = {
            {
              name = "c",
              image = IMAGE,
              imagePullPolicy = "IfNotPresent",
              command = { "sh", "-c", CHATTY },
            },
          },
        },
      },
    },
  }
end

local function config(name, data)
  return {
    apiVersion = "v1",
    kind = "ConfigMap",
    metadata = { name = name, namespace = NS },
    data = data,
  }
end

-- A client with a namespace of its own, removed after the test.
local function stage(t)
  NS = "client-" .. hash.digest("sha256", hash.random(16)):sub(1, 8)
  local client = k8s.connect()
  t.defer(function()
    step(function()
      client:delete("ns", nil, NS)
    end)
  end)
  step(function()
    client:create({ apiVersion = "v1", kind = "Namespace", metadata = { name = NS } })
  end)
  local deadline = time.mono() + 30
  while not client:find("sa", NS, "default") do
    assert(time.mono() < deadline, "no default service account")
    task.sleep(0.2)
  end
  return client
end

return {
  ["scales a StatefulSet up and down and waits for its pods"] = function(t)
    local client = stage(t)
    step(function()
      local set = client:stateful_set(NS, "web")
      client:apply(workload("StatefulSet", "web", 1))
      set:wait_ready({ within = "60s" })
      t.equal(set:scale(3), true)
      t.equal(set:scale(3), false)
      set:wait_ready({ within = "60s" })
      t.equal(#set:pods(), 3)
      t.equal(set:pods()[3].ordinal, 2)
      set:scale(1)
      set:wait_ready({ within = "60s" })
      t.equal(set:get().text, "1 of 1 ready")
      set:restart()
      set:wait_ready({ within = "60s" })
      t.ok(set:get().is_ready)
    end)
  end,

  ["an autoscaler's replicas are refused, its bounds are changed"] = function(t)
    local client = stage(t)
    step(function()
      client:apply(workload("Deployment", "web", 1))
      client:create({
        apiVersion = "autoscaling/v2",
        kind = "HorizontalPodAutoscaler",
        metadata = { name = "auto", namespace = NS },
        spec = {
          scaleTargetRef = { apiVersion = "apps/v1", kind = "Deployment", name = "web" },
          minReplicas = 1,
          maxReplicas = 3,
        },
      })
      local set = client:deployment(NS, "web")
      t.match(t.fails("refused", set.scale, set, 2).msg, '"auto" owns the replicas %(1 to 3%)')
      t.fails("refused", client.apply, client, workload("Deployment", "web", 2))
      t.equal(client:set_hpa_bounds(NS, "auto", { min = 2 }), { min = 1, max = 3 })
      local deadline = time.mono() + 60
      while set:get().replicas ~= 2 do
        t.ok(time.mono() < deadline, "the autoscaler follows its bounds")
        task.sleep(1)
      end
      set:wait_ready({ within = "60s" })
    end)
  end,

  ["applies, is told of conflicts, takes over by force"] = function(t)
    local client = stage(t)
    step(function()
      client:apply(config("c", { k = "theirs" }), { manager = "helm" })
      local err = t.fails("http", client.apply, client, config("c", { k = "ours" }))
      t.equal(err.detail.conflict, "manager")
      t.match(err.msg, "%.data%.k +helm +theirs %-> ours")
      client:apply(config("c", { k = "ours" }), { force = true })
      t.equal(client:get("cm", NS, "c").data.k, "ours")
      t.equal(t.fails("http", client.create, client, config("c", {})).detail.conflict, "exists")
      client:patch("cm", NS, "c", { data = { more = "x" } })
      client:patch("cm", NS, "c", { { op = "remove", path = "/data/k" } }, { type = "json" })
      t.equal(client:get("cm", NS, "c").data, { more = "x" })
      t.equal(client:delete("cm", NS, "c"), true)
      t.equal(client:delete("cm", NS, "c"), false)
      err = t.fails("http", client.create, client, config("Bad_Name", {}))
      t.equal(err.code, 422)
      err = t.fails("http", client.get, client, "cm", NS, "nope")
      t.equal({ err.code, err.reason }, { 404, "NotFound" })
    end)
  end,

  ["reads long lists page by page"] = function(t)
    local client = stage(t)
    local names = {}
    for i = 1, 25 do
      names[i] = ("item-%02d"):format(i)
    end
    step(task.each, names, { limit = 5 }, function(name)
      client:create(config(name, {}))
    end)
    local objects = require("plat.k8s.objects")
    local items = objects.list(client, "cm", NS, { page = 7 })
    local found = list.where(items, function(item)
      return item.metadata.name:find("^item%-") ~= nil
    end)
    t.equal(#found, 25)
    t.equal(#client:list("cm", NS, { limit = 10 }), 10)
  end,

  ["watches what changes"] = function(t)
    local client = stage(t)
    local seen = {}
    task.group(function(group)
      group:daemon(function()
        client:watch("cm", NS, { fields = { ["metadata.name"] = "w" } }, function(event)
          seen[#seen + 1] = event.type
            .. (event.object and (" " .. (event.object.data.k or "")) or "")
          return event.type == "DELETED"
        end)
      end)
      step(function()
        while not seen[1] do
          task.sleep(0.1)
        end
        client:create(config("w", { k = "1" }))
        client:patch("cm", NS, "w", { data = { k = "2" } })
        client:delete("cm", NS, "w")
      end)
      local deadline = time.mono() + 10
      while #seen < 4 and time.mono() < deadline do
        task.sleep(0.1)
      end
    end)
    t.equal(seen, { "SYNCED", "ADDED 1", "MODIFIED 2", "DELETED 2" })
  end,

  ["reads and follows logs"] = function(t)
    local client = stage(t)
    step(function()
      client:apply(workload("StatefulSet", "web", 1))
    end)
    client:stateful_set(NS, "web"):wait_ready({ within = "60s" })
    local lines = {}
    client:logs(NS, "web-0", { follow = true }, function(line)
      lines[#lines + 1] = line
      return #lines == 3
    end)
    t.equal(lines, { "line 1", "line 2", "line 3" })
    t.match(client:logs(NS, "web-0", { tail = 1 }), "^line %d+\n$")
    local err = t.fails("http", client.logs, client, NS, "web-0", { container = "nope" })
    t.equal(err.code, 400)
  end,

  ["waits for what does not exist yet, and for a Job"] = function(t)
    local client = stage(t)
    local ready
    task.all({
      function()
        ready = client:wait_ready("deploy", NS, "late", { within = "60s" })
      end,
      function()
        task.sleep(1)
        step(client.apply, client, workload("Deployment", "late", 1))
      end,
    })
    t.equal(ready.status.availableReplicas, 1)
    step(client.create, client, {
      apiVersion = "batch/v1",
      kind = "Job",
      metadata = { name = "once", namespace = NS },
      spec = {
        template = {
          spec = {
            restartPolicy = "Never",
            containers = { { name = "c", image = IMAGE, command = { "true" } } },
          },
        },
      },
    })
    client:job(NS, "once"):wait_ready({ within = "60s" })
    t.equal(client:job(NS, "once"):get().text, "1 of 1 succeeded, 0 active, 0 failed")
  end,

  ["names what the server has"] = function(t)
    local client = k8s.connect()
    t.match(client:version().gitVersion, "^v1%.")
    t.ok(#client:api_resources() > 40)
    t.equal(client:resource("hpa").kind, "HorizontalPodAutoscaler")
    t.equal(client:resource("cronjob").group, "batch")
    local err = t.fails("usage", client.resource, client, "ingres")
    t.match(fault.text(err), "did you mean")
  end,
}
