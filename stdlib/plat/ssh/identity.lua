--- By which keys to log in, and in which order: those that somebody has named for the host first,
--- because servers take few attempts.

local algorithms = require("plat.ssh.algorithms")
local blobs = require("plat.ssh.known_hosts.blob")
local keys = require("plat.ssh.keys")
local list = require("plat.list")
local once = require("plat.task.once")
local prim = require("prim.ssh")

local M = {}

local CERTIFICATE = "-cert-v01@openssh.com"

--- What signatures we make, by the names of PubkeyAcceptedAlgorithms.
local ALGORITHMS = {
  "ssh-ed25519" .. CERTIFICATE,
  "ecdsa-sha2-nistp256" .. CERTIFICATE,
  "ecdsa-sha2-nistp384" .. CERTIFICATE,
  "ecdsa-sha2-nistp521" .. CERTIFICATE,
  "rsa-sha2-512" .. CERTIFICATE,
  "rsa-sha2-256" .. CERTIFICATE,
  "ssh-ed25519",
  "ecdsa-sha2-nistp256",
  "ecdsa-sha2-nistp384",
  "ecdsa-sha2-nistp521",
  "sk-ssh-ed25519@openssh.com",
  "sk-ecdsa-sha2-nistp256@openssh.com",
  "rsa-sha2-512",
  "rsa-sha2-256",
}

---@class plat.ssh.Identity one key to try
---@field name string for people
---@field blob? string the public half; nil: an encrypted key that does not show it
---@field certificate? string sent in its place
---@field file? plat.ssh.KeyFile who signs
---@field agent? string or the agent, by its socket
---@field named boolean somebody has named it for the host
---@field rsa_sha256? boolean

local agents = {} -- by socket: { once =, held = }

--- Returns the keys of an agent, asked once a process; none where it does not answer.
local function held_by(about, socket)
  local agent = agents[socket] or { once = once.new() }
  agents[socket] = agent
  return agent.once:get(about, function()
    return agent.held
  end, function()
    local held, err = prim.agent_keys(socket)
    agent.held = held or {}
    if err then
      require("plat.out").debug(1, ("ssh-agent %s: %s"):format(socket, err.msg))
    end
  end)
end

local function type_of(blob)
  local ok, name = pcall(string.unpack, ">s4", blob)
  return ok and name or ""
end

--- Returns whether a key's algorithm is allowed, and whether RSA has to sign by SHA-256.
local function allowed(settings, blob)
  local name = type_of(blob)
  local chosen = algorithms.choose(settings.ssh.pubkeyacceptedalgorithms, ALGORITHMS)
  local rest = name:match("^ssh%-rsa(.*)$")
  if not rest then
    return list.contains(chosen, name), false
  end
  local sha512 = list.contains(chosen, "rsa-sha2-512" .. rest)
  local sha256 = list.contains(chosen, "rsa-sha2-256" .. rest)
  return sha512 or sha256, not sha512
end

local function add(out, settings, identity)
  local blob = identity.certificate or identity.blob
  if blob then
    local fits, sha256 = allowed(settings, blob)
    if not fits then
      return
    end
    identity.rsa_sha256 = sha256
  end
  out[#out + 1] = identity
end

--- Whoever has the private half of a blob signs: the agent, if it can.
local function signer(socket, held, blob, file)
  for _, one in ipairs(blob and held or {}) do
    if one.blob == blob then
      one.used = true
      return { agent = socket, blob = blob }
    end
  end
  return file and { file = file, blob = blob }
end

--- Certificates of CertificateFile and beside the keys, each with who signs for it.
local function add_certificates(out, settings, held, files)
  local paths = list.copy(settings.ssh.certificatefile)
  for _, file in ipairs(files) do
    paths[#paths + 1] = file.path .. "-cert.pub"
  end
  for _, path in ipairs(paths) do
    local certificate = keys.certificate(path)
    local read = certificate and blobs.read(certificate)
    local file = read
      and read.plain
      and list.find(files, function(one)
        return one.blob == read.plain
      end)
    local who = read and read.plain and signer(settings.agent, held, read.plain, file)
    if who then
      who.certificate, who.name, who.named = certificate, path, true
      add(out, settings, who)
    end
  end
end

--- Splits the files into those that an agent signs for, and the others.
local function add_files(first, last, settings, held, files)
  for _, file in ipairs(files) do
    local who = signer(settings.agent, held, file.blob, file)
    who.name = who.agent and file.path .. " (by the agent)" or file.path
    who.named = settings.ssh.identities_given
    add((who.agent or who.named) and first or last, settings, who)
  end
end

--- Returns the keys to try for a host, best first: certificates, keys that somebody has named, keys
--- of the agent, OpenSSH's default files.
---@async
---@param about table for faults
---@param settings plat.ssh.Settings
---@return plat.ssh.Identity[]
function M.of(about, settings)
  local out, last, files = {}, {}, {}
  local held = settings.agent and held_by(about, settings.agent) or {}
  held = list.map(held, function(one)
    return { blob = one.blob, comment = one.comment }
  end)
  for _, path in ipairs(settings.keys) do
    local file = keys.file(path)
    if not file.absent or settings.ssh.identities_given then
      files[#files + 1] = file
    end
  end
  add_certificates(out, settings, held, files)
  add_files(out, last, settings, held, files)
  for _, one in ipairs(held) do
    if not one.used and not settings.ssh.identitiesonly then
      local name = one.comment ~= "" and one.comment or type_of(one.blob)
      local identity = { agent = settings.agent, blob = one.blob, named = false }
      identity.name = name .. " of the agent"
      add(out, settings, identity)
    end
  end
  return table.move(last, 1, #last, #out + 1, out)
end

return M
