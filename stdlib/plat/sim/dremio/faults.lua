--- Faults of the Dremio model that a test or a person injects.
---
---   query    { minutes, executor? }  a long query of an analyst, on the highest executor or this
---   lingers  { seconds }             executors that are gone are given up so much later
local list = require("plat.list")

local M = {}

local INJECT = {}

function INJECT.query(model, args)
  local minutes = tonumber(args[1])
  if not minutes then
    return nil, "query: how many minutes?"
  end
  local nodes = model:registered()
  local named = args[2] and args[2] ~= "" and args[2]
  local node = nodes[#nodes]
  if named then
    node = list.find(nodes, { name = named })
  end
  if not node then
    return nil, named and "no executor " .. named or "no executor is registered"
  end
  local text = "select region, sum(amount) from lake.sales.orders group by region"
  local job = model:start_job(text, "analyst", "JDBC", model.time, {
    hosts = { node.name },
    length = minutes * 60,
  })
  job.fault = true
  return ("query %s of analyst runs on %s for %g min"):format(job.id, node.name, minutes)
end

function INJECT.lingers(model, args)
  local seconds = tonumber(args[1])
  if not seconds then
    return nil, "lingers: how many seconds?"
  end
  model.state.lingers, model.state.gone = seconds, {}
  return ("executors that are gone are given up %g s later"):format(seconds)
end

--- Brings a fault about; nil and why not, when it cannot be. One text "query:60:dremio-executor-1"
--- is taken as well.
---@param model plat.sim.Dremio
---@param name string
---@param args? any[]
---@return string? what
---@return string? problem
function M.inject(model, name, args)
  model:advance(model.clock and model.clock() or model.time)
  if not args then
    args = {}
    for word in (name .. ":"):gmatch("([^:]*):") do
      args[#args + 1] = word
    end
    name = table.remove(args, 1)
  end
  if not INJECT[name] then
    local known = table.concat(list.keys(INJECT), ", ")
    return nil, ('unknown fault "%s": there are %s'):format(name, known)
  end
  return INJECT[name](model, args)
end

--- Ends the faults.
---@param model plat.sim.Dremio
function M.clear(model)
  model.state.lingers, model.state.gone = nil, nil
  for _, job in ipairs(model:active_jobs()) do
    if job.fault then
      model:finish(job, "CANCELED")
    end
  end
end

return M
