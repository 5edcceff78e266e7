--- Rolls a change out to five things in batches, the leader last; on request one of them fails, or
--- breaks what must stay true.

local k8s = require("plat.k8s")

local HEALTH = "crash-health"

---@type plat.Playbook
local M = {
  summary = "Roll something out",
  risk = "disruptive",
  args = {
    prepare = { type = "boolean", default = false, help = "only makes what is rolled out to" },
    fail = { type = "string", default = "", help = "the target that fails" },
    breach = { type = "string", default = "", help = "the target that breaks the invariant" },
    undo = { type = "string", default = "batch", help = "what is undone: batch, all, none" },
    forgive = { type = "integer", default = 0, help = "failures that are allowed" },
  },
  undo = {},
}

local function names()
  local list = {}
  for i = 1, 5 do
    list[i] = "crash-node-" .. i
  end
  return list
end

local function create(api, ns, name, data)
  api:create({
    apiVersion = "v1",
    kind = "ConfigMap",
    metadata = { name = name, namespace = ns },
    data = data,
  })
end

--- Puts a thing back to what it was.
function M.undo.back(run, saved)
  local cluster = run:cluster()
  local api = k8s.connect(cluster.kubernetes)
  api:patch("configmap", cluster.namespace, saved.name, { data = { version = "1" } })
  api:delete("configmap", cluster.namespace, saved.name .. "-note")
end

--- Mends what the breach broke.
function M.undo.heal(run)
  local cluster = run:cluster()
  local api = k8s.connect(cluster.kubernetes)
  api:patch("configmap", cluster.namespace, HEALTH, { data = { good = "yes" } })
end

function M.run(run, args)
  local cluster = run:cluster()
  local api = k8s.connect(cluster.kubernetes)
  local ns = cluster.namespace
  if args.prepare then
    run:step("make them", function()
      create(api, ns, HEALTH, { good = "yes" })
      for _, name in ipairs(names()) do
        create(api, ns, name, { version = "1" })
      end
    end)
    return
  end

  local function read(name)
    return api:get("configmap", ns, name).data
  end
  run:rollout({
    title = "upgrade",
    targets = names(),
    batches = { 1, 2 },
    last = "crash-node-1",
    before_last = function()
      create(api, ns, "crash-switchover", { from = "crash-node-1" })
    end,
    work = function(name, step)
      step:undo("back", { name = name })
      create(api, ns, name .. "-note", { why = "upgrade" })
      run:must(name ~= args.fail, name .. " is said to fail")
      api:patch("configmap", ns, name, { data = { version = "2" } })
      if name == args.breach then
        step:undo("heal", {})
        api:patch("configmap", ns, HEALTH, { data = { good = "no" } })
      end
    end,
    gate = function(batch)
      for _, name in ipairs(batch.names) do
        if name ~= args.fail and read(name).version ~= "2" then
          return false, name .. " is old"
        end
      end
      return true
    end,
    invariant = {
      name = "healthy",
      check = function()
        return read(HEALTH).good == "yes"
      end,
    },
    budget = { total = args.forgive },
    undo = args.undo,
  })
end

return M
