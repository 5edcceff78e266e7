--- platrun inventory: what the inventory says, as ansible-inventory prints it, and the clusters.

local cli = require("plat.cli")
local fault = require("plat.fault")
local json = require("plat.json")
local out = require("plat.out")

local FLAGS = {
  { "--inventory", "-i", type = "string", many = true, value = "PATH", help = "may be repeated" },
  { "--config", type = "string", value = "FILE", help = "instead of the one searched for" },
  { "--list", help = "everything, as JSON" },
  { "--host", type = "string", value = "NAME", help = "the variables of a host, as JSON" },
  { "--graph", help = "groups and hosts as a tree" },
  { "--clusters", help = "the names of the clusters" },
  { "--help", "-h", help = "this text" },
}

local function load(opts)
  local conf = require("plat.conf").load({ path = opts.config })
  local paths = opts.inventory or conf.inventory
  if not paths then
    fault.raise("usage", nil, {
      msg = "no inventory is chosen",
      hint = "say -i PATH, set PLATRUN_INVENTORY, or write `inventory:` into platrun.conf",
      where = "",
    })
  end
  return require("plat.inventory").load(paths, { chosen_by = opts.inventory and "-i" or conf.path })
end

local function graph(all, name, depth)
  local group = all[name] or {}
  out.line(("  |"):rep(depth) .. "--@" .. name .. ":")
  for _, child in ipairs(group.children or {}) do
    graph(all, child, depth + 1)
  end
  for _, host in ipairs(group.hosts or {}) do
    out.line(("  |"):rep(depth + 1) .. "--" .. host)
  end
end

return {
  summary = "print hosts, groups and clusters of the inventory",
  usage = "platrun inventory [-i PATH] --list|--graph|--host NAME|--clusters",
  run = function(argv)
    local opts, words = cli.parse(argv, FLAGS)
    if opts.help or #words > 0 then
      out.line(table.concat(cli.help(FLAGS), "\n"))
      return opts.help and 0 or 64
    end
    local inventory = load(opts)
    if opts.host then
      out.line(json.encode(inventory:hosts(opts.host)[1].vars, { indent = 4 }))
    elseif opts.graph then
      graph(inventory:list(), "all", 0)
    elseif opts.clusters then
      for _, name in ipairs(inventory:clusters()) do
        out.line(name)
      end
    else
      out.line(json.encode(inventory:list(), { indent = 4 }))
    end
    return 0
  end,
}
