--- Passwords of Ansible Vault, from where Ansible takes them: ANSIBLE_VAULT_PASSWORD_FILE and
--- ANSIBLE_VAULT_IDENTITY_LIST, files or programs that print one.

local fault = require("plat.fault")
local fs = require("prim.fs")
local proc = require("plat.proc")
local secret = require("plat.secret")
local sys = require("prim.sys")

local M = {}

local FILE, LIST = "ANSIBLE_VAULT_PASSWORD_FILE", "ANSIBLE_VAULT_IDENTITY_LIST"
local MAX = 64 * 1024
local TIMEOUT = 60
local EXECUTABLE, SHARED, WRITABLE = 73, 63, 18 -- 0111, 0077, 0022
local UNKNOWN_LABEL = 2 -- what a client program ends with

local function about(path)
  return { op = "ansible_vault.password", object = path }
end

local function expand(path)
  return path:sub(1, 2) == "~/" and (sys.home() or "~") .. path:sub(2) or path
end

--- Returns the places of passwords that the environment names: `{ label?, path }`.
---@return { label: string?, path: string }[]
function M.places()
  local places = {}
  for item in (sys.getenv(LIST) or ""):gmatch("[^,]+") do
    item = item:match("^%s*(.*%S)") or ""
    local label, path = item:match("^(.-)@(.*)$")
    if item ~= "" then
      places[#places + 1] = { label = label ~= "" and label or nil, path = expand(path or item) }
    end
  end
  local file = sys.getenv(FILE)
  if file and file ~= "" then
    places[#places + 1] = { path = expand(file) }
  end
  return places
end

--- Runs a program that prints the password; one that is called NAME-client is told the label.
--- Returns nil when it does not know the label.
local function ask_program(path, info, label)
  if info.mode & WRITABLE ~= 0 then
    fault.raise("refused", about(path), {
      msg = ("others may write to the program %s (mode %04o)"):format(path, info.mode & 0xfff),
      hint = "chmod go-w " .. path,
    })
  end
  local program = path:find("/", 1, true) and path or "./" .. path
  local argv = { program }
  local stem = path:match("^(.*)%.[^./]*$") or path
  local is_client = stem:sub(-7) == "-client"
  if is_client and label then
    argv = { program, "--vault-id", label }
  end
  local out, err = fault.try(proc.read, argv, { timeout = TIMEOUT, max_output = MAX })
  if out then
    return out.stdout:match("^[\r\n]*(.*[^\r\n])") or ""
  elseif is_client and err.code == UNKNOWN_LABEL then
    return nil
  end
  local said = type(err.detail) == "table" and err.detail.stderr:match("([^\n]+)\n*$")
  fault.raise("auth", about(path), { -- not err itself: it may carry what was printed
    msg = ("the password program failed: %s"):format(
      err.kind == "exit" and ("exit %d%s"):format(err.code, said and ": " .. said or "") or err.msg
    ),
    code = err.code,
    hint = "if it is not a program, remove the executable bit: chmod 600 " .. path,
  })
end

local function read_file(path, info)
  if info.mode & SHARED ~= 0 then
    fault.raise("refused", about(path), {
      msg = ("others can read the password in %s (mode %04o)"):format(path, info.mode & 0xfff),
      hint = "chmod 600 " .. path,
    })
  end
  local text = fault.must(about(path), fs.read(path, { max = MAX }))
  return text:match("^%s*(.*%S)") or ""
end

local function read_place(place, label)
  local path = place.path
  if path == "prompt" or path == "prompt_ask_vault_pass" then
    fault.raise("usage", about(path), {
      msg = ("$%s wants to ask for a password; platrun cannot"):format(LIST),
      hint = "name a file or a program instead: LABEL@PATH",
    })
  end
  local info, err = fs.stat(path)
  if not info or info.type == "directory" then
    fault.raise("auth", about(path), {
      msg = ("the password file %s: %s"):format(path, err and err.msg or "is a directory"),
      hint = ("check $%s and $%s"):format(FILE, LIST),
    })
  end
  local password
  if info.mode & EXECUTABLE ~= 0 then
    password = ask_program(path, info, place.label or label)
  else
    password = read_file(path, info)
  end
  if password == "" then
    fault.raise("auth", about(path), { msg = ("the password of %s is empty"):format(path) })
  end
  secret.register(password or "")
  return password
end

--- Returns the passwords to try, those for the label first. Runs programs, so it may wait. Raises
--- "auth" when no place is named, or none of them knows a password.
---@async
---@param label? string of the envelope
---@return string[]
function M.find(label)
  local places = M.places()
  if #places == 0 then
    fault.raise("auth", { op = "ansible_vault.password" }, {
      msg = "no password of Ansible Vault is known",
      hint = ("set %s to a file (mode 0600) or to a program that prints it"):format(FILE),
    })
  end
  local first, rest = {}, {}
  for _, place in ipairs(places) do
    local password = read_place(place, label)
    local to = label and place.label == label and first or rest
    to[#to + 1] = password
  end
  table.move(rest, 1, #rest, #first + 1, first)
  if #first == 0 then
    fault.raise("auth", { op = "ansible_vault.password" }, {
      msg = ("no password program knows the vault id %q"):format(label or "default"),
      hint = ("check $%s and $%s"):format(FILE, LIST),
    })
  end
  return first
end

return M
