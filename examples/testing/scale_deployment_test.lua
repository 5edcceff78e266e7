--- A first test in ten lines: what is run, and what is true at the end. Then one that says more.

local function ready(n)
  return function(world)
    local status = world:object("deployment", "superset-web").status
    return status.readyReplicas == n, ("%d are ready"):format(status.readyReplicas)
  end
end

return {
  ["two more"] = {
    playbook = "examples/scale-deployment.lua",
    args = { deployment = "superset-web", replicas = 4 },
    goal = function(world)
      return world:object("deployment", "superset-web").status.readyReplicas == 4
    end,
    modes = { undo = "it has no compensation: who wants the old number scales back" },
  },
  ["an autoscaler is not fought"] = {
    playbook = "examples/scale-deployment.lua",
    args = { deployment = "superset-web", replicas = 4 },
    world = function(world) -- what is there before the playbook runs
      world:put({
        apiVersion = "autoscaling/v2",
        kind = "HorizontalPodAutoscaler",
        metadata = { name = "superset-web", namespace = "data-platform" },
        spec = {
          minReplicas = 2,
          maxReplicas = 6,
          scaleTargetRef = { apiVersion = "apps/v1", kind = "Deployment", name = "superset-web" },
        },
      })
    end,
    goal = ready(2),
    exit = 6, -- a guard refuses
    changes = 0,
    says = "no autoscaler owns it",
  },
  ["a node that stops on the way"] = {
    playbook = "examples/scale-deployment.lua",
    args = { deployment = "superset-web", replicas = 3 },
    faults = { "node-down:worker-2@k8s.scale" },
    invariant = { -- looked at after every effect, and at the end
      ["one at least is wanted"] = function(world)
        return world:object("deployment", "superset-web").spec.replicas >= 1
      end,
    },
    goal = ready(3),
    modes = { "crash", "faults", undo = "it has no compensation" }, -- those two always
  },
}
