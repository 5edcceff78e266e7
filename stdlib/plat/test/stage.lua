--- Where a play of `platrun test` is performed: the simulated world behind the door, seen by the
--- test, and what goes wrong at the moments that the test chooses. In the process of the play.

local fault = require("plat.fault")
local files = require("plat.journal.files")
local json = require("plat.json")
local list = require("plat.list")
local place = require("plat.sim.host.place")
local sim = require("plat.sim.world")
local state = require("plat.state")
local trouble = require("plat.test.trouble")
local view = require("plat.test.view")

local M = {}

---@class plat.test.Stage
---@field play plat.test.Play
---@field case plat.test.Case
---@field changes table[] performed through the door, in order: data, and `word`
---@field effects table[] requests that change something or may: `{ op, target, object, change?,
---  acted? }`: whether it is a change of the playbook, and whether the world did it
---@field steps integer bodies of steps that came to their end
---@field violations table[] of invariants
local Stage = { __name = "plat.test.Stage" }
Stage.__index = Stage

--- Makes the stage of a play.
---@param play plat.test.Play
---@param case plat.test.Case
---@return plat.test.Stage
function M.new(play, case)
  return setmetatable({
    play = play,
    case = case,
    trouble = trouble.new(play.troubles or {}, play.chance),
    effects = {},
    requests = 0,
    steps = 0,
    changes = {},
    ended_steps = {},
    violations = {},
    broken = {},
    history = {},
  }, Stage)
end

--- Brings the faults of a case about.
---@param world table
---@param case plat.test.Case
---@param which? "at once" without those that wait for a request
function M.bring(world, case, which)
  for _, text in ipairs(case.faults or {}) do
    local one = sim.parse_fault(text)
    if not (which and one.when) then
      world:fault(one)
    end
  end
end

-- ---- the world ----

local World = {}

--- Passes everything to the world that is wrapped, but what is asked of it to the stage.
World.__index = function(self, name)
  return World[name] or rawget(self, "inner")[name]
end

function World:request(authority, req)
  local stage, inner = rawget(self, "stage"), rawget(self, "inner")
  local about = { op = req.op or req.method, target = req.target, object = req.object or req.url }
  about.http, about.change, about.model = true, req.change and true, sim.AUTHORITIES[authority]
  local effect = req.change ~= nil or req.housekeeping ~= nil
  return stage:ask(about, effect, function()
    local resp = stage.stubs:answer(authority, req)
    if resp then
      return resp
    end
    local found, err = inner:request(authority, req)
    return found, not found and err .. '; a test stubs it: http = { ["HOST:PORT"] = ... }' or nil
  end)
end

function World:remote(target, call, reading, req)
  local stage, inner = rawget(self, "stage"), rawget(self, "inner")
  if not inner.remote then
    return nil, "there are no hosts"
  end
  local about = { op = "host." .. call.verb, target = target, object = call.text or call.path }
  about.change = not reading
  return stage:ask(about, not reading, function()
    return inner:remote(target, call, reading, req)
  end)
end

function World.close() end -- the stage looks at it after the run

--- Returns what is said of a host: by the case, else by the simulated inventory.
local function hosts_of(case, inventory)
  local simulated = inventory and inventory.is_sandbox and place.of_inventory(inventory)
  return place.specs(case.hosts, simulated, case.fixture and case.fixture.hosts)
end

--- Opens the world of the play. For plat.run.session.
---@param inventory? plat.Inventory
---@return table world
function Stage:open(inventory)
  local play = self.play
  local dump = play.base.world
  if type(dump) == "string" then
    dump = json.decode(dump, { name = "world", max_size = 1 << 30 })
  end
  local world = sim.memory({
    dump = dump,
    hosts = hosts_of(self.case, inventory),
    rules = self.case.rules,
  })
  self.inner = world
  if play.later then
    world:advance(world.now + play.later)
  end
  require("prim.time").virtual(world.now, play.speed or 0)
  math.randomseed(play.seed, play.round or 0)
  if not play.round then
    M.bring(world, self.case, play.action == "plan" and "at once" or nil)
  end
  self.view = view.new(world)
  self.stubs = require("plat.test.stubs").open(self.case.http or {}, play.base.stubs)
  self:check_invariants("at the start")
  return setmetatable({ stage = self, inner = world }, World)
end

--- Asks the world, or lets the question come to grief.
---@param about table `{ op, target, object, http?, change? }`
---@param effect boolean whether it may change something
---@param ask fun(): any
---@return any answer
---@return string? err
function Stage:ask(about, effect, ask)
  self.requests = self.requests + 1
  local counts = { request = self.requests }
  if effect then
    table.insert(self.effects, about)
    table.insert(self.history, ("%s %s"):format(about.op, about.object))
    counts.asked, counts.answered = #self.effects, #self.effects
  end
  local drawn = self.trouble:draw()
  local early = self.trouble:strike(self, "asked", counts, about, drawn)
  if early then
    return early
  end
  local answer, err = ask()
  if answer == nil then
    return nil, err
  end
  about.acted = true
  self:check_invariants(effect and self.history[#self.history] or nil)
  return self.trouble:strike(self, "answered", counts, about, drawn, answer) or answer
end

-- ---- invariants ----

--- Checks all invariants now; each is told once, with what the play had changed until then.
---@param after? string what has just happened
function Stage:check_invariants(after)
  for name, fn in pairs(self.case.invariant or {}) do
    local ok, good, why = true, true, nil
    if not self.broken[name] then
      ok, good, why = xpcall(fn, fault.from_handler, self.view)
    end
    if not ok or not good then
      self.broken[name] = true
      table.insert(self.violations, {
        name = name,
        why = ok and (why or "it does not hold") or "it cannot be checked: " .. fault.text(good),
        after = after,
        history = list.copy(self.history),
      })
    end
  end
end

-- ---- the engine ----

--- Lets the bodies of steps fail where the test wants it.
local function watch_steps(self, run)
  local step = run.step
  run.step = function(this, title, opts, fn)
    if type(opts) == "function" then
      opts, fn = {}, opts
    end
    return step(this, title, opts, function(at)
      local value = fn(at)
      self.steps = self.steps + 1
      self.ended_steps[self.steps] = { key = at.key, changes = at.changes }
      self.trouble:strike(self, "step_end", { step_end = self.steps }, { op = at.title })
      return value
    end)
  end
end

--- Returns the observer of the door: the engine's own, seen by the test. For plat.run.session.
---@param run plat.Run
---@return table
function Stage:observe(run)
  self.run = run
  watch_steps(self, run)
  local observer = run:observer()
  local intent, outcome = observer.intent, observer.outcome
  return list.merge(observer, {
    intent = function(change)
      local about = require("plat.effect.change").data(change)
      table.insert(self.changes, about)
      local n = #self.changes
      change.staged, about.n = about, n
      self.trouble:strike(self, "intent", { intent = n }, about)
      intent(change)
      self.trouble:strike(self, "sent", { sent = n }, about)
    end,
    outcome = function(change, word, ...)
      outcome(change, word, ...)
      local about = change.staged
      about.word = word
      self.trouble:strike(self, "settled", { settled = about.n }, about)
    end,
  })
end

--- Ends the process as `kill -9` and a power failure do: what the journal has not synced is lost.
---@param opts? { keep: boolean } keep: a kill only, what was written stays
function Stage:kill(opts)
  local journal = self.run and self.run.journal
  if journal and journal.file and not (opts and opts.keep) then
    local kept, n = {}, 0
    for line in files.text(journal.id):gmatch("[^\n]*\n") do
      n = n + 1
      kept[n] = n <= journal.durable and line or nil
    end
    state.write(journal.dir .. "/journal.jsonl", table.concat(kept))
  end
  self.killed = true
  require("plat.test.actor").finish(self)
end

--- Returns a plan as plain data.
local function planned(plan)
  local lines, open = {}, {}
  for i, line in ipairs(plan.lines) do
    lines[i] = require("plat.effect.change").data(line.change)
    lines[i].class = line.class
  end
  for i, gap in ipairs(plan.open) do
    open[i] = { why = gap.why, step = gap.step }
  end
  return { lines = lines, open = open }
end

--- Returns the keys of the steps whose effect stays when the run is undone: those that keep it, and
--- have ended.
local function kept_steps(run)
  local keeps, kept = {}, {}
  for _, record in ipairs(run.journal and run.journal.file and M.records(run.journal.id) or {}) do
    if record.type == "step" then
      keeps[record.key] = record.keep
    elseif record.type == "step_end" and record.status == "changed" and keeps[record.key] then
      kept[#kept + 1] = record.key
    end
  end
  return kept
end

--- Returns the records of a journal.
---@param id string
---@return table[]
function M.records(id)
  return files.parse(files.text(id)).records
end

--- Is told how the run ended. For plat.run.session.
---@param run plat.Run
---@param result table
---@param plan? plat.Plan
function Stage:ended(run, result, plan)
  self.result = {
    exit = result.exit,
    word = result.word,
    error = result.err and fault.text(result.err) or nil,
    resumable = result.resumable or nil,
    count = run.changes,
    id = run.journal and run.journal.file and run.id or nil,
    no_return = run.passed_no_return,
    kept = kept_steps(run),
    plan = plan and planned(plan) or nil,
    asks = result.exit == 3 and result.err and result.err.step or nil,
  }
end

return M
