--- Is a host the one that it says it is: its key against known_hosts.

local fault = require("plat.fault")
local fs = require("prim.fs")
local known_hosts = require("plat.ssh.known_hosts")
local list = require("plat.list")

local M = {}

--- What libssh2 1.10 can verify, best first; newer versions know RSA with SHA-2.
local ALGORITHMS = {
  "ssh-ed25519",
  "ecdsa-sha2-nistp256",
  "ecdsa-sha2-nistp384",
  "ecdsa-sha2-nistp521",
}

local REFUSED = {
  changed = "its host key is not the one that is known",
  revoked = "its host key is marked as revoked",
  unknown = "its host key is not known",
  certificate = "it shows a certificate, and platrun does not verify host certificates yet",
}

--- Remembers the key of a host that is seen for the first time (StrictHostKeyChecking accept-new).
local function remember(path, line)
  local ok, err = fs.write(path, line, { append = true, mode = tonumber("600", 8) })
  if not ok then
    fault.raise_err({ op = "known_hosts", object = path }, err)
  end
end

--- Returns the types of keys to ask a host for, those that are known of it first.
---@param settings plat.ssh.Settings
---@return string names with commas between
function M.preferred(settings)
  local known = known_hosts.lookup(settings.known, settings.host, settings.port, settings.alias)
  return table.concat(known_hosts.prefer(known, ALGORITHMS), ",")
end

local function refuse(about, settings, blob, status, entries)
  local line = known_hosts.line(settings.host, settings.port, blob, { alias = settings.alias })
  fault.raise("auth", about, {
    msg = ("%s (%s)"):format(REFUSED[status], known_hosts.fingerprint(blob)),
    detail = list.map(entries, function(entry)
      return ("%s:%d"):format(entry.file, entry.line)
    end),
    hint = status == "unknown" and ("compare the fingerprint, then: echo '%s' >>%s"):format(
      line:gsub("\n", ""),
      settings.remember
    ) or "somebody may listen, or the host was made anew: find out, then mend known_hosts",
    phase = "host key",
  })
end

--- Raises unless the host that a session has reached is the one that is known.
---@param about table for faults
---@param settings plat.ssh.Settings
---@param session prim.ssh.Session
function M.verify(about, settings, session)
  local blob = fault.must(about, session:host_key())
  local status, entries =
    known_hosts.check(settings.known, settings.host, settings.port, blob, settings.alias)
  if status == "unknown" and settings.accept_new then
    local line = known_hosts.line(settings.host, settings.port, blob, { alias = settings.alias })
    remember(settings.remember, line)
  elseif status ~= "ok" then
    refuse(about, settings, blob, status, entries)
  end
  session:trust()
end

return M
