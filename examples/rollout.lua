--- Restarts the Dremio executors in batches: the example of docs/PLAYBOOKS.md, "Rollouts".

local fleets = require("plat.dremio.fleet")
local k8s = require("plat.k8s")
local list = require("plat.list")
local time = require("plat.time")

---@type plat.Playbook
local M = {
  summary = "Restart Dremio executors, one batch after the other",
  risk = "disruptive",
  args = {
    cluster = { type = "cluster", help = "default: the only one" },
    batches = { type = "string", default = "1,50%", help = "sizes; the last one repeats" },
    drain = { type = "duration", default = "30m", help = "longest wait for running queries" },
    older = { type = "duration", default = "0s", help = "leave alone what started since then" },
  },
}

--- Returns the pods that started long enough ago, as plain data. Pure.
function M.choose(pods, now, older)
  local old = list.where(pods, function(pod)
    local started = pod.object.status.startTime
    return not started or now - time.parse_rfc3339(started) >= older
  end)
  return list.map(old, function(pod)
    return { name = pod.name, ordinal = pod.ordinal, uid = pod.object.metadata.uid }
  end)
end

--- Returns whether a pod is another one than before and ready, and what it is. Pure.
function M.is_renewed(pod, uid)
  local ready = pod
    and list.find(list.get(pod, "status.conditions") or {}, { type = "Ready", status = "True" })
  if not pod then
    return false, "gone"
  elseif pod.metadata.uid == uid then
    return false, "the old one is still there"
  end
  return ready ~= nil, ready and "ready" or "not ready yet"
end

function M.run(run, args)
  local cluster = run:cluster(args.cluster)
  local fleet = fleets.open(cluster)
  local api = k8s.connect(cluster.kubernetes)
  local set = api:stateful_set(cluster.namespace, fleet.name)

  local count = run:keep("executors in all", function()
    return set:get().replicas
  end)
  -- Once a run: when it goes on after an interruption an executor may be missing, and the new pods
  -- must not be taken for old ones.
  local targets = run:keep("executors to restart", function()
    run:guard("every executor is in use", function()
      return fleet:is_whole(count)
    end)
    return M.choose(set:pods(), time.now(), args.older)
  end)

  run:rollout({
    title = "restart",
    noun = "executor",
    targets = targets,
    batches = args.batches,
    order = function(pod) -- the highest ordinal first, as Kubernetes does it
      return -pod.ordinal
    end,

    work = function(pod)
      local now = api:find("Pod", cluster.namespace, pod.name)
      if now and now.metadata.uid == pod.uid then
        fleet:drain(pod.name, { within = args.drain })
        api:delete("Pod", cluster.namespace, pod.name, { uid = pod.uid })
      end
      local wait = { within = "15m", goal = "a new pod, ready" }
      api:wait_for("Pod", cluster.namespace, pod.name, wait, function(object)
        return M.is_renewed(object, pod.uid)
      end)
    end,

    invariant = { -- beside the batch: what users would notice first
      name = "the coordinator is up",
      every = "10s",
      tolerate = 3,
      check = function()
        return fleet.api:status()
      end,
    },
    within = "15m", -- after the batch: the next one begins when all is well again
    gate = function()
      return fleet:is_whole(count)
    end,
  })
end

return M
