--- Logging in: one way after the other, until the server takes one.

local fault = require("plat.fault")
local prim = require("prim.ssh")

local M = {}

local keys = {} -- private keys of this process, by path: { key =, err = }

--- Returns a private key, parsed once a process; nil and why if it cannot be used.
local function key_of(path)
  if not keys[path] then
    local text, err = require("prim.fs").read(path)
    local key
    if text then
      key, err = prim.key(text)
    end
    keys[path] = { key = key, err = err }
  end
  return keys[path].key, keys[path].err
end

--- Tries one way after the other; returns true, or nil and what was tried.
local function try_all(about, settings, session)
  local tried = {}
  local function try_one(what, opts)
    opts.user = settings.user
    local ok, err = session:auth(opts)
    if ok then
      return true
    elseif err.kind ~= "auth" then
      fault.raise_err(about, err)
    end
    tried[#tried + 1] = what
  end
  for _, held in ipairs(settings.agent and prim.agent_keys(settings.agent) or {}) do
    local opts = { method = "agent", agent = settings.agent, blob = held.blob }
    if try_one(("%s of the agent"):format(held.comment), opts) then
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

--- Logs a session in whose host is verified; raises what was tried.
---@async
---@param about table for faults
---@param settings plat.ssh.Settings
---@param session prim.ssh.Session
function M.perform(about, settings, session)
  local done, tried = try_all(about, settings, session)
  if not done then
    fault.raise("auth", about, {
      msg = ("%s@%s:%d: no way to log in"):format(settings.user, settings.host, settings.port),
      detail = #tried > 0 and tried or { "no key, no agent, no password" },
      hint = "ssh-add a key, or set ansible_user and ansible_ssh_private_key_file",
      phase = "auth",
    })
  end
end

return M
