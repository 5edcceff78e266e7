--- `--twice`: the playbook runs again and changes nothing.

local courses = require("plat.test.course")

local M = {}

M.help = "run the playbook again and demand that it changes nothing"

--- Returns what to try: once, if the run ends well.
---@param course plat.test.Course
---@return table[] points
---@return string? excused why there is nothing to try
function M.points(course)
  if course.quiet.exit ~= 0 then
    return {}, ("the run ends with exit %d"):format(course.quiet.exit)
  end
  return { { again = true } }
end

--- Tries it.
---@param course plat.test.Course
---@return { found: plat.test.Finding[] }
function M.try(course)
  local quiet = course.quiet
  local last = courses.play(course, course.home, {
    action = "run",
    base = { world = quiet.world, stubs = quiet.stubs },
    round = 1,
    want = quiet.essence,
  })
  local found = courses.always(last)
  if #found == 0 and courses.count(last) > 0 then
    found[1] = {
      text = ("the second run makes %d changes, the first: %s"):format(
        courses.count(last),
        last.changes[1].text
      ),
    }
  end
  return { found = #found > 0 and found or courses.same_end(course, last) }
end

--- Returns the text of the point.
---@return string
function M.text()
  return "again"
end

return M
