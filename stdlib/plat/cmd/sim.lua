--- platrun sim record: a live cluster and live hosts, as the beginning of a simulated world.

local cli = require("plat.cli")
local connection = require("plat.ssh.flags")
local effect = require("plat.effect")
local fault = require("plat.fault")
local flags = require("plat.ssh.given")
local list = require("plat.list")
local out = require("plat.out")
local task = require("plat.task")

local USAGE = "platrun sim record -i INVENTORY [--cluster NAME] [--hosts PATTERN] -o FILE"
local FLAGS = {
  { "--inventory", "-i", type = "string", many = true, value = "PATH", help = "inventory" },
  { "--cluster", type = "string", value = "NAME", help = "default: the only one" },
  { "--no-cluster", help = "only hosts" },
  { "--hosts", type = "string", value = "PATTERN", help = "hosts too; default: none" },
  { "--file", type = "string", many = true, value = "PATH", help = "of each host" },
  { "--output", "-o", type = "string", value = "FILE", help = "where it is written" },
  { "--config", type = "string", value = "FILE", help = "instead of platrun.conf" },
  { "--verbose", "-v", count = true, help = "more" },
  { "--help", "-h", help = "this text" },
}

table.move(connection, 1, #connection, #FLAGS + 1, FLAGS)

local function usage(msg, hint)
  fault.raise("usage", nil, { msg = msg, hint = hint or USAGE, where = "" })
end

local function record(inventory, opts)
  local record_of = require("plat.sim.record")
  local doc = {
    recorded = require("plat.time").rfc3339(effect.now()),
    source = { environment = inventory.environment },
    objects = {},
    left_out = {},
    hosts = {},
  }
  if not opts.no_cluster then
    local cluster = inventory:cluster(opts.cluster)
    local client = require("plat.k8s").connect(cluster.kubernetes)
    doc.source.cluster, doc.source.version = cluster.name, client:version().gitVersion
    doc.objects, doc.left_out = record_of.cluster(client)
  end
  local chosen = opts.hosts and inventory:hosts(opts.hosts) or {}
  local specs = task.each(chosen, { limit = 64 }, function(entry)
    return record_of.host(require("plat.host").new(entry), opts.file or {})
  end)
  for i, entry in ipairs(chosen) do
    doc.hosts[entry.name] = specs[i]
  end
  return doc
end

local function tell(doc, path)
  out.line(("%d objects and %d hosts in %s"):format(#doc.objects, list.count(doc.hosts), path))
  for _, text in ipairs(doc.left_out) do
    out.line("left out: " .. text)
  end
end

local function run(opts)
  local inventory = require("plat.run.chosen").inventory(opts)
  if not inventory then
    usage("no inventory is chosen", "say -i PATH, or write `inventory:` into platrun.conf")
  end
  flags.take(opts)
  local world = require("plat.run.sandbox").open(inventory)
  effect.open({ mode = "run", world = world })
  local ok, doc = xpcall(record, fault.from_handler, inventory, opts)
  if world then
    task.shield(10, world.close, world)
  end
  if not ok then
    error(doc, 0)
  end
  require("plat.state").write(opts.output, require("plat.sim.fixture").text(doc))
  tell(doc, opts.output)
  return 0
end

return {
  summary = "record a live cluster and hosts for simulated worlds",
  usage = USAGE,
  run = function(argv)
    local opts, words = cli.start(argv, FLAGS, USAGE, 1)
    if not opts then
      return 0
    elseif words[1] ~= "record" then
      usage(words[1] and ("platrun sim does not know %q"):format(words[1]) or "record what?")
    elseif not opts.output then
      usage("where shall it be written? -o FILE")
    elseif opts.no_cluster and not opts.hosts then
      usage("nothing is left to record", "say --hosts PATTERN, or leave out --no-cluster")
    end
    return run(opts)
  end,
}
