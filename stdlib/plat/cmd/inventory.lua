--- platrun inventory: what the inventory says, in the words of ansible-inventory.
local cli = require("plat.cli")
local conf = require("plat.conf")
local fault = require("plat.fault")
local inventory = require("plat.inventory")
local json = require("plat.json")
local listing = require("plat.env").lazy("plat.inventory.listing")
local out = require("plat.out")

local M = {
  summary = "show hosts, groups and clusters of the inventory",
  usage = "platrun inventory --list | --graph [GROUP] | --host NAME | --hosts PATTERN | --clusters"
    .. "  [-i PATH]... [-l PATTERN]",
}

M.FLAGS = {
  {
    "--inventory",
    "-i",
    type = "string",
    many = true,
    value = "PATH",
    help = "inventory file or directory; may be repeated",
  },
  { "--list", help = "all groups, hosts and variables as JSON, as ansible-inventory prints them" },
  { "--graph", help = "groups and hosts as a tree" },
  { "--host", type = "string", value = "NAME", help = "the variables of one host as JSON" },
  {
    "--hosts",
    type = "string",
    value = "PATTERN",
    help = "the names of the hosts that a pattern selects",
  },
  {
    "--limit",
    "-l",
    type = "string",
    value = "PATTERN",
    help = "with --list and --hosts: only these hosts; @FILE: one pattern a line",
  },
  { "--export", help = "with --list: the variables where they are said, groups' at the groups" },
  {
    "--playbook-dir",
    type = "string",
    value = "DIR",
    help = "read group_vars and host_vars beside playbooks there, too",
  },
  { "--clusters", help = "clusters and what runs on them" },
  { "--config", type = "string", value = "PATH", help = "configuration file" },
  { "--help", "-h", help = "this text" },
}

local function usage(msg)
  fault.raise("usage", nil, { msg = msg, hint = "usage: " .. M.usage, where = "" })
end

local function open(opts)
  local settings = conf.load({ path = opts.config })
  local paths = opts.inventory or settings.inventory
  if not paths then
    usage("no inventory is chosen")
  end
  return inventory.load(paths, { playbook_dir = opts.playbook_dir, limit = opts.limit })
end

--- Secrets of encrypted files are shown by where they come from.
local function print_json(value)
  out.line(json.encode(value, { indent = 4, secrets = "reference" }))
end

local function print_host(inv, name)
  local found = inv:hosts(name, { unlimited = true }) -- raises, and suggests
  if #found ~= 1 then
    usage(("%q stands for %d hosts; --host takes one"):format(name, #found))
  end
  print_json(listing.host(inv, found[1].name))
end

local function print_clusters(inv)
  for _, name in ipairs(inv:clusters()) do
    local cluster = inv:cluster(name)
    local notes = { "namespace " .. cluster.namespace }
    if cluster.environment then
      table.insert(notes, 1, cluster.environment .. (cluster.protected and ", protected" or ""))
    end
    if cluster.dremio then
      notes[#notes + 1] = ("dremio %s at %s"):format(cluster.dremio.name, cluster.dremio.url)
    end
    out.line(("%s: %s"):format(name, table.concat(notes, "; ")))
  end
end

--- Runs the command.
---@param argv string[]
---@return integer status
function M.run(argv)
  local opts, words = cli.parse(argv, M.FLAGS)
  if opts.help then
    out.line("usage: " .. M.usage .. "\n\n" .. table.concat(cli.help(M.FLAGS), "\n"))
    return 0
  elseif #words > (opts.graph and 1 or 0) then
    usage(('"%s" is not understood'):format(words[#words]))
  end
  local inv = open(opts)
  if opts.host then
    print_host(inv, opts.host)
  elseif opts.graph then
    out.line(table.concat(listing.graph(inv, words[1]), "\n"))
  elseif opts.clusters then
    print_clusters(inv)
  elseif opts.hosts then
    for _, name in ipairs(inv:names(opts.hosts)) do
      out.line(name)
    end
  elseif opts.list then
    print_json(inv:list({ export = opts.export }))
  else
    usage("say --list, --graph, --host NAME, --hosts PATTERN or --clusters")
  end
  return 0
end

return M
