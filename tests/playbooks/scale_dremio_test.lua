--- playbooks/scale-dremio.lua on the sandbox: growing, shrinking, refusing, undoing.

local PLAYBOOK = "playbooks/scale-dremio.lua"

local function replicas(world)
  return world:object("statefulset", "dremio-executor").spec.replicas
end

--- The goal: so many executors, all of them ready.
local function has(n)
  return function(world)
    local ready = 0
    for _, pod in ipairs(world:pods({ app = "dremio", role = "executor" })) do
      ready = ready + (pod.ready and not pod.deleting and 1 or 0)
    end
    return replicas(world) == n and ready == n,
      ("%d executors are wanted, %d are ready"):format(replicas(world), ready)
  end
end

return {
  ["grows"] = {
    playbook = PLAYBOOK,
    args = { executors = 5 },
    goal = has(5),
    changes = 1,
  },
  ["shrinks"] = {
    playbook = PLAYBOOK,
    args = { executors = 1 },
    goal = has(1),
  },
}
