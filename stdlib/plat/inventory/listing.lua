--- What `ansible-inventory` prints of an inventory.
local check = require("plat.check")
local fault = require("plat.fault")
local json = require("plat.json")
local list = require("plat.list")
local value = require("plat.inventory.value")

local M = {}

--- Names that Ansible fills in itself and leaves out here, whatever files say.
local INTERNAL = {}
for name in
  ([[
  ansible_async_path ansible_collection_name ansible_config_file ansible_dependent_role_names
  ansible_diff_mode ansible_facts ansible_forks ansible_inventory_sources ansible_limit
  ansible_play_batch ansible_play_hosts ansible_play_hosts_all ansible_play_role_names
  ansible_playbook_python ansible_role_name ansible_role_names ansible_run_tags ansible_skip_tags
  ansible_verbosity ansible_version inventory_dir inventory_file inventory_hostname
  inventory_hostname_short groups group_names omit hostvars playbook_dir play_hosts role_name
  role_names role_path role_uuid]]):gmatch("%S+")
do
  INTERNAL[name] = true
end

local function shown(vars)
  local out = {}
  for name, item in next, vars do
    if not INTERNAL[name] then
      out[value.json_key(name)] = value.to_json(item)
    end
  end
  return out
end

--- Returns the variables of one host as `ansible-inventory --host` prints them.
---@param inv plat.Inventory
---@param name string
---@return table
function M.host(inv, name)
  local host = inv.tree.hosts_by_name[name]
  return shown(inv.tree:entry_of(host or inv.tree.localhost(name)).vars)
end

local function group_entry(inv, group, available, opts)
  local entry = {}
  local hosts = group.name == "all" and {}
    or list.where(group.hosts, function(name)
      return available[name]
    end)
  if #hosts > 0 then
    entry.hosts = json.array(list.copy(hosts))
  end
  if #group.children > 0 then
    entry.children = json.array(list.copy(group.children))
  end
  if opts.export then
    local vars = shown(inv.tree:own_vars(group))
    entry.vars = not list.is_empty(vars) and vars or nil
  end
  return entry
end

--- Returns what `--list` prints, as a table.
---@param inv plat.Inventory
---@param opts { export: boolean? }
---@return table
function M.list(inv, opts)
  local tree, available = inv.tree, {}
  for _, name in ipairs(tree:hosts_in("all")) do
    available[name] = not inv.limited or inv.limited[name]
  end
  local out = { _meta = { hostvars = {} } }
  for name, group in pairs(tree.groups_by_name) do
    local entry = group_entry(inv, group, available, opts)
    if not list.is_empty(entry) then
      out[name] = entry
    end
  end
  for name, host in pairs(tree.hosts_by_name) do
    local vars = available[name]
      and shown(opts.export and tree:own_vars(host) or tree:vars_of(name))
    if vars and not list.is_empty(vars) then
      out._meta.hostvars[name] = vars
    end
  end
  return out
end

--- Returns the lines that `--graph` prints.
---@param inv plat.Inventory
---@param top? string the group to begin with; default "all"
---@return string[]
function M.graph(inv, top)
  local tree, lines = inv.tree, {}
  local function walk(name, depth)
    lines[#lines + 1] = ("%s@%s:"):format(depth == 0 and "" or ("  |"):rep(depth) .. "--", name)
    local group, inner = tree.groups_by_name[name], ("  |"):rep(depth + 1) .. "--"
    for _, child in ipairs(group.children) do
      walk(child, depth + 1)
    end
    for _, host in ipairs(name ~= "all" and group.hosts or {}) do
      lines[#lines + 1] = inner .. host
    end
  end
  top = top or "all"
  if not tree.groups_by_name[top] then
    local close = check.did_you_mean(top, list.keys(tree.groups_by_name))
    fault.raise("usage", nil, {
      msg = ('no group "%s"%s'):format(top, close),
      hint = "--graph takes the name of a group, no pattern",
      where = "",
    })
  end
  walk(top, 0)
  return lines
end

return M
