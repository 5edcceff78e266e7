--- platrun test: tests of playbooks on simulated platforms, and tests that are functions.

local cli = require("plat.cli")
local fault = require("plat.fault")
local out = require("plat.out")
local time = require("prim.time")

local DEADLINE = 30 -- seconds a test that is a function may take
local PATIENCE = 120 -- seconds of real time one process of a case may take
local DEFAULT = "tests/playbooks"

local USAGE = "platrun test [-k TEXT] [--crash --faults --twice --plan --undo] [FILE|DIR...]"
local FLAGS = {
  { "--name", "-k", type = "string", value = "TEXT", help = "only tests with this in their names" },
  { "--crash", help = "kill platrun at every effect and resume" },
  { "--faults", help = "drop the link at every effect, before and after the server acted" },
  { "--twice", help = "run the playbook again and demand that it changes nothing" },
  { "--plan", help = "plan first: the plan changes nothing, the run does what it said" },
  { "--undo", help = "fail each step and demand that what it changed is put back" },
  { "--seeds", type = "integer", min = 1, value = "N", help = "random faults from N seeds" },
  { "--seed", type = "integer", min = 1, value = "N", help = "of all that chance decides (1)" },
  { "--point", type = "string", value = "POINT", help = "only this point of the modes" },
  {
    "--trouble",
    type = "string",
    many = true,
    value = "ACT:N",
    help = "what goes wrong, as a failure told it; @N counts requests",
  },
  { "--jobs", "-j", type = "integer", min = 1, value = "N", help = "processes at once" },
  {
    "--output",
    "-o",
    type = "enum",
    enum = { "tap", "junit", "jsonl" },
    value = "FORMAT",
    help = "tap, junit or jsonl",
  },
  { "--watch", help = "run again whenever a file changes" },
  {
    "--sandbox-speed",
    type = "number",
    min = 0,
    value = "N",
    help = "show one run on a clock that is N times as fast as the real one",
  },
  { "--deadline", type = "duration", help = "longest time for one test" },
  { "--help", "-h", help = "this text" },
}

local function usage(msg, hint)
  fault.raise("usage", nil, { msg = msg, hint = hint or USAGE, where = "" })
end

local function parse(argv)
  local opts, paths = cli.parse(argv, FLAGS)
  opts.patience = opts.deadline or PATIENCE
  opts.deadline = opts.deadline or DEADLINE
  opts.chance = opts.seeds ~= nil or opts.trouble ~= nil
  opts.speed = opts.sandbox_speed
  if opts.trouble then
    require("plat.list").map(opts.trouble, require("plat.test.trouble").parse)
  end
  return opts, #paths > 0 and paths or { DEFAULT }
end

local function split(tests)
  local cases, functions = {}, {}
  for _, test in ipairs(tests) do
    table.insert(test.case and cases or functions, test)
  end
  return cases, functions
end

--- Runs all tests once and returns the exit status.
local function once(opts, paths)
  local runner = require("plat.test.runner")
  local describe = require("plat.test.describe")
  local teller = require("plat.test.tell." .. (opts.output or "tap")).new()
  local count, total = { passed = 0, failed = 0, skipped = 0 }, {}
  local function tell(item)
    count[item.status] = count[item.status] + 1
    describe.add(total, item.modes or {})
    teller:item(item)
  end
  local cases, functions = split(runner.collect(paths, opts.name))
  local many = opts.jobs and opts.jobs > 1
  opts.jobs = opts.jobs or runner.processors()
  local from, plays = time.real(), 0
  if #cases > 0 then -- first: a process in which nothing else has run can be copied
    plays = runner.cases(cases, opts, tell)
  end
  if many then
    runner.functions_apart(functions, opts, tell)
  else
    runner.functions(functions, opts, tell)
  end
  teller:done(count, #cases > 0 and describe.total(total, plays, time.real() - from) or nil)
  return (count.failed > 0 or #cases + #functions == 0) and 1 or 0
end

local function show(opts, paths)
  local runner = require("plat.test.runner")
  local cases = split(runner.collect(paths, opts.name))
  if #cases ~= 1 then
    usage(("--sandbox-speed shows one case, and %d are chosen"):format(#cases), "choose by -k TEXT")
  end
  runner.watch(cases[1], opts)
end

return {
  summary = "test playbooks on simulated platforms; run tests written in Lua",
  usage = USAGE,
  run = function(argv)
    local opts, paths = parse(argv)
    if opts.help then
      out.line("usage: " .. USAGE .. "\n\n" .. table.concat(cli.help(FLAGS), "\n"))
      return 0
    elseif opts.watch then
      return require("plat.test.watch").run(paths, function()
        return once(opts, paths)
      end)
    elseif opts.speed then
      return show(opts, paths)
    end
    return once(opts, paths)
  end,
}
