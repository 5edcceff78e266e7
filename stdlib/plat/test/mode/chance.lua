--- `--seeds N`: random faults from N seeds. The invariants hold; afterwards a run without faults
--- comes to the end of the undisturbed one. What breaks an invariant is made as short as can be.

local courses = require("plat.test.course")
local list = require("plat.list")
local trouble = require("plat.test.trouble")

local M = {}

M.help = "random faults from N seeds"

local SHARE = 0.06 -- of the requests are hit
local LIMIT = 4 -- times a run

--- Returns the seeds to try.
---@param course plat.test.Course
---@return { seed: integer }[]
function M.points(course)
  local points = {}
  if course.troubles then
    points[1] = { troubles = course.troubles, seed = course.seed }
  end
  for i = 1, course.seeds or 0 do
    points[i] = { seed = course.seed + i - 1 }
  end
  return points
end

local function broken(course, home, moments)
  local result = courses.play(course, home, { action = "run", troubles = moments })
  return result.violations[1], result
end

--- Returns the fewest of the troubles that still break an invariant, and how.
local function shrink(course, struck, violation)
  local moments = list.map(struck, function(one)
    return trouble.parse(one.text)
  end)
  local again = broken(course, course.pool:home(), moments)
  if not again then
    return nil, violation -- chance did more than these
  end
  violation = again
  for i = #moments, 1, -1 do
    local fewer = list.copy(moments)
    table.remove(fewer, i)
    local still = broken(course, course.pool:home(), fewer)
    if still then
      moments, violation = fewer, still
    end
  end
  return list.map(moments, trouble.text), violation
end

--- Tries one seed.
---@param course plat.test.Course
---@param point { seed: integer }
---@return { found: plat.test.Finding[], stopped: boolean, struck: integer }
function M.try(course, point)
  local home = course.pool:home()
  local first = courses.play(course, home, {
    action = "run",
    troubles = point.troubles and list.map(point.troubles, trouble.parse),
    chance = not point.troubles and { share = SHARE, limit = LIMIT, seed = point.seed } or nil,
    want = course.quiet.essence,
    keep = true,
  })
  local _, found, way = courses.recover(course, home, first, {})
  local violation = found[1] and found[1].violation
  if violation and not point.troubles and #(first.struck or {}) > 0 then
    local troubles, shortest = shrink(course, first.struck, violation)
    found = {
      {
        text = ("invariant %q: %s"):format(shortest.name, shortest.why),
        violation = shortest,
        troubles = troubles,
      },
    }
  end
  return {
    found = found,
    stopped = way.rounds > 0,
    asked = way.asked,
    struck = #(first.struck or {}),
  }
end

--- Returns the text of a seed.
---@param point { seed: integer }
---@return string
function M.text(point)
  return point.troubles and table.concat(point.troubles, " ") or "seed " .. point.seed
end

return M
