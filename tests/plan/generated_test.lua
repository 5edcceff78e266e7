--- Playbooks made by chance, planned and then run on identical worlds: what the run does is what
--- the plan said. And a plan whose predictors are broken, one at a time, does not pass.
local dremio = require("plat.dremio")
local expect = require("plat.effect.expect")
local fs = require("prim.fs")
local http = require("plat.http")
local k8s = require("plat.k8s")
local saved = require("plat.effect.saved")
local sys = require("prim.sys")
local task = require("plat.task")

local function part(name, ...)
  local path = "tests/plan/" .. name .. ".lua"
  return assert(load(assert(fs.read(path)), "@" .. path))(...)
end

local generate = part("generate", part("parts"))
local judge = part("judge")
local mutants = part("mutants")
local world = part("world")

local PLAYBOOKS = tonumber(sys.getenv("PLAN_COUNT")) or 600
local FIRST = tonumber(sys.getenv("PLAN_SEED")) or 1
local COVERAGE = 0.9 -- of the changes that were made

local DIR = assert(fs.mkdtemp("/tmp/platrun-plan-"))

local function load_playbook(seed)
  local text = generate.text(seed)
  local chunk, err = load(text, "@seed-" .. seed)
  if not chunk then
    error(err .. "\n" .. text)
  end
  return chunk(dremio, http, k8s, task, DIR), text
end

--- The saved form of a plan, as far as the expectation of a run needs it.
local function document(planned)
  local lines = {}
  for i, line in ipairs(planned.plan.lines) do
    lines[i] = require("plat.effect.change").data(line.change)
    lines[i].class, lines[i].sure, lines[i].beside = line.class, line.sure, line.beside
  end
  local kept = {}
  for name, record in pairs(planned.run.kept) do
    kept[#kept + 1] = { name = name, value = record.value }
  end
  return saved.plain({ lines = lines, kept = kept, open = planned.plan.open })
end

--- Plans and runs one playbook; returns what is wrong, and the counts.
local function try_one(seed)
  local playbook, text = load_playbook(seed)
  fs.remove(DIR, { recursive = true })
  assert(fs.mkdir(DIR))
  assert(fs.write(DIR .. "/b", "3"))
  local planned = world.play(playbook, { planning = true })
  local whole = #planned.plan.open == 0 and not planned.err
  local done = world.play(playbook, {
    expect = whole and expect.new(document(planned)) or nil,
  })
  local problems, count = judge.compare(planned, done)
  if whole and done.err and not done.err.msg:find("stops here") then
    problems[#problems + 1] = "the run failed: " .. tostring(done.err)
  end
  return problems, count, { text = text, planned = planned, done = done }
end

local function story(seed, problems, play)
  local lines =
    { ("seed %d: %s"):format(seed, table.concat(problems, "; ")), "", play.text, "plan:" }
  for _, line in ipairs(play.planned.plan.lines) do
    lines[#lines + 1] = ("  %s: %s (%s)"):format(line.class, line.change.text, line.change.step)
  end
  for _, gap in ipairs(play.planned.plan.open) do
    lines[#lines + 1] = ("  open: %s (%s)"):format(gap.why, gap.step or "-")
  end
  lines[#lines + 1] = "run:"
  for _, change in ipairs(play.done.changes) do
    lines[#lines + 1] = ("  %s: %s (%s)"):format(change.word, change.text, change.step)
  end
  lines[#lines + 1] = "error of the plan: " .. tostring(play.planned.err)
  lines[#lines + 1] = "error of the run: " .. tostring(play.done.err)
  return table.concat(lines, "\n")
end

local function clean_up()
  fs.remove(DIR, { recursive = true })
end

local tests = {}

tests["generated playbooks do what their plans say"] = function(t)
  t.defer(clean_up)
  local total = { will = 0, maybe = 0, opaque = 0, open = 0 }
  local tried, idle, ended, failed = 0, 0, 0, 0
  for seed = FIRST, FIRST + PLAYBOOKS - 1 do
    local problems, count, play = try_one(seed)
    if #problems > 0 then
      error(story(seed, problems, play))
    end
    local changes = 0
    for class, n in pairs(count) do
      total[class] = total[class] + n
      changes = changes + n
    end
    tried = tried + 1
    idle = idle + (changes == 0 and 1 or 0)
    ended = ended + (#play.planned.plan.open > 0 and 1 or 0)
    failed = failed + (play.done.err and 1 or 0)
  end
  local all = total.will + total.maybe + total.opaque + total.open
  local coverage = total.will / all
  require("plat.out").line(
    (
      "# %d playbooks (%d without a change, %d that nobody can foresee to the end, %d that fail): "
      .. "%d changes, %d will, %d maybe, %d opaque, %d behind an open end; %.1f %% were certain"
    ):format(
      tried,
      idle,
      ended,
      failed,
      all,
      total.will,
      total.maybe,
      total.opaque,
      total.open,
      coverage * 100
    )
  )
  t.ok(tried >= (sys.getenv("PLAN_COUNT") and 1 or 500), "enough playbooks")
  t.ok(all >= tried * 3, "enough changes")
  t.ok(coverage >= COVERAGE, ("%.3f of the changes were certain"):format(coverage))
end

local MUTANT_TRIES = 400

--- With a broken predictor some playbook gives it away.
for name, mutate in pairs(mutants) do
  tests["a broken predictor is noticed: " .. name] = function(t)
    t.defer(clean_up)
    local restore = mutate()
    t.defer(restore)
    local total, all, caught = 0, 0, nil
    for seed = FIRST, FIRST + MUTANT_TRIES - 1 do
      local ok, problems, count = pcall(try_one, seed)
      if not ok or #problems > 0 then
        caught = ok and problems[1] or tostring(problems)
        break
      end
      total = total + count.will
      all = all + count.will + count.maybe + count.opaque + count.open
      if seed - FIRST > 100 and total / all < COVERAGE - 0.2 then
        caught = "too little is certain"
        break
      end
    end
    require("plat.out").line(("# %s: %s"):format(name, caught or "not noticed"))
    t.ok(caught, "a playbook that shows it")
  end
end

return tests
