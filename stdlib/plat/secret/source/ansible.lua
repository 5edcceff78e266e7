--- Secrets in files of Ansible Vault: `ansible:FILE#KEY`, or `ansible:FILE` for the whole text. The
--- file is encrypted as a whole, or the value of KEY alone (`!vault |`).

local ansible_vault = require("plat.ansible_vault")
local common = require("plat.secret.common")
local fault = require("plat.fault")
local password = require("plat.ansible_vault.password")
local pick = require("plat.secret.pick")
local yaml = require("plat.yaml")

local M = {}

local MAX = 256 * 1024 * 1024

local function decrypt(about, text, name)
  local passwords = common.told_of(about, password.find, ansible_vault.label(text))
  return common.told_of(about, ansible_vault.decrypt, text, passwords, { name = name })
end

--- Reads YAML; what YAML says about a mistake may quote the text, so only its place is told.
local function parse(about, text, path)
  local document, err = fault.try(yaml.decode_one, text, { dialect = "ansible", name = path })
  if document == nil then
    local line = err.msg:sub(#path + 1):match("^:(%d+):%d+: ")
    fault.raise("parse", about, {
      msg = ("%s%s: not YAML"):format(path, line and (", line %s of the text"):format(line) or ""),
      hint = "leave out #KEY for the whole text; ansible-vault view shows it",
    })
  end
  return document
end

--- Returns a value of an encrypted file, or all of its text without one newline at the end.
---@async
---@param rest string
---@return string
function M.read(rest)
  local about = common.about("ansible", rest)
  local path, key = rest:match("^([^#]+)#(.+)$")
  path = common.expand(path or rest)
  if path == "" or path:find("#", 1, true) then
    fault.raise("usage", about, { msg = "that names no file", hint = "write ansible:FILE#KEY" })
  end
  local text = common.read_file(about, path, { max = MAX })
  local encrypted = ansible_vault.is_vault(text)
  if encrypted then
    text = decrypt(about, text, path)
  end
  local value
  if key then
    value = pick.pick(parse(about, text, path), key, about)
    if type(value) == "table" and value.__tag == "!vault" then
      value = decrypt(about, value.value, ("%s, %s"):format(path, key))
      encrypted = true
    elseif type(value) == "table" and value.__tag == "!unsafe" then
      value = value.value
    end
  else
    value = common.chomp(text)
  end
  if not encrypted then
    fault.raise("refused", about, {
      msg = ("%s is not encrypted"):format(key and ("%s in %s"):format(key, path) or path),
      hint = ("ansible-vault encrypt %s"):format(path),
    })
  end
  return common.text_of(about, value)
end

return M
