--- Creates a ConfigMap and updates it in the same step, removes another, and makes several at once:
--- nothing here looks before it acts, so a change that is made twice shows.

local k8s = require("plat.k8s")

---@type plat.Playbook
local M = {
  summary = "Create, update and remove settings",
  risk = "safe",
  args = {
    prepare = { type = "boolean", default = false, help = "only makes what is removed later" },
    copies = { type = "integer", default = 3, help = "made beside each other" },
  },
}

local function config_map(cluster, metadata, data)
  metadata.namespace = cluster.namespace
  return { apiVersion = "v1", kind = "ConfigMap", metadata = metadata, data = data }
end

function M.run(run, args)
  local cluster = run:cluster()
  local api = k8s.connect(cluster.kubernetes)
  local ns = cluster.namespace
  if args.prepare then
    run:step("make what is old", function()
      api:create(config_map(cluster, { name = "crash-old" }, { stage = "old" }))
    end)
    return
  end

  run:step("create and update", function()
    local made = api:create(config_map(cluster, { name = "crash-new" }, { stage = "one" }))
    run:must(made.data.stage == "one", "the answer of the create is not what was asked for")
    api:patch("configmap", ns, "crash-new", { data = { stage = "two" } })
    api:patch("configmap", ns, "crash-new", { data = { owner = "crash" } })
  end)
  run:step("remove the old one", function()
    api:delete("configmap", ns, "crash-old")
  end)
  local numbers = {}
  for i = 1, args.copies do
    numbers[i] = i
  end
  run:each("copy", numbers, { limit = 2 }, function(number)
    local name = ("crash-copy-%d"):format(number)
    api:create(config_map(cluster, { name = name }, { number = tostring(number) }))
  end)
  run:prove("all of it is there", { within = "1m", readings = 1 }, function()
    local data = api:get("configmap", ns, "crash-new").data
    return data.stage == "two" and data.owner == "crash"
  end)
end

return M
