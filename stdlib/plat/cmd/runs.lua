--- platrun runs: what was run, how it went, and what to do next.

local check = require("plat.check")
local cli = require("plat.cli")
local clock = require("prim.time")
local fault = require("plat.fault")
local files = require("plat.journal.files")
local json = require("plat.json")
local list = require("plat.list")
local out = require("plat.out")
local runs = require("plat.runs")
local tell = require("plat.runs.tell")

local SHOWN = 20 -- runs in a list, unless -n says more

local OUTPUT = {
  "--output",
  "-o",
  type = "enum",
  enum = { "text", "json" },
  value = "FORMAT",
  help = "text or json",
}
local HELP = { "--help", "-h", help = "this text" }

local ACTIONS = {}

local function usage(msg, hint)
  fault.raise("usage", nil, { msg = msg, hint = hint, where = "" })
end

local function print_json(doc)
  out.line(json.encode(doc, { indent = 2 }))
end

--- Returns a run as a row, also when its records hold what they cannot.
local function outline(run)
  local row, err = fault.try(runs.outline, run)
  return row or { id = run.id, status = "damaged", problem = err.msg, changes = 0, sandbox = false }
end

local function table_of(rows)
  local wide = { #"ID", #"PLAYBOOK" }
  for _, row in ipairs(rows) do
    wide[1] = math.max(wide[1], #row.id)
    wide[2] = math.max(wide[2], #(row.playbook or "-"))
  end
  local fmt = ("%%-%ds  %%-%ds  %%-20s  %%6s  %%s  %%s"):format(wide[1], wide[2])
  local head =
    fmt:format("ID", "PLAYBOOK", "STARTED", "TOOK", ("%-19s"):format("STATUS"), "CHANGES")
  local lines = { out.paint("bold", head) }
  for _, row in ipairs(rows) do
    lines[#lines + 1] = fmt:format(
      row.id,
      row.playbook or "-",
      row.started or "-",
      row.seconds and runs.took(row.seconds) or "-",
      tell.word(row.status, 19),
      ("%d%s"):format(row.changes, row.sandbox and "  (sandbox)" or "")
    )
  end
  return lines
end

ACTIONS.list = {
  usage = "platrun runs [list] [--playbook NAME] [--status WORD] [-n N] [-o json]",
  flags = {
    { "--playbook", type = "string", value = "NAME", help = "only runs of this playbook" },
    {
      "--status",
      type = "string",
      value = "WORD",
      help = "only runs that ended so: ok, failed, ...",
    },
    { "--number", "-n", type = "integer", min = 1, value = "N", help = "at most so many (20)" },
    OUTPUT,
    HELP,
  },
  words = 0,
}

local function wanted_status(word)
  local known = runs.words()
  word = word:gsub("[-_]", " ")
  if not list.contains(known, word) then
    usage(
      ('--status: no run is "%s"%s'):format(word, check.did_you_mean(word, known)),
      "the words are: " .. table.concat(known, ", ")
    )
  end
  return word
end

function ACTIONS.list.run(opts)
  local want = opts.status and wanted_status(opts.status)
  local rows, limit, more = {}, opts.number or SHOWN, false
  for run in runs.newest_first(opts.playbook and runs.playbook_name(opts.playbook)) do
    if not want or run.status == want then
      more = #rows == limit
      if more then
        break
      end
      rows[#rows + 1] = outline(run)
    end
  end
  if opts.output == "json" then
    print_json({ schema = 1, dir = files.dir(), runs = json.array(rows), more = more })
    return 0
  elseif #rows == 0 then
    out.line("no runs in " .. files.dir() .. ((want or opts.playbook) and " that match" or ""))
    return 0
  end
  for _, line in ipairs(table_of(rows)) do
    out.line(line)
  end
  for _, row in ipairs(rows) do
    if row.next and row.status ~= "running" then
      local why = row.problem and (" (%s)"):format(row.problem) or ""
      out.err(("%s: %s%s: %s"):format(row.id, row.status, why, table.concat(row.next, "; or ")))
    end
  end
  if more then
    out.err(("older ones: platrun runs -n %d"):format(limit * 5))
  end
  return 0
end

ACTIONS.show = {
  usage = "platrun runs show [RUN] [-o json]",
  flags = { OUTPUT, HELP },
  words = 1,
}

function ACTIONS.show.run(opts, words)
  local run = runs.read(runs.find(words[1]))
  if opts.output == "json" then
    print_json(require("plat.runs.story").document(run))
    return 0
  end
  for _, line in ipairs(tell.lines(run)) do
    out.line(line)
  end
  return 0
end

ACTIONS.tail = {
  usage = "platrun runs tail [RUN] [-f] [-o json]",
  flags = {
    { "--follow", "-f", help = "go on while the run lives" },
    OUTPUT,
    HELP,
  },
  words = 1,
}

function ACTIONS.tail.run(opts, words)
  local id = runs.find(words[1])
  local run = runs.read(id)
  if run.status == "unreadable" then
    fault.raise("io", { op = "runs tail", object = run.dir }, {
      msg = run.problem,
      hint = runs.next(run)[1],
      where = "",
    })
  end
  require("plat.runs.tail").print(id, { follow = opts.follow, raw = opts.output == "json" })
  run = runs.read(id)
  if run.status ~= "running" and opts.output ~= "json" then
    out.err(("%s: %s"):format(id, run.status))
  end
  return 0
end

ACTIONS.last = {
  usage = "platrun runs last PLAYBOOK [--max-age 26h] [--sandbox] [-o json]",
  flags = {
    { "--max-age", type = "duration", help = "exit 1 when the last success is older" },
    { "--sandbox", help = "count runs on the sandbox too" },
    OUTPUT,
    HELP,
  },
  words = 1,
}

function ACTIONS.last.run(opts, words)
  if not words[1] then
    usage("which playbook?", "platrun runs last PLAYBOOK --max-age 26h")
  end
  local last = require("plat.runs.last").look(runs.playbook_name(words[1]), opts)
  if opts.output == "json" then
    local success, attempt = last.success, last.attempt
    last.schema, last.text = 1, nil
    last.success = success and outline(success) or nil
    last.attempt = attempt and outline(attempt) or nil
    print_json(last)
  else
    out.line(last.text)
  end
  return last.fresh and 0 or 1
end

ACTIONS.diff = {
  usage = "platrun runs diff RUN RUN [-o json]",
  flags = { OUTPUT, HELP },
  words = 2,
}

local function side(sign, color, value)
  if value == nil then
    return
  end
  local text = type(value) == "string" and value or json.encode(value)
  out.line(("    %s %s"):format(out.paint(color, sign), text))
end

--- Whether there is enough of a run to compare it.
local function readable(run)
  if not run.head.t then
    fault.raise("parse", { op = "runs", object = run.id }, {
      msg = ("%s: %s"):format(run.status, tostring(run.problem)),
      where = "",
    })
  end
  return run
end

function ACTIONS.diff.run(opts, words)
  if not words[2] then
    usage("which two runs?", "platrun runs diff RUN RUN; `last` is the newest")
  end
  local a = readable(runs.read(runs.find(words[1])))
  local b = readable(runs.read(runs.find(words[2])))
  local found = require("plat.runs.diff").of(a, b)
  if opts.output == "json" then
    print_json({ schema = 1, a = a.id, b = b.id, differences = json.array(found) })
    return 0
  elseif #found == 0 then
    out.line("no difference")
    return 0
  end
  out.line(out.paint("failed", "--- ") .. a.id)
  out.line(out.paint("ok", "+++ ") .. b.id)
  for _, d in ipairs(found) do
    out.line(("%s %s"):format(d.what, d.name))
    side("-", "failed", d.a)
    side("+", "ok", d.b)
  end
  return 0
end

ACTIONS.prune = {
  usage = "platrun runs prune [--keep N] [--older-than 30d] [--unfinished] [--damaged] [--check]",
  flags = {
    { "--keep", type = "integer", min = 1, value = "N", help = "so many of each playbook stay" },
    { "--older-than", type = "duration", help = "only runs whose last record is older" },
    { "--unfinished", help = "also runs that could be resumed" },
    { "--damaged", help = "also runs whose journal is damaged or missing" },
    { "--check", "-C", help = "say what would be deleted, delete nothing" },
    OUTPUT,
    HELP,
  },
  words = 0,
}

function ACTIONS.prune.run(opts)
  if not (opts.keep or opts.older_than or opts.damaged) then
    usage("which runs may go?", "say --keep N of each playbook, --older-than 30d, or --damaged")
  end
  local prune = require("plat.runs.prune")
  local all, deleted, kept, failed = {}, {}, 0, {}
  for run in runs.newest_first() do
    all[#all + 1] = run
  end
  for _, decision in ipairs(prune.decide(all, opts, clock.real())) do
    local run, ok, problem = decision.run, false, nil
    if not decision.keep then
      ok, problem = true, nil
      if not opts.check then
        ok, problem = prune.delete(run)
      end
    end
    if ok then
      deleted[#deleted + 1] = run.id
    else
      kept = kept + 1
      failed[#failed + 1] = problem and { id = run.id, problem = problem } or nil
    end
    if ok and opts.output ~= "json" then
      out.line(
        ("%s %s (%s)"):format(opts.check and "would delete" or "deleted", run.id, run.status)
      )
    end
  end
  for _, f in ipairs(failed) do
    out.err(("%s stays: %s"):format(f.id, f.problem))
  end
  if opts.output == "json" then
    print_json({
      schema = 1,
      check = opts.check or false,
      deleted = json.array(deleted),
      kept = kept,
      failed = json.array(failed),
    })
  else
    local verb = opts.check and "would be deleted" or "deleted"
    out.line(("%d %s, %d stay"):format(#deleted, verb, kept))
  end
  return #failed > 0 and 1 or 0
end

ACTIONS.verify = {
  usage = "platrun runs verify [RUN|--all] [-o json]",
  flags = { { "--all", help = "every run" }, OUTPUT, HELP },
  words = 1,
}

function ACTIONS.verify.run(opts, words)
  local verify = require("plat.runs.verify")
  if opts.all and words[1] then
    usage("--all, or one run: not both")
  end
  local ids = opts.all and files.ids() or { runs.find(words[1]) }
  local results = list.map(ids, function(id)
    return verify.result(runs.read(id))
  end)
  if opts.output == "json" then
    print_json({ schema = 1, runs = json.array(results) })
  else
    for _, r in ipairs(results) do
      out.line(opts.all and ("%s: %s"):format(r.id, r.text) or r.text)
    end
  end
  return verify.exit(results)
end

local USAGE = "platrun runs [list|show|tail|last|diff|prune|verify] [...]"

local function help(name)
  local action = ACTIONS[name]
  if action then
    out.line(("usage: %s\n\n%s"):format(action.usage, table.concat(cli.help(action.flags), "\n")))
    return
  end
  out.line("usage: " .. USAGE .. "\n")
  for _, one in ipairs({ "list", "show", "tail", "last", "diff", "prune", "verify" }) do
    out.line("  " .. ACTIONS[one].usage)
  end
  out.line("\nRUN is an id, its unique beginning, or `last`; without one the newest.")
end

return {
  summary = "what was run, how it went, what to do next",
  usage = USAGE,
  run = function(argv)
    argv = list.copy(argv)
    local name = "list"
    if argv[1] and argv[1]:sub(1, 1) ~= "-" then
      name = table.remove(argv, 1)
    elseif argv[1] == "--help" or argv[1] == "-h" then
      return help()
    end
    local action = ACTIONS[name]
    if not action then
      local close = check.did_you_mean(name, list.keys(ACTIONS))
      usage(('platrun runs does not know "%s"%s'):format(name, close), USAGE)
    end
    local opts, words = cli.parse(argv, action.flags, action.words)
    if opts.help then
      return help(name)
    end
    out.setup({ format = opts.output or "text" })
    return action.run(opts, words)
  end,
}
