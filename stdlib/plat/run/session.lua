--- One process of a run: opens what it needs, runs the playbook or goes on with it, ends it.

local chosen = require("plat.run.chosen")
local cli = require("plat.cli")
local effect = require("plat.effect")
local ending = require("plat.run.ending")
local exit = require("plat.run.exit")
local fault = require("plat.fault")
local out = require("plat.out")
local settle = require("plat.env").lazy("plat.run.settle")
local sys = require("prim.sys")
local task = require("plat.task")

local M = {}

local function usage(msg, hint)
  fault.raise("usage", nil, { msg = msg, hint = hint, where = "" })
end

-- ---- the sandbox ----

--- Returns a path as people write it: from the current folder, if it lies below.
local function near(path)
  local cwd = sys.cwd()
  if cwd and path:sub(1, #cwd + 1) == cwd .. "/" then
    return path:sub(#cwd + 2)
  end
  return path
end

local function open_sandbox(opts, inventory)
  if opts.cron and not opts.sandbox then
    usage(
      "--cron would run on the sandbox: nothing real would be changed",
      "choose a real inventory with -i or PLATRUN_INVENTORY, or say --sandbox"
    )
  end
  local world = require("plat.sim.world")
  local faults = {}
  for _, text in ipairs(opts.fault or {}) do
    faults[#faults + 1] = world.parse_fault(text)
  end
  local opened = world.open({
    lazy = true,
    ephemeral = opts.check,
    time = opts.sandbox_time and cli.time("--sandbox-time", opts.sandbox_time),
    speed = opts.sandbox_speed,
    seed = opts.seed,
    inventory = inventory,
  })
  math.randomseed(opened.seed, opened.now // 1 | 0) -- the same seed, the same jitter
  for _, f in ipairs(faults) do
    opened:fault(f)
  end
  if out.format() == "text" then
    out.err(
      ("sandbox: nothing real is touched (%s); for a real one: -i inventory/production"):format(
        near(inventory.path)
      )
    )
  end
  return opened
end

local function refuse_sandbox_flags(opts)
  for _, name in ipairs({ "fault", "sandbox_time", "sandbox_speed", "seed" }) do
    if opts[name] then
      usage(
        ("--%s works on the sandbox only"):format((name:gsub("_", "-"))),
        "add --sandbox, or leave it out"
      )
    end
  end
end

-- ---- the run ----

local function new_reporter(opts, journal)
  local format = opts.output or "text"
  local shown
  if format == "text" then
    shown = require("plat.run.text").new({ diff = opts.diff, planning = opts.check })
    if opts.cron and not opts.check and out.verbosity() == 0 then
      shown = require("plat.run.late").new(shown)
    end
  else
    shown = require("plat.run.events").new({ format = format, planning = opts.check })
  end
  return journal and require("plat.run.tee").new(shown, journal) or shown
end

local function overrides(opts)
  local reasons = {}
  for _, name in ipairs(opts.override or {}) do
    if not opts.reason then
      usage(
        ("--override %q needs --reason TEXT"):format(name),
        "the reason is recorded with the run: who will read it?"
      )
    end
    reasons[name] = opts.reason
  end
  return reasons
end

local function ticker(reporter)
  local beats = 0
  while true do
    task.sleep(1)
    beats = beats + 1
    reporter:tick()
    if beats % 30 == 0 then
      reporter:heartbeat()
    end
  end
end

local function play(playbook, run)
  if ending.was_undoing(run) then
    ending.go_on_undoing(run)
  end
  playbook.run(run, run.args)
  if run.memory then
    settle.close_run(run)
  end
  if run.expect then
    run.expect:finish()
  end
end

--- Calls the playbook beside a ticker; in virtual time a ticker would only make the clock crawl.
local function call(playbook, run, opts)
  if effect.sandbox() and not opts.sandbox_speed then
    return play(playbook, run)
  end
  task.group(function(group)
    group:daemon(ticker, run.reporter)
    play(playbook, run)
  end)
end

local function with_deadline(opts, fn)
  if not opts.deadline then
    return fn()
  end
  local ok, err = xpcall(task.timeout, fault.from_handler, opts.deadline, fn, "the run")
  if not ok then
    err.run_deadline = err.deadline and err.msg:find("^the run") ~= nil
    error(err, 0)
  end
end

local function new_plan(run)
  local plan = require("plat.effect.plan").new(function(line)
    local change = require("plat.effect.change").data(line.change)
    if run.limits then
      run.limits:change(line.change)
    end
    change.class, change.diff = line.class, line.diff
    run.reporter:emit("plan_change", change)
  end, function(text)
    run.reporter:emit("plan_wait", { text = text })
  end)
  return plan
end

local function new_run(spec, inventory, journal)
  local opts = spec.opts
  return require("plat.run").new({
    name = spec.playbook.name,
    playbook = spec.playbook,
    args = spec.args,
    reporter = new_reporter(opts, journal),
    planning = opts.check,
    overrides = overrides(opts),
    options = opts,
    forks = opts.forks,
    journal = journal,
    memory = spec.memory,
    expect = spec.expect,
    inventory = function()
      return inventory
        or fault.raise("usage", nil, {
          msg = "this playbook needs an inventory, and none is chosen",
          hint = "say -i PATH, set PLATRUN_INVENTORY, or write `inventory:` into platrun.conf",
        })
    end,
  })
end

local function tell_start(run, spec, inventory, world)
  local playbook = spec.playbook
  run.reporter:emit("start", {
    name = playbook.name,
    summary = playbook.summary,
    risk = playbook.risk,
    run = run.id,
    args = spec.args,
    declared = playbook.args,
    planning = spec.opts.check or false,
    sandbox = world ~= nil,
    resumed = spec.memory ~= nil or nil,
    inventory = inventory and inventory.path or nil,
  })
end

local function tell_end(run, result, plan, world)
  if run.hosts_seen then
    require("plat.run.hosts.report").recap(run)
  end
  run.reporter:emit("finish", {
    target = run.target,
    run = run.id,
    steps = run.steps,
    changes = run.changes,
    fault = result.err,
    exit = result.exit,
    status = result.word,
    undone = result.undone,
    resumable = result.resumable or nil,
    plan = plan and plan:count() or nil,
    sandbox = world ~= nil,
    unreachable = exit.is_unreachable(result.err),
  })
end

local function settle_by_hand(run, spec)
  if spec.settle then
    require("plat.run.byhand").apply(run, spec.settle)
  end
end

local function execute(spec, inventory, world, journal)
  local opts = spec.opts
  local run = new_run(spec, inventory, journal)
  local plan = opts.check and new_plan(run) or nil
  effect.open({
    mode = opts.check and "plan" or "run",
    plan = plan,
    world = world,
    observer = spec.stage and spec.stage:observe(run) or run:observer(),
  })
  run.limits = require("plat.run.limits").of(run)
  settle_by_hand(run, spec)
  tell_start(run, spec, inventory, world)
  local ok, err = xpcall(with_deadline, fault.from_handler, opts, function()
    call(spec.playbook, run, opts)
  end)
  if not ok and err.plan_stop then
    run.reporter:emit("log", { text = err.msg })
    ok, err = true, nil
  end
  local result = task.shield(600, ending.finish, run, not ok and err or nil)
  tell_end(run, result, plan, world)
  if spec.stage then
    spec.stage:ended(run, result, plan)
  end
  if spec.planned and not result.err then
    spec.planned(plan, run, inventory)
  end
  if opts.detailed_exitcode and opts.check then
    local count = plan:count()
    return exit.detailed(result.exit, count.will + count.maybe + count.opaque)
  end
  return result.exit
end

-- ---- the journal ----

local function header(spec, inventory, world)
  local playbook, opts = spec.playbook, spec.opts
  local who = require("plat.runs.who").here()
  local paths = {}
  for i, path in ipairs(opts.inventory or {}) do
    paths[i] = chosen.absolute(path)
  end
  return {
    playbook = {
      name = playbook.name,
      path = chosen.absolute(playbook.path),
      sha256 = require("plat.hash").digest("sha256", playbook.text),
      text = playbook.text,
      risk = playbook.risk,
      summary = playbook.summary,
    },
    args = spec.args,
    inventory = inventory and { path = inventory.path, files = inventory:digest() } or nil,
    user = who.user,
    uid = who.uid,
    sudo_user = who.sudo_user,
    login_uid = who.login_uid,
    host = who.host,
    pid = sys.pid(),
    cwd = sys.cwd(),
    version = sys.version(),
    sandbox = world ~= nil,
    plan = spec.expect and spec.expect.doc or nil,
    options = {
      inventory = opts.inventory and paths or nil,
      limit = inventory and inventory.limit,
      config = chosen.absolute(opts.config),
      sandbox = opts.sandbox,
      forks = opts.forks,
      user = opts.user,
      private_key = opts.private_key,
      connection = opts.connection,
      become = opts.become,
      become_user = opts.become_user,
      become_method = opts.become_method,
      yes = opts.yes,
      override = opts.override,
      reason = opts.reason,
    },
  }
end

local function open_journal(spec, inventory, world)
  if spec.opts.check then
    return nil
  elseif spec.journal then
    spec.journal.sync = world == nil
    return spec.journal
  end
  return require("plat.journal").new(function()
    return header(spec, inventory, world)
  end, { name = spec.playbook.name, sync = world == nil })
end

--- Under cron two runs of one playbook with the same arguments never overlap.
local function lock_cron(spec)
  if spec.opts.cron and not spec.opts.check then
    return require("plat.lock").for_cron(spec.playbook, spec.args)
  end
end

---@class plat.run.Spec
---@field playbook table
---@field args table
---@field opts table the flags
---@field journal? plat.Journal of the run that is gone on with
---@field memory? plat.run.Memory what it remembers
---@field settle? table what a person says about steps: `{ closed = {...}, redo = {...} }`
---@field expect? table a saved plan: `:change(change)`, `:keep(name, value)`, `:finish()`
---@field stage? plat.test.Stage of `platrun test`: the world, and who watches
---@field planned? fun(plan: table, run: plat.Run, inventory: plat.Inventory?) a plan has been made

--- Runs a playbook, plans it, or goes on with a run.
---@async
---@param spec plat.run.Spec
---@return integer status
function M.run(spec)
  local inventory = chosen.inventory(spec.opts, spec.playbook)
  local world
  if spec.stage then
    world = spec.stage:open(inventory)
  elseif inventory and inventory.is_sandbox then
    world = open_sandbox(spec.opts, inventory)
  else
    refuse_sandbox_flags(spec.opts)
    require("plat.ssh.given").take(spec.opts)
  end
  local journal, cron
  local ok, status = xpcall(function()
    cron = lock_cron(spec)
    if spec.check_inventory then
      spec.check_inventory(inventory)
    end
    journal = open_journal(spec, inventory, world)
    return execute(spec, inventory, world, journal)
  end, fault.from_handler)
  if journal then
    task.shield(10, journal.close, journal, { sync = status ~= 0 or journal.durable > 0 })
  end
  if world then
    task.shield(10, world.close, world)
  end
  if cron then
    cron:release()
  end
  if not ok then
    error(status, 0)
  end
  return status
end

return M
