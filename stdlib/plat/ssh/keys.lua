--- Keys in files: public halves without a passphrase, private ones parsed once a process.

local fault = require("plat.fault")
local fs = require("prim.fs")
local given = require("plat.ssh.given")
local hash = require("plat.hash")
local once = require("plat.task.once")
local prim = require("prim.ssh")
local sys = require("prim.sys")

local M = {}

local ENOENT = 2
local MAX_FILE = 1024 * 1024
local OTHERS = tonumber("077", 8)
local MAGIC = "openssh-key-v1\0"
local PEM = "%-%-%-%-%-BEGIN OPENSSH PRIVATE KEY%-%-%-%-%-%s*([%w+/=%s]+)%-%-%-%-%-END"

--- Returns the blob of a line such as "ssh-ed25519 AAAA... comment".
local function blob_of_line(text)
  for line in text:gmatch("[^\r\n]+") do
    local kind, encoded = line:match("^%s*([%w@.-]+)%s+([%w+/]+=*)")
    if kind and #encoded > 20 then
      return fault.try(hash.unbase64, encoded)
    end
  end
end

--- The public half in the clear part of a private key of OpenSSH's form, and whether the rest is
--- encrypted.
local function blob_of_private(text)
  local body = text:match(PEM)
  local data = body and fault.try(hash.unbase64, (body:gsub("%s", "")))
  if not data or data:sub(1, #MAGIC) ~= MAGIC then
    return nil
  end
  local ok, cipher, _, _, count, blob = pcall(string.unpack, ">s4s4s4I4s4", data, #MAGIC + 1)
  if ok and count == 1 then
    return blob, cipher ~= "none"
  end
end

---@class plat.ssh.KeyFile
---@field path string as ssh_config names it
---@field blob? string the public half, if it is known without a passphrase
---@field text? string the private half
---@field encrypted? boolean
---@field problem? string why the private half is of no use
---@field absent? boolean there is neither half
---@field made? { key: prim.ssh.Key?, err: table? } what became of parsing it
---@field once plat.task.Once

local files = {} -- by path, of this process

local function look(path)
  local file = { path = path, once = once.new() }
  local text, err = fs.read(path, { max = MAX_FILE })
  local public = fs.read(path .. ".pub", { max = MAX_FILE })
  local info = text and fs.stat(path)
  if text and not text:find("PRIVATE KEY-----", 1, true) then
    file.blob = blob_of_line(text) -- IdentityFile names a public key: an agent has the other half
    file.problem = file.blob and "only its public half is here, and no agent has the other"
      or "it is no private key"
  elseif text and info and info.uid == sys.uid() and info.mode & OTHERS ~= 0 then
    file.problem = ("others may read it (mode %03o): chmod 600 it"):format(info.mode & 511)
  elseif text then
    file.text = text
  else
    file.problem = err.code == ENOENT and "there is no such file" or err.msg
    file.absent = not public
  end
  if text and not file.blob then
    file.blob, file.encrypted = blob_of_private(text)
  end
  file.blob = file.blob or public and blob_of_line(public)
  return file
end

--- Returns what is known of a key's file without a passphrase.
---@param path string of the private half
---@return plat.ssh.KeyFile
function M.file(path)
  files[path] = files[path] or look(path)
  return files[path]
end

--- Returns a certificate as it goes over the wire, nil where there is none.
---@param path string
---@return string?
function M.certificate(path)
  local text = fs.read(path, { max = MAX_FILE })
  return text and blob_of_line(text)
end

local function passphrase_of(wanted)
  if wanted.passphrase then
    return wanted.passphrase, wanted.passphrase_from
  end
  local ref = given.values().passphrase
  if ref then
    local secret = require("plat.secret.resolve").read(ref, {}, { short = true })
    return secret, "--key-passphrase " .. ref
  end
end

--- Asks for the passphrase until it fits.
local function ask(file, tries)
  local key, err
  for _ = 1, tries do
    key, err = prim.key(file.text, given.ask(("passphrase of %s: "):format(file.path)))
    if key or err.kind ~= "auth" then
      break
    end
    require("plat.out").err(("%s: %s"):format(file.path, err.msg))
  end
  return key, err
end

local function parse(file, wanted)
  local key, err = prim.key(file.text)
  if key or err.kind ~= "auth" then
    return key, err
  end
  local passphrase, from = passphrase_of(wanted)
  if passphrase then
    key, err = prim.key(file.text, passphrase)
    if not key and err.kind == "auth" then
      err.msg = ("%s (of %s)"):format(err.msg, from)
    end
  elseif given.can_ask() and not wanted.batch then
    key, err = ask(file, wanted.tries or 3)
  else
    err.msg = "it is encrypted, and nobody has given its passphrase"
  end
  return key, err
end

--- Returns the private key of a file, parsed once; nil and why it cannot be used. A passphrase is
--- that of the inventory, of the flag, or asked for.
---@async
---@param about table for faults
---@param file plat.ssh.KeyFile
---@param wanted table passphrase and passphrase_from (who says it), batch (do not ask), tries
---@return prim.ssh.Key? key
---@return string? problem
function M.private(about, file, wanted)
  if not file.text then
    return nil, file.problem
  end
  local made = file.once:get(about, function()
    return file.made
  end, function()
    local key, err = parse(file, wanted)
    file.made = { key = key, err = err }
  end)
  return made.key, made.err and made.err.msg
end

return M
