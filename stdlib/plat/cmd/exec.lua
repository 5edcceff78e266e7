--- platrun exec: one command on many hosts, equal answers together.

local cli = require("plat.cli")
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
  { "--forks", "-f", type = "integer", min = 1, value = "N", help = "how many at once (64)" },
  { "--timeout", "-T", type = "duration", help = "longest time for one host (60s)" },
  { "--stream", help = "tell each answer as it comes, host by host" },
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
table.move(flags.FLAGS, 1, #flags.FLAGS, #FLAGS + 1, FLAGS)
FLAGS[#FLAGS + 1] = { "--help", "-h", help = "this text" }

local ANY_CODE = {}
for code = 0, 255 do
  ANY_CODE[code + 1] = code
end

local function usage(msg, hint)
  fault.raise("usage", nil, { msg = msg, hint = hint or USAGE, where = "" })
end

local function load_inventory(opts)
  local conf = require("plat.conf").load({ path = opts.config })
  local paths = opts.inventory or conf.inventory
  if not paths then
    usage("no inventory is chosen", "say -i PATH, or write `inventory:` into platrun.conf")
  end
  local chosen = opts.inventory and "-i" or conf.path
  local inventory = require("plat.inventory").load(paths, { chosen_by = chosen })
  return inventory
end

--- Runs the command on one host and returns what came of it.
local function ask(host, command, opts)
  local step = { key = "exec " .. host.name, counts = {}, changes = 0 }
  local result, err = fault.try(task.with_context, step, function()
    local given = { timeout = opts.timeout or 60, ok = ANY_CODE }
    return opts.shell and host:sh(command[1], given) or host:run(command, given)
  end)
  return { host = host.name, output = result, err = err }
end

local function status_of(answer)
  if answer.err then
    return require("plat.run.exit").is_unreachable(answer.err) and 4 or 2
  end
  return answer.output.code == 0 and 0 or 2
end

local WORD = { [0] = "ok", [2] = "failed", [4] = "unreachable" }

local function text_of(answer)
  if answer.err then
    return fault.text(answer.err, out.verbosity())
  end
  local o = answer.output
  local text = (o.stdout .. o.stderr):gsub("\n+$", "")
  if o.signal or o.code ~= 0 then
    text = text .. (text ~= "" and "\n" or "") .. (o.signal or "exit " .. o.code)
  end
  return text
end

local function tell_json(answer)
  local o = answer.output or {}
  out.line(json.encode({
    host = answer.host,
    status = WORD[status_of(answer)],
    code = o.code,
    signal = o.signal,
    stdout = o.stdout,
    stderr = o.stderr,
    error = answer.err and { kind = answer.err.kind, msg = answer.err.msg } or nil,
  }, { lossy = true }))
end

--- Tells one answer, of one host or of several that gave the same.
local function tell(names, answer)
  local status = status_of(answer)
  if status == 0 and out.verbosity() < 0 then
    return
  end
  local color = status == 0 and "ok" or "failed"
  local count = #names > 1 and (" (%d hosts)"):format(#names) or ""
  out.line(out.paint(color, WORD[status]) .. " " .. table.concat(names, ", ") .. count)
  local text = text_of(answer)
  for line in (text ~= "" and text .. "\n" or ""):gmatch("(.-)\n") do
    out.line("  " .. line)
  end
end

--- Errors name their host, and two hosts that fail alike belong together all the same.
local function group_key(answer)
  local text = text_of(answer):gsub("host " .. answer.host:gsub("%p", "%%%0"), "host")
  return status_of(answer) .. " " .. text
end

local function tell_grouped(answers)
  local groups, by_key = {}, {}
  for _, answer in ipairs(answers) do
    local key = group_key(answer)
    if not by_key[key] then
      by_key[key] = { names = {}, answer = answer }
      groups[#groups + 1] = by_key[key]
    end
    table.insert(by_key[key].names, answer.host)
  end
  for _, group in ipairs(groups) do
    tell(group.names, group.answer)
  end
end

--- The worst word wins: failed before unreachable before ok.
local function worst(answers)
  local seen = {}
  for _, answer in ipairs(answers) do
    seen[status_of(answer)] = true
  end
  return seen[2] and 2 or seen[4] and 4 or 0
end

--- Opens the world of the sandbox's inventory; a real one has none.
local function open_world(inventory)
  if not inventory.is_sandbox then
    return nil
  end
  out.err("sandbox: nothing real is touched")
  return require("plat.sim.world").open({
    lazy = true,
    hosts = require("plat.sim.host.place").of_inventory(inventory),
  })
end

local function perform(inventory, pattern, command, opts)
  local chosen = inventory:hosts(pattern)
  local answers = task.each(chosen, { limit = opts.forks or 64 }, function(entry)
    local answer = ask(hosts.new(entry), command, opts)
    if opts.output == "jsonl" then
      tell_json(answer)
    elseif opts.stream then
      tell({ answer.host }, answer)
    end
    return answer
  end)
  if opts.output ~= "jsonl" and not opts.stream then
    tell_grouped(answers)
  end
  return worst(answers)
end

local function run(pattern, command, opts)
  local inventory = load_inventory(opts)
  flags.take(opts)
  local world = open_world(inventory)
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
