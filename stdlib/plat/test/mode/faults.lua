--- `--faults`: the link is lost at every effect, before and after the server acted. The run copes,
--- or stops; then a run without faults comes to the end of the undisturbed one.

local courses = require("plat.test.course")
local trouble = require("plat.test.trouble")

local M = {}

M.help = "drop the link at every effect, before and after the server acted"

local ACTS = { "drop-before", "drop-unsent", "drop-after" }

--- Returns the moments to try.
---@param course plat.test.Course
---@return plat.test.Moment[]
function M.points(course)
  local points = {}
  for n in ipairs(course.quiet.effects) do
    for _, act in ipairs(ACTS) do
      points[#points + 1] = { act = act, n = n }
    end
  end
  return points
end

--- Tries one moment.
---@param course plat.test.Course
---@param point plat.test.Moment
---@return { found: plat.test.Finding[], asked: integer, stopped: boolean }
function M.try(course, point)
  local home = course.pool:home()
  local first = courses.play(course, home, {
    action = "run",
    troubles = { point },
    want = course.quiet.essence,
    keep = true,
  })
  if #(first.struck or {}) == 0 and not first.broken then
    return { found = { { text = "the moment did not come" } } }
  end
  local _, found, way =
    courses.recover(course, home, first, { happened = point.act == "drop-after" })
  return { found = found, asked = way.asked, stopped = way.rounds > 0 }
end

--- Returns the text of a moment.
M.text = trouble.text

return M
