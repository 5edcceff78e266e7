--- Switches allocation off, restarts a workload, switches allocation on again: the shape of every
--- rolling restart of a store. On request it fails in the end, so that all is undone.

local k8s = require("plat.k8s")
local time = require("plat.time")

local SETTINGS = "crash-allocation"
local WORKLOAD = "superset-web"
local STAMP = "crash/restarted-at"

---@type plat.Playbook
local M = {
  summary = "Restart a workload with allocation off",
  risk = "disruptive",
  args = {
    prepare = { type = "boolean", default = false, help = "only makes the settings" },
    lock = { type = "boolean", default = false, help = "nobody else does so meanwhile" },
    ask = { type = "boolean", default = false, help = "waits for an approval in the middle" },
    fail = { type = "boolean", default = false, help = "fails after the restart" },
  },
  undo = {},
}

local function allocate(api, ns, what)
  api:patch("configmap", ns, SETTINGS, { data = { allocation = what } })
end

--- Allows what was allowed before.
function M.undo.allocation(run, saved)
  local cluster = run:cluster()
  allocate(k8s.connect(cluster.kubernetes), cluster.namespace, saved.allocation)
end

--- Forgets a note of the restart.
function M.undo.note(run, saved)
  local cluster = run:cluster()
  k8s.connect(cluster.kubernetes):delete("configmap", cluster.namespace, saved.name)
end

local function restart(api, ns, stamp)
  local template = { metadata = { annotations = { [STAMP] = stamp } } }
  api:patch("deployment", ns, WORKLOAD, { spec = { template = template } })
  api:deployment(ns, WORKLOAD):wait_ready({ within = "10m" })
end

local function create(api, ns, name, data)
  api:create({
    apiVersion = "v1",
    kind = "ConfigMap",
    metadata = { name = name, namespace = ns },
    data = data,
  })
end

function M.run(run, args)
  local cluster = run:cluster()
  local api = k8s.connect(cluster.kubernetes)
  local ns = cluster.namespace
  if args.prepare then
    run:step("make the settings", function()
      create(api, ns, SETTINGS, { allocation = "all" })
    end)
    return
  end

  if args.lock then
    run:lock("allocation")
  end
  local before = run:keep("allocation before", function()
    return api:get("configmap", ns, SETTINGS).data.allocation
  end)
  local stamp = run:keep("time of the restart", function()
    return time.rfc3339(time.now())
  end)
  run:step("allocation off", function(step)
    step:undo("allocation", { allocation = before })
    allocate(api, ns, "none")
  end)
  if args.ask then
    run:approve("restart")
  end
  run:step("restart", function(step)
    step:undo("note", { name = "crash-note" })
    create(api, ns, "crash-note", { why = "restart" })
    restart(api, ns, stamp)
    run:must(not args.fail, "the restart is said to have failed")
  end)
  run:step("allocation on", function()
    allocate(api, ns, before)
  end)
  run:prove("allocation is as before", { within = "1m", readings = 1 }, function()
    return api:get("configmap", ns, SETTINGS).data.allocation == before
  end)
end

return M
