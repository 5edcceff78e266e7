--- Makes the settings of a host of what its files say: defaults, tokens, homes, hops.

local expand = require("plat.ssh.config.expand")
local fault = require("plat.fault")
local keywords = require("plat.ssh.config.keywords")
local list = require("plat.list")

local M = {}

local FORWARDS = list.where(list.keys(keywords.BY_NAME), function(name)
  return keywords.BY_NAME[name].kind == "forward"
end)

local function refuse(place, msg)
  fault.raise("parse", nil, {
    msg = place and ("%s: %s"):format(place, msg) or msg,
    hint = "man ssh_config, TOKENS",
    where = "",
  })
end

--- Expands one value or raises with the line that it comes from.
local function expanded(c, text, st, tokens)
  local path, problem = expand.tilde(text, c.local_)
  local value
  if path then
    value, problem = expand.tokens(path, tokens or c.tokens, c.env)
  end
  if not value then
    refuse(st and st:place(), ("%s: %s"):format(text, problem))
  end
  return value
end

local function is_none(text)
  return text:lower() == "none"
end

--- The paths of IdentityFile or CertificateFile; "none" stands for no file.
local function paths(c, items)
  local out = {}
  for _, item in ipairs(items) do
    if not is_none(item.text) then
      out[#out + 1] = expanded(c, item.text, item.st)
    end
  end
  return out
end

local function identities(c, out, values)
  out.identities_given = values.identityfile ~= nil
  local items = values.identityfile
    or list.map(keywords.IDENTITIES, function(path)
      return { text = path }
    end)
  out.identityfile = paths(c, items)
  out.certificatefile = paths(c, values.certificatefile or {})
end

--- Where the agent listens: a path, false for none, nil for $SSH_AUTH_SOCK's own.
local function agent(c, out, text, st)
  if not text then
    out.agent_socket = c.env("SSH_AUTH_SOCK") or false
    return
  end
  local path = expanded(c, text, st)
  out.identityagent = path
  if path == "none" then
    out.agent_socket = false
  elseif path == "SSH_AUTH_SOCK" then
    out.agent_socket = c.env("SSH_AUTH_SOCK") or false
  elseif path:sub(1, 1) == "$" then
    out.agent_socket = c.env(path:sub(2)) or false
  else
    out.agent_socket = path
  end
end

local function known_hosts(c, out, values, origin)
  for _, name in ipairs({ "userknownhostsfile", "globalknownhostsfile" }) do
    local files = values[name] or keywords.DEFAULTS[name]
    out[name] = {}
    for i, path in ipairs(is_none(files[1]) and {} or files) do
      local plain = name == "globalknownhostsfile"
      out[name][i] = plain and path or expanded(c, path, origin[name])
    end
  end
end

local function proxy(c, out, values, origin)
  local hops = values.proxyjump
  local command = values.proxycommand
  local last = hops and hops[#hops]
  if last then
    out.proxyjump, out.proxycommand = hops, nil
    local user = last.user or out.user
    if last.host == out.hostname and (last.port or 22) == out.port and user == out.user then
      refuse(
        origin.proxyjump:place(),
        ("ProxyJump %s: a jump to the host itself"):format(last.text)
      )
    end
    return
  end
  out.proxyjump, out.proxycommand = nil, nil
  if command and not is_none(command) then
    local t = c.tokens
    local tokens = { h = t.h, k = t.k, n = t.n, p = t.p, r = t.r }
    local problem
    out.proxycommand, problem = expand.tokens(command, tokens)
    if problem then
      refuse(origin.proxycommand:place(), ("ProxyCommand: %s"):format(problem))
    end
  end
end

local function jump_text(hops)
  return hops
    and hops[1]
    and table.concat(
      list.map(hops, function(hop)
        return hop.text
      end),
      ","
    )
end

--- Returns the settings.
---@param pass plat.ssh.Pass
---@param env fun(name: string): string?
---@return table settings
function M.settings(pass, env)
  local values, origin, here = pass.values, pass.origin, pass.local_
  local out = {}
  for name, value in next, keywords.DEFAULTS do -- once a host: without sorting
    out[name] = value
  end
  for name, value in next, values do
    out[name] = value
  end
  out.alive_given = values.serveraliveinterval ~= nil
  out.host, out.hostname = pass.original, pass.host
  out.user, out.port = values.user or here.user, values.port or 22
  out.hostkeyalias = values.hostkeyalias and values.hostkeyalias:lower()
  if out.connectionattempts < 1 then
    refuse(origin.connectionattempts:place(), "ConnectionAttempts 0: at least one is needed")
  end
  local c = { local_ = here, env = env }
  c.tokens = expand.connection({
    local_ = here,
    host = out.hostname,
    original = pass.original,
    port = out.port,
    user = out.user,
    alias = out.hostkeyalias or pass.original,
    jump = jump_text(values.proxyjump),
  })
  identities(c, out, values)
  agent(c, out, values.identityagent, origin.identityagent)
  known_hosts(c, out, values, origin)
  proxy(c, out, values, origin)
  out.setenv, out.sendenv = values.setenv or {}, values.sendenv or {}
  for _, name in ipairs(FORWARDS) do
    out[name] = list.map(values[name] or {}, function(item)
      return item.text
    end)
  end
  out.ignoreunknown, out.host_tokens = nil, c.tokens
  local strict = origin.stricthostkeychecking
  out.strict_from = strict and strict:place()
  return out
end

return M
