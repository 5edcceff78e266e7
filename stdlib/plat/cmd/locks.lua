--- platrun locks: who works on what, and how to take a lock from somebody who is gone.

local check = require("plat.check")
local chosen = require("plat.run.chosen")
local cli = require("plat.cli")
local effect = require("plat.effect")
local fault = require("plat.fault")
local file = require("plat.lock.file")
local json = require("plat.json")
local list = require("plat.list")
local out = require("plat.out")
local state = require("plat.state")
local survey = require("plat.lock.survey")
local sys = require("prim.sys")
local task = require("plat.task")
local time = require("plat.time")
local tty = require("prim.tty")

local M = {
  summary = "show the locks of runs, break one",
  usage = "platrun locks [break NAME --reason TEXT [-y]] [-i PATH]... [--json]",
}

M.FLAGS = {
  {
    "--inventory",
    "-i",
    type = "string",
    many = true,
    value = "PATH",
    help = "inventory file or directory, whose clusters are asked; may be repeated",
  },
  { "--cluster", type = "string", value = "NAME", help = "only this one of the inventory" },
  {
    "--host",
    type = "string",
    value = "PATTERN",
    help = "also the locks on these hosts of the inventory",
  },
  { "--dir", type = "string", value = "PATH", help = "with --host: where there (/tmp)" },
  { "--json", help = "for machines; also -o json" },
  { "--output", "-o", type = "enum", enum = { "text", "json" }, value = "FORMAT", help = "" },
  { "--all", help = "also leases that nobody holds" },
  { "--reason", type = "string", value = "TEXT", help = "why a lock is broken; recorded" },
  { "--yes", "-y", help = "do not ask" },
  { "--config", type = "string", value = "FILE", help = "configuration file" },
  { "--help", "-h", help = "this text" },
}

local NOT_EXPIRED = "  it is not expired: if that run lives, it notices within %s and changes "
  .. "nothing more; until then two may work on one thing"

local function usage(msg, hint)
  fault.raise("usage", nil, { msg = msg, hint = hint or "usage: " .. M.usage, where = "" })
end

local function clusters_of(inventory, only)
  local found = {}
  for _, name in ipairs(inventory and inventory:clusters() or {}) do
    local cluster = inventory:cluster(name)
    if cluster.kubernetes and (not only or name == only) then
      found[#found + 1] = cluster
    end
  end
  if only and #found == 0 then
    if not inventory then
      usage("--cluster names a cluster of an inventory, and none is chosen")
    end
    inventory:cluster(only) -- raises, and suggests
    usage(("the cluster %s has no Kubernetes"):format(only))
  end
  return found
end

local function hosts_of(inventory, words)
  if not words then
    return {}
  elseif not inventory then
    usage("--host names hosts of an inventory, and none is chosen", "choose one with -i PATH")
  end
  return list.map(inventory:hosts(words), require("plat.host").new)
end

--- Calls a function behind the door that the inventory wants: real, or the sandbox's world.
local function with_door(inventory, breaking, fn)
  local world
  if inventory and inventory.is_sandbox then
    world = require("plat.sim.world").open({
      ephemeral = not breaking,
      lazy = true,
      inventory = inventory,
    })
    out.err("sandbox: the locks are those of the simulated platform")
  end
  effect.open({ mode = "run", world = world })
  local ok, result = xpcall(fn, fault.from_handler)
  if world then
    task.shield(10, world.close, world)
  end
  if not ok then
    error(result, 0)
  end
  return result
end

-- ---- list ----

local function describe(row)
  if row.state == "strange" then
    return row.why
  elseif row.state == "free" then
    return "nobody" .. (row.who.broken and "; broken by " .. row.who.broken or "")
  elseif row.state == "held" then
    local ends = row.left and ("; ends in %s unless renewed"):format(time.human(row.left)) or ""
    return row.holder .. ends
  end
  return ("%s: %s; %s"):format(row.state, row.holder, row.why)
end

local function print_rows(rows, opts)
  if opts.json or opts.output == "json" then
    local doc = { schema = 1, locks = json.array(list.map(rows, survey.data)) }
    doc.sandbox = effect.sandbox()
    out.line(json.encode(doc, { indent = 2 }))
    return
  end
  local width = 4
  for _, row in ipairs(rows) do
    width = math.max(width, math.min(#row.name, 40))
  end
  for _, row in ipairs(rows) do
    out.line(("%-" .. width .. "s  %-8s  %s"):format(row.name, row.state, row.where))
    out.line((" "):rep(width + 12) .. describe(row))
  end
  if #rows == 0 then
    out.line("no locks")
  end
end

local function report(faults)
  local status = 0
  for _, err in ipairs(faults) do
    out.err(out.paint("failed", "error: ") .. fault.text(err, out.verbosity()))
    status = math.max(status, require("plat.run.exit").of(err, 0))
  end
  return status
end

local function show(places, opts)
  local rows, faults = survey.all(places.clusters, places.hosts, opts.dir)
  if not opts.all then
    rows = list.where(rows, function(row)
      return row.state ~= "free"
    end)
  end
  print_rows(rows, opts)
  return report(faults)
end

-- ---- break ----

local function find(rows, name)
  local names = {}
  local found = list.where(rows, function(row)
    names[#names + 1] = row.name
    local place = row.place
    local object = place and place.ns and ("%s/%s"):format(place.ns, place.name)
    local own = place and place.name -- of a lease
    return row.name == name or object == name or own == name
  end)
  if #found == 0 then
    usage(
      ("no lock %q%s"):format(name, check.did_you_mean(name, names)),
      "platrun locks lists them"
    )
  end
  return found
end

local function refuse_ambiguous(rows, name)
  local clusters = {}
  for _, row in ipairs(rows) do
    local at = row.cluster or row.on and "host " .. row.on
    if at and row.state ~= "free" and not list.contains(clusters, at) then
      clusters[#clusters + 1] = at
    end
  end
  if #clusters > 1 then
    local said = ("the lock %s is held on %s"):format(name, table.concat(clusters, " and on "))
    usage(said, "say which with --cluster NAME or --host NAME")
  end
end

local function refuse_living(rows, name)
  for _, row in ipairs(rows) do
    if row.kind == "file" and row.state == "held" then
      local pid = row.who.pid
      fault.raise("refused", { op = "locks break", object = name }, {
        msg = "held on this machine by a process that lives: " .. row.holder,
        hint = pid and ("end that process: kill %d; its locks end with it"):format(pid)
          or "end that process; its locks end with it",
        exit = 75,
        where = "",
      })
    end
  end
end

local function confirm(rows, name, opts)
  for _, row in ipairs(rows) do
    out.err(("%s: %s, %s"):format(row.name, row.where, describe(row)))
    if row.state == "held" then
      out.err(NOT_EXPIRED:format(time.human((row.who.duration or 60) / 3)))
    end
  end
  if opts.yes then
    return true
  elseif not tty.is_tty(0) then
    usage("breaking a lock asks first, and there is no terminal", "say -y")
  end
  local answer = tty.read_line(("break the lock %s? type yes: "):format(name))
  return answer == "yes"
end

local function record(row, reason)
  local log <close> = state.append(state.dir() .. "/locks.log")
  fault.must(
    { op = "locks break", object = "locks.log" },
    log:write(json.encode({
      time = time.rfc3339(time.now()),
      user = sys.user(),
      host = sys.hostname(),
      reason = reason,
      lock = survey.data(row),
    }) .. "\n")
  )
end

local function break_one(row, reason)
  local by = ("%s on %s at %s: %s"):format(
    sys.user(),
    sys.hostname(),
    time.rfc3339(time.now()),
    reason
  )
  local done
  if row.place then
    done = row.place:break_(row.who.id, by)
  else
    done = file.clear(row.who)
  end
  if not done then
    fault.raise("refused", { op = "locks break", object = row.name }, {
      msg = "somebody else has taken it meanwhile",
      hint = "platrun locks shows who",
      exit = 75,
      where = "",
    })
  end
  record(row, reason)
  out.line(("broken: %s, %s"):format(row.name, row.where))
end

local function break_lock(places, name, opts)
  local rows, faults = survey.all(places.clusters, places.hosts, opts.dir)
  local status = report(faults)
  rows = find(rows, name)
  refuse_ambiguous(rows, name)
  refuse_living(rows, name)
  rows = list.where(rows, function(row)
    return row.state ~= "free"
  end)
  if #rows == 0 then
    out.line(("nobody holds the lock %s"):format(name))
  elseif not confirm(rows, name, opts) then
    fault.raise("refused", nil, { msg = "not broken", exit = 6, where = "" })
  end
  for _, row in ipairs(rows) do
    break_one(row, opts.reason)
  end
  return status
end

--- Runs the command.
---@param argv string[]
---@return integer status
function M.run(argv)
  local opts, words = cli.parse(argv, M.FLAGS)
  if opts.help then
    out.line("usage: " .. M.usage .. "\n\n" .. table.concat(cli.help(M.FLAGS), "\n"))
    return 0
  end
  local breaking = words[1] == "break"
  if breaking and (#words ~= 2 or not (opts.reason or ""):find("%S")) then
    usage("say which lock is broken, and why: platrun locks break NAME --reason TEXT")
  elseif #words > 0 and not breaking then
    usage(('"%s" is not understood'):format(words[1]))
  end
  local inventory = chosen.inventory(opts)
  local places = {
    clusters = not (opts.host and not opts.cluster) and clusters_of(inventory, opts.cluster) or {},
    hosts = hosts_of(inventory, opts.host),
  }
  return with_door(inventory, breaking, function()
    if breaking then
      return break_lock(places, words[2], opts)
    end
    return show(places, opts)
  end)
end

return M
