--- platrun exec: one command on many hosts, equal answers together.

local answers = require("plat.exec.answers")
local chosen_by = require("plat.run.chosen")
local cli = require("plat.cli")
local connection = require("plat.ssh.flags")
local effect = require("plat.effect")
local fault = require("plat.fault")
local flags = require("plat.ssh.given")
local hosts = require("plat.host")
local json = require("plat.json")
local out = require("plat.out")
local task = require("plat.task")

local USAGE = "platrun exec PATTERN [flags] -- CMD..."
local FLAGS = {
  { "--inventory", "-i", type = "string", many = true, value = "PATH", help = "inventory" },
  {
    "--limit",
    "-l",
    type = "string",
    value = "PATTERN",
    help = "of the hosts only these; @FILE: one pattern a line",
  },
  { "--forks", "-f", type = "integer", min = 1, value = "N", help = "how many at once (64)" },
  { "--timeout", "-T", type = "duration", help = "longest time for one host (60s)" },
  { "--stream", help = "print each line as it comes, behind its host" },
  { "--shell", help = "CMD is a text for the login shell, not a list of words" },
  {
    "--output",
    "-o",
    type = "enum",
    enum = { "text", "jsonl" },
    value = "FORMAT",
    help = "text or jsonl",
  },
  { "--verbose", "-v", count = true, help = "more" },
  { "--quiet", "-q", help = "only failures" },
  {
    "--config",
    type = "string",
    value = "FILE",
    help = "instead of the platrun.conf that is found",
  },
}
table.move(connection, 1, #connection, #FLAGS + 1, FLAGS)
FLAGS[#FLAGS + 1] = { "--help", "-h", help = "this text" }

local ANY_CODE = {}
for code = 0, 255 do
  ANY_CODE[code + 1] = code
end

local function usage(msg, hint)
  fault.raise("usage", nil, { msg = msg, hint = hint or USAGE, where = "" })
end

local function load_inventory(opts)
  local inventory = chosen_by.inventory(opts)
  if not inventory then
    usage("no inventory is chosen", "say -i PATH, or write `inventory:` into platrun.conf")
  end
  return inventory
end

--- Prints a line of a host as it comes.
local function printer(name, opts)
  if opts.output == "jsonl" then
    return function(line, which)
      out.line(json.encode({ host = name, stream = which, line = line }, { lossy = true }))
    end
  end
  return function(line)
    out.line(name .. " | " .. line)
  end
end

--- Runs the command on one host and returns what came of it.
local function ask(host, command, opts)
  local step = { key = "exec " .. host.name, counts = {}, changes = 0 }
  local result, err = fault.try(task.with_context, step, function()
    local given = { timeout = opts.timeout or 60, ok = ANY_CODE }
    given.on_line = opts.stream and printer(host.name, opts) or nil
    return opts.shell and host:sh(command[1], given) or host:run(command, given)
  end)
  return { host = host.name, output = result, err = err }
end

--- Runs it everywhere; `state` knows at any time how far that is.
local function ask_all(chosen, command, opts, state)
  task.each(chosen, { limit = opts.forks or 64 }, function(entry)
    state.begun[entry.name] = true
    local answer = ask(hosts.new(entry), command, opts)
    table.insert(state.answers, answer)
    state.ended[entry.name] = true
    if opts.output == "jsonl" then
      answers.tell_json(answer)
    elseif opts.stream then
      answers.tell_end(answer)
    end
  end)
end

--- Returns the names of hosts in the inventory's order.
local function names_of(chosen, want)
  local names = {}
  for _, entry in ipairs(chosen) do
    if want(entry.name) then
      names[#names + 1] = entry.name
    end
  end
  return names
end

local function sort_answers(chosen, found)
  local place = {}
  for i, entry in ipairs(chosen) do
    place[entry.name] = i
  end
  table.sort(found, function(a, b)
    return place[a.host] < place[b.host]
  end)
end

local function perform(inventory, pattern, command, opts)
  local chosen = inventory:hosts(pattern)
  local state = { begun = {}, ended = {}, answers = {} }
  local ok, err = xpcall(ask_all, fault.from_handler, chosen, command, opts, state)
  sort_answers(chosen, state.answers)
  if opts.output ~= "jsonl" and not opts.stream then
    answers.tell_grouped(state.answers)
  end
  if not ok then
    answers.tell_names(
      "cancelled",
      names_of(chosen, function(name)
        return state.begun[name] and not state.ended[name]
      end)
    )
    answers.tell_names(
      "not begun",
      names_of(chosen, function(name)
        return not state.begun[name]
      end)
    )
    error(err, 0)
  end
  return answers.worst(state.answers)
end

local function run(pattern, command, opts)
  local inventory = load_inventory(opts)
  flags.take(opts)
  local world = require("plat.run.sandbox").open(inventory)
  effect.open({ mode = "run", world = world, grace = 0 })
  local ok, result = xpcall(perform, fault.from_handler, inventory, pattern, command, opts)
  if world then
    task.shield(10, world.close, world)
  end
  return ok and result or error(result, 0)
end

--- Splits the words at `--`: what stands behind it belongs to the command.
local function split(argv)
  local own, command = {}, nil
  for _, word in ipairs(argv) do
    if command then
      command[#command + 1] = word
    elseif word == "--" then
      command = {}
    else
      own[#own + 1] = word
    end
  end
  return own, command or {}
end

return {
  summary = "run one command on many hosts",
  usage = USAGE,
  run = function(argv)
    local own, command = split(argv)
    local opts, words = cli.start(own, FLAGS, USAGE, 1)
    if not opts then
      return 0
    elseif not words[1] then
      usage("on which hosts? all, a group, a host, web:&prod")
    elseif #command == 0 then
      usage("which command? it stands behind --")
    elseif opts.shell and #command > 1 then
      usage("--shell takes one text", "put it into quotes: -- 'cd /srv && ls'")
    end
    return run(words[1], command, opts)
  end,
}
