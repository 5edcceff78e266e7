--- SSH connections to hosts: found by ssh_config, verified by known_hosts, one a host and run. What
--- is asked over them goes through the door (plat.effect); see plat.host.

local fault = require("plat.fault")
local known_hosts = require("plat.ssh.known_hosts")
local list = require("plat.list")
local prim = require("prim.ssh")
local sys = require("prim.sys")
local task = require("prim.task")

local M = {}

--- What libssh2 1.10 can verify, best first; newer versions know RSA with SHA-2.
local HOST_KEYS = {
  "ssh-ed25519",
  "ecdsa-sha2-nistp256",
  "ecdsa-sha2-nistp384",
  "ecdsa-sha2-nistp521",
}

local state = { config = nil, keys = {} } -- of this process: ssh_config; private keys by path

local function config()
  state.config = state.config or require("plat.ssh.config").load({})
  return state.config
end

---@class plat.ssh.Settings
---@field host string the address that is connected to
---@field port integer
---@field user string
---@field keys string[] files of private keys
---@field agent? string socket
---@field known string[] files of known hosts
---@field alias? string HostKeyAlias
---@field accept_new boolean
---@field timeout number seconds to connect

local function existing(paths)
  local fs = require("prim.fs")
  return list.where(paths, function(path)
    return fs.stat(path) ~= nil
  end)
end

local function agent_of(found)
  local agent = found.identityagent
  if agent == "none" then
    return nil
  end
  return agent and agent ~= "SSH_AUTH_SOCK" and agent or sys.getenv("SSH_AUTH_SOCK")
end

--- Returns how a host is reached: the inventory's variables before ssh_config.
---@param host { name: string, address: string, vars: table }
---@return plat.ssh.Settings
function M.settings(host)
  local vars = host.vars
  local port = vars.ansible_port or vars.ansible_ssh_port
  local found = config():lookup(host.address, {
    user = vars.ansible_user or vars.ansible_ssh_user,
    port = port and math.tointeger(tonumber(port)) or nil,
  })
  for _, name in ipairs({ "proxyjump", "proxycommand" }) do
    if found[name] and found[name] ~= "none" then
      fault.raise("usage", { op = "ssh", target = "host " .. host.name }, {
        msg = ("ssh_config asks for %s, which platrun does not do yet"):format(name),
        hint = "run platrun where the host can be reached directly",
      })
    end
  end
  local own = vars.ansible_ssh_private_key_file
  return {
    host = found.hostname,
    port = found.port,
    user = found.user,
    keys = existing(own and { own } or found.identityfile or {}),
    agent = not own and agent_of(found) or nil,
    known = list.values(list.merge(found.userknownhostsfile or {}, {})),
    more_known = found.globalknownhostsfile or {},
    alias = found.hostkeyalias,
    accept_new = found.stricthostkeychecking == "accept-new",
    timeout = found.connecttimeout or 10,
    password = vars.ansible_password or vars.ansible_ssh_pass,
  }
end

local function about(host)
  return { op = "ssh", target = "host " .. host.name }
end

local REFUSED = {
  changed = "its host key is not the one that is known",
  revoked = "its host key is marked as revoked",
  unknown = "its host key is not known",
  certificate = "it shows a certificate, and platrun does not verify host certificates yet",
}

--- Remembers the key of a host that is seen for the first time (StrictHostKeyChecking accept-new).
local function remember(settings, line)
  local path = settings.known[1]
  local ok, err = require("prim.fs").write(path, line, { append = true, mode = tonumber("600", 8) })
  if not ok then
    fault.raise_err({ op = "known_hosts", object = path }, err)
  end
end

--- Refuses a host that is not the one that is known.
local function verify(host, settings, session)
  local blob = fault.must(about(host), session:host_key())
  local files = list.copy(settings.known)
  table.move(settings.more_known, 1, #settings.more_known, #files + 1, files)
  local status, entries =
    known_hosts.check(files, settings.host, settings.port, blob, settings.alias)
  local line = known_hosts.line(settings.host, settings.port, blob, { alias = settings.alias })
  if status == "unknown" and settings.accept_new then
    remember(settings, line)
  elseif status ~= "ok" then
    local print = known_hosts.fingerprint(blob)
    fault.raise("auth", about(host), {
      msg = ("%s (%s)"):format(REFUSED[status], print),
      detail = list.map(entries, function(entry)
        return ("%s:%d"):format(entry.file, entry.line)
      end),
      hint = status == "unknown" and ("compare the fingerprint, then: echo '%s' >>%s"):format(
        line:gsub("\n", ""),
        settings.known[1]
      ) or "somebody may listen, or the host was made anew: find out, then mend known_hosts",
      phase = "host key",
    })
  end
  session:trust()
end

local function preferred(settings)
  local files = list.copy(settings.known)
  table.move(settings.more_known, 1, #settings.more_known, #files + 1, files)
  local known = known_hosts.lookup(files, settings.host, settings.port, settings.alias)
  return table.concat(known_hosts.prefer(known, HOST_KEYS), ",")
end

--- Returns a private key, parsed once a process; nil and why if it cannot be used.
local function key_of(path)
  if not state.keys[path] then
    local text, err = require("prim.fs").read(path)
    local key
    if text then
      key, err = prim.key(text)
    end
    state.keys[path] = { key = key, err = err }
  end
  return state.keys[path].key, state.keys[path].err
end

--- Tries one way after the other; returns true, or what was tried.
local function log_in(host, settings, session)
  local tried = {}
  local function try_one(what, opts)
    opts.user = settings.user
    local ok, err = session:auth(opts)
    if ok then
      return true
    elseif err.kind ~= "auth" then
      fault.raise_err(about(host), err)
    end
    tried[#tried + 1] = what
  end
  if settings.agent then
    if try_one("the keys of the agent", { method = "agent", agent = settings.agent }) then
      return true
    end
  end
  for _, path in ipairs(settings.keys) do
    local key, err = key_of(path)
    if not key then
      tried[#tried + 1] = ("%s (%s)"):format(path, err.msg)
    elseif try_one(path, { method = "publickey", key = key }) then
      return true
    end
  end
  if settings.password then
    local password = { method = "password", password = settings.password }
    if try_one("the inventory's password", password) then
      return true
    end
  end
  return nil, tried
end

local function connect(host)
  local settings = M.settings(host)
  local session, err = prim.connect({
    host = settings.host,
    port = settings.port,
    host_keys = preferred(settings),
    connect_timeout = settings.timeout,
  })
  if not session then
    err.phase = "connect"
    fault.raise_err(about(host), err)
  end
  local ok, problem = fault.try(function()
    verify(host, settings, session)
    local done, tried = log_in(host, settings, session)
    return { done = done, tried = tried }
  end)
  if not ok then
    session:close()
    error(problem, 0)
  elseif not ok.done then
    local tried = ok.tried
    session:close()
    fault.raise("auth", about(host), {
      msg = ("%s@%s:%d: no way to log in"):format(settings.user, settings.host, settings.port),
      detail = #tried > 0 and tried or { "no key, no agent, no password" },
      hint = "ssh-add a key, or set ansible_user and ansible_ssh_private_key_file",
      phase = "auth",
    })
  end
  return session
end

local pool = {} -- by name of the host: { session =, err =, opening =, waiting = }

--- Returns the session of a host; the first that asks connects, others wait for it.
---@async
---@param host { name: string, address: string, vars: table }
---@return prim.ssh.Session
function M.session(host)
  local entry = pool[host.name] or { waiting = {} }
  pool[host.name] = entry
  while entry.opening do
    local gate = task.gate()
    table.insert(entry.waiting, gate)
    fault.must(about(host), gate:wait())
  end
  if not entry.session then
    entry.opening = true
    local session, err = fault.try(connect, host)
    entry.session, entry.opening = session, false
    local waiting = entry.waiting
    entry.waiting = {}
    for _, gate in ipairs(waiting) do
      gate:open()
    end
    if err then
      error(err, 0)
    end
  end
  return entry.session
end

--- Forgets a session that is lost, so that the next who asks connects anew.
---@param host { name: string }
function M.forget(host)
  pool[host.name] = nil
end

--- Runs a command by the login shell of a host. For plat.host.
---@async
---@param host { name: string, address: string, vars: table }
---@param command string
---@param opts? { stdin: any, timeout: number?, max_output: integer? }
---@return prim.ssh.Output
function M.exec(host, command, opts)
  local session = M.session(host)
  local output, err = session:exec(command, opts)
  if not output then
    if err.kind == "connect" then
      M.forget(host)
      err.phase = "exec"
    end
    fault.raise_err(about(host), err)
  end
  return output
end

return M
