--- Ansible Vault: reads what `ansible-vault encrypt` and `encrypt_string` wrote, formats 1.1 and
--- 1.2.
--
-- An envelope is a line `$ANSIBLE_VAULT;1.1;AES256` or `$ANSIBLE_VAULT;1.2;AES256;LABEL` and lines
-- of hexadecimal digits. They stand for three lines that are hexadecimal in turn: salt, HMAC-SHA256
-- and ciphertext (AES-256 in counter mode). The keys come from the password by PBKDF2.

local check = require("plat.check")
local cipher = require("prim.cipher")
local fault = require("plat.fault")
local hash = require("plat.hash")

local M = {}

local HEADER = "$ANSIBLE_VAULT"
local HEADER_MAX = 1024
local ROUNDS = 10000 -- the format says so
local KEY, BLOCK = 32, 16
local MAX = 64 * 1024 * 1024

local DECRYPT = check.options("ansible_vault.decrypt", {
  name = { type = "string", default = "the vault text", help = "the file, for messages" },
})

--- Returns whether a text is an envelope of Ansible Vault, whole or damaged.
---@param text any
---@return boolean
function M.is_vault(text)
  return type(text) == "string" and text:sub(1, #HEADER) == HEADER
end

local function malformed(name, what)
  fault.raise("parse", { op = "ansible_vault.decrypt" }, {
    msg = ("%s: %s"):format(name, what),
    hint = "ansible-vault view shows whether Ansible can read it; was a part cut off or edited?",
  })
end

--- Returns the fields of an envelope's first line.
local function header_of(text)
  local fields = {}
  for field in (text:match("^[^\r\n]*"):sub(1, HEADER_MAX) .. ";"):gmatch("([^;]*);") do
    fields[#fields + 1] = field:match("^%s*(.*%S)") or ""
  end
  return fields
end

--- Returns the digits of an envelope, after a look at its first line.
local function open_envelope(text, name)
  local magic, version, algorithm = table.unpack(header_of(text))
  if magic ~= HEADER or not algorithm then
    malformed(name, ("the first line is not %s;1.1;AES256"):format(HEADER))
  elseif version ~= "1.1" and version ~= "1.2" then
    fault.raise("parse", { op = "ansible_vault.decrypt" }, {
      msg = ("%s: format %q is not known, only 1.1 and 1.2 are"):format(name, version:sub(1, 20)),
      hint = "ansible-vault rekey writes the present format",
    })
  elseif algorithm ~= "AES256" then
    malformed(name, ("the cipher %q is not known, only AES256 is"):format(algorithm:sub(1, 20)))
  elseif #text > 4 * MAX then
    malformed(name, ("what it holds is larger than %d MiB"):format(MAX >> 20))
  end
  return (text:gsub("^[^\r\n]*", ""):gsub("%s+", ""))
end

--- Returns the label of an envelope ("dev" of `$ANSIBLE_VAULT;1.2;AES256;dev`), or nil.
---@param text string
---@return string?
function M.label(text)
  local label = M.is_vault(text) and header_of(text)[4]
  return label ~= "" and label or nil
end

local function unhex(name, what, digits)
  local bytes, err = cipher.unhex(digits)
  if not bytes then
    malformed(name, ("%s: %s"):format(what, err.msg))
  end
  return bytes
end

---@class (exact) plat.ansible_vault.Envelope
---@field salt string
---@field mac string
---@field ciphertext string

--- Takes an envelope apart.
---@return plat.ansible_vault.Envelope
local function parse(text, name)
  local digits = open_envelope(text, name)
  if digits == "" then
    malformed(name, "nothing follows the first line")
  end
  local body = unhex(name, "after the first line", digits)
  local salt, mac, ciphertext = body:match("^(%x+)\n(%x+)\n(%x+)$")
  if not salt then
    malformed(name, "the parts salt, HMAC and ciphertext are not all there")
  end
  local envelope = {
    salt = unhex(name, "salt", salt),
    mac = unhex(name, "HMAC", mac),
    ciphertext = unhex(name, "ciphertext", ciphertext),
  }
  if #envelope.mac ~= 32 then
    malformed(name, ("the HMAC has %d bytes instead of 32"):format(#envelope.mac))
  end
  return envelope
end

--- Returns text without its PKCS#7 padding, nil if there is none. It was authenticated before, so
--- how it fails tells nobody anything.
local function unpad(padded)
  local n = padded:byte(-1) or 0
  local intact = n >= 1 and n <= BLOCK and #padded % BLOCK == 0
  if intact and padded:sub(-n) == string.char(n):rep(n) then
    return padded:sub(1, -n - 1)
  end
end

--- Returns the text, or nil when the password is not the one.
local function open_with(envelope, password, name)
  local about = { op = "ansible_vault.decrypt" }
  local keys = fault.must(about, cipher.pbkdf2(password, envelope.salt, ROUNDS, 2 * KEY + BLOCK))
  local mac = hash.hmac("sha256", keys:sub(KEY + 1, 2 * KEY), envelope.ciphertext, { raw = true })
  if not hash.equal(mac, envelope.mac) then
    return nil
  end
  local padded = fault.must(
    about,
    cipher.aes256_ctr(keys:sub(1, KEY), keys:sub(2 * KEY + 1), envelope.ciphertext)
  )
  return unpad(padded) or malformed(name, "the padding of the decrypted text is damaged")
end

--- Returns what an envelope holds. Raises "auth" for a wrong password, which cannot be told from an
--- edited file, and "parse" for what is no envelope.
---@param text string
---@param password string|string[] several are tried in turn
---@param opts? { name?: string }
---@return string
function M.decrypt(text, password, opts)
  local name = DECRYPT(opts).name
  if not M.is_vault(text) then
    malformed(name, ("it does not begin with %s"):format(HEADER))
  end
  local passwords = type(password) == "table" and password or { password }
  local envelope = parse(text, name)
  for _, candidate in ipairs(passwords) do
    local plain = open_with(envelope, candidate, name)
    if plain then
      return plain
    end
  end
  local label = M.label(text)
  fault.raise("auth", { op = "ansible_vault.decrypt" }, {
    msg = ("%s: %s, or the file was edited"):format(
      name,
      #passwords == 1 and "the password is wrong"
        or ("none of %d passwords is right"):format(#passwords)
    ),
    hint = ("check the password%s; ansible-vault view FILE asks for one"):format(
      label and (" for the vault id %q"):format(label) or ""
    ),
  })
end

return M
