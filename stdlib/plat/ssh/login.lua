--- Logging in: one way after the other, until the server takes one. Servers take few attempts (six,
--- unless MaxAuthTries says otherwise): those that are most likely right come first.

local algorithms = require("plat.ssh.algorithms")
local fault = require("plat.fault")
local identity = require("plat.ssh.identity")
local keys = require("plat.ssh.keys")
local list = require("plat.list")

local M = {}

local METHODS = "publickey,keyboard-interactive,password"
local FEW = "servers take few attempts: name the right key (ansible_ssh_private_key_file); "
  .. "-o IdentitiesOnly=yes leaves the agent's other keys out"
local WRONG = "the password is wrong or too old: check it by ssh, and mend the inventory's secret"
local SWITCH = {
  ["keyboard-interactive"] = "kbdinteractiveauthentication",
  password = "passwordauthentication",
}

---@class plat.ssh.Login what is going on with one session
---@field about table
---@field settings plat.ssh.Settings
---@field session prim.ssh.Session
---@field tried string[] for people
---@field ways table[] what to try, best first: method, one (the key), done
---@field methods? table<string, boolean> what the server takes, once it has said so
---@field wrong_password? boolean
---@field question? string

local function note(self, what, why)
  self.tried[#self.tried + 1] = ("%s: %s"):format(what, why)
end

local function said(self)
  local lines = {}
  for line in self.session:notice():gmatch("[^\n]*%S[^\n]*") do
    lines[#lines + 1] = "the server says: " .. line
  end
  return lines
end

--- Raises that the connection is gone, with what was tried before.
local function raise_lost(self, what, opts, err)
  local detail = list.copy(self.tried)
  detail[#detail + 1] = what .. ": then the connection ended"
  for _, line in ipairs(said(self)) do
    detail[#detail + 1] = line
  end
  err.detail, err.phase = detail, "auth"
  if err.kind == "connect" then
    err.hint = opts.password and WRONG or #self.ways > 1 and FEW or nil
  end
  fault.raise_err(self.about, err)
end

--- Makes one attempt; returns whether we are in, else why not. Of a lost connection it raises.
local function attempt(self, what, opts)
  opts.user = self.settings.user
  local ok, err = self.session:auth(opts)
  if ok then
    return true
  elseif err.kind == "connect" or err.kind == "timeout" or err.kind == "cancelled" then
    raise_lost(self, what, opts, err)
  end
  if err.methods then
    self.methods = {}
    for _, name in ipairs(algorithms.split(err.methods)) do
      self.methods[name] = true
    end
  end
  return nil, err
end

-- ---- the ways ----

--- A key that is encrypted is offered first: nobody is asked for the passphrase of one that the
--- server would not take.
local function is_wanted(self, one, file)
  if not file.encrypted or not one.blob or file.made and file.made.key then
    return true
  end
  local opts = { method = "offer", blob = one.certificate or one.blob, rsa_sha256 = one.rsa_sha256 }
  local _, err = attempt(self, one.name, opts)
  return err.key_taken, err.msg
end

local function by_file(self, one)
  local file = one.file
  local wanted, why = file.problem == nil, file.problem
  if wanted then
    wanted, why = is_wanted(self, one, file)
  end
  if not wanted then
    return nil, { msg = why }
  end
  local key, problem = keys.private(self.about, file, self.settings)
  if not key then
    return nil, { msg = problem }
  end
  return attempt(self, one.name, {
    method = "publickey",
    key = key,
    certificate = one.certificate,
    rsa_sha256 = one.rsa_sha256,
  })
end

--- libssh2 before 1.11 knows only RSA with SHA-1; what we make of that is not understood by all.
local function is_hopeless(self, one)
  local is_rsa = (one.blob or ""):find("ssh-rsa", 1, true) == 5
  return is_rsa
    and (self.session:banner() or ""):find("dropbear", 1, true) ~= nil
    and algorithms.version():find("^1%.10") ~= nil
end

local function by_key(self, one)
  local ok, err
  if is_hopeless(self, one) then
    err = { msg = "dropbear takes no RSA keys of libssh2 1.10: log in by an ed25519 key" }
  elseif one.file then
    ok, err = by_file(self, one)
  else
    ok, err = attempt(self, one.name, {
      method = "agent",
      agent = one.agent,
      blob = one.blob,
      certificate = one.certificate,
      rsa_sha256 = one.rsa_sha256,
    })
  end
  if not ok then
    note(self, one.name, err.msg)
  end
  return ok
end

--- A password that was refused is not tried by another way: accounts get locked.
local function by_password(self, method)
  if self.wrong_password then
    return nil
  end
  local name = ("%s, by %s"):format(self.settings.password_from, method)
  local ok, err = attempt(self, name, { method = method, password = self.settings.password })
  if not ok then
    self.wrong_password = not err.partial and (method == "password" or err.answered)
    self.question = self.question or err.question
    note(self, name, err.question and ("the server asks: %s"):format(err.question) or err.msg)
  end
  return ok
end

--- RSA keys sign by SHA-512 first; some servers know SHA-256 alone, and libssh2 does not pass on
--- that they say so. Returns what to try once more, at the very end: at OpenSSH, which is rarely
--- set so, the keys that somebody has named.
local function with_sha256(self, identities)
  local banner = self.session:banner() or ""
  local ours = banner:find("OpenSSH", 1, true) ~= nil
  local again = list.where(identities, function(one)
    local is_rsa = one.blob ~= nil and one.blob:find("ssh-rsa", 1, true) == 5
    return is_rsa and not one.rsa_sha256 and not one.certificate and (one.named or not ours)
  end)
  return list.map(again, function(one)
    return list.merge(one, { rsa_sha256 = true, name = one.name .. " by SHA-256" })
  end)
end

--- Returns the ways, best first. With a password at hand, keys that nobody has named come last.
local function ways_of(self)
  local settings, ways, last = self.settings, {}, {}
  local function add(to, method, one)
    to[#to + 1] = { method = method, one = one }
  end
  for _, method in ipairs(algorithms.split(settings.ssh.preferredauthentications or METHODS)) do
    if method == "publickey" and settings.ssh.pubkeyauthentication ~= "no" then
      local identities = identity.of(self.about, settings)
      for _, one in ipairs(identities) do
        add((one.named or not settings.password) and ways or last, method, one)
      end
      for _, one in ipairs(with_sha256(self, identities)) do
        add(last, method, one)
      end
    elseif SWITCH[method] and settings.password and settings.ssh[SWITCH[method]] then
      add(ways, method)
    end
  end
  return table.move(last, 1, #last, #ways + 1, ways)
end

--- What the server takes may change: one that wants two ways takes the second after the first.
local function next_way(self)
  return list.find(self.ways, function(way)
    return not way.done and (not self.methods or self.methods[way.method])
  end)
end

--- Tries one way after the other; returns whether we are in.
local function try_all(self)
  self.ways = ways_of(self)
  local kinds = {}
  for _, way in ipairs(self.ways) do
    kinds[way.method] = true
  end
  if list.count(kinds) ~= 1 and attempt(self, "none", { method = "none" }) then
    return true -- several ways: asking what the server takes costs no attempt; or none at all
  end
  local way = next_way(self)
  while way do
    way.done = true
    local perform = way.method == "publickey" and by_key or by_password
    if perform(self, way.one or way.method) then
      return true
    end
    way = next_way(self)
  end
  if not (self.session:banner() or ""):find("OpenSSH", 1, true) then
    return attempt(self, "none", { method = "none" }) -- some know their visitors from elsewhere
  end
end

-- ---- why not ----

local function hint_of(self)
  local takes = self.methods or {}
  local password = takes.password or takes["keyboard-interactive"]
  if not self.methods and #self.tried > 0 then
    return "none of these could be shown to the server: mend what is said of them"
  elseif self.question then
    return "the password's question is the only one that platrun answers: log in by a key"
  elseif self.wrong_password then
    return WRONG
  elseif password and not takes.publickey and not self.settings.password then
    return "the server takes passwords alone: set ansible_password (by a vault), or say -k"
  elseif takes.publickey then
    local add = "ssh-copy-id puts your key there; ansible_user and ansible_ssh_private_key_file "
    return add .. "(or -u and --private-key) choose others"
  end
  return "platrun knows keys, certificates, agents and passwords; ssh -v shows what is wanted"
end

local function raise_refused(self)
  local settings = self.settings
  local takes = list.keys(self.methods or {})
  local detail = #self.tried > 0 and self.tried or { "no key, no agent, no password" }
  for _, line in ipairs(said(self)) do
    detail[#detail + 1] = line
  end
  fault.raise("auth", self.about, {
    msg = ("%s@%s port %d: no way to log in%s"):format(
      settings.user,
      settings.host,
      settings.port,
      #takes > 0 and ": the server takes " .. table.concat(takes, ", ") or ""
    ),
    detail = detail,
    hint = hint_of(self),
    phase = "auth",
  })
end

--- Logs a session in whose host is verified; raises what was tried.
---@async
---@param about table for faults
---@param settings plat.ssh.Settings
---@param session prim.ssh.Session
function M.perform(about, settings, session)
  local self = { about = about, settings = settings, session = session, tried = {}, ways = {} }
  if not try_all(self) then
    raise_refused(self)
  end
  for _, line in ipairs(said(self)) do
    require("plat.out").debug(1, ("%s: %s"):format(about.target, line))
  end
end

return M
