--- The SFTP of a host's session: one channel, opened on first use. For plat.host.files.

local fault = require("plat.fault")
local once = require("plat.task.once")
local ssh = require("plat.ssh")

local M = {}

---@class plat.ssh.sftp.Entry
---@field once plat.task.Once
---@field sftp? prim.ssh.Sftp
---@field none? table why the server has none

local entries = setmetatable({}, { __mode = "k" }) -- by session

local function open(entry, about, host, session)
  local sftp, err = session:sftp()
  if sftp then
    entry.sftp = sftp
  elseif err.kind == "connect" or err.kind == "timeout" then
    M.lost(host, session, err)
    fault.raise_err(about, err)
  else -- the subsystem is off, is no SFTP, or of another version
    entry.none = err
  end
end

--- Returns the SFTP of a host, which serves any number of requests at once; nil where the server
--- has none. Ask anew before each request by path: an idle one may have made room for a command.
---@async
---@param about table for faults
---@param host plat.ssh.HostLike
---@return prim.ssh.Sftp? sftp
---@return prim.ssh.Session session
function M.of(about, host)
  local session = ssh.session(host)
  local entry = entries[session] or { once = once.new() }
  entries[session] = entry
  local found = entry.once:get(about, function()
    local usable = entry.sftp and not entry.sftp:failed()
    return (usable or entry.none) and entry
  end, function()
    open(entry, about, host, session)
  end)
  return not found.none and found.sftp or nil, session
end

--- Forgets the session when an error says that it is lost.
---@param host { name: string }
---@param session prim.ssh.Session
---@param err table
function M.lost(host, session, err)
  if err.kind == "connect" then
    ssh.forget(host, session)
  end
end

return M
