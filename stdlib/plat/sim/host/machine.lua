--- One simulated host: its state, a plain table, and what is asked of it all over the model.

local check = require("plat.check")
local fault = require("plat.fault")
local files = require("plat.sim.host.files")
local hash = require("prim.hash")
local image = require("plat.sim.host.image")
local list = require("plat.list")
local live = require("plat.sim.host.live")
local units = require("plat.sim.host.units")

local M = {}

local GIB = 1 << 30
local UP = 14 * 86400 + 3600 -- seconds that a host has been up when nothing else is said
local BASE_USED = 2 * GIB -- of the root disk, by what the image does not show

---@class plat.sim.Machine
---@field state table plain data: all that a dump holds; its fields are read as the machine's
---@field name string
---@field files table<string, table|false> by path: type, mode, owner, group, content, size, to
---@field services table<string, table> by name without ".service"
---@field processes table[] pid, ppid, user, command, since, unit
---@field packages table<string, string> versions of what is installed
---@field users table<string, table> uid, group, groups, home, shell
---@field journal table[] at, unit, ident, pid, text
local Machine = { __name = "plat.sim.Machine" }

function Machine.__index(self, key)
  local method = Machine[key]
  if method ~= nil then
    return method
  end
  return rawget(self, "state")[key]
end

local SPEC = check.options("a simulated host", {
  files = {
    type = "table",
    help = "by path: content, or { content, mode, owner, group, size, to }",
  },
  services = { type = "table", help = "by name: state, or { state, enabled, start, fails, ... }" },
  packages = { type = "table", help = "by name: version" },
  available = { type = "table", help = "packages that apt-get can install, by name: version" },
  users = { type = "table", help = "by name: { uid, groups, home, shell }" },
  groups = { type = "table", help = "by name: gid" },
  processes = { type = "list", help = "command, or { command, user, pid }" },
  disks = { type = "table", help = "by mount point: size, or { size, used }" },
  user = { type = "string", default = "root", help = "who logs in" },
  sudo = { type = "boolean", default = true, help = "whether that user may become others" },
  cpus = { type = "integer", min = 1, default = 2 },
  memory = { type = "bytes", default = "4GB" },
  kernel = { type = "string", default = "6.1.0-25-amd64" },
  arch = { type = "string", default = "x86_64" },
  domain = { type = "string", help = "behind the host's name" },
  ip = { type = "string", default = "192.0.2.1" },
  up = { type = "duration", help = "how long it has been up; default: 2 weeks" },
  boot = { type = "duration", default = "30s", help = "how long a boot takes" },
  skew = { type = "number", default = 0, help = "seconds that its clock goes ahead" },
  rules = { type = "list", help = "what commands answer, see plat.sim.host.rules" },
})

--- Returns what is wrong in a spec to whoever wrote it.
local function wrong(name, msg)
  fault.raise("usage", nil, { msg = ("simulated host %s: %s"):format(name, msg), where = "" })
end

local function bytes(name, what, value)
  local n, err = check.value({ type = "bytes" }, value)
  if not n then
    wrong(name, ("%s: %s"):format(what, err))
  end
  return n
end

-- ---- a new one ----

local function number_of(name, taken, first)
  local id = first
  while taken[id] do
    id = id + 1
  end
  taken[id] = name
  return id
end

local function make_accounts(s, spec)
  s.groups = list.merge(image.GROUPS, spec.groups or {})
  s.users = list.deep_copy(image.USERS)
  local uids, gids = {}, {}
  for user, entry in pairs(list.merge(s.users, spec.users or {})) do
    uids[entry.uid or 0] = user
  end
  for group, gid in pairs(s.groups) do
    gids[gid] = group
  end
  local wanted = list.copy(spec.users or {})
  if s.user ~= "root" then
    wanted[s.user] = wanted[s.user] or {}
  end
  for user, entry in pairs(wanted) do
    local own = list.deep_copy(entry)
    own.group = own.group or user
    own.uid = own.uid or number_of(user, uids, 1000)
    own.home = own.home or "/home/" .. user
    own.shell = own.shell or "/bin/bash"
    s.users[user] = own
    s.groups[own.group] = s.groups[own.group] or number_of(own.group, gids, own.uid)
    for _, group in ipairs(own.groups or {}) do
      s.groups[group] = s.groups[group] or number_of(group, gids, 1000)
    end
  end
end

local function make_disks(s, spec)
  s.disks = {}
  for mount, disk in pairs(list.merge({ ["/"] = "20GB" }, spec.disks or {})) do
    local given = type(disk) == "table" and disk or { size = disk }
    s.disks[mount] = {
      size = bytes(s.name, "disks " .. mount, given.size or "20GB"),
      used = given.used and bytes(s.name, "disks " .. mount, given.used)
        or mount == "/" and BASE_USED
        or 0,
      device = given.device or mount == "/" and "/dev/vda1" or "/dev/vd" .. s.next_disk,
    }
    s.next_disk = mount == "/" and s.next_disk or string.char(s.next_disk:byte() + 1)
  end
  s.next_disk = nil
end

--- Makes the folders above a path that are missing.
local function make_folders(machine, path, now)
  local folder = files.split(path)
  if folder ~= "/" and not files.peek(machine, folder) then
    make_folders(machine, folder, now)
    machine.files[folder] =
      { type = "dir", mode = 493, owner = "root", group = "root", mtime = now }
  end
end

local function read_mode(name, path, mode)
  if math.type(mode) == "integer" then
    return mode
  end
  return tonumber(mode, 8) or wrong(name, ("files %s: mode %q is not octal"):format(path, mode))
end

local function make_file(machine, path, given, now)
  local entry = type(given) == "table" and given or { content = given }
  local kind = entry.type or entry.to and "link" or path:sub(-1) == "/" and "dir" or "file"
  path = path:gsub("(.)/+$", "%1")
  if path:sub(1, 1) ~= "/" or type(entry.content or "") ~= "string" then
    wrong(machine.name, ("files %s: an absolute path and a text"):format(path))
  end
  local real = files.find(machine, "root", path, { follow = false })
  path = real or path
  make_folders(machine, path, now)
  local default = kind == "dir" and 493 or kind == "link" and 511 or 420
  local owner = entry.owner or "root"
  machine.files[path] = {
    type = kind,
    mode = entry.mode and read_mode(machine.name, path, entry.mode) or default,
    owner = owner,
    group = entry.group or machine:group_of(owner),
    content = kind == "file" and (entry.content or not entry.size and "") or nil,
    size = entry.size and bytes(machine.name, "files " .. path, entry.size) or nil,
    to = entry.to,
    mtime = entry.mtime or now,
  }
end

local function make_processes(machine, spec, now)
  machine:spawn("/sbin/init", { user = "root", ppid = 0 })
  for name, service in pairs(list.merge(image.SERVICES, spec.services or {})) do
    units.add(machine, name, service, now)
  end
  for _, given in ipairs(spec.processes or {}) do
    local process = type(given) == "table" and given or { command = given }
    machine:spawn(process.command, process)
  end
end

local COPIED = { "user", "sudo", "cpus", "memory", "kernel", "arch", "domain", "ip" }

--- Makes a host.
---@param name string
---@param spec table see SPEC
---@param fleet plat.sim.Fleet
---@return plat.sim.Machine
function M.new(name, spec, fleet)
  local given = SPEC(spec)
  local now = fleet.now
  local s = {
    name = name,
    next_pid = 1,
    next_disk = "b",
    journal = {},
    processes = {},
    services = {},
    files = files.over_image({}),
    packages = list.merge(image.PACKAGES, given.packages or {}),
    available = list.copy(given.available or {}),
    changed = 0,
    faults = {},
  }
  for _, key in ipairs(COPIED) do
    s[key] = given[key]
  end
  s.skew, s.boot_seconds = given.skew, given.boot
  local machine = setmetatable({ state = s, fleet = fleet }, Machine)
  s.seed = machine:number("seed")
  s.booted = now - (given.up or UP)
  s.boots = 1
  make_accounts(s, given)
  make_disks(s, given)
  for user, entry in pairs(s.users) do
    if entry.home:find("^/home/") then
      make_file(machine, entry.home, { type = "dir", owner = user }, now)
    end
  end
  for path, entry in pairs(given.files or {}) do
    make_file(machine, path, entry, now)
  end
  make_processes(machine, given, now)
  return machine
end

--- Makes a host of its state.
---@param state table
---@param fleet plat.sim.Fleet
---@return plat.sim.Machine
function M.restore(state, fleet)
  files.over_image(state.files)
  return setmetatable({ state = state, fleet = fleet }, Machine)
end

-- ---- what is asked of it ----

--- Returns the time by the host's own clock.
---@return number unix seconds
function Machine:now()
  return self.fleet.now + self.state.skew
end

--- Returns a number that belongs to the host and a word, the same in every process.
---@param word string
---@return integer
function Machine:number(word)
  local digest = hash.digest("sha256", self.state.name .. "\0" .. word)
  return tonumber(digest:sub(1, 12), 16)
end

--- Returns the id of a boot, made of hexadecimal digits.
---@return string
function Machine:boot_id()
  local digest = hash.digest("sha256", ("%s boot %d"):format(self.name, self.state.boots))
  return digest:gsub("^(%x%x%x%x%x%x%x%x)(%x%x%x%x)(%x%x%x)(%x%x%x)(%x+)$", function(a, b, c, d, e)
    return ("%s-%s-4%s-a%s-%s"):format(a, b, c, d, e:sub(1, 12))
  end)
end

--- Returns the home folder of a user.
---@param who string
---@return string
function Machine:home(who)
  local user = self.state.users[who]
  return user and user.home or "/"
end

--- Returns the primary group of a user.
---@param who string
---@return string
function Machine:group_of(who)
  local user = self.state.users[who]
  return user and user.group or who
end

--- Says whether a user belongs to a group.
---@param who string
---@param group string
---@return boolean
function Machine:in_group(who, group)
  local user = self.state.users[who]
  return user ~= nil and (user.group == group or list.contains(user.groups or {}, group))
end

--- Returns what a file holds, made now if it shows something of the host.
---@param entry table
---@return string
function Machine:text_of(entry)
  return entry.live and live[entry.live](self) or entry.content or ""
end

--- Returns the disk that a path is on.
---@param path string
---@return table disk `{ size, used, device }`
---@return string mount
function Machine:disk_of(path)
  local best = "/"
  for mount in pairs(self.state.disks) do
    if #mount > #best and (path .. "/"):sub(1, #mount + 1) == mount .. "/" then
      best = mount
    end
  end
  return self.state.disks[best], best
end

--- Raises: the model does not know this, and does not guess.
---@param what string
---@param stub string the line that makes it known
function Machine:unmodelled(what, stub)
  fault.raise("refused", { target = "host " .. self.name }, {
    msg = "the simulated host does not know: " .. what,
    hint = "say it in the world: hosts = { ["
      .. ("%q"):format(self.name)
      .. "] = { "
      .. stub
      .. " } }",
    where = "",
  })
end

--- Starts a process.
---@param command string
---@param opts? { user: string?, ppid: integer?, pid: integer?, unit: string? }
---@return table process
function Machine:spawn(command, opts)
  opts = opts or {}
  local s = self.state
  local pid = opts.pid or s.next_pid
  s.next_pid = math.max(s.next_pid, pid) + (pid == 1 and 400 or 3)
  local process = {
    pid = pid,
    ppid = opts.ppid or 1,
    user = opts.user or "root",
    command = command,
    since = self.fleet.now,
    unit = opts.unit,
  }
  s.processes[#s.processes + 1] = process
  return process
end

--- Ends processes.
---@param which table|fun(process: table): boolean as plat.list.find takes it
---@return table[] ended
function Machine:kill(which)
  local left, ended = {}, {}
  for _, process in ipairs(self.state.processes) do
    table.insert(#list.where({ process }, which) > 0 and ended or left, process)
  end
  self.state.processes = left
  return ended
end

--- Writes a line to the journal.
---@param text string
---@param about? { unit: string?, ident: string?, pid: integer? }
function Machine:log(text, about)
  about = about or {}
  local journal = self.state.journal
  journal[#journal + 1] = {
    at = self:now(),
    unit = about.unit,
    ident = about.ident or "systemd",
    pid = about.pid or 1,
    text = text,
  }
end

--- Reads a file as root.
---@param path string
---@return string? content
---@return string? err
function Machine:read(path)
  return files.read(self, "root", path)
end

--- Writes a file, with the folders above it.
---@param path string
---@param content string
---@param opts? { mode: string|integer|nil, owner: string?, group: string? }
function Machine:write(path, content, opts)
  make_file(self, path, list.merge({ content = content }, opts or {}), self:now())
end

return M
