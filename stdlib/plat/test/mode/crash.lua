--- `--crash`: the process dies at every boundary of every effect and is resumed. The end is that of
--- the undisturbed run, and nothing was done twice that must not be.

local courses = require("plat.test.course")
local journals = require("plat.journal.files")
local list = require("plat.list")
local trouble = require("plat.test.trouble")

local M = {}

M.help = "kill platrun at every effect and resume"

--- Returns the moments to try.
---@param course plat.test.Course
---@return plat.test.Moment[]
function M.points(course)
  local points = {}
  for n in ipairs(course.quiet.changes) do
    for _, act in ipairs({ "kill-before", "kill-intent", "kill-settled" }) do
      points[#points + 1] = { act = act, n = n }
    end
  end
  for n, effect in ipairs(course.quiet.effects) do
    if not effect.change then
      points[#points + 1] = { act = "kill-unasked", n = n }
    end
    points[#points + 1] = { act = "kill-acted", n = n }
  end
  return points
end

local function key_of(about)
  return ("%s of %s"):format(about.object or about.op, about.target)
end

local function count(lists)
  local counts = {}
  for _, effects in ipairs(lists) do
    for _, effect in ipairs(effects) do
      if effect.change and effect.acted then
        local key = key_of(effect)
        counts[key] = (counts[key] or 0) + 1
      end
    end
  end
  return counts
end

--- Returns what was done more often than in the undisturbed run and must not be. What can be
--- repeated may happen once more: when nobody knows whether it did.
local function doubled(course, way)
  local extra = {}
  for _, change in ipairs(course.quiet.changes) do
    extra[key_of(change)] = change.recovery == "repeatable" and 1 or 0
  end
  local before = count({ course.quiet.effects })
  local found = {}
  for key, n in pairs(count(way.effects)) do
    if extra[key] and n > (before[key] or 0) + extra[key] then
      found[#found + 1] = {
        text = ("done %d times, by an undisturbed run %d: %s"):format(n, before[key] or 0, key),
      }
    end
  end
  return found
end

--- Returns the steps that ended well.
local function finished(result)
  local steps = {}
  for _, record in ipairs(journals.parse(result.journal or "").records) do
    if record.type == "step_end" then
      steps[record.key] = (record.status == "ok" or record.status == "changed") or nil
    end
  end
  return steps
end

--- Returns in what the run did not take the way of the undisturbed one: it decided anew.
local function strayed(course, last)
  local want, got = finished(course.quiet), finished(last)
  local found = {}
  for _, key in ipairs(list.keys(list.merge(want, got))) do
    if want[key] ~= got[key] then
      local text = got[key] and "a step that an undisturbed run does not take: "
        or "a step that is not finished: "
      found[#found + 1] = { text = text .. key }
    end
  end
  return found
end

--- Tries one moment.
---@param course plat.test.Course
---@param point plat.test.Moment
---@return { found: plat.test.Finding[], asked: integer }
function M.try(course, point)
  local home = course.pool:home()
  local first = courses.play(course, home, { action = "run", troubles = { point } })
  if not first.killed then
    local always = courses.always(first)
    return { found = #always > 0 and always or { { text = "the moment did not come" } } }
  end
  local last, found, way =
    courses.recover(course, home, first, { happened = point.act == "kill-acted" })
  if #found == 0 then
    found = doubled(course, way)
  end
  if #found == 0 then
    found = strayed(course, last)
  end
  return { found = found, asked = way.asked }
end

--- Returns the text of a moment.
M.text = trouble.text

return M
