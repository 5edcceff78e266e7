--- Help for the tests of rollouts: a run made by hand, what it recorded, and a later process of it.

local json = require("plat.json")
local list = require("plat.list")
local memory = require("plat.run.memory")
local run = require("plat.run")

local M = {}

--- Returns a run whose log, reports and journal are tables.
function M.new(opts)
  local seen = { log = {}, steps = {}, failed = {}, records = {}, undone = {}, events = {} }
  local r = run.new(list.merge({
    name = "test",
    args = {},
    playbook = {
      undo = {
        back = function(_, args)
          if seen.undo_fails then
            error("undo of " .. args.name .. " failed")
          end
          table.insert(seen.undone, args.name)
        end,
      },
    },
    reporter = {
      emit = function(_, name, e)
        table.insert(seen.events, { name = name, event = e })
        if name == "log" then
          table.insert(seen.log, e.text)
        elseif name == "step_start" then
          table.insert(seen.steps, e.key)
        elseif name == "step_end" and e.status == "failed" then
          table.insert(seen.failed, e.key)
        end
      end,
    },
  }, opts))
  local record = r.record
  r.record = function(self, what)
    record(self, what)
    if not self.planning then
      table.insert(seen.records, json.decode(json.encode(what)))
    end
  end
  return r, seen
end

--- Returns a run that goes on after the first `count` records of another.
---@param records table[]
---@param ended? boolean the process before ended in order
function M.resumed(records, count, ended)
  local kept = { { type = "run", n = 1 } }
  for i = 1, count or #records do
    local r = list.copy(records[i])
    r.n = #kept + 1
    kept[r.n] = r
  end
  if ended then
    kept[#kept + 1] = { type = "end", status = "failed", exit = 2, n = #kept + 1 }
  end
  local r, seen = M.new({ memory = memory.read(kept) })
  table.move(kept, 2, #kept, 1, seen.records)
  table.insert(seen.records, { type = "resume" })
  return r, seen
end

--- Does what a change of a step leaves behind.
function M.change(step)
  local r = step.run
  r.seq = r.seq + 1
  memory.touch(r, step.key, r.seq)
  local key = step.key .. "|change|" .. r.seq
  r:record({ type = "intent", key = key, step = step.key, recovery = "repeatable", text = "it" })
  r:record({ type = "outcome", key = key, outcome = "done" })
end

--- Joins the lines of a log.
function M.text(seen)
  return table.concat(seen.log, "\n")
end

return M
