--- platrun apply FILE: performs a saved plan, and nothing else.

local cli = require("plat.cli")
local effect = require("plat.effect")
local expect = require("plat.effect.expect")
local fault = require("plat.fault")
local fs = require("prim.fs")
local json = require("plat.json")
local list = require("plat.list")
local out = require("plat.out")
local playbooks = require("plat.playbook")
local saved = require("plat.effect.saved")
local stale = require("plat.effect.stale")
local state = require("plat.state")
local sys = require("prim.sys")

local USAGE = "platrun apply FILE [-y] [flags]"
local WANTED = { -- of the flags of a run: those that say how it is told and asked, not what it does
  ["--output"] = true,
  ["--verbose"] = true,
  ["--quiet"] = true,
  ["--deadline"] = true,
  ["--lock-timeout"] = true,
  ["--yes"] = true,
  ["--yes-destructive"] = true,
  ["--cron"] = true,
  ["--sandbox-speed"] = true,
  ["--help"] = true,
}
local KEPT_ENVIRONMENT = { PLATRUN_STDLIB = true, PLATRUN_CLEAN_EXIT = true }
local PLANNING = 900 -- seconds that planning again may take

local function flags()
  return list.where(require("plat.run.flags"), function(flag)
    return WANTED[flag[1]]
  end)
end

local function refuse(path, doc, what)
  fault.raise("refused", { op = "apply", object = path }, {
    msg = "the plan does not hold any more: " .. what,
    hint = "look, then make a new plan: platrun plan " .. doc.playbook.path .. " -o " .. path,
    where = "",
  })
end

-- ---- planning again ----

--- The command line that makes the plan anew.
local function command_of(doc, target)
  local argv = { fs.realpath("/proc/self/exe"), "plan", doc.playbook.path, "--out", target, "-q" }
  local function add(...)
    for _, word in ipairs({ ... }) do
      argv[#argv + 1] = word
    end
  end
  local opts = doc.options
  for name, value in pairs(doc.args) do
    add("-e", json.encode({ [name] = value }))
  end
  for _, path in ipairs(opts.inventory or {}) do
    add("-i", path)
  end
  for _, guard in ipairs(opts.override or {}) do
    add("--override", guard)
  end
  for _, name in ipairs({ "config", "reason" }) do
    if opts[name] then
      add("--" .. name, opts[name])
    end
  end
  if opts.forks then
    add("--forks", tostring(opts.forks))
  end
  if doc.sandbox then
    add("--sandbox")
  end
  return argv
end

--- Flags and arguments of the plan are the file's: none may come from the environment.
local function environment()
  local env = {}
  for name in pairs(sys.environ()) do
    if name:find("^PLATRUN_") and not KEPT_ENVIRONMENT[name] then
      env[name] = false
    end
  end
  return env
end

--- Makes the plan anew, in a process of its own: one that plans cannot change anything ever after.
local function plan_again(path, doc)
  local dir = state.dir() .. "/plans"
  state.make_dir(dir)
  local target = ("%s/%d.json"):format(dir, sys.pid())
  local result = effect.proc({
    argv = command_of(doc, target),
    opts = { env = environment(), timeout = PLANNING, max_output = 64 * 1024 * 1024 },
    op = "apply",
    object = path,
    housekeeping = "makes the plan anew, to compare it",
  })
  if result.code ~= 0 then
    state.remove(target)
    fault.raise("refused", { op = "apply", object = path }, {
      msg = "the plan cannot be made again",
      detail = result.stderr,
      hint = "nothing was changed",
      exit = result.code,
      where = "",
    })
  end
  local fresh = saved.read(target)
  state.remove(target)
  return fresh
end

-- ---- the run ----

local function tell(path, doc)
  if out.format() ~= "text" or out.verbosity() < 0 then
    return
  end
  local made, count = doc.made, doc.count
  out.line(
    ("apply %s: planned by %s on %s at %s: %d to change, %d maybe; nothing differs since"):format(
      path,
      made.user,
      made.host,
      made.time,
      count.will + count.opaque,
      count.maybe
    )
  )
  for _, gap in ipairs(doc.open) do
    out.warn(
      ("the plan ends early%s: %s; what changes there is refused"):format(
        gap.step and (" in the step %q"):format(gap.step) or "",
        gap.why
      )
    )
  end
end

local function options_of(doc, opts)
  local merged = list.copy(opts)
  for name, value in pairs(doc.options) do
    merged[name] = value
  end
  merged.sandbox = doc.sandbox or nil
  return merged
end

local function apply(path, opts)
  local doc = saved.read(path)
  local why = stale.files(doc)
  if why then
    refuse(path, doc, why)
  end
  local playbook = playbooks.load(doc.playbook.path)
  local differs = stale.fact(doc, plan_again(path, doc))
  if differs then
    refuse(path, doc, differs)
  end
  tell(path, doc)
  return require("plat.run.session").run({
    playbook = playbook,
    args = doc.args,
    opts = options_of(doc, opts),
    expect = expect.new(doc),
    check_inventory = function(inventory)
      local changed = stale.inventory(doc, inventory and inventory:digest() or {})
      if changed then
        refuse(path, doc, changed)
      end
    end,
  })
end

return {
  summary = "perform a saved plan, and nothing else",
  usage = USAGE,
  run = function(argv)
    local opts, words = cli.start(argv, flags(), USAGE, 1)
    if not opts then
      return 0
    elseif not words[1] then
      fault.raise("usage", nil, { msg = "which plan?", hint = USAGE, where = "" })
    end
    return apply(words[1], opts)
  end,
}
