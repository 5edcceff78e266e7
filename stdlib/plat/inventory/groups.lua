--- Hosts and groups of an inventory: what files declare, and the variables that follow from it.
local list = require("plat.list")

local M = {}

local DEFAULT_PRIORITY = 1

--- Variables and where those stand that may need it in a message.
---@class plat.inventory.Entry
---@field vars table
---@field origin table<string, plat.inventory.Origin>

---@class plat.inventory.Tree
---@field groups_by_name table<string, table>
---@field group_order string[]
---@field hosts_by_name table<string, table>
---@field host_order string[]
---@field beside { groups: table, hosts: table }[] group_vars and host_vars, a later one wins
---@field play? { groups: table, hosts: table } those beside the playbook
local Tree = {}
Tree.__index = Tree

--- Returns an empty tree: the groups "all" and "ungrouped".
---@return plat.inventory.Tree
function M.new()
  local self = setmetatable({
    groups_by_name = {},
    group_order = {},
    hosts_by_name = {},
    host_order = {},
    beside = {},
  }, Tree)
  self:child(self:group("all"), "ungrouped")
  return self
end

--- Returns a group, made when it is new.
function Tree:group(name)
  local group = self.groups_by_name[name]
  if not group then
    group = {
      name = name,
      is_group = true,
      hosts = {},
      has = {},
      children = {},
      vars = {},
      origin = {},
      priority = DEFAULT_PRIORITY,
    }
    self.groups_by_name[name] = group
    self.group_order[#self.group_order + 1] = name
  end
  return group
end

--- Returns a host, made when it is new; optionally puts it into a group.
---@param name string
---@param group? table
---@param source? string the file that names it
function Tree:host(name, group, source)
  local host = self.hosts_by_name[name]
  if not host then
    host = { name = name, vars = {}, origin = {}, source = source }
    self.hosts_by_name[name] = host
    self.host_order[#self.host_order + 1] = name
  end
  if group and not group.has[name] then
    group.hosts[#group.hosts + 1], group.has[name] = name, true
  end
  return host
end

--- Gives a group or a host a variable. Returns what is wrong with it, if anything is.
---@param entry table
---@param key string
---@param value any
---@param origin? plat.inventory.Origin
---@return string? problem
function Tree.set(_, entry, key, value, origin)
  if entry.is_group and key == "ansible_group_priority" then
    local number = tonumber(value)
    if not number then
      return ("ansible_group_priority: %q is not a number"):format(tostring(value))
    end
    entry.priority = number // 1
    return nil
  end
  entry.vars[key], entry.origin[key] = value, origin
  return nil
end

--- Makes a group a child of another. Returns nil and the loop when that would make one.
function Tree:child(parent, name)
  local child = self:group(name)
  if parent.name == name or self:is_below(parent.name, name) then
    return nil, ('group "%s" would be its own ancestor'):format(name)
  end
  if not list.contains(parent.children, name) then
    parent.children[#parent.children + 1] = name
  end
  return child
end

--- Returns a group and all below it, level by level.
---@param name string
---@return string[]
---@return table<string, boolean>
function Tree:descendants(name)
  local order, seen, at = { name }, { [name] = true }, 1
  while order[at] do
    for _, child in ipairs(self.groups_by_name[order[at]].children) do
      if not seen[child] then
        seen[child] = true
        order[#order + 1] = child
      end
    end
    at = at + 1
  end
  return order, seen
end

--- Tells if a group is a descendant of another.
function Tree:is_below(name, ancestor)
  local _, seen = self:descendants(ancestor)
  return name ~= ancestor and seen[name] == true
end

--- Puts groups without a parent under "all" and hosts without a group into "ungrouped".
---@return string? problem
function Tree:finish()
  local has_parent, grouped = {}, {}
  for _, group in pairs(self.groups_by_name) do
    for _, child in ipairs(group.children) do
      has_parent[child] = true
    end
    local counts = group.name ~= "all" and group.name ~= "ungrouped"
    for _, host in ipairs(counts and group.hosts or {}) do
      grouped[host] = true
    end
  end
  local all, ungrouped = self.groups_by_name.all, self.groups_by_name.ungrouped
  for _, name in ipairs(self.group_order) do
    if name ~= "all" and not has_parent[name] then
      local ok, problem = self:child(all, name)
      if not ok then
        return problem
      end
    end
  end
  ungrouped.hosts = list.where(ungrouped.hosts, function(name)
    return not grouped[name]
  end)
  for _, name in ipairs(self.host_order) do
    if not grouped[name] then
      self:host(name, ungrouped)
    end
  end
  self.memberships = nil
  return nil
end

--- Returns the hosts of a group and of all groups below it: its own first, then level by level.
---@param name string
---@return string[]
function Tree:hosts_in(name)
  local found, seen = {}, {}
  for _, group in ipairs((self:descendants(name))) do
    for _, host in ipairs(self.groups_by_name[group].hosts) do
      if not seen[host] then
        seen[host] = true
        found[#found + 1] = host
      end
    end
  end
  return found
end

--- Returns every group's distance from "all", by the longest way.
local function depths(self)
  local depth = {}
  local function walk(name, level)
    if (depth[name] or -1) < level then
      depth[name] = level
      for _, child in ipairs(self.groups_by_name[name].children) do
        walk(child, level + 1)
      end
    end
  end
  walk("all", 0)
  return depth
end

--- Returns the groups in the order in which their variables are merged, the farthest first: by
--- depth, then ansible_group_priority, then name.
local function merge_order(self)
  local depth, known = depths(self), self.groups_by_name
  local names = list.keys(known)
  table.sort(names, function(a, b)
    if depth[a] ~= depth[b] then
      return depth[a] < depth[b]
    elseif known[a].priority ~= known[b].priority then
      return known[a].priority < known[b].priority
    end
    return a < b
  end)
  return names
end

--- Finds out, for all hosts at once, which groups each is in.
local function memberships(self)
  local groups_of = {}
  for _, name in ipairs(self.host_order) do
    groups_of[name] = { "all" }
  end
  for _, group in ipairs(merge_order(self)) do
    for _, host in ipairs(group ~= "all" and self:hosts_in(group) or {}) do
      table.insert(groups_of[host], group)
    end
  end
  return groups_of
end

--- Returns the names of the groups a host is in, the farthest first.
---@param host string
---@return string[]
function Tree:groups_of(host)
  self.memberships = self.memberships or memberships(self)
  return self.memberships[host] or { "all" } -- the implicit localhost is in no other
end

--- Merges entries; nil ones count nothing.
local function merge(into, entry)
  if entry then
    for key, value in next, entry.vars do
      into.vars[key], into.origin[key] = value, entry.origin[key]
    end
  end
end

--- Returns the variables of a host, as Ansible's precedence has it: from the inventory "all" and
--- its groups from far to near; from group_vars "all", first beside the inventories and then beside
--- the playbook; likewise its groups; from the inventory its own; from host_vars its own.
---@param host table
---@return plat.inventory.Entry
function Tree:entry_of(host)
  local out = { vars = {}, origin = {} }
  local groups = self:groups_of(host.name)
  for _, group in ipairs(groups) do
    merge(out, self.groups_by_name[group])
  end
  local layers = list.copy(self.beside)
  layers[#layers + 1] = self.play
  for _, layer in ipairs(layers) do
    merge(out, layer.groups.all)
  end
  for _, layer in ipairs(layers) do
    for i = 2, #groups do
      merge(out, layer.groups[groups[i]])
    end
  end
  merge(out, host)
  for _, layer in ipairs(layers) do
    merge(out, layer.hosts[host.name])
  end
  return out
end

--- Returns the variables that a group or host has by itself, for an export.
---@param entry table
---@return table
function Tree:own_vars(entry)
  local out = { vars = {}, origin = {} }
  merge(out, entry)
  local layers = list.copy(self.beside)
  layers[#layers + 1] = self.play
  for _, layer in ipairs(layers) do
    merge(out, layer[entry.is_group and "groups" or "hosts"][entry.name])
  end
  if entry.is_group and entry.priority ~= DEFAULT_PRIORITY then
    out.vars.ansible_group_priority = entry.priority
  end
  return out.vars
end

--- Returns the host that "localhost" stands for where no file names it.
---@param name string
function Tree.localhost(name)
  return { name = name, vars = { ansible_connection = "local" }, origin = {} }
end

--- Returns the variables of a host as the files have them: nothing is filled in or decrypted.
---@param name string
---@return table
function Tree:vars_of(name)
  return self:entry_of(self.hosts_by_name[name]).vars
end

return M
