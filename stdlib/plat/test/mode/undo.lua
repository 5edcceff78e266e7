--- `--undo`: each step fails after each of its changes and at its end. What was changed is put
--- back; where a step keeps its effect, or behind a point of no return, the run says so.

local courses = require("plat.test.course")
local trouble = require("plat.test.trouble")

local M = {}

M.help = "fail each step and demand that what it changed is put back"

--- Returns the moments to try.
---@param course plat.test.Course
---@return plat.test.Moment[] points
---@return string? excused why there is nothing to try
function M.points(course)
  local points, quiet = {}, course.quiet
  if quiet.exit ~= 0 then
    return {}, ("the run ends with exit %d"):format(quiet.exit)
  end
  for n, change in ipairs(quiet.changes) do
    if change.word == "done" then
      points[#points + 1] = { act = "fail-change", n = n }
    end
  end
  for n, step in ipairs(quiet.steps) do
    if step.changes > 0 then
      points[#points + 1] = { act = "fail-end", n = n }
    end
  end
  return points
end

--- Returns what is there beside the world of before and was named by a change of the run.
local function made(result)
  local found = {}
  for _, name in ipairs(result.beside or {}) do
    local place = name:match("%S+$")
    for _, change in ipairs(result.changes) do
      if (change.object or ""):find(place, 1, true) then
        found[#found + 1] = { text = name .. " was made and is still there" }
        break
      end
    end
  end
  return found
end

--- A step that keeps its effect, or a point of no return: the run cannot put everything back, ends
--- with 2 or 9, and tells what stays.
local function stays(result)
  local found = {}
  if result.exit ~= 2 and result.exit ~= 9 then
    found[1] = { text = ("exit %d, want 2 or 9: something stays"):format(result.exit) }
  end
  for _, key in ipairs(result.no_return and { result.no_return } or result.kept) do
    if not result.output:find(key, 1, true) then
      found[#found + 1] = { text = ("the report does not say that %q stays"):format(key) }
    end
  end
  return found
end

--- Tries one moment.
---@param course plat.test.Course
---@param point plat.test.Moment
---@return { found: plat.test.Finding[], excused: string? }
function M.try(course, point)
  local result = courses.play(course, course.pool:home(), {
    action = "run",
    troubles = { point },
    want = course.before,
  })
  local found = courses.always(result)
  if #found > 0 then
    return { found = found }
  elseif #result.struck == 0 then
    return { found = { { text = "the moment did not come" } } }
  elseif result.no_return or #result.kept > 0 then
    return {
      found = stays(result),
      excused = result.no_return and "past a point of no return" or "a step keeps its effect",
    }
  end
  if result.exit ~= 8 then
    local text = ("exit %d, want 8: everything put back; %s"):format(
      result.exit,
      result.error or "no error"
    )
    found[1] = { text = text }
  elseif result.difference then
    found[1] = { text = "it is not as it was before: " .. result.difference }
  end
  table.move(made(result), 1, 100, #found + 1, found)
  return { found = found }
end

--- Returns the text of a moment.
M.text = trouble.text

return M
