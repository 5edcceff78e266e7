--- Sockets here that lead to sockets behind a host, for tools and libraries that speak to a socket.

local check = require("plat.check")
local fault = require("plat.fault")
local fs = require("prim.fs")
local sys = require("prim.sys")
local task = require("plat.task")

local M = {}

local CLEANUP = 5 -- seconds

local check_where = check.options("plat.ssh.forward", {
  unix = { type = "string", help = "path of a unix socket there" },
  host = { type = "string", help = "a host as that host knows it" },
  port = { type = "integer", min = 1, max = 65535 },
  listen = { type = "string", enum = { "unix", "tcp" }, help = "here; default: unix" },
})

---@class plat.ssh.Forward
---@field path? string of the unix socket here, in a folder of its own that nobody else may enter
---@field port? integer of 127.0.0.1
local Forward = { __name = "plat.ssh.Forward" }
Forward.__index = Forward

--- Returns why the last connection failed that did; nil: none has.
---@return table? err
function Forward:problem()
  return self._forward and self._forward:problem()
end

--- Ends it and what goes through it. Twice is fine.
---@async
function Forward:close()
  local forward, dir = self._forward, self._dir
  self._forward, self._dir = nil, nil
  if forward then
    forward:close()
  end
  if dir then
    task.shield(CLEANUP, fs.remove, dir, { recursive = true })
  end
end

Forward.__close = Forward.close

--- Connects once, so that a refusal is told now and not by a tool that only sees a closed socket.
local function try(session, there)
  local connection, err
  if there.unix then
    connection, err = session:unix(there.unix)
  else
    connection, err = session:tcp(there.host, there.port)
  end
  if connection then
    connection:close()
  end
  return err
end

--- Opens one over a session.
---@async
---@param about table for faults
---@param session prim.ssh.Session
---@param there { unix: string?, host: string?, port: integer?, listen: "unix"|"tcp"|nil }
---@return plat.ssh.Forward
function M.open(about, session, there)
  there = check_where(there)
  local self = setmetatable({}, Forward)
  local err = try(session, there)
  if err then
    err.phase = "forward"
    fault.raise_err(about, err)
  end
  local opts = { unix = there.unix, host = there.host, port = there.port }
  if there.listen ~= "tcp" then
    local base = sys.getenv("XDG_RUNTIME_DIR") or "/tmp"
    self._dir = fault.must(about, fs.mkdtemp(base .. "/platrun-"))
    opts.listen = self._dir .. "/s"
    self.path = opts.listen
  end
  local problem
  self._forward, problem = session:forward(opts)
  if not self._forward then
    self:close()
    fault.raise_err(about, problem)
  end
  self.port = self._forward:port()
  return self
end

return M
