--- The compensations of a rollout's batches: kept, performed, and what is tried again after them.

local list = require("plat.list")
local step_key = require("plat.run.key")
local task = require("plat.task")
local undo = require("plat.run.undo")

local M = {}

local WITHIN = 300 -- seconds the compensations of a batch may take, cancelled or not

--- Returns the compensations of the steps inside one of several.
---@param run plat.Run
---@param keys string[] of steps
---@return table[] entries oldest first
function M.of(run, keys)
  return list.where(run.undo, function(entry)
    return list.find(keys, function(key)
      return step_key.is_inside(entry.step, key)
    end) ~= nil
  end)
end

--- Takes compensations out of the run without performing them: their effect stays.
---@async
---@param run plat.Run
---@param key string of the step that they belong to
function M.keep(run, key)
  undo.drop(run, function(entry)
    return step_key.is_inside(entry.step, key)
  end, "kept")
end

--- Returns why nothing is undone now, nil if it may be.
---@param run plat.Run
---@return string?
function M.is_held(run)
  local open = (run.unsettled or {})[1]
  if run.options and run.options.no_undo then
    return "--no-undo"
  end
  return open and ("the state is unknown: %s"):format(open.text)
end

--- Performs compensations, newest first; a cancel does not interrupt them. They are put at the end
--- first: what else runs may have recorded some in between.
---@async
---@param run plat.Run
---@param entries table[] oldest first
function M.perform(run, entries)
  if #entries == 0 then
    return
  end
  local others = list.where(run.undo, function(entry)
    return not list.contains(entries, entry)
  end)
  for i = 1, #run.undo do
    run.undo[i] = others[i] or entries[i - #others]
  end
  task.shield(run.playbook and run.playbook.undo_within or WITHIN, function()
    run:undo_since(#others)
  end)
end

return M
