--- `--plan`: the plan changes nothing, and the run does nothing that the plan did not say.

local courses = require("plat.test.course")
local soundness = require("plat.test.soundness")

local M = {}

M.help = "plan first: the plan changes nothing, the run does what it said"

--- Returns what to try: once.
---@return table[] points
function M.points()
  return { { plan = true } }
end

local function changed_nothing(result)
  local found = {}
  for _, effect in ipairs(result.effects) do
    found[#found + 1] = {
      text = ("the plan did something: %s %s"):format(effect.op, effect.object),
    }
  end
  if result.difference then
    found[#found + 1] = { text = "the plan changed the world: " .. result.difference }
  elseif #result.beside > 0 then
    found[#found + 1] = { text = "the plan made " .. table.concat(result.beside, ", ") }
  end
  return found
end

--- Tries it.
---@param course plat.test.Course
---@return { found: plat.test.Finding[], count: table }
function M.try(course)
  local quiet = course.quiet
  local play = { action = "plan", want = course.before }
  local planned = courses.play(course, course.pool:home(), play)
  local found = courses.always(planned)
  if #found > 0 then
    return { found = found }
  end
  found = changed_nothing(planned)
  if planned.exit ~= 0 and planned.exit ~= quiet.exit then
    found[#found + 1] = {
      text = ("the plan ends with exit %d, the run with %d: %s"):format(
        planned.exit,
        quiet.exit,
        planned.error or "no error"
      ),
    }
  end
  local plan = planned.plan or { lines = {}, open = {} }
  local problems, count = soundness.compare(plan, quiet.changes, { failed = quiet.exit ~= 0 })
  for _, text in ipairs(problems) do
    found[#found + 1] = { text = text }
  end
  return { found = found, count = count }
end

--- Returns the text of the point.
---@return string
function M.text()
  return "plan"
end

return M
