--- Scales the executors of one Dremio cluster. New ones are waited for until the coordinator uses
--- them; those that leave are drained first, one at a time, the highest ordinal first.
local dremio = require("plat.dremio")
local executors = require("plat.dremio.fleet")
local time = require("plat.time")

local JOIN = 900 -- seconds new executors may take: volume, image, start, registration
local LEAVE = 900 -- seconds a drained executor may take: its pod's grace period is 720

---@type plat.Playbook
local M = {
  summary = "Scale Dremio executors",
  risk = "disruptive",
  args = {
    cluster = { type = "cluster", help = "cluster in the inventory; default: the only one" },
    executors = {
      type = "integer",
      min = 1,
      max = 64,
      help = "how many; default: the inventory's number or schedule",
    },
    drain = { type = "duration", default = "30m", help = "longest wait for running queries" },
    cancel_queries = {
      type = "boolean",
      default = false,
      help = "cancel the queries that outlive the drain, instead of stopping",
    },
  },
}

M.undo = executors.undo
M.undo_within = "30m"

--- Returns how many executors there shall be and where the number comes from. Pure.
function M.choose(args, conf, now)
  if args.executors then
    return args.executors, "asked for"
  end
  local number, window = dremio.planned_executors(conf, now)
  if not number then
    return nil, "say executors=N, or write `executors` into the inventory"
  end
  return number, type(conf.executors) == "table" and ("window %q"):format(window) or "inventory"
end

function M.run(run, args)
  local cluster = run:cluster(args.cluster)
  local fleet = executors.open(cluster)
  local want = run:keep("executors wanted", function()
    local number, source = M.choose(args, cluster.dremio, time.now())
    run:must(number, source)
    run:log("%d executors wanted (%s)", number, source)
    return number
  end)
  run:guard("coordinator is up", function()
    return fleet.api:status()
  end)
  run:lock("dremio executors")
  local look = fleet:look(LEAVE)
  local plan = run:keep("plan", function() -- what decides which steps there are, also when resumed
    return { before = look.replicas, change = executors.compare(look, want) }
  end)
  local before, change = plan.before, plan.change

  run:guard("minimum", function()
    return want >= fleet.min, ("%d is below the inventory's minimum of %d"):format(want, fleet.min)
  end)
  run:guard("one owner of the number", function()
    return executors.one_owner(look)
  end)
  run:guard("nothing else in progress", function()
    return look.moving == nil, look.moving
  end)
  if change == "grow" or change == "shrink" then
    run:guard("both sides agree", function()
      return executors.agree(look, want)
    end)
  elseif not executors.agree(look, want) then
    fleet:wait_joined(want, JOIN) -- an earlier run was interrupted: its change goes on
  end

  if change == "grow" then
    run:guard("room on the nodes", function()
      return fleet:has_room(look, want - look.replicas)
    end)
  end
  if change == "grow" or change == "hold" then
    local title = change == "grow" and "grow from %d to %d executors" or "hold %d executors"
    run:step(title:format(before, want), function(step)
      fleet:undo(step, before)
      fleet:resize(want, before)
      fleet:wait_joined(want, JOIN)
    end)
  end

  for last = before - 1, change == "shrink" and want or before, -1 do
    local name = fleet:names(last, last)[1] -- a StatefulSet removes its highest ordinal first
    run:step("retire " .. name, function(step)
      fleet:undo(step, before)
      fleet:hold(last + 1)
      fleet:drain(name, { within = args.drain, cancel = args.cancel_queries })
      fleet:resize(last, last + 1)
      fleet:wait_left(name, LEAVE)
    end)
  end

  local readings = change == "nothing" and 1 or 3
  run:prove("every executor is in use", { within = "15m", readings = readings }, function()
    return fleet:is_whole(want)
  end)
end

return M
