--- Is a host the one that it says it is: its key against known_hosts.

local algorithms = require("plat.ssh.algorithms")
local fault = require("plat.fault")
local fs = require("prim.fs")
local known_hosts = require("plat.ssh.known_hosts")
local list = require("plat.list")
local out = require("plat.out")

local M = {}

--- What may be asked for, best first. libssh2 1.10 knows no RSA with SHA-2: then it is left out.
local ALGORITHMS = {
  "ssh-ed25519",
  "ecdsa-sha2-nistp256",
  "ecdsa-sha2-nistp384",
  "ecdsa-sha2-nistp521",
  "rsa-sha2-512",
  "rsa-sha2-256",
}

local REFUSED = {
  changed = "its host key is not the one that is known",
  revoked = "its host key is marked as revoked",
  unknown = "its host key is not known",
  certificate = "it shows a certificate, and libssh2 cannot verify those",
}

local CHANGED = "somebody may listen, or the host was made anew: find out, then mend known_hosts"

local function known_of(settings)
  return known_hosts.lookup(settings.known, settings.host, settings.port, settings.alias)
end

--- Returns the types of keys to ask a host for, those that are known of it first.
---@param settings plat.ssh.Settings
---@return string names with commas between
function M.preferred(settings)
  local said = settings.ssh.hostkeyalgorithms
  local chosen = algorithms.choose(said, ALGORITHMS)
  if not said or said:find("^[+-]") then -- as OpenSSH: a list that somebody wrote stays
    chosen = known_hosts.prefer(known_of(settings), chosen)
  end
  return table.concat(chosen, ",")
end

--- Remembers the key of a host that is seen for the first time.
local function remember(settings, blob)
  if not settings.remember or settings.remember == "/dev/null" then
    return
  end
  local line = known_hosts.line(settings.host, settings.port, blob, {
    alias = settings.alias,
    hash = settings.ssh.hashknownhosts,
  })
  local dir = settings.remember:match("^(.*)/[^/]+$")
  if dir and dir ~= "" and not fs.stat(dir) then
    fs.mkdir(dir, { mode = 448 }) -- 0700, as ssh makes ~/.ssh
  end
  local ok, err = fs.write(settings.remember, line, { append = true, mode = 384 }) -- 0600
  if not ok then
    fault.raise_err({ op = "known_hosts", object = settings.remember }, err)
  end
end

local function places(entries)
  return list.map(entries, function(entry)
    return ("%s:%d: %s"):format(entry.file, entry.line, entry.type)
  end)
end

--- Returns whether none of the keys that are known of a host could have been shown: an old
--- known_hosts with RSA keys alone.
local function is_unaskable(entries, blob)
  local shown = known_hosts.key(blob).type
  local can = {}
  for _, name in ipairs(algorithms.split(algorithms.own().host_keys)) do
    can[name:find("^rsa") and "ssh-rsa" or name] = true
  end
  return entries[1] ~= nil
    and list.find(entries, function(entry)
        return can[entry.type] or entry.type == shown
      end)
      == nil
end

local function hint_to_add(settings, blob)
  if not settings.remember then
    return "UserKnownHostsFile names no file that the key could be added to"
  end
  local opts = { alias = settings.alias, hash = settings.ssh.hashknownhosts }
  local line = known_hosts.line(settings.host, settings.port, blob, opts):gsub("\n", "")
  return ("compare the fingerprint, then: echo '%s' >>%s"):format(line, settings.remember)
end

local function refuse(about, settings, blob, status, entries)
  local print = known_hosts.fingerprint(blob, settings.ssh.fingerprinthash)
  local shown = known_hosts.key(blob)
  local authorities = known_of(settings).authorities
  local detail, hint, msg = places(entries), CHANGED, REFUSED[status]
  if status == "unknown" then
    hint = hint_to_add(settings, blob)
    if authorities[1] then
      msg = "an authority is known for it, but libssh2 cannot ask for certificates of hosts"
      detail = places(authorities)
      local ask = "`ssh -p %d %s cat /etc/ssh/ssh_host_%s_key.pub` verifies it and shows the key: "
      hint = ask:format(settings.port, settings.ssh.host, shown.name:lower()) .. hint
    end
  elseif status == "changed" and is_unaskable(entries, blob) then
    msg = ("of it other types of keys are known than libssh2 %s can verify"):format(
      algorithms.version()
    )
    hint = hint_to_add(settings, blob)
  end
  fault.raise("auth", about, {
    msg = ("%s (%s %s)"):format(msg, shown.name, print),
    detail = detail,
    hint = hint,
    phase = "host key",
  })
end

--- Takes a host as it comes, and says so: StrictHostKeyChecking no.
local function take_unverified(about, settings, blob, status)
  local from = settings.strict_from or "StrictHostKeyChecking no"
  if status == "unknown" then
    local says = "%s: hosts that are not known are taken as they come: anybody may answer for them"
    out.warn(says:format(from))
    return remember(settings, blob)
  end
  settings.password = nil
  local says = "%s: %s (%s), and %s lets that pass: no password is sent, but commands and files are"
  out.warn(says:format(about.target, REFUSED[status], known_hosts.fingerprint(blob), from))
end

local function is_localhost(settings)
  local host = settings.host
  return settings.ssh.nohostauthenticationforlocalhost
    and (host == "localhost" or host == "::1" or host:find("^127%.%d+%.%d+%.%d+$") ~= nil)
end

--- Raises unless the host that a session has reached is the one that is known.
---@param about table for faults
---@param settings plat.ssh.Settings
---@param session prim.ssh.Session
function M.verify(about, settings, session)
  local blob = fault.must(about, session:host_key())
  local status, entries =
    known_hosts.check(settings.known, settings.host, settings.port, blob, settings.alias)
  local strict = settings.strict
  if status == "unknown" and strict == "accept-new" then
    remember(settings, blob)
  elseif strict == "no" and (status == "unknown" or status == "changed") then
    take_unverified(about, settings, blob, status)
  elseif status ~= "ok" and not (is_localhost(settings) and status ~= "revoked") then
    refuse(about, settings, blob, status, entries)
  end
  session:trust()
end

return M
