--- What the command line says of all connections: flags that Ansible has too. The inventory's
--- variables of a host win over them.

local fault = require("plat.fault")
local prim = require("prim.tty")

local M = {}

--- The flags, by plat.cli.
M.FLAGS = {
  { "--user", "-u", type = "string", value = "NAME", help = "log in as this user" },
  { "--private-key", type = "string", value = "FILE", help = "log in by this key" },
  { "--key-file", type = "string", alias = "--private-key", help = "" },
  {
    "--key-passphrase",
    type = "string",
    value = "REF",
    help = "of encrypted keys: a secret, env:NAME, file:PATH, vault:PATH#FIELD",
  },
  { "--ask-pass", "-k", help = "ask for the password to log in by" },
  {
    "--ssh-common-args",
    type = "string",
    value = "ARGS",
    help = "options of ssh: '-o ProxyJump=bastion'",
  },
  { "--ssh-extra-args", type = "string", value = "ARGS", help = "more of them" },
}

local given = {}

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
    password = opts.ask_pass and M.ask("SSH password: ") or nil,
  }
end

--- Returns what was given.
---@return table user, key, passphrase, common_args, extra_args, password
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
