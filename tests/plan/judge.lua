--- Whether a plan was sound: an opinion of its own, which shares no code with plat.effect.expect.
local list = require("plat.list")

local M = {}

local function fits(line, change)
  local about = line.change
  return about.op == change.op
    and about.target == change.target
    and about.object == change.object
    and about.step == change.step
    and (line.class ~= "will" or list.deep_equal(about.args, change.args))
end

local RANK = { will = 1, opaque = 2, maybe = 3 }

--- Returns the line that a change takes: a certain one before an uncertain one.
local function take(lines, taken, change)
  local best
  for i, line in ipairs(lines) do
    if not taken[i] and fits(line, change) then
      if not best or RANK[line.class] < RANK[lines[best].class] then
        best = i
      end
    end
  end
  return best
end

local function show(change)
  return ("%s of %s in %q"):format(change.text, change.target, change.step)
end

--- Compares a plan with what the run then did.
---@param planned plan.Play
---@param done plan.Play
---@return string[] problems
---@return { will: integer, maybe: integer, opaque: integer, open: integer } count of the changes
function M.compare(planned, done)
  local problems, taken = {}, {}
  local count = { will = 0, maybe = 0, opaque = 0, open = 0 }
  local plan = planned.plan
  for _, change in ipairs(done.changes) do
    if change.word ~= "failed" and not change.step:find("^undo:") then
      local i = take(plan.lines, taken, change)
      if i then
        taken[i] = true
        count[plan.lines[i].class] = count[plan.lines[i].class] + 1
      elseif #plan.open > 0 then
        count.open = count.open + 1
      else
        problems[#problems + 1] = "not in the plan: " .. show(change)
      end
    end
  end
  for i, line in ipairs(plan.lines) do
    if line.class == "will" and not taken[i] and not done.err then
      problems[#problems + 1] = "planned and not done: " .. show(line.change)
    end
  end
  if planned.world.changes > 0 then
    problems[#problems + 1] = ("the plan sent %d changes"):format(planned.world.changes)
  end
  if planned.err and not done.err then
    problems[#problems + 1] = "the plan failed and the run did not: " .. tostring(planned.err)
  end
  return problems, count
end

return M
