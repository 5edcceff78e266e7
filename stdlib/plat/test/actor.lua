--- One process of a play: prepares a world, plans or runs a playbook in it, or goes on with a run.

local fault = require("plat.fault")
local fork = require("prim.fork")
local json = require("plat.json")
local list = require("plat.list")
local out = require("plat.out")
local playbooks = require("plat.playbook")
local prim = require("prim.task")
local sim = require("plat.sim.world")
local stage = require("plat.test.stage")

local M = {}

local SETTLE = 900 -- virtual seconds after a play, until the controllers of the world are at rest

---@class plat.test.Play what one process is asked to do
---@field action "prepare"|"run"|"plan"|"resume"
---@field seed integer
---@field base? { world: table|string, stubs: table? } where it begins; a text is decoded first
---@field time? number unix seconds, when it prepares
---@field troubles? plat.test.Moment[]
---@field chance? table see plat.test.trouble
---@field round? integer 1 and more: the world has seen a process of this play before
---@field later? number virtual seconds that pass before it begins
---@field said? table<string, string[]> what a person says about steps
---@field speed? number of the clock, for watching
---@field want? table<string, string> the essence that the world shall have at the end
---@field watched? boolean on a terminal: nobody else wants the result
---@field keep? boolean the world is told, for what comes after

--- Ends the process: a line with its result, and the world behind it.
local function finish(result, status, world)
  local text = json.encode(result, { lossy = true, secrets = "reference" })
  fork.finish(text .. "\n" .. (world or ""), status or 0)
end

--- Returns a world as text, for the process that goes on in it.
local function text_of(world)
  return json.encode(world:dump(), { lossy = true })
end

--- Settles the world that all processes of a case begin with.
local function prepare(play, case)
  local world = sim.memory({
    time = play.time,
    seed = play.seed,
    hosts = case.hosts,
    rules = case.rules,
    fixture = case.fixture,
  })
  require("prim.time").virtual(world.now, 0)
  if type(case.world) == "function" then
    case.world(require("plat.test.view").new(world))
  end
  world:advance(world.now + 1)
  local text = text_of(world)
  stage.bring(world, case, "at once") -- nobody does anything, and what goes wrong does
  world:advance(world.now + SETTLE)
  finish({ essence = require("plat.test.essence").of(world) }, 0, text)
end

local function options(play, case)
  return list.merge({
    sandbox = not case.inventory or nil,
    inventory = case.inventory and { case.inventory } or nil,
    check = play.action == "plan" or nil,
    yes = true,
    output = "text",
  }, case.options or {})
end

local function perform(play, case, at)
  local playbook = playbooks.load(case.playbook)
  return require("plat.run.session").run({
    playbook = playbook,
    args = playbooks.args(playbook, list.copy(case.args or {})),
    opts = options(play, case),
    stage = at,
  })
end

--- Goes on with the run that stopped, or begins anew when it had not come to its first record.
local function resume(play, case, at)
  local again = require("plat.run.again")
  local playbook = playbooks.load(case.playbook)
  local id = require("plat.run.dangling").of(playbook)
  if not id then
    return perform(play, case, at)
  end
  local said = list.merge({ closed = {}, redo = {} }, play.said or {})
  return again.resume(id, { yes = true, output = "text" }, said, nil, at)
end

local ACTIONS = { run = perform, plan = perform, resume = resume }

-- ---- what came of it ----

--- Returns the text of the journal that the play wrote, if it wrote one.
local function journal_text(at)
  local id = at.result and at.result.id
  return id and require("plat.journal.files").text(id) or nil
end

local function descriptors()
  return #(require("prim.fs").list("/proc/self/fd") or {})
end

--- Returns what was left behind: tasks, locks, descriptors.
local function leaks(at, before)
  local found = {}
  local waits = prim.waits()
  if #waits > 1 then
    found[1] = ("%d tasks (%s)"):format(#waits - 1, table.concat(waits, ", "))
  end
  for _, lock in ipairs(at.run and at.run.locks or {}) do
    if not lock.released then
      found[#found + 1] = "the lock " .. lock.name
    end
  end
  if descriptors() > before then
    collectgarbage() -- what nobody can reach any more is closed by it
  end
  if descriptors() > before then
    found[#found + 1] = ("%d open files"):format(descriptors() - before)
  end
  return found
end

--- Lets the world come to rest and looks at it for the last time.
local function look(at, result)
  local case = at.case
  local text
  if at.play.keep then
    text, result.stubs = text_of(at.inner), at.stubs.memory
  end
  at.inner:advance(at.inner.now + SETTLE)
  if at.play.action ~= "plan" then
    at:check_invariants("at the end")
  end
  if case.goal then
    local ok, good, why = xpcall(case.goal, fault.from_handler, at.view)
    result.goal = ok and good and true or false
    result.goal_why = ok and why or not ok and fault.text(good) or nil
  end
  local essence = require("plat.test.essence")
  local seen = essence.of(at.inner)
  if at.play.want then
    result.difference, result.beside = essence.difference(at.play.want, seen)
  else
    result.essence = seen
  end
  return text
end

local function loaded()
  local names = {}
  for name in pairs(package.loaded) do
    if name:find("^plat%.") then
      names[#names + 1] = name
    end
  end
  return names
end

--- Ends the process with what was seen on its stage.
---@param at plat.test.Stage
---@param more? table
function M.finish(at, more)
  local result = list.merge({
    killed = at.killed,
    changes = at.changes,
    effects = at.effects,
    requests = at.requests,
    steps = at.ended_steps,
    struck = at.trouble.struck,
  }, at.result or {}, more or {})
  local world
  if at.killed then
    world, result.stubs = text_of(at.inner), at.stubs.memory
  elseif at.inner then
    world = look(at, result)
  end
  result.violations = at.violations
  result.modules = loaded()
  finish(result, at.play.watched and result.exit ~= at.case.exit and 1 or 0, world)
end

--- Runs the tests of a file that are functions.
local function functions(play, tests)
  local items = {}
  require("plat.test.runner").functions(tests, { deadline = play.deadline }, function(item)
    items[#items + 1] = item
  end)
  return items
end

--- Performs a play and ends this process, which is a copy of the one that wants to know.
---@async
---@param play plat.test.Play
---@param case plat.test.Case
function M.act(play, case)
  if play.action == "functions" then
    finish({ items = functions(play, case) })
  end
  require("plat.test.identity").assume(play.round or 0)
  collectgarbage("incremental", 1000, 400) -- it ends soon, and what it touches has to be copied
  if not play.watched then
    out.setup({ color = false })
  end
  if play.action == "prepare" then
    local ok, err = xpcall(prepare, fault.from_handler, play, case)
    finish({ error = not ok and fault.text(err, 3) })
  end
  local before = descriptors()
  local at = stage.new(play, case)
  local ok, status = xpcall(ACTIONS[play.action], fault.from_handler, play, case, at)
  local more = { exit = status }
  if not ok then
    out.err("error: " .. fault.text(status, 1))
    more = { exit = require("plat.run.exit").of(status, 0), error = fault.text(status, 1) }
  end
  more.journal = play.keep and journal_text(at) or nil
  more.leaks = leaks(at, before)
  M.finish(at, more)
end

return M
