--- playbooks/scale-dremio.lua on the sandbox, which has three executors and room for eight: it
--- grows, shrinks, refuses, undoes. No query is ever killed by it, and there are always as many
--- executors as before, as wanted, or between.

local list = require("plat.list")

local PLAYBOOK = "playbooks/scale-dremio.lua"
local SET = "dremio-executor"
local PASSING = "what goes wrong comes at one moment of one process"

local function replicas(world)
  return world:object("statefulset", SET).spec.replicas
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

local function between(least, most)
  return {
    [("from %d to %d executors"):format(least, most)] = function(world)
      local n = replicas(world)
      return n >= least and n <= most, n .. " executors"
    end,
    ["no query is killed"] = function(world)
      local killed = list.find(world:queries(), function(query)
        return query.state == "FAILED" and query.user ~= "platrun" -- its own looks are repeated
      end)
      return not killed, killed and killed.id .. ": " .. tostring(killed.error)
    end,
  }
end

local function one_at_a_time(invariants)
  return list.merge(invariants, {
    ["one leaves at a time"] = function(world)
      local leaving = list.where(world:pods({ app = "dremio", role = "executor" }), function(pod)
        return pod.deleting
      end)
      return #leaving <= 1, #leaving .. " leave"
    end,
  })
end

local function put_autoscaler(world, name, min, max)
  world:put({
    apiVersion = "autoscaling/v2",
    kind = "HorizontalPodAutoscaler",
    metadata = { name = name, namespace = "data-platform" },
    spec = {
      minReplicas = min,
      maxReplicas = max,
      scaleTargetRef = { apiVersion = "apps/v1", kind = "StatefulSet", name = SET },
    },
  })
end

--- Lets an autoscaler own the number of executors.
local function autoscaled(min, max)
  return function(world)
    put_autoscaler(world, SET, min, max)
    world:advance(60)
  end
end

--- Lets two fight over it.
local function fought_over(world)
  put_autoscaler(world, SET, 3, 6)
  put_autoscaler(world, "other", 3, 6)
  world:advance(60)
end

local function patch_set(world, body)
  local path = "/apis/apps/v1/namespaces/data-platform/statefulsets/" .. SET
  world:api("PATCH", path, body, "application/merge-patch+json")
end

--- Somebody has just begun to roll out another image.
local function updated(world)
  patch_set(world, '{"spec":{"template":{"metadata":{"annotations":{"rolled":"today"}}}}}')
end

--- The goal: so many executors, and bounds of the autoscaler.
local function bounded(n, min, max)
  return function(world)
    local spec = world:object("hpa", SET).spec
    local good, why = has(n)(world)
    return good and spec.minReplicas == min and spec.maxReplicas == max,
      ("%s; bounds %d to %d"):format(why, spec.minReplicas, spec.maxReplicas)
  end
end

--- More nodes, and nine executors.
local function of_nine(world)
  for i = 5, 8 do
    world:node({ name = "worker-" .. i, cpu = "11", memory = "44Gi" })
  end
  patch_set(world, '{"spec":{"replicas":9}}')
  world:advance(1200)
end

return {
  ["grows"] = {
    playbook = PLAYBOOK,
    args = { executors = 5 },
    invariant = between(3, 5),
    goal = has(5),
    changes = 1,
  },
  ["grows to what the schedule says"] = {
    playbook = PLAYBOOK,
    time = "2030-06-03T10:00:00Z", -- a Monday morning in Berlin
    goal = has(6),
    says = 'window "business"',
  },
  ["shrinks, an executor at a time"] = {
    playbook = PLAYBOOK,
    args = { executors = 1 },
    invariant = one_at_a_time(between(1, 3)),
    goal = has(1),
    changes = 2,
    says = { "retire dremio%-executor%-2", "retire dremio%-executor%-1" },
  },
  ["waits for those that take long to leave"] = {
    playbook = PLAYBOOK,
    args = { executors = 1 },
    faults = { "slow-stop:dremio-executor:90" },
    invariant = one_at_a_time(between(1, 3)),
    goal = has(1),
    changes = 2,
  },
  ["waits until the coordinator has given up who has left"] = {
    playbook = PLAYBOOK,
    args = { executors = 1 },
    faults = { "lingers:90" },
    invariant = list.merge(between(1, 3), {
      ["the coordinator counts one at most that is gone"] = function(world)
        local gone = #world:executors() - #world:pods({ app = "dremio", role = "executor" })
        return gone <= 1, gone .. " are gone"
      end,
    }),
    goal = has(1),
    changes = 2,
  },
  ["proves that those which stay are in use"] = {
    playbook = PLAYBOOK,
    args = { executors = 2 },
    faults = { "pod-crash:dremio-executor-0@k8s.scale" },
    exit = 8,
    says = "every executor is in use: .*the coordinator sees 1 of 2 executors",
    modes = { crash = PASSING, faults = PASSING },
  },
  ["refuses less than the inventory's minimum"] = {
    playbook = PLAYBOOK,
    args = { executors = 1 },
    inventory = "tests/playbooks/parts/minimum.yaml",
    invariant = between(3, 3),
    exit = 6,
    changes = 0,
    says = "1 is below the inventory's minimum of 2",
  },
  ["has nothing to do"] = {
    playbook = PLAYBOOK,
    args = { executors = 3 },
    invariant = between(3, 3),
    goal = has(3),
    changes = 0,
  },
  ["waits for the query of who leaves"] = {
    playbook = PLAYBOOK,
    args = { executors = 2 },
    faults = { "query:15:dremio-executor-2" },
    invariant = between(2, 3),
    goal = has(2),
  },
  ["gives up when a query outlives the drain"] = {
    playbook = PLAYBOOK,
    args = { executors = 2, drain = "10m" },
    faults = { "query:60:dremio-executor-2" },
    invariant = between(3, 3),
    goal = has(3),
    exit = 2,
    changes = 0,
    says = "cancel_queries=true",
  },
  ["cancels it when that is asked for"] = {
    playbook = PLAYBOOK,
    args = { executors = 2, drain = "10m", cancel_queries = true },
    faults = { "query:60:dremio-executor-2" },
    goal = has(2),
    changes = 2,
    says = "retire dremio%-executor%-2",
  },
  ["goes back when new executors do not come up"] = {
    playbook = PLAYBOOK,
    args = { executors = 5 },
    faults = { "image-pull" },
    invariant = between(3, 5),
    goal = has(3),
    exit = 8,
    says = "failed: grow from 3 to 5 executors: .*image", -- the step waits, not only the proof
  },
  ["refuses what does not fit on the nodes"] = {
    playbook = PLAYBOOK,
    args = { executors = 20 },
    invariant = between(3, 3),
    goal = has(3),
    exit = 6,
    changes = 0,
    says = "room on the nodes",
  },
  ["refuses what autoscalers fight over"] = {
    playbook = PLAYBOOK,
    args = { executors = 5 },
    world = fought_over,
    invariant = between(3, 3),
    exit = 6,
    changes = 0,
    says = "autoscalers fight over it",
  },
  ["refuses in the middle of an update"] = {
    playbook = PLAYBOOK,
    args = { executors = 5 },
    world = updated,
    invariant = between(3, 3),
    exit = 6,
    changes = 0,
    says = "a rolling update is in progress",
    modes = { faults = "the update goes on meanwhile" },
  },
  ["grows under an autoscaler"] = {
    playbook = PLAYBOOK,
    args = { executors = 5 },
    world = autoscaled(3, 4),
    invariant = between(3, 5),
    goal = bounded(5, 5, 5),
  },
  ["shrinks under an autoscaler"] = {
    playbook = PLAYBOOK,
    args = { executors = 2 },
    world = autoscaled(3, 6),
    invariant = between(2, 3),
    goal = bounded(2, 2, 2),
  },
  ["holds an autoscaler while it drains"] = {
    playbook = PLAYBOOK,
    args = { executors = 2 },
    world = autoscaled(3, 6),
    faults = { "query:15:dremio-executor-2", "load:dremio-executor:6@dremio.job#9" },
    invariant = between(2, 3),
    goal = bounded(2, 2, 2),
    modes = {
      crash = PASSING,
      faults = PASSING,
      undo = "with its old bounds it adds, as it should",
    },
  },
  ["shrinks from nine to three under a query of six hours"] = {
    playbook = PLAYBOOK,
    args = { executors = 3, drain = "8h" },
    world = of_nine,
    faults = { "query:360:dremio-executor-8" },
    invariant = between(3, 9),
    goal = has(3),
    changes = 6,
  },
}
