--- known_hosts: which host keys are known, which are revoked, who may certify them.
--
-- Read by us, because what libssh2 makes of these files is not safe: see docs/SSH.md. A file is
-- read again only when it changed.

local blobs = require("plat.ssh.known_hosts.blob")
local fault = require("plat.fault")
local fs = require("prim.fs")
local hash = require("plat.hash")
local parse = require("plat.ssh.known_hosts.parse")

local M = {}

local SSH_PORT = 22
local MAX_FILE = 64 * 1024 * 1024
local ENOENT, ENOTDIR = 2, 20

M.parse = parse.read
M.fingerprint = blobs.fingerprint
M.key = blobs.read

local cache = {} -- by path: { stamp =, file = }

local function stamp_of(info)
  return ("%d:%d:%d:%.9f"):format(info.dev, info.ino, info.size, info.mtime)
end

--- Returns a file, read once as long as it does not change; an absent one is empty.
---@param path string
---@return plat.ssh.KnownHosts
function M.read(path)
  local info, err = fs.stat(path)
  local known = cache[path]
  if info and known and known.stamp == stamp_of(info) then
    return known.file
  end
  local text
  if info then
    text, err = fs.read(path, { max = MAX_FILE })
  end
  if not text and err.code ~= ENOENT and err.code ~= ENOTDIR then
    fault.raise_err({ op = "known_hosts", object = path }, err)
  end
  local file = parse.read(text or "", path)
  cache[path] = text and { stamp = stamp_of(info), file = file } or nil
  return file
end

--- Returns the name under which a host is known: "host", or "[host]:port" off port 22; an alias
--- stands for both.
---@param host string
---@param port? integer
---@param alias? string
---@return string
function M.name(host, port, alias)
  if alias then
    return alias:lower()
  elseif (port or SSH_PORT) == SSH_PORT then
    return host:lower()
  end
  return ("[%s]:%d"):format(host:lower(), port)
end

---@class plat.ssh.Known what the files say of one name
---@field name string
---@field keys plat.ssh.KnownHost[]
---@field revoked plat.ssh.KnownHost[]
---@field authorities plat.ssh.KnownHost[]
---@field problems { file: string, line: integer, msg: string }[] lines that say nothing

local LIST = { revoked = "revoked", ["cert-authority"] = "authorities" }

local function find(files, name)
  local known = { name = name, keys = {}, revoked = {}, authorities = {}, problems = {} }
  for _, one in ipairs(files) do
    local file = type(one) == "string" and M.read(one) or one
    for _, entry in ipairs(file:matching(name)) do
      local list = known[LIST[entry.marker] or "keys"]
      list[#list + 1] = entry
    end
    table.move(file.problems, 1, #file.problems, #known.problems + 1, known.problems)
  end
  return known
end

--- Returns what files say of a host.
---@param files (string|plat.ssh.KnownHosts)[] paths, or what `parse` gives
---@param host string
---@param port? integer
---@param alias? string HostKeyAlias
---@return plat.ssh.Known
function M.lookup(files, host, port, alias)
  return find(files, M.name(host, port, alias))
end

local function same(entries, blob)
  for _, entry in ipairs(entries) do
    if entry.blob == blob then
      return entry
    end
  end
end

local function judge(known, blob, key)
  local revoked = same(known.revoked, key.plain or blob)
    or key.authority and same(known.revoked, key.authority)
  if revoked then
    return "revoked", { revoked }
  elseif key.authority then
    local authority = same(known.authorities, key.authority)
    if authority then
      return "certificate", { authority }
    end
  end
  local entry = same(known.keys, key.plain or blob)
  if entry then
    return "ok", { entry }
  end
  return known.keys[1] and "changed" or "unknown", known.keys
end

--- Judges the key that a host shows. "ok": it is known; "unknown": nothing is known of the host;
--- "changed": other keys are; "revoked": it is marked so; "certificate": a certificate by a known
--- authority, of which the signature, the names and the dates are still to be verified; without
--- such an authority its plain key is judged. Off port 22 a key that is known for the plain host
--- is ok.
---@param files (string|plat.ssh.KnownHosts)[]
---@param host string
---@param port? integer
---@param blob string the key as the host sends it
---@param alias? string HostKeyAlias
---@return "ok"|"unknown"|"changed"|"revoked"|"certificate" status
---@return plat.ssh.KnownHost[] entries that say so
---@return plat.ssh.Known known
function M.check(files, host, port, blob, alias)
  local key = blobs.read(blob)
  if not key then
    fault.raise("parse", { op = "known_hosts" }, { msg = "the host's key is of no known type" })
  end
  local known = M.lookup(files, host, port, alias)
  local status, entries = judge(known, blob, key)
  if status == "unknown" and not alias and (port or SSH_PORT) ~= SSH_PORT then
    local plain, found = judge(find(files, host), blob, key)
    if plain ~= "unknown" and plain ~= "changed" then
      return plain, found, known
    end
  end
  return status, entries, known
end

--- Returns a line to append to a file, with its end.
---@param host string
---@param port? integer
---@param blob string
---@param opts? { hash?: boolean, salt?: string, alias?: string, comment?: string }
---@return string
function M.line(host, port, blob, opts)
  opts = opts or {}
  local key = blobs.read(blob)
  local name = M.name(host, port, opts.alias)
  if not key then
    fault.raise("parse", { op = "known_hosts" }, { msg = "the host's key is of no known type" })
  elseif host:find("[@?*#%[%]|'\"\\,%s%c]") or name:find("[@?*#|'\"\\,%s%c]") or host == "" then
    fault.raise("usage", { op = "known_hosts" }, {
      msg = ("%q is no name for a known_hosts file"):format(name),
    })
  end
  if opts.hash then
    local salt = opts.salt or hash.random(20)
    local digest = hash.hmac("sha1", salt, name, { raw = true })
    name = ("|1|%s|%s"):format(hash.base64(salt), hash.base64(digest))
  end
  local comment = opts.comment and " " .. opts.comment or ""
  return ("%s %s %s%s\n"):format(name, key.type, hash.base64(blob), comment)
end

--- Returns algorithms in the order to ask a host for: those of known keys first, so that it does
--- not show a key of another type; all of certificates first where an authority is known. As it is
--- if the best one is of a known type, or if nothing is known.
---@param known plat.ssh.Known
---@param algorithms string[] best first
---@return string[]
function M.prefer(known, algorithms)
  local types = {}
  for _, entry in ipairs(known.keys) do
    types[entry.type] = true
  end
  if not algorithms[1] or types[(blobs.type_of(algorithms[1]))] then
    return algorithms
  end
  local first, last = {}, {}
  for _, algorithm in ipairs(algorithms) do
    local key_type, certificate = blobs.type_of(algorithm)
    local wanted = types[key_type] or certificate and known.authorities[1]
    local list = wanted and first or last
    list[#list + 1] = algorithm
  end
  return table.move(last, 1, #last, #first + 1, first)
end

return M
