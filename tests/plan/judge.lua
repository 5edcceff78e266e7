--- Whether a plan was sound: an opinion of its own, which shares no code with plat.effect.expect.
local list = require("plat.list")
local soundness = require("plat.test.soundness")

local M = {}

--- Compares a plan with what the run then did.
---@param planned plan.Play
---@param done plan.Play
---@return string[] problems
---@return { will: integer, maybe: integer, opaque: integer, open: integer } count of the changes
function M.compare(planned, done)
  local lines = list.map(planned.plan.lines, function(line)
    local about = line.change
    return {
      op = about.op,
      target = about.target,
      object = about.object,
      step = about.step,
      args = about.args,
      text = about.text,
      class = line.class,
    }
  end)
  local plan = { lines = lines, open = planned.plan.open }
  local problems, count = soundness.compare(plan, done.changes, { failed = done.err ~= nil })
  if planned.world.changes > 0 then
    problems[#problems + 1] = ("the plan sent %d changes"):format(planned.world.changes)
  end
  if planned.err and not done.err then
    problems[#problems + 1] = "the plan failed and the run did not: " .. tostring(planned.err)
  end
  return problems, count
end

return M
