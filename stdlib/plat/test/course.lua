--- The course of one case: an undisturbed run first, then whatever the modes ask for. Scenarios of
--- plat.test.pool.

local json = require("plat.json")
local pool = require("plat.test.pool")

local M = {}

local RESTART = 7 -- virtual seconds until a killed run is resumed
local PAUSE = 120 -- virtual seconds until a person goes on with a run that stopped
local ROUNDS = 5 -- processes after a trouble until the run has to be at its end

---@class plat.test.Course
---@field case plat.test.Case
---@field pool plat.test.Pool
---@field seed integer
---@field base { world: table } where every play begins
---@field before table<string, string> the essence of the world if nobody does anything
---@field quiet table result of the undisturbed run
---@field outputs? string[] of the processes, when one point alone is tried

---@class plat.test.Finding what is wrong
---@field text string
---@field mode? string
---@field point? string the trouble, as for --trouble
---@field seed? integer of chance
---@field violation? table of an invariant

--- Performs one process of a play.
---@param course plat.test.Course
---@param home string
---@param play table fields of plat.test.Play
---@return table result
function M.play(course, home, play)
  play.seed = play.seed or course.seed
  play.base = play.base or course.base
  local result = pool.play(play, course.case, home)
  result.violations = result.violations or {}
  if course.outputs then
    table.insert(course.outputs, result.output)
  end
  return result
end

local function patterns(case, result, into)
  for _, pattern in ipairs(case.says) do
    if not result.output:find(pattern) then
      into[#into + 1] = ("the output does not match %q"):format(pattern)
    end
  end
end

--- Returns how many changes a process made, or may have made.
---@param result table
---@return integer
function M.count(result)
  local n = 0
  for _, change in ipairs(result.changes or {}) do
    n = n + (change.word ~= "failed" and 1 or 0)
  end
  return n
end

--- Returns what is wrong in every play, whatever troubles it had.
---@param result table
---@return plat.test.Finding[]
function M.always(result)
  local found = {}
  if result.broken then
    found[1] = { text = result.broken }
  end
  for _, violation in ipairs(result.violations) do
    found[#found + 1] = {
      text = ("invariant %q: %s"):format(violation.name, violation.why),
      violation = violation,
    }
  end
  for _, leak in ipairs(not result.killed and result.leaks or {}) do
    found[#found + 1] = { text = "left behind: " .. leak }
  end
  return found
end

--- Returns what is wrong with the undisturbed run.
local function judge(case, result)
  local found, texts = M.always(result), {}
  if result.broken then
    return found
  end
  if result.exit ~= case.exit then
    texts[1] = ("exit %s, want %d"):format(tostring(result.exit), case.exit)
  end
  patterns(case, result, texts)
  local n = M.count(result)
  if case.changes and n ~= case.changes then
    texts[#texts + 1] = ("%d changes, want %d"):format(n, case.changes)
  end
  if case.goal and not result.goal then
    texts[#texts + 1] = "the goal is not reached: " .. (result.goal_why or "no reason given")
  end
  for _, text in ipairs(texts) do
    found[#found + 1] = { text = text }
  end
  return found
end

local function first_difference(a, b)
  local theirs = (b .. "\n"):gmatch("(.-)\n")
  local number = 0
  for line in (a .. "\n"):gmatch("(.-)\n") do
    number = number + 1
    local other = theirs()
    if other ~= line then
      return ("line %d: %s\n  and: %s"):format(number, line, other or "(the end)")
    end
  end
  return "the second one is longer"
end

--- Prepares the world of a case and runs its playbook undisturbed, twice from the same beginning:
--- the same seed gives the same bytes.
---@param course plat.test.Course
---@return plat.test.Finding[]
function M.begin(course)
  local made = pool.play(
    { action = "prepare", seed = course.seed, time = course.case.time },
    course.case,
    course.pool:home()
  )
  if made.broken or made.error then
    return { { text = "the world cannot be made: " .. (made.broken or made.error) } }
  end
  local world = json.decode(made.world, { name = "world", max_size = 1 << 30 }) -- once for all
  course.base, course.before = { world = world }, made.essence
  course.home = course.pool:home()
  local both = pool.each({ course.home, course.pool:home() }, function(home)
    return M.play(course, home, { action = "run", keep = true })
  end)
  course.quiet = both[1]
  local found = judge(course.case, course.quiet)
  if #found == 0 then
    found = M.always(both[2])
  end
  local a, b = both[1].journal or "", both[2].journal or ""
  if #found == 0 and a ~= b then
    found[1] = { text = "the same seed gave another journal: " .. first_difference(a, b) }
  end
  return found
end

-- ---- after a trouble ----

--- What a person would say who knows what became of the change that nobody else can tell of.
local function answer(result, happened)
  if result.exit ~= 3 or not result.asks then
    return nil
  end
  return happened and { done = { result.asks } } or { redo = { result.asks } }
end

--- Goes on, without trouble, until the run ends as the undisturbed one, and returns the last
--- process; then the world shall be as after that one.
---@param course plat.test.Course
---@param home string
---@param first table result of the process that had the trouble
---@param opts { happened: boolean? } whether the world did what nobody can tell
---@return table last
---@return plat.test.Finding[] found
---@return { rounds: integer, asked: integer, effects: table[] } way
function M.recover(course, home, first, opts)
  local last, found = first, M.always(first)
  local way = { rounds = 0, asked = 0, effects = { first.effects } }
  local wanted = course.quiet.exit
  local function is_open()
    return #found == 0 and (last.killed or last.exit ~= wanted)
  end
  while is_open() and way.rounds < ROUNDS do
    way.rounds = way.rounds + 1
    local said = answer(last, opts.happened)
    way.asked = way.asked + (said and 1 or 0)
    last = M.play(course, home, {
      action = "resume",
      base = { world = last.world, stubs = last.stubs },
      round = way.rounds,
      later = last.killed and RESTART or PAUSE,
      said = said,
      want = course.quiet.essence,
      keep = true,
    })
    way.effects[#way.effects + 1] = last.effects
    table.move(M.always(last), 1, 100, #found + 1, found)
  end
  if #found == 0 then
    table.move(M.same_end(course, last), 1, 100, 1, found)
  end
  return last, found, way
end

--- Returns in what a process did not come to the end of the undisturbed run.
---@param course plat.test.Course
---@param last table
---@return plat.test.Finding[]
function M.same_end(course, last)
  local found = {}
  if last.exit ~= course.quiet.exit then
    found[1] = {
      text = ("it ends with exit %s, the undisturbed run with %d: %s"):format(
        tostring(last.exit),
        course.quiet.exit,
        last.error or "no error"
      ),
    }
  elseif last.difference then
    found[1] = { text = "it ends otherwise than the undisturbed run: " .. last.difference }
  elseif #(last.beside or {}) > 0 then
    local names = table.concat(last.beside, ", ")
    found[1] = { text = "beside what the undisturbed run left there is: " .. names }
  elseif course.case.goal and last.goal == false then
    found[1] = { text = "the goal is not reached: " .. (last.goal_why or "no reason given") }
  end
  return found
end

return M
