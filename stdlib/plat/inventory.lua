--- Inventories: hosts and groups as Ansible writes them, and clusters and services beside them.
--
-- A path is a file, or a directory whose files are read in the order of their names; later paths
-- win over earlier ones. Files are YAML or INI; a YAML file may have a top-level key `platrun:`.
local check = require("plat.check")
local fault = require("plat.fault")
local groups = require("plat.inventory.groups")
local json = require("plat.json")
local lazy = require("plat.env").lazy
local ini = lazy("plat.inventory.ini")
local list = require("plat.list")
local names = lazy("plat.inventory.names")
local pattern = lazy("plat.inventory.pattern")
local services = require("plat.inventory.services")
local sources = require("plat.inventory.sources")
local sys = require("prim.sys")
local yaml = require("plat.inventory.yaml")

local M = {}

---@class plat.Inventory
---@field path string the paths, for people
---@field chosen_by string? what chose them: a flag or a configuration file
---@field environment string?
---@field protected boolean
---@field is_sandbox boolean its targets are simulated
---@field limit string? the words of `--limit`
local Inventory = { __name = "plat.Inventory" }
Inventory.__index = Inventory

local function refuse(kind, msg, hint)
  fault.raise(kind, nil, { msg = msg, hint = hint, where = "" })
end

local function note(self, file)
  table.insert(self.read, { path = file.name, text = file.text })
  return file
end

local function add_file(self, file)
  if not file.is_yaml then
    return ini.read(self.tree, file)
  end
  local found = yaml.read(self.tree, file)
  if found then
    self.sandboxes[#self.sandboxes + 1] = { name = file.name, is = found.sandbox == true }
    self.services = services.merge(self.services, found)
  end
end

local function add_hosts(self, text)
  for word in text:gmatch("[^,]+") do
    word = word:match("^%s*(.*%S)")
    local host, port = names.address(word or "")
    if host and host:find("[", 1, true) then -- as Ansible: ranges are not for lists
      host, port = nil, nil
    end
    if word and not self.tree.hosts_by_name[host or word] then
      local added = self.tree:host(host or word, self.tree:group("ungrouped"))
      added.vars.ansible_port = port
    end
  end
end

local function add(self, item, opts)
  if item.hosts then
    add_hosts(self, item.hosts)
  elseif item.program then
    note(self, sources.program(item.program))
    require("plat.inventory.program").read(self.tree, item.program, opts)
  else
    add_file(self, note(self, item.file))
  end
end

local function new(path, opts)
  return setmetatable({
    path = path,
    chosen_by = opts.chosen_by,
    playbook_dir = opts.playbook_dir,
    tree = groups.new(),
    services = {},
    sandboxes = {}, -- which files say that their targets are simulated
    read = {}, -- files that were read: { path, text }
  }, Inventory)
end

--- Reads group_vars and host_vars, those of a folder once.
local function read_beside(self, dirs, playbook_dir)
  local layers = {}
  local function layer(dir)
    layers[dir] = layers[dir]
      or require("plat.inventory.vars_files").read(self.tree, dir, function(path)
        return note(self, sources.read(path))
      end)
    return layers[dir]
  end
  for _, dir in ipairs(dirs) do
    table.insert(self.tree.beside, layer(dir))
  end
  self.tree.play = playbook_dir and layer(playbook_dir) or nil
end

local function finish(self)
  local problem = self.tree:finish()
  if problem then
    refuse("parse", ("%s: %s"):format(self.path, problem))
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

local function load(found, paths, opts)
  local self = new(table.concat(paths, ", "), opts)
  for _, item in ipairs(found.items) do
    add(self, item, opts)
  end
  finish(self)
  read_beside(self, found.beside, opts.playbook_dir)
  if opts.limit then
    self:set_limit(opts.limit)
  end
  return self
end

--- Reads inventories; programs are run. Everything wrong in them raises with file and line.
---@async
---@param paths string|string[] files, directories, programs, or "host1,host2,"
---@param opts? { chosen_by: string?, playbook_dir: string?, limit: string?, timeout: number? }
---  playbook_dir: where group_vars and host_vars are looked for as well; limit: a pattern, or
---  "@FILE"; timeout: of each call of a program, in seconds
---@return plat.Inventory
function M.load(paths, opts)
  paths = type(paths) == "table" and paths or { paths }
  return load(sources.open(paths), paths, opts or {})
end

--- Returns the inventory of the sandbox: the configured one if it is simulated, else the one that
--- is built in.
---@param conf? table from plat.conf
---@param opts? { playbook_dir: string?, limit: string? }
---@return plat.Inventory
function M.sandbox(conf, opts)
  opts = opts or {}
  if conf and conf.inventory then
    local found = sources.open(conf.inventory)
    if found.is_sandbox then
      return load(found, conf.inventory, list.merge(opts, { chosen_by = conf.path }))
    end
  end
  local self = new("built in", list.merge(opts, { chosen_by = "--sandbox" }))
  local text = require("plat.inventory.builtin")
  add_file(
    self,
    yaml.parse({ name = "built-in sandbox.yaml", text = text, dir = ".", is_yaml = true })
  )
  finish(self)
  if opts.limit then
    self:set_limit(opts.limit)
  end
  return self
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

--- Limits what `hosts` returns. The words that match nothing raise.
---@param limit string a pattern, or "@FILE" with one a line
function Inventory:set_limit(limit)
  local words = pattern.limit_words(limit)
  self.limited = pattern.limit_set(self.tree, words)
  self.limit = table.concat(words, ",")
end

--- What every host has, beside what files say.
local function magic_of(self, host)
  local name = host.name
  local is_address = name:find("^%d+%.%d+%.%d+%.%d+$") or name:find(":", 1, true)
  local groups_of = list.without(self.tree:groups_of(name), "all")
  return {
    inventory_hostname = name,
    inventory_hostname_short = is_address and name or name:match("^[^.]*"),
    group_names = json.array(list.sort_by(groups_of)),
    inventory_file = host.source,
    inventory_dir = host.source and sources.folder(host.source),
    playbook_dir = self.playbook_dir,
  }
end

--- Returns the names of the hosts a pattern selects.
---@param words? string default "all"
---@param opts? { unlimited: boolean? } also those that `--limit` leaves out
---@return string[]
function Inventory:names(words, opts)
  local found = pattern.select(self.tree, words or "all")
  if self.limited and not (opts and opts.unlimited) then
    found = list.where(found, function(name)
      return self.limited[name]
    end)
  end
  return found
end

--- Returns the hosts a pattern selects, with their variables. Those that are encrypted are secrets.
---@param words? string default "all"
---@param opts? { unlimited: boolean? } also those that `--limit` leaves out
---@return { name: string, address: string, vars: table }[]
function Inventory:hosts(words, opts)
  local view = require("plat.inventory.value").view
  return list.map(self:names(words, opts), function(name)
    local host = self.tree.hosts_by_name[name] or self.tree.localhost(name)
    local vars = view(self.tree:entry_of(host), magic_of(self, host))
    return { name = name, address = vars.ansible_host or name, vars = vars }
  end)
end

local function from_root(path)
  return path:sub(1, 1) == "/" and path or sys.cwd() .. "/" .. path
end

--- Returns what was read, for the journal of a run: another process, in another folder, can tell
--- what has changed.
---@return { path: string, sha256: string }[] paths from the root
function Inventory:digest()
  return list.map(self.read, function(file)
    local sha256 = require("plat.hash").digest("sha256", file.text)
    return { path = from_root(file.path), sha256 = sha256 }
  end)
end

--- Returns the names of the groups.
---@return string[]
function Inventory:groups()
  return list.keys(self.tree.groups_by_name)
end

--- Returns what `ansible-inventory --list` prints, as a table.
---@param opts? { export: boolean? }
---@return table
function Inventory:list(opts)
  return require("plat.inventory.listing").list(self, opts or {})
end

return M
