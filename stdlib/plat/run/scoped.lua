--- Names that the journal knows, of values kept and of guards.

local task = require("plat.task")

--- Returns a name as the journal knows it: inside run:on each host has names of its own.
---@param name string
---@return string
return function(name)
  local step = task.context()
  return step and step.host and ("%s: %s"):format(step.host.key, name) or name
end
