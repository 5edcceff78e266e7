--- The way to a host: direct, through jump hosts, or by a command.

local fault = require("plat.fault")
local lazy = require("plat.env").lazy
local list = require("plat.list")
local pool = require("plat.ssh.pool")
local prim = require("prim.ssh")
local ssh = lazy("plat.ssh")

local M = {}

local function about(host)
  return { op = "ssh", target = "host " .. host.name }
end

--- Returns the hop as a host, with nothing of an inventory: ssh_config says the rest.
local function host_of(hop)
  local name = (hop.user and hop.user .. "@" or "")
    .. hop.host
    .. (hop.port and ":" .. hop.port or "")
  return {
    name = name,
    address = hop.host,
    vars = { ansible_user = hop.user, ansible_port = hop.port },
  }
end

local function key_of(settings)
  return ("%s@%s:%d"):format(settings.user, settings.host, settings.port)
end

--- Returns the jump hosts on the way, the first of them first; each { host =, key = }. Of a list
--- that ssh_config gives, the first one is reached in its own way, and each other through the one
--- before it, as OpenSSH does. Pure but for the reading of ssh_config.
local function way(target, settings, seen)
  local key = key_of(settings)
  local names = list.copy(seen)
  names[#names + 1] = key
  if list.contains(seen, key) then
    fault.raise("usage", about(target), {
      msg = "its jump hosts go in a circle: " .. table.concat(names, ", "),
      hint = "the jump host itself needs `ProxyJump none` in ssh_config",
      phase = "connect",
    })
  end
  local hops = settings.proxyjump or {}
  if #hops == 0 then
    return {}
  end
  local first = host_of(hops[1])
  local chain = way(target, ssh.settings(first), names)
  for _, hop in ipairs(hops) do
    local jump = host_of(hop)
    chain[#chain + 1] = { host = jump, key = key_of(ssh.settings(jump)) }
  end
  return chain
end

--- Returns the session of a jump host, one a chain and process.
local function jump(target, chain, n)
  local keys = {}
  for i = 1, n do
    keys[i] = chain[i].key
  end
  local name = "jump " .. table.concat(keys, ",")
  local session, err = fault.try(pool.get, about(chain[n].host), name, function()
    return ssh.open(chain[n].host, { via = n > 1 and jump(target, chain, n - 1) or nil })
  end)
  if session then
    return session
  end
  if err.phase == "jump" then
    error(err, 0)
  end
  fault.raise(err.kind, about(target), {
    msg = ("the jump host %s: %s"):format(chain[n].host.name, err.msg),
    detail = err.detail,
    hint = err.hint,
    phase = "jump",
  })
end

--- Connects to a host, up to the point where its key is known.
---@async
---@param settings plat.ssh.Settings
---@param host plat.ssh.HostLike
---@param connect_opts prim.ssh.ConnectOptions
---@return prim.ssh.Session? session
---@return table? err
function M.connect(settings, host, connect_opts)
  local opts = list.copy(connect_opts) -- the caller may ask with them again
  if settings.proxycommand then
    opts.proxy = "exec " .. settings.proxycommand
    return prim.connect(opts)
  end
  local chain = way(host, settings, {})
  if #chain == 0 then
    return prim.connect(opts)
  end
  local session, err
  for _ = 1, 2 do -- a jump host may be lost just now: it is asked for once more
    local via = jump(host, chain, #chain)
    opts.via = via
    session, err = prim.connect(opts)
    if session or not via:lost() then
      break
    end
  end
  return session, err
end

return M
