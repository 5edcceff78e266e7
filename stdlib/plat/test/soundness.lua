--- Whether a plan told the truth: what a run did is compared with what its plan had said. Shares
--- nothing with the planner.

local list = require("plat.list")

local M = {}

local RANK = { will = 1, opaque = 2, maybe = 3 }

local function fits(line, change)
  return line.op == change.op
    and line.target == change.target
    and line.object == change.object
    and line.step == change.step
    and (line.class ~= "will" or list.deep_equal(line.args, change.args))
end

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

--- Compares what was planned with what was done. A failed run need not have come to every line.
---@param plan { lines: table[], open: table[] } lines: changes as data, with `class`
---@param changes table[] performed, in order, with `word`
---@param opts? { failed: boolean }
---@return string[] problems
---@return { will: integer, maybe: integer, opaque: integer, open: integer } count of the changes
function M.compare(plan, changes, opts)
  local problems, taken = {}, {}
  local count = { will = 0, maybe = 0, opaque = 0, open = 0 }
  for _, change in ipairs(changes) do
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
    if line.class == "will" and not taken[i] and not (opts and opts.failed) then
      problems[#problems + 1] = "planned and not done: " .. show(line)
    end
  end
  return problems, count
end

return M
