--- What a tried case says to people: what was tried, what is wrong, and the one command that
--- repeats it.

local text = require("plat.text")

local M = {}

local SHOWN = 5 -- findings of a case that are told in full

local function plural(n, word)
  return ("%d %s%s"):format(n, word, n == 1 and "" or "s")
end

--- Returns a word of a command line as a shell reads it.
local function quote(word)
  return word:find("^[%w_./:=@,+-]+$") and word or "'" .. word:gsub("'", "'\\''") .. "'"
end

local EXTRA = {
  crash = function(tried)
    return tried.asked > 0 and plural(tried.asked, "question") .. " to a person" or nil
  end,
  faults = function(tried)
    return tried.stopped > 0 and tried.stopped .. " stopped the run, the next one went on" or nil
  end,
  plan = function(tried)
    local c = tried.count
    return c and ("%d will, %d maybe, %d opaque, %d open"):format(c.will, c.maybe, c.opaque, c.open)
  end,
  chance = function(tried)
    return ("%s, %d stopped the run"):format(plural(tried.struck or 0, "fault"), tried.stopped)
  end,
}

--- Returns a line about a mode: the points tried, and those that were excused.
---@param name string
---@param tried plat.test.Tried
---@return string
function M.mode(name, tried)
  local words = { plural(tried.points, name == "chance" and "seed" or "point") }
  words[#words + 1] = EXTRA[name] and tried.points > 0 and EXTRA[name](tried) or nil
  for why, n in pairs(tried.excused) do
    words[#words + 1] = ("%d excused: %s"):format(n, why)
  end
  return name .. ": " .. table.concat(words, ", ")
end

--- Returns the command that repeats a finding.
---@param report plat.test.Report
---@param finding plat.test.Finding
---@param seed integer
---@return string
function M.command(report, finding, seed)
  local case = report.case
  local words = { "platrun", "test", quote(case.file), "-k", quote(case.title) }
  local function add(flag, value)
    words[#words + 1] = flag
    words[#words + 1] = value and quote(tostring(value)) or nil
  end
  if finding.mode == "chance" and finding.troubles then
    for _, moment in ipairs(finding.troubles) do
      add("--trouble", moment)
    end
  elseif finding.mode == "chance" then
    add("--seeds", 1)
    seed = finding.seed or seed
  elseif finding.mode then
    add("--" .. finding.mode)
    add("--point", finding.point)
  end
  if seed ~= 1 then
    add("--seed", seed)
  end
  return table.concat(words, " ")
end

local function add_history(lines, violation)
  if violation.after then
    lines[#lines + 1] = "  after: " .. violation.after
  end
  for i, what in ipairs(violation.history or {}) do
    lines[#lines + 1] = ("  %d. %s"):format(i, what)
  end
end

local function add_output(lines, title, output)
  if (output or "") ~= "" then
    lines[#lines + 1] = title
    for line in output:gmatch("[^\n]+") do
      lines[#lines + 1] = "  " .. line
    end
  end
end

--- Returns the lines that say what is wrong.
---@param report plat.test.Report
---@param seed integer
---@return string[]
function M.problems(report, seed)
  local lines, plain = {}, false
  for i, finding in ipairs(report.found) do
    if i > SHOWN then
      lines[#lines + 1] = ("and %d more"):format(#report.found - SHOWN)
      break
    end
    local where = finding.mode and ("%s %s: "):format(finding.mode, finding.point) or ""
    for line in (where .. finding.text):gmatch("[^\n]+") do
      lines[#lines + 1] = line
    end
    if finding.violation then
      add_history(lines, finding.violation)
    end
    lines[#lines + 1] = "again: " .. M.command(report, finding, seed)
    plain = plain or not finding.mode
  end
  if plain and report.quiet then
    add_output(lines, "output of the undisturbed run:", report.quiet.output)
  end
  for i, output in ipairs(report.outputs or {}) do
    add_output(lines, ("output of process %d:"):format(i), output)
  end
  return lines
end

--- Returns the lines that say what was tried.
---@param report plat.test.Report
---@return string[]
function M.notes(report)
  local lines = {}
  if report.quiet and report.quiet.changes then
    lines[1] = ("simulated: exit %s, %s"):format(
      tostring(report.quiet.exit),
      plural(require("plat.test.course").count(report.quiet), "change")
    )
  end
  for name, tried in pairs(report.modes) do
    lines[#lines + 1] = M.mode(name, tried)
  end
  return lines
end

--- Adds what one report tried to a total, and returns the line of the total.
---@param total table<string, table> by mode
---@param modes table<string, plat.test.Tried>
function M.add(total, modes)
  for name, tried in pairs(modes) do
    local sum = total[name] or { points = 0, excused = 0 }
    total[name] = sum
    sum.points = sum.points + tried.points
    for _, n in pairs(tried.excused) do
      sum.excused = sum.excused + n
    end
  end
end

--- Returns a line about all that was tried.
---@param total table<string, table>
---@param plays integer
---@param seconds number
---@return string
function M.total(total, plays, seconds)
  local words = {}
  for name, sum in pairs(total) do
    words[#words + 1] = ("%s %d%s"):format(
      name,
      sum.points,
      sum.excused > 0 and (" (%d excused)"):format(sum.excused) or ""
    )
  end
  local points = #words > 0 and "points: " .. table.concat(words, ", ") .. "; " or ""
  return ("%s%d plays in %s"):format(points, plays, text.seconds(seconds))
end

return M
