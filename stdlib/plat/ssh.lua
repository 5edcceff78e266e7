--- SSH connections to hosts: found by ssh_config, verified by known_hosts, one a host and run. What
--- is asked over them goes through the door (plat.effect); see plat.host.

local arrive = require("plat.ssh.arrive")
local environment = require("plat.ssh.environment")
local fault = require("plat.fault")
local forward = require("plat.env").lazy("plat.ssh.forward")
local hostkey = require("plat.ssh.hostkey")
local login = require("plat.ssh.login")
local pool = require("plat.ssh.pool")
local prim = require("prim.ssh")
local route = require("plat.ssh.route")
local settings_of = require("plat.ssh.settings").of

local M = {}

M.settings = settings_of

local function about(host)
  return { op = "ssh", target = "host " .. host.name }
end

--- Opens a session of its own: connected, the host verified, logged in. Who opens it closes it.
---@async
---@param host plat.ssh.HostLike a host of the inventory, or a hop on the way to one
---@param how? { via: any } via: what prim.ssh shall connect through, instead of the host's own way
---@return prim.ssh.Session
function M.open(host, how)
  local settings = settings_of(host)
  local opts = arrive.options(settings, how and how.via)
  local session, err = arrive.connect(settings, function()
    if opts.via then
      return prim.connect(opts)
    end
    return route.connect(settings, host, opts)
  end)
  if not session then
    err.phase = "connect"
    fault.raise_err(about(host), err)
  end
  local ok, problem = xpcall(function()
    hostkey.verify(about(host), settings, session)
    login.perform(about(host), settings, session)
    environment.give(settings, session)
  end, fault.from_handler)
  if not ok then
    session:close()
    error(problem, 0)
  end
  return session
end

--- Returns the session of a host; the first that asks connects, others wait for it.
---@async
---@param host plat.ssh.HostLike
---@return prim.ssh.Session
function M.session(host)
  return pool.get(about(host), host.name, function()
    return M.open(host)
  end)
end

--- Forgets a session that is lost, so that the next who asks connects anew.
---@param host { name: string }
---@param session? prim.ssh.Session the lost one: another, that came meanwhile, is kept
function M.forget(host, session)
  pool.forget(host.name, session)
end

local function failed(host, session, err)
  if err.kind == "connect" then
    M.forget(host, session)
    err.phase = "exec"
  end
  fault.raise_err(about(host), err)
end

--- Runs a command by the login shell of a host. For plat.host.
---@async
---@param host plat.ssh.HostLike
---@param command string
---@param opts? prim.ssh.ExecOptions
---@return prim.ssh.Output
function M.exec(host, command, opts)
  local session = M.session(host)
  local output, err = session:exec(command, opts)
  if not output then
    failed(host, session, err)
  end
  return output
end

--- Starts a command by the login shell of a host, and calls a function that reads its output; the
--- command is given up when that returns or raises. For plat.host.
---@async
---@param host plat.ssh.HostLike
---@param command string
---@param opts prim.ssh.ExecOptions
---@param fn fun(running: prim.ssh.Command)
---@return { code: integer, signal: string? } status
function M.follow(host, command, opts, fn)
  local session = M.session(host)
  local running, err = session:open(command, opts)
  if not running then
    failed(host, session, err)
  end
  local _ <close> = running
  local ok, problem = xpcall(fn, fault.from_handler, running)
  if not ok then
    if problem.kind == "connect" then
      M.forget(host, session)
    end
    problem.sent = running:sent()
    error(problem, 0)
  end
  local status
  status, err = running:status()
  if not status then
    failed(host, session, err or { kind = "bug", msg = "a command that has not ended" })
  end
  return { code = status.code, signal = status.signal, stdout = "", stderr = "" }
end

--- Makes a socket here that leads to one behind a host: a unix socket in a folder that only we may
--- enter, or with `listen = "tcp"` a port of 127.0.0.1. Its end comes by `<close>`, or with the
--- session. Raises what the host says to a first connection.
---@async
---@param host plat.ssh.HostLike
---@param there { unix: string?, host: string?, port: integer?, listen: "unix"|"tcp"|nil }
---@return plat.ssh.Forward forward `path` or `port`, `close()`, `problem()`
function M.forward(host, there)
  return forward.open(about(host), M.session(host), there)
end

return M
