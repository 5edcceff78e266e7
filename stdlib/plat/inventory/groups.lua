--- Hosts and groups of an inventory: what files declare, and the variables that follow from it.
local list = require("plat.list")

local M = {}

---@class plat.inventory.Tree
---@field groups_by_name table<string, table>
---@field hosts_by_name table<string, table>
---@field host_order string[]
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
  }, Tree)
  self:group("all")
  self:group("ungrouped")
  return self
end

--- Returns a group, made when it is new.
function Tree:group(name)
  local group = self.groups_by_name[name]
  if not group then
    group = { name = name, hosts = {}, has = {}, children = {}, vars = {}, file_vars = {} }
    self.groups_by_name[name] = group
    self.group_order[#self.group_order + 1] = name
  end
  return group
end

--- Returns a host, made when it is new; optionally puts it into a group.
function Tree:host(name, group)
  local host = self.hosts_by_name[name]
  if not host then
    host = { name = name, vars = {}, file_vars = {} }
    self.hosts_by_name[name] = host
    self.host_order[#self.host_order + 1] = name
  end
  if group and not group.has[name] then
    group.hosts[#group.hosts + 1], group.has[name] = name, true
  end
  return host
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

--- Tells if a group is a descendant of another.
function Tree:is_below(name, ancestor)
  for _, child in ipairs(self.groups_by_name[ancestor].children) do
    if child == name or self:is_below(name, child) then
      return true
    end
  end
  return false
end

--- Puts groups without a parent under "all" and hosts without a group into "ungrouped".
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
  local all = self.groups_by_name.all
  all.children = list.without(all.children, "ungrouped")
  table.insert(all.children, 1, "ungrouped")
  for _, name in ipairs(self.group_order) do
    if name ~= "all" and name ~= "ungrouped" and not has_parent[name] then
      all.children[#all.children + 1] = name
    end
  end
  local ungrouped = self.groups_by_name.ungrouped
  ungrouped.hosts = list.where(self.host_order, function(name)
    return not grouped[name]
  end)
  all.hosts = {}
  self.memberships = nil
end

--- Returns the hosts of a group and of all groups below it, in the order of the inventory.
---@param name string
---@return string[]
function Tree:hosts_in(name)
  local seen = {}
  local function walk(group)
    for _, host in ipairs(group.hosts) do
      seen[host] = true
    end
    for _, child in ipairs(group.children) do
      walk(self.groups_by_name[child])
    end
  end
  walk(self.groups_by_name[name])
  return list.where(self.host_order, function(host)
    return seen[host]
  end)
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
  local depth = depths(self)
  local function priority(name)
    return tonumber(self.groups_by_name[name].vars.ansible_group_priority) or 1
  end
  local names = list.keys(self.groups_by_name)
  table.sort(names, function(a, b)
    if depth[a] ~= depth[b] then
      return depth[a] < depth[b]
    elseif priority(a) ~= priority(b) then
      return priority(a) < priority(b)
    end
    return a < b
  end)
  return names
end

--- Finds out, for all hosts at once, which groups each is in.
local function memberships(self)
  local groups_of = {}
  for _, name in ipairs(self.host_order) do
    groups_of[name] = {}
  end
  for _, group in ipairs(merge_order(self)) do
    for _, host in ipairs(self:hosts_in(group)) do
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
  return self.memberships[host]
end

--- Returns the variables of a host, as Ansible's precedence has it: from the inventory its groups
--- from far to near; from group_vars "all", then its groups; from the inventory its own; from
--- host_vars its own.
---@param name string
---@return table
function Tree:vars_of(name)
  local from_inventory, from_files = {}, {}
  for _, group in ipairs(self:groups_of(name)) do
    from_inventory = list.merge(from_inventory, self.groups_by_name[group].vars)
    from_files = list.merge(from_files, self.groups_by_name[group].file_vars)
  end
  local host = self.hosts_by_name[name]
  local vars = list.merge(from_inventory, from_files, host.vars, host.file_vars)
  vars.ansible_group_priority = nil
  return vars
end

return M
