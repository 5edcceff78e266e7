--- Runs cases with the modes that are asked for, and says what was tried and what was found.

local courses = require("plat.test.course")
local list = require("plat.list")
local pool = require("plat.test.pool")

local M = {}

local MODES = { "crash", "faults", "twice", "plan", "undo", "chance" }

---@class plat.test.Tried what a mode came to
---@field points integer
---@field excused table<string, integer> reasons why points were not demanded, and how many
---@field asked integer questions that a person would have answered
---@field stopped integer troubles with which the run did not cope at once
---@field count? table of plan lines by class

---@class plat.test.Report
---@field name string "FILE: TITLE"
---@field case plat.test.Case
---@field found plat.test.Finding[]
---@field modes table<string, plat.test.Tried>
---@field seconds number of real time
---@field steps? integer

--- Returns the modes that a case is tried in, by name; the reason where one is left out.
local function wanted(case, opts)
  local modes = {}
  for _, name in ipairs(MODES) do
    if opts[name] or list.contains(case.modes, name) then
      modes[name] = case.modes[name] or true
    end
  end
  return modes
end

local function excuse(tried, why, n)
  tried.excused[why] = (tried.excused[why] or 0) + (n or 1)
end

local function note(report, name, mode, point, verdict)
  local tried = report.modes[name]
  tried.asked = tried.asked + (verdict.asked or 0)
  tried.stopped = tried.stopped + (verdict.stopped and 1 or 0)
  tried.struck = (tried.struck or 0) + (verdict.struck or 0)
  tried.count = verdict.count or tried.count
  if verdict.excused then
    excuse(tried, verdict.excused)
  end
  for _, finding in ipairs(verdict.found) do
    finding.mode, finding.point = name, mode.text(point)
    finding.seed = point.seed
    table.insert(report.found, finding)
  end
end

local function try_mode(report, course, name, only)
  local mode = require("plat.test.mode." .. name)
  local points, excused = mode.points(course)
  local tried = report.modes[name]
  if excused then
    excuse(tried, excused)
  end
  if only then
    points = list.where(points, function(point)
      return mode.text(point) == only
    end)
  end
  tried.points = #points
  course.outputs = only and {} or nil
  pool.each(points, function(point)
    note(report, name, mode, point, mode.try(course, point))
  end)
end

--- The shortest history of one broken invariant tells the most.
local function history_length(finding)
  return finding.violation and #finding.violation.history or 0
end

--- Tries one case. A scenario of plat.test.pool.
---@param from plat.test.Pool
---@param case plat.test.Case
---@param opts table modes by name, `seed`, `seeds`, `point`
---@return plat.test.Report
function M.try(from, case, opts)
  local course = { case = case, pool = from, seed = opts.seed or 1 }
  course.seeds, course.troubles = opts.seeds, opts.trouble
  local report = { name = case.file .. ": " .. case.title, case = case, found = {}, modes = {} }
  report.found = courses.begin(course)
  report.quiet = course.quiet
  local modes = wanted(case, opts)
  for name in pairs(modes) do
    report.modes[name] = { points = 0, excused = {}, asked = 0, stopped = 0 }
  end
  if #report.found == 0 then
    pool.each(list.keys(modes), function(name)
      if modes[name] == true then
        try_mode(report, course, name, opts.point)
      else
        excuse(report.modes[name], modes[name])
      end
    end)
  end
  report.outputs = course.outputs
  table.sort(report.found, function(a, b)
    local x, y = history_length(a), history_length(b)
    if x ~= y then
      return x < y
    end
    return tostring(a.mode) .. tostring(a.point) < tostring(b.mode) .. tostring(b.point)
  end)
  return report
end

return M
