--- Inventories: hosts and groups as Ansible writes them, and clusters and services beside them.
--
-- A path is a file, or a directory whose files are read in the order of their names; later paths
-- win over earlier ones. Files are YAML or INI; a YAML file may have a top-level key `platrun:`.
local check = require("plat.check")
local fault = require("plat.fault")
local fs = require("prim.fs")
local groups = require("plat.inventory.groups")
local lazy = require("plat.env").lazy
local ini = lazy("plat.inventory.ini")
local json = require("plat.json")
local list = require("plat.list")
local names = lazy("plat.inventory.names")
local services = require("plat.inventory.services")
local yaml = require("plat.inventory.yaml")

local M = {}

local MAX_FILE = 16 * 1024 * 1024
local WORLD_WRITABLE = tonumber("002", 8)
local IGNORED = { "pyc", "pyo", "swp", "bak", "rpm", "md", "txt", "rst", "orig", "cfg", "retry" }

---@class plat.Inventory
---@field path string the paths, for people
---@field chosen_by string? what chose them: a flag or a configuration file
---@field environment string?
---@field protected boolean
---@field is_sandbox boolean its targets are simulated
local Inventory = { __name = "plat.Inventory" }
Inventory.__index = Inventory

local function refuse(kind, msg, hint)
  fault.raise(kind, nil, { msg = msg, hint = hint, where = "" })
end

local function folder(path)
  local dir = path:match("^(.*)/[^/]*$")
  return dir == "" and "/" or dir or "."
end

local function stat(path)
  if path == "" then
    refuse("usage", "inventory: the path is empty", "say -i PATH; inventory/production is one")
  end
  local info, err = fs.stat(path)
  if not info then
    local close = check.did_you_mean(path:match("[^/]*$"), fs.list(folder(path)) or {})
    refuse(
      "usage",
      ("inventory: %s%s"):format(err.msg, close),
      "-i, PLATRUN_INVENTORY or `inventory:` in platrun.conf choose it"
    )
  elseif info.mode & WORLD_WRITABLE ~= 0 then
    refuse(
      "refused",
      ("inventory %s: everybody may write to it"):format(path),
      "chmod o-w " .. path
    )
  end
  return info
end

local function read_file(self, path)
  stat(path)
  local text = fault.must({ op = "inventory", object = path }, fs.read(path, { max = MAX_FILE }))
  table.insert(self.read, { path = path, text = text })
  if text:sub(1, 2) == "#!" then
    refuse(
      "parse",
      path .. ":1: programs as inventories are not supported",
      "ansible-inventory -i PROGRAM --list --yaml --export > FILE makes a file of it"
    )
  end
  return { name = path, text = text, dir = folder(path) }
end

local function is_yaml(file)
  if file.name:find("%.ya?ml$") or file.name:find("%.json$") then
    return true
  end
  local first = ("\n" .. file.text):match("\n[ \t]*([^#;%s][^\n]*)")
  return first ~= nil and (first:find("^%-%-%-") or first:find("^[%w_]+:%s*$")) ~= nil
end

local function read_into(self, file)
  if is_yaml(file) then
    local found = yaml.read(self.tree, file)
    if found then
      self.sandboxes[#self.sandboxes + 1] = { name = file.name, is = found.sandbox == true }
      self.services = services.merge(self.services, found)
    end
  else
    ini.read(self.tree, file)
  end
end

--- Reads the variables of one group or host: NAME, NAME.yml, NAME.yaml or the files in NAME/.
local function read_vars(self, dir, name, into)
  for _, ending in ipairs({ "", ".yml", ".yaml", ".json" }) do
    local path = dir .. "/" .. name .. ending
    local info = fs.stat(path)
    if info and info.type == "directory" then
      for _, part in ipairs(fs.list(path) or {}) do
        if part:find("%.ya?ml$") or part:find("%.json$") then
          yaml.read_vars(read_file(self, path .. "/" .. part), into)
        end
      end
    elseif info then
      yaml.read_vars(read_file(self, path), into)
    end
  end
end

local function read_vars_beside(self, dir)
  if fs.stat(dir .. "/group_vars") then
    for name, group in pairs(self.tree.groups_by_name) do
      read_vars(self, dir .. "/group_vars", name, group.file_vars)
    end
  end
  if fs.stat(dir .. "/host_vars") then
    for name, host in pairs(self.tree.hosts_by_name) do
      read_vars(self, dir .. "/host_vars", name, host.file_vars)
    end
  end
end

local function is_ignored(name)
  local ending = name:match("%.([^.]*)$")
  return name:sub(1, 1) == "."
    or name:sub(-1) == "~"
    or name == "group_vars"
    or name == "host_vars"
    or list.contains(IGNORED, ending)
end

local function read_path(self, path)
  if path:find(",", 1, true) then -- a list of hosts: "web1,web2,"
    for name in path:gmatch("[^,%s]+") do
      self.tree:host(name, self.tree:group("ungrouped"))
    end
    return
  end
  path = #path > 1 and path:gsub("/+$", "") or path
  if stat(path).type ~= "directory" then
    read_into(self, read_file(self, path))
    self.beside[#self.beside + 1] = folder(path)
    return
  end
  for _, name in ipairs(fault.must({ op = "inventory", object = path }, fs.list(path))) do
    if not is_ignored(name) then
      read_path(self, path .. "/" .. name)
    end
  end
  self.beside[#self.beside + 1] = path
end

local function new(path, chosen_by)
  return setmetatable({
    path = path,
    chosen_by = chosen_by,
    tree = groups.new(),
    services = {},
    sandboxes = {}, -- which files say that their targets are simulated
    read = {}, -- files that were read: { path, text }
    beside = {}, -- where group_vars and host_vars are looked for
  }, Inventory)
end

local function finish(self)
  self.tree:finish()
  local done = {}
  for _, dir in ipairs(self.beside) do
    if not done[dir] then
      done[dir] = true
      read_vars_beside(self, dir)
    end
  end
  local is = list.find(self.sandboxes, { is = true })
  local is_not = list.find(self.sandboxes, { is = false })
  if is and is_not then
    refuse(
      "refused",
      ("%s is of the sandbox, %s is not"):format(is.name, is_not.name),
      "name one environment; a run is either real or simulated"
    )
  end
  services.finish(self.services)
  self.is_sandbox = is ~= nil
  self.environment = self.services.environment
  self.protected = self.services.protected or false
  return self
end

--- Reads inventories. Everything wrong in them raises with file and line.
---@param paths string|string[] files, directories, or "host1,host2,"
---@param opts? { chosen_by: string? }
---@return plat.Inventory
function M.load(paths, opts)
  paths = type(paths) == "table" and paths or { paths }
  local self = new(table.concat(paths, ", "), opts and opts.chosen_by)
  for _, path in ipairs(paths) do
    read_path(self, path)
  end
  return finish(self)
end

--- Returns the inventory of the sandbox: the configured one if it is simulated, else the one that
--- is built in.
---@param conf? table from plat.conf
---@return plat.Inventory
function M.sandbox(conf)
  if conf and conf.inventory then
    local configured = M.load(conf.inventory, { chosen_by = conf.path })
    if configured.is_sandbox then
      return configured
    end
  end
  local self = new("built in", "--sandbox")
  read_into(
    self,
    { name = "built-in sandbox.yaml", text = require("plat.inventory.builtin"), dir = "." }
  )
  return finish(self)
end

local function has(word, known, what)
  if #known == 0 then
    refuse(
      "usage",
      ("the inventory names no %s"):format(what),
      ("inventory/production shows how to write one: platrun: {%ss: {NAME: ...}}"):format(what)
    )
  end
  refuse(
    "usage",
    ('no %s "%s"%s'):format(what, word, check.did_you_mean(word, known)),
    ("the inventory has %s"):format(table.concat(known, ", "))
  )
end

--- Returns the names of the clusters.
---@return string[]
function Inventory:clusters()
  return list.keys(self.services.clusters or {})
end

--- Returns a cluster; without a name the only one.
---@param name? string
---@return table cluster
---  `{ name, kubernetes, namespace, dremio, environment, protected, approvals }`
function Inventory:cluster(name)
  local known = self:clusters()
  if not name and #known > 1 then
    refuse(
      "usage",
      ("which cluster? the inventory has %s"):format(table.concat(known, ", ")),
      "say cluster=NAME"
    )
  end
  name = name or known[1]
  local found = (self.services.clusters or {})[name or ""]
  if not found then
    has(name or "", known, "cluster")
  end
  local dremio
  for _, entry in pairs(self.services.dremio or {}) do
    if entry.cluster == name then
      if dremio then
        refuse(
          "usage",
          ("cluster %s has more than one dremio: %s and %s"):format(name, dremio.name, entry.name)
        )
      end
      dremio = entry
    end
  end
  return {
    name = name,
    kubernetes = list.deep_copy(found.kubernetes),
    namespace = found.namespace or "default",
    dremio = list.deep_copy(dremio),
    environment = self.environment,
    protected = self.protected,
    approvals = self:approvals(name),
  }
end

--- Returns who may grant what is asked for on a cluster: what stands at the cluster wins over what
--- stands at the environment. Without a name the strictest of all clusters.
---@param name? string
---@return { four_eyes: boolean, approvers: string[]? }
function Inventory:approvals(name)
  local top = self.services.approvals or {}
  local function of(cluster)
    local own = cluster.approvals or {}
    return {
      four_eyes = own.four_eyes == nil and top.four_eyes == true or own.four_eyes == true,
      approvers = own.approvers or top.approvers,
    }
  end
  local clusters = self.services.clusters or {}
  if name then
    return of(clusters[name] or {})
  end
  local strictest = of({})
  for _, cluster in pairs(clusters) do
    strictest.four_eyes = strictest.four_eyes or of(cluster).four_eyes
  end
  return strictest
end

--- Returns the hosts a pattern selects, with their variables.
---@param pattern? string default "all"
---@return { name: string, address: string, vars: table }[]
function Inventory:hosts(pattern)
  local inv = self.tree
  return list.map(names.select(inv, pattern or "all"), function(name)
    local vars = inv:vars_of(name)
    return { name = name, address = vars.ansible_host or name, vars = vars }
  end)
end

--- Returns what was read, for the journal of a run: another process can tell what has changed.
---@return { path: string, sha256: string }[]
function Inventory:digest()
  return list.map(self.read, function(file)
    local sha256 = require("plat.hash").digest("sha256", file.text)
    return { path = file.path, sha256 = sha256 }
  end)
end

--- Returns the names of the groups.
---@return string[]
function Inventory:groups()
  return list.keys(self.tree.groups_by_name)
end

--- Returns what `ansible-inventory --list` prints, as a table.
---@return table
function Inventory:list()
  local out = { _meta = { hostvars = {} } }
  for name, group in pairs(self.tree.groups_by_name) do
    local entry = {}
    if #group.hosts > 0 then
      entry.hosts = json.array(list.copy(group.hosts))
    end
    if #group.children > 0 then
      entry.children = json.array(list.copy(group.children))
    end
    if not list.is_empty(entry) then
      out[name] = entry
    end
  end
  for name in pairs(self.tree.hosts_by_name) do
    local vars = self.tree:vars_of(name)
    if not list.is_empty(vars) then
      out._meta.hostvars[name] = vars
    end
  end
  return out
end

return M
