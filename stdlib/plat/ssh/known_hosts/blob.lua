--- Public keys in the form that SSH sends them: what they are, and their fingerprints.

local hash = require("plat.hash")

local M = {}

---@class plat.ssh.PublicKey
---@field type string "ssh-ed25519"
---@field bits integer
---@field name string as ssh-keygen names it: "ED25519"
---@field authority? string of a certificate: the key that signed it, as a blob
---@field plain? string of a certificate: the key that it certifies, as a blob

local SIZES = { nistp256 = 256, nistp384 = 384, nistp521 = 521 }
local CERTIFICATE = "-cert-v01@openssh.com"

--- How many bits a number of SSH has.
local function bits_of(number)
  local first = number:find("[^\0]")
  if not first then
    return 0
  end
  local top, count = number:byte(first), 0
  while top > 0 do
    top, count = top >> 1, count + 1
  end
  return (#number - first) * 8 + count
end

local function strings(blob, at, count)
  local out = {}
  for i = 1, count do
    if at + 3 > #blob then
      return nil
    end
    local size = string.unpack(">I4", blob, at)
    if at + 3 + size > #blob then
      return nil
    end
    out[i], at = blob:sub(at + 4, at + 3 + size), at + 4 + size
  end
  return out, at
end

local function ecdsa(f)
  local size = SIZES[f[1]]
  local bytes = size and (size + 7) // 8
  return bytes and #f[2] == 1 + 2 * bytes and f[2]:byte() == 4 and size or nil
end

--- By type: how many strings follow it, and their reading: the bits of the key, nil if it is none.
local KINDS = {
  ["ssh-ed25519"] = {
    1,
    "ED25519",
    function(f)
      return #f[1] == 32 and 256 or nil
    end,
  },
  ["ssh-rsa"] = {
    2,
    "RSA",
    function(f)
      local bits = bits_of(f[2])
      return bits >= 1024 and bits_of(f[1]) > 0 and bits or nil
    end,
  },
  ["ssh-dss"] = {
    4,
    "DSA",
    function(f)
      return bits_of(f[1]) == 1024 and 1024 or nil
    end,
  },
  ["sk-ssh-ed25519@openssh.com"] = {
    2,
    "ED25519-SK",
    function(f)
      return #f[1] == 32 and 256 or nil
    end,
  },
  ["sk-ecdsa-sha2-nistp256@openssh.com"] = { 3, "ECDSA-SK", ecdsa },
}
for curve in pairs(SIZES) do
  KINDS["ecdsa-sha2-" .. curve] = {
    2,
    "ECDSA",
    function(f)
      return f[1] == curve and ecdsa(f) or nil
    end,
  }
end

--- The type without what makes it that of a certificate: sk types end with their domain.
local function plain_type(text)
  local base = text:match("^(.*)%-cert%-v01@openssh%.com$")
  return base and (base:find("^sk%-") and base .. "@openssh.com" or base)
end

--- Reads a certificate: a nonce, the key, the serial number and the kind (12 bytes), the identity
--- and the names, the dates (16 bytes), options, extensions, nothing, the authority, its signature.
local function certificate(kind, key, base, blob, at)
  local fields, named, rest
  fields, at = strings(blob, at, 1 + kind[1])
  if fields then
    key.bits = kind[3]({ table.unpack(fields, 2) })
    named, at = strings(blob, at + 12, 2)
  end
  if named then
    rest, at = strings(blob, at + 16, 5)
  end
  if not rest or not key.bits or at ~= #blob + 1 then
    return nil
  end
  local parts = { string.pack(">s4", base) }
  for i = 2, #fields do
    parts[i] = string.pack(">s4", fields[i])
  end
  key.authority, key.name, key.plain = rest[4], kind[2] .. "-CERT", table.concat(parts)
  return key
end

--- Returns what a blob is, nil if it is no key that OpenSSH would take.
---@param blob string
---@return plat.ssh.PublicKey?
function M.read(blob)
  local first, at = strings(blob, 1, 1)
  if not first then
    return nil
  end
  local name = first[1]
  local base = plain_type(name)
  local kind = KINDS[base or name]
  if not kind then
    return nil
  elseif base then
    return certificate(kind, { type = name }, base, blob, at)
  end
  local fields
  fields, at = strings(blob, at, kind[1])
  local bits = fields and at == #blob + 1 and kind[3](fields)
  return bits and { type = name, bits = bits, name = kind[2] } or nil
end

--- Returns a fingerprint as ssh-keygen prints it: "SHA256:..." or "MD5:aa:bb:..."; of a certificate
--- that of its key.
---@param blob string
---@param algorithm? "sha256"|"md5"|"sha1"|"sha384"|"sha512" default: sha256
---@return string
function M.fingerprint(blob, algorithm)
  algorithm = (algorithm or "sha256"):lower()
  local key = M.read(blob)
  blob = key and key.plain or blob
  if algorithm == "md5" then
    return "MD5:" .. hash.digest("md5", blob):gsub("%x%x", "%0:"):sub(1, -2)
  end
  local digest = hash.digest(algorithm, blob, { raw = true })
  return algorithm:upper() .. ":" .. hash.base64(digest):gsub("=+$", "")
end

--- Returns the signature algorithms that a key of this type can use, best first.
---@param key_type string
---@return string[]
function M.algorithms(key_type)
  if key_type == "ssh-rsa" then
    return { "rsa-sha2-512", "rsa-sha2-256", "ssh-rsa" }
  end
  return { key_type }
end

--- Returns the type of key that a signature algorithm is for, certificates as their plain type.
---@param algorithm string
---@return string type
---@return boolean certificate
function M.type_of(algorithm)
  local is_certificate = algorithm:sub(-#CERTIFICATE) == CERTIFICATE
  local plain = plain_type(algorithm) or algorithm
  return plain:find("^rsa%-sha2%-") and "ssh-rsa" or plain, is_certificate
end

return M
