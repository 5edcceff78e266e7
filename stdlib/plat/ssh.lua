--- SSH connections to hosts: found by ssh_config, verified by known_hosts, one a host and run. What
--- is asked over them goes through the door (plat.effect); see plat.host.

local arrive = require("plat.ssh.arrive")
local fault = require("plat.fault")
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

--- Runs a command by the login shell of a host. For plat.host.
---@async
---@param host plat.ssh.HostLike
---@param command string
---@param opts? { stdin: any, timeout: number?, max_output: integer? }
---@return prim.ssh.Output
function M.exec(host, command, opts)
  local session = M.session(host)
  local output, err = session:exec(command, opts)
  if not output then
    if err.kind == "connect" then
      M.forget(host, session)
      err.phase = "exec"
    end
    fault.raise_err(about(host), err)
  end
  return output
end

return M
