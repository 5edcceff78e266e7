--- The compensations of a rollout's batches: kept, performed, and what is tried again after them.

local list = require("plat.list")
local task = require("plat.task")

local M = {}

local WITHIN = 300 -- seconds the compensations of a batch may take, cancelled or not

--- Returns the compensations of the steps inside one of several.
---@param run plat.Run
---@param keys string[] of steps
---@return table[] entries oldest first
function M.of(run, keys)
  local chosen = {}
  for _, key in ipairs(keys) do
    for _, entry in ipairs(run.undo:inside(key)) do
      chosen[entry.id] = true
    end
  end
  return list.where(run.undo, function(entry)
    return chosen[entry.id] ~= nil
  end)
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
  local others = run.undo:move_to_end(entries)
  task.shield(run.playbook and run.playbook.undo_within or WITHIN, function()
    run:undo_since(others)
  end)
end

return M
