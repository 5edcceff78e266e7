--- Secrets in files of SOPS, decrypted by the program sops: `sops:FILE#KEY`, or `sops:FILE` for the
--- whole text. Its keys (age, PGP, a cloud's) are found as sops finds them.

local common = require("plat.secret.common")
local fault = require("plat.fault")
local fs = require("prim.fs")
local json = require("plat.json")
local pick = require("plat.secret.pick")
local proc = require("plat.proc")

local M = {}

local TIMEOUT = 60
local MAX = 64 * 1024 * 1024
local ENOENT = 2

--- Raises what went wrong, without what sops printed on stdout.
local function raise_failure(about, path, err)
  if err.code == ENOENT and err.kind ~= "exit" then
    fault.raise("io", about, {
      msg = "the program sops is not installed, or not in PATH",
      hint = "install the package sops, or: go install github.com/getsops/sops/v3/cmd/sops@latest",
    })
  elseif err.kind ~= "exit" then
    fault.raise(err.kind, about, { msg = err.msg, code = err.code })
  end
  local said = type(err.detail) == "table" and err.detail.stderr or ""
  fault.raise("auth", about, {
    msg = ("sops cannot decrypt %s: %s"):format(
      path,
      said:match("%S[^\n]*") or ("exit %d"):format(err.code)
    ),
    code = err.code,
    detail = said ~= "" and said or nil,
    hint = "keys: SOPS_AGE_KEY_FILE, ~/.config/sops/age/keys.txt, gpg or the cloud's login",
  })
end

local function decrypt(about, path, as_json)
  local argv = { "sops", "--decrypt", path }
  if as_json then
    argv = { "sops", "--decrypt", "--output-type", "json", path }
  end
  local out, err = fault.try(proc.read, argv, { timeout = TIMEOUT, max_output = MAX })
  if not out then
    raise_failure(about, path, err)
  end
  return out.stdout
end

--- Returns a value of an encrypted file, or all of its text without one newline at the end.
---@async
---@param rest string
---@return string
function M.read(rest)
  local about = common.about("sops", rest)
  local path, key = rest:match("^([^#]+)#(.+)$")
  path = common.expand(path or rest)
  if path == "" or path:find("#", 1, true) then
    fault.raise("usage", about, { msg = "that names no file", hint = "write sops:FILE#KEY" })
  end
  local info, err = fs.stat(path)
  if not info then
    fault.raise("io", about, { msg = err.msg, code = err.code })
  end
  local argument = path:sub(1, 1) == "-" and "./" .. path or path
  local text = decrypt(about, argument, key ~= nil)
  if not key then
    return common.text_of(about, common.chomp(text))
  end
  local document = fault.try(json.decode, text)
  if document == nil then
    fault.raise("parse", about, { msg = "what sops printed is not JSON" })
  end
  return common.text_of(about, pick.pick(document, key, about))
end

return M
