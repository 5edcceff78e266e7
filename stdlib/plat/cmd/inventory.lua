--- platrun inventory: what the inventory says, in the words of ansible-inventory.
local cli = require("plat.cli")
local conf = require("plat.conf")
local fault = require("plat.fault")
local inventory = require("plat.inventory")
local json = require("plat.json")
local list = require("plat.list")
local out = require("plat.out")

local M = {
  summary = "show hosts, groups and clusters of the inventory",
  usage = "platrun inventory --list | --graph | --host NAME | --clusters  [-i PATH]...",
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
  return inventory.load(paths)
end

local function print_group(tree, name, depth)
  local indent = depth == 0 and "" or ("  |"):rep(depth) .. "--"
  out.line(("%s@%s:"):format(indent, name))
  local group = tree.groups_by_name[name]
  local inner = ("  |"):rep(depth + 1) .. "--"
  for _, child in ipairs(list.sort_by(group.children)) do
    print_group(tree, child, depth + 1)
  end
  for _, host in ipairs(group.hosts) do
    out.line(inner .. host)
  end
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
  elseif #words > 0 then
    usage(('"%s" is not understood'):format(words[1]))
  end
  local inv = open(opts)
  if opts.host then
    if not inv.tree.hosts_by_name[opts.host] then
      inv:hosts(opts.host) -- raises, and suggests
      usage(('"%s" is a pattern; --host takes one name'):format(opts.host))
    end
    out.line(json.encode(inv.tree:vars_of(opts.host), { indent = 4 }))
  elseif opts.graph then
    print_group(inv.tree, "all", 0)
  elseif opts.clusters then
    print_clusters(inv)
  elseif opts.list then
    out.line(json.encode(inv:list(), { indent = 4 }))
  else
    usage("say --list, --graph, --host NAME or --clusters")
  end
  return 0
end

return M
