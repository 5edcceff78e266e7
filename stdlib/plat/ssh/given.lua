--- What the command line says of all connections (plat.ssh.flags). The inventory's variables of a
--- host win over it.

local fault = require("plat.fault")
local prim = require("prim.tty")
local stat = require("prim.fs").stat

local M = {}

local given = {}

--- Returns the password that a file holds, or that a program prints.
local function from_file(path)
  if not path then
    return nil
  end
  local found = stat(path)
  local is_program = found and found.type == "file" and found.mode & tonumber("111", 8) ~= 0
  local whole = path:find("/", 1, true) and path or "./" .. path
  local ref = "file:" .. whole
  if is_program then
    ref = "command:" .. require("plat.json").encode({ whole })
  end
  return require("plat.secret.resolve").read(ref, {}, { short = true })
end

local function password(opts, ask, file, prompt)
  if opts[ask] and opts[file] then
    fault.raise("usage", nil, {
      msg = ("--%s and --%s: one of them"):format(ask, file):gsub("_", "-"),
      where = "",
    })
  end
  return opts[ask] and M.ask(prompt) or from_file(opts[file])
end

--- Takes the values of the flags, for this process.
---@async
---@param opts table of plat.cli
function M.take(opts)
  given = {
    user = opts.user,
    key = opts.private_key,
    passphrase = opts.key_passphrase,
    common_args = opts.ssh_common_args,
    extra_args = opts.ssh_extra_args,
    password = password(opts, "ask_pass", "connection_password_file", "SSH password: "),
    connection = opts.connection,
    become = opts.become,
    become_user = opts.become_user,
    become_method = opts.become_method,
    become_password = password(
      opts,
      "ask_become_pass",
      "become_password_file",
      "BECOME password: "
    ),
  }
end

--- Returns what was given.
---@return table user, key, passphrase, common_args, extra_args, password, connection, become,
---  become_user, become_method, become_password
function M.values()
  return given
end

--- Returns whether somebody is there to answer.
---@return boolean
function M.can_ask()
  return prim.is_tty(0) and prim.is_tty(2)
end

--- Asks the person for a secret, without showing it.
---@async
---@param prompt string
---@return plat.Secret
function M.ask(prompt)
  if not M.can_ask() then
    fault.raise("usage", nil, {
      msg = "there is no terminal to ask on: " .. prompt:gsub(": $", ""),
      hint = "give it as a secret: ansible_password from a vault, --key-passphrase env:NAME",
      where = "",
    })
  end
  local out = require("plat.out")
  out.hold(true)
  local ok, line, err = xpcall(prim.read_line, fault.from_handler, prompt, { echo = false })
  out.hold(false)
  if not ok then
    error(line, 0)
  elseif not line then
    fault.raise_err({ op = "ask" }, err)
  end
  return require("plat.secret").new(line, "asked", { short = true })
end

return M
