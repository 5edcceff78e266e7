--- ssh_config: what ~/.ssh/config and /etc/ssh/ssh_config say of a host, as OpenSSH 9.2 reads them.
--
-- Keywords are named as `ssh -G` prints them, in lower case: `settings.identityfile` is a list of
-- paths, `settings.port` a number, yes and no are booleans, times are seconds. docs/SSH.md lists
-- what differs from OpenSSH.

local apply = require("plat.ssh.config.apply")
local check = require("plat.check")
local expand = require("plat.ssh.config.expand")
local fault = require("plat.fault")
local files = require("plat.ssh.config.files")
local jump = require("plat.ssh.config.jump")
local list = require("plat.list")
local settle = require("plat.ssh.config.settle")
local sys = require("prim.sys")

local M = {}

local LOAD = check.options("config.load", {
  path = { type = "string", help = "this file alone, as by ssh -F; none: no file" },
  files = { type = "table", help = "texts by path, instead of the disk" },
  home = { type = "string", help = "default: the user's" },
  user = { type = "string", help = "the local user" },
  uid = { type = "integer", help = "the local user's" },
  hostname = { type = "string", help = "this machine's name" },
  env = { type = "table", help = "the environment" },
  exec = { type = "function", help = "runs a command of Match exec, returns whether it succeeds" },
})
local LOOKUP = check.options("config.lookup", {
  user = { type = "string", help = "wins over the files" },
  port = { type = "integer", help = "wins over the files" },
  options = {
    type = "table",
    help = 'lines that win over the files, as by ssh -o: "Port=22", or { text =, from = }',
  },
})

---@class plat.ssh.Ignored
---@field keyword string
---@field file string
---@field line integer
---@field place string both, for messages
---@field harmless boolean nothing is missed

---@class plat.ssh.Config
---@field paths string[] the files that were read
---@field ignored plat.ssh.Ignored[] what hosts that were looked up ask for and platrun does not do
local Config = {}
Config.__index = Config

--- Reads the files of the user and of the machine. Malformed lines raise "parse" with FILE:LINE,
--- files that others may change "refused".
---@param opts? table path, files, home, user, uid, hostname, env, exec: see the schema
---@return plat.ssh.Config
function M.load(opts)
  opts = LOAD(opts)
  local env = opts.env
  local loader = {
    reader = opts.files and files.of_table(opts.files) or files.DISK,
    local_ = {
      home = opts.home or sys.home() or "/",
      user = opts.user or sys.user(),
      uid = opts.uid or sys.uid(),
      hostname = opts.hostname or sys.hostname(),
    },
    env = env and function(name)
      return env[name]
    end or sys.getenv,
    open = {},
    known = {},
    paths = {},
  }
  local self = setmetatable({ loader = loader, exec = opts.exec, ignored = {} }, Config)
  self.paths, self.files, self.told = loader.paths, {}, {}
  local function add(path, how)
    self.files[#self.files + 1] = files.read(loader, path, how)
  end
  if opts.path then
    if opts.path:lower() ~= "none" then
      add(opts.path, { user = true, needed = true })
    end
  else
    add(loader.local_.home .. "/.ssh/config", { user = true, checked = true })
    add("/etc/ssh/ssh_config", { user = false })
  end
  return self
end

local HARMLESS_VALUES = { [false] = true, no = true, none = true }

--- Remembers a keyword that platrun does not act on, unless it says no.
local function teller(self)
  return function(st)
    local keyword, value = st.keyword, st.value
    local first = type(value) == "table" and value[1] or value
    if not self.told[keyword.name] and not HARMLESS_VALUES[first] then
      self.told[keyword.name] = true
      self.ignored[#self.ignored + 1] = {
        keyword = keyword.name,
        file = st.file,
        line = st.line,
        place = st:place(),
        harmless = keyword.use == "harmless",
      }
    end
  end
end

local function new_pass(self, host, opts)
  local pass = {
    values = { user = opts.user, port = opts.port },
    origin = {},
    original = host,
    host = host,
    final = false,
    want_final = false,
    local_ = self.loader.local_,
    exec = self.exec,
    ignored = teller(self),
  }
  local statements = {}
  for i, option in ipairs(opts.options or {}) do
    local text = type(option) == "table" and option.text or option
    local from = type(option) == "table" and option.from or nil
    local place = { file = from or "option", line = i, user = true, bare = from ~= nil }
    statements[i] = files.statement(self.loader, text, place) or nil
    local kind = statements[i] and statements[i].keyword and statements[i].keyword.kind
    if kind == "host" or kind == "match" or kind == "include" then
      statements[i]:fail("a line of files, not an option")
    end
  end
  apply.run(pass, list.values(statements), true)
  return pass
end

local function is_address(host)
  return host:find("[%%:]") ~= nil or host:find("^[%d.]*$") ~= nil
end

--- Takes HostName into use between the passes.
local function resolve(pass)
  local name = pass.values.hostname
  local host = pass.original
  if name then
    local problem
    host, problem = expand.tokens(name, { h = pass.original })
    if not host then
      pass.origin.hostname:fail(("HostName %s: %s"):format(name, problem))
    end
  end
  pass.host = is_address(host) and host or host:lower()
end

--- Returns what the files say of a host: a table by keyword, as `ssh -G` prints it. Raises "parse"
--- for unknown keywords and for tokens without a value.
---@param host string as it would be given to ssh
---@param opts? { user?: string, port?: integer, options?: (string|table)[] } what wins over the
---  files; of an option as { text =, from = } `from` is what messages call it
---@return table settings
function Config:lookup(host, opts)
  if type(host) ~= "string" or host == "" or host:find("%z") then
    fault.raise("usage", nil, { msg = "a host's name is expected" })
  end
  opts = LOOKUP(opts)
  for _, name in ipairs({ host, opts.user }) do
    if not (name == host and jump.valid_host or jump.valid_user)(name) then
      fault.raise("usage", nil, { msg = ("%q is no name of a host or user for ssh"):format(name) })
    end
  end
  local pass = new_pass(self, host, opts)
  for _, file in ipairs(self.files) do
    apply.run(pass, file, true)
  end
  resolve(pass)
  local canonical = pass.values.canonicalizehostname
  if pass.want_final or (canonical and canonical ~= "no") then
    pass.final, pass.values.hostname = true, pass.host
    for _, file in ipairs(self.files) do
      apply.run(pass, file, true)
    end
  end
  return settle.settings(pass, self.loader.env)
end

return M
