--- Scales one Deployment and proves it: the example of docs/PLAYBOOKS.md.

local k8s = require("plat.k8s")

---@type plat.Playbook
local M = {
  summary = "Scale one Deployment",
  risk = "disruptive",
  args = {
    cluster = { type = "cluster", help = "default: the only one" },
    deployment = { type = "string", required = true, help = "name of the Deployment" },
    replicas = { type = "integer", min = 1, max = 50, required = true, help = "how many pods" },
  },
}

function M.run(run, args)
  local cluster = run:cluster(args.cluster)
  local api = k8s.connect(cluster.kubernetes)
  local web = api:deployment(cluster.namespace, args.deployment)

  local before = run:keep("replicas before", function() -- look, once
    return web:get().replicas
  end)

  run:guard("no autoscaler owns it", function()
    local owners = api:hpas(cluster.namespace, "Deployment", args.deployment)
    return #owners == 0, "an autoscaler would undo the change"
  end)

  if before ~= args.replicas then -- decide
    run:step(("scale from %d to %d"):format(before, args.replicas), { timeout = "10m" }, function()
      web:scale(args.replicas) -- act
      web:wait_ready({ within = "10m" })
    end)
  end

  run:prove("all replicas are ready", { within = "2m" }, function() -- prove
    local now = web:get()
    return now.ready == args.replicas, ("%d of %d ready"):format(now.ready, args.replicas)
  end)
end

return M
