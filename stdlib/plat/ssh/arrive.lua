--- Connecting: tries again where a server has too many visitors, and explains what does not fit.

local algorithms = require("plat.ssh.algorithms")
local hash = require("prim.hash")
local hostkey = require("plat.ssh.hostkey")
local task = require("plat.task")
local time = require("prim.time")

local M = {}

local ALIVE = 30 -- seconds, where ssh_config does not say ServerAliveInterval
local FULL = -2 -- prim.ssh: the server closed the connection before its banner
local LISTS = { kex = "kexalgorithms", ciphers = "ciphers", macs = "macs" }

--- By prim.ssh's `mismatch`: the keyword, and what to do on the server.
local HINTS = {
  ["type of host key"] = {
    "hostkeyalgorithms",
    "on the host, `ssh-keygen -A` makes an ed25519 key; HostKey lines in sshd_config must name it",
  },
  ["key exchange"] = {
    "kexalgorithms",
    "on the host, add curve25519-sha256 to KexAlgorithms in sshd_config",
  },
  cipher = { "ciphers", "on the host, add aes256-ctr to Ciphers in sshd_config" },
  MAC = { "macs", "on the host, add hmac-sha2-256 to MACs in sshd_config" },
}

local function add_lists(settings, opts)
  local own = algorithms.own()
  for name, keyword in pairs(LISTS) do
    local said = settings.ssh[keyword]
    if said then
      opts[name] = table.concat(algorithms.choose(said, algorithms.split(own[name])), ",")
    end
  end
end

--- Returns what a session of a host is asked for.
---@param settings plat.ssh.Settings
---@param via any what it is connected through
---@return prim.ssh.ConnectOptions
function M.options(settings, via)
  local opts = {
    host = settings.host,
    port = settings.port,
    host_keys = hostkey.preferred(settings),
    family = settings.ssh.addressfamily,
    connect_timeout = settings.timeout,
    alive_interval = settings.ssh.alive_given and settings.ssh.serveraliveinterval or ALIVE,
    alive_count = settings.ssh.serveralivecountmax,
    via = via,
  }
  add_lists(settings, opts)
  return opts
end

local function explain(settings, err)
  local hint = HINTS[err.mismatch]
  if not hint then
    return
  end
  local chosen = settings.ssh[hint[1]]
  err.hint = chosen and ("of ours, only what `%s %s` allows was offered"):format(hint[1], chosen)
    or ("%s; or build platrun with a newer libssh2 (docs/SSH.md)"):format(hint[2])
end

--- A wait that grows, and differs from host to host, so that not all come back at once.
local function pause(attempt)
  local chance = 0.5 + hash.random(1):byte() / 255
  return math.min(0.2 * 2 ^ (attempt - 1), 4) * chance
end

--- Connects to a host up to the point where its key is known: as often as ConnectionAttempts says,
--- and as long as ConnectTimeout lasts where the server is full.
---@async
---@param settings plat.ssh.Settings
---@param connect fun(): prim.ssh.Session?, table? makes one attempt
---@return prim.ssh.Session? session
---@return table? err
function M.connect(settings, connect)
  local began, attempt, full = time.mono(), 0, 0
  while true do
    local session, err = connect()
    if session then
      return session
    end
    attempt = attempt + 1
    if err.code == FULL and err.kind == "connect" then
      full = full + 1
      local wait = pause(full)
      if time.mono() - began + wait > settings.timeout then
        err.msg = ("%s, %d times in %.0f s"):format(err.msg, full, time.mono() - began)
        err.hint = "too many log in at once (MaxStartups in its sshd_config), or it refuses this "
          .. "machine: --forks 16, or look at its log"
        return nil, err
      end
      attempt = attempt - 1
      task.sleep(wait)
    elseif attempt >= settings.attempts or err.kind == "cancelled" or err.mismatch then
      explain(settings, err)
      return nil, err
    else
      task.sleep(1) -- as ssh does
    end
  end
end

return M
