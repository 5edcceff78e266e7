--- platrun PLAYBOOK: loads a playbook, opens the door, runs it, reports.

local cli = require("plat.cli")
local effect = require("plat.effect")
local exit = require("plat.run.exit")
local fault = require("plat.fault")
local out = require("plat.out")
local playbooks = require("plat.playbook")
local task = require("plat.task")

local FLAGS = require("plat.run.flags")
local M = {}

local function usage(msg, hint)
  hint = hint or "platrun PLAYBOOK --help lists arguments and options"
  fault.raise("usage", nil, { msg = msg, hint = hint, where = "" })
end

-- ---- arguments ----

local function merge(given, more, source)
  for name, v in pairs(type(more) == "table" and more or { more }) do
    if type(name) ~= "string" then
      usage(source .. ": a mapping of names to values is expected")
    end
    given[name] = v
  end
end

local function merge_file(given, path)
  local text, err
  if path ~= "" then
    text, err = require("prim.fs").read(path)
  end
  if not text then
    usage("-e @" .. path .. ": " .. (err and err.msg or "which file?"))
  end
  local value
  if path:find("%.json$") then
    value, err = fault.try(require("plat.json").decode, text, { name = path })
  else
    value, err = fault.try(require("plat.yaml").decode_one, text, { name = path, dialect = "core" })
  end
  if err then
    err.hint = err.hint or "the file holds one mapping of names to values"
    error(err, 0)
  end
  merge(given, value, "-e @" .. path)
end

local function given_args(words, extra)
  local given = {}
  for _, word in ipairs(extra or {}) do
    if word:sub(1, 1) == "@" then
      merge_file(given, word:sub(2))
    elseif word:sub(1, 1) == "{" then
      local value, err = fault.try(require("plat.json").decode, word, { name = "-e" })
      if err then
        usage(err.msg, [[write -e '{"NAME": VALUE}', in single quotes for the shell]])
      end
      merge(given, value, "-e")
    else
      words[#words + 1] = word
    end
  end
  for _, word in ipairs(words) do
    local name, value = word:match("^([%w_%-]+)=(.*)$")
    if not name then
      usage(("%q is not an argument; write NAME=VALUE"):format(word))
    end
    given[name] = value
  end
  return given
end

local function help(playbook)
  local lines = {
    ("%s: %s (risk: %s)"):format(playbook.name, playbook.summary, playbook.risk),
    "",
    ("usage: platrun %s [ARG=VALUE...] [flags]"):format(playbook.path),
    "",
    "arguments:",
  }
  for name, decl in pairs(playbook.args) do
    local default = decl.default ~= nil and (" (default %s)"):format(tostring(decl.default)) or ""
    lines[#lines + 1] = ("  %-20s %-10s %s%s"):format(name, decl.type, decl.help or "", default)
  end
  lines[#lines + 1] = ""
  lines[#lines + 1] = "flags:"
  table.move(cli.help(FLAGS), 1, #FLAGS, #lines + 1, lines)
  return table.concat(lines, "\n")
end

-- ---- inventory and sandbox ----

--- Returns the inventory of the run, nil when none is configured.
local function open_inventory(opts, playbook)
  local conf = require("plat.conf").load({ path = opts.config, playbook = playbook.path })
  local paths = opts.inventory or conf.inventory
  if opts.sandbox and not opts.inventory then
    return require("plat.inventory").sandbox(conf)
  elseif not paths then
    return nil
  end
  return require("plat.inventory").load(paths, { chosen_by = opts.inventory and "-i" or conf.path })
end

--- Returns a path as people write it: from the current folder, if it lies below.
local function near(path)
  local cwd = require("prim.sys").cwd()
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

local function new_reporter(opts)
  local format = opts.output or "text"
  if format == "text" then
    return require("plat.run.text").new({ diff = opts.diff, planning = opts.check })
  end
  return require("plat.run.events").new({ format = format, planning = opts.check })
end

local function overrides(opts)
  local reasons = {}
  for _, name in ipairs(opts.override or {}) do
    if not opts.reason then
      usage(("--override %q needs --reason TEXT"):format(name))
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

--- Calls the playbook beside a ticker; in virtual time a ticker would only make the clock crawl.
local function call(playbook, run, opts)
  local function body()
    playbook.run(run, run.args)
  end
  if effect.sandbox() and not opts.sandbox_speed then
    return body()
  end
  task.group(function(group)
    group:daemon(ticker, run.reporter)
    body()
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

local function plan_observer(run)
  local plan = require("plat.effect.plan").new(function(line)
    local change = require("plat.effect.change").data(line.change)
    change.class, change.diff = line.class, line.diff
    run.reporter:emit("plan_change", change)
  end, function(text)
    run.reporter:emit("plan_wait", { text = text })
  end)
  return plan
end

local function finish(run, plan, world, err)
  local status = err and exit.of(err, run.changes) or 0
  run.reporter:emit("finish", {
    target = run.target,
    steps = run.steps,
    changes = run.changes,
    fault = err,
    exit = status,
    plan = plan and plan:count() or nil,
    sandbox = world ~= nil,
    unreachable = exit.is_unreachable(err),
  })
  return status
end

local function execute(playbook, args, opts, inventory, world)
  local run = require("plat.run").new({
    name = playbook.name,
    args = args,
    reporter = new_reporter(opts),
    planning = opts.check,
    overrides = overrides(opts),
    forks = opts.forks,
    inventory = function()
      return inventory
        or fault.raise("usage", nil, {
          msg = "this playbook needs an inventory, and none is chosen",
          hint = "say -i PATH, set PLATRUN_INVENTORY, or write `inventory:` into platrun.conf",
        })
    end,
  })
  local plan = opts.check and plan_observer(run) or nil
  effect.open({
    mode = opts.check and "plan" or "run",
    plan = plan,
    world = world,
    observer = run:observer(),
  })
  run.reporter:emit("start", {
    name = playbook.name,
    summary = playbook.summary,
    risk = playbook.risk,
    args = args,
    declared = playbook.args,
    planning = opts.check or false,
    sandbox = world ~= nil,
    inventory = inventory and inventory.path or nil,
  })
  local ok, err = xpcall(with_deadline, fault.from_handler, opts, function()
    call(playbook, run, opts)
  end)
  if not ok and err.plan_stop then
    run.reporter:emit("log", { text = err.msg })
    ok, err = true, nil
  end
  return finish(run, plan, world, not ok and err or nil)
end

local function run_playbook(words, opts)
  local path = table.remove(words, 1)
  if not path then
    usage("which playbook?", "platrun playbooks/NAME.lua [ARG=VALUE...]")
  end
  local playbook = playbooks.load(path)
  if opts.help then
    out.line(help(playbook))
    return 0
  end
  local args = playbooks.args(playbook, given_args(words, opts.extra_vars))
  if opts.syntax_check then
    out.line(path .. ": ok")
    return 0
  end
  local inventory = open_inventory(opts, playbook)
  local world
  if inventory and inventory.is_sandbox then
    world = open_sandbox(opts, inventory)
  else
    refuse_sandbox_flags(opts)
  end
  local ok, status = xpcall(execute, fault.from_handler, playbook, args, opts, inventory, world)
  if world then
    task.shield(10, world.close, world)
  end
  if not ok then
    error(status, 0)
  end
  return status
end

M.summary = "run a playbook (the word `run` may be left out)"
M.usage = "platrun [run] PLAYBOOK [ARG=VALUE...] [flags]"

--- Runs the command.
---@param argv string[]
---@return integer status
function M.run(argv)
  local opts, words = cli.parse(argv, FLAGS)
  out.setup({
    verbosity = opts.quiet and -1 or opts.verbose or 0,
    format = opts.output or "text",
  })
  if opts.help and #words == 0 then
    out.line("usage: " .. M.usage .. "\n\n" .. table.concat(cli.help(FLAGS), "\n"))
    return 0
  end
  return run_playbook(words, opts)
end

return M
