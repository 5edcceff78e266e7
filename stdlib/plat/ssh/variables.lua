--- What the inventory's variables and the command line say of a connection, as lines of ssh_config:
--- in the order in which Ansible hands them to ssh, where the first of a keyword counts.

local args = require("plat.ssh.args")
local check = require("plat.check")
local fault = require("plat.fault")
local given = require("plat.ssh.given")
local sys = require("prim.sys")

local M = {}

--- The names of each variable, the one that counts first.
local NAMES = {
  port = { "ansible_port", "ansible_ssh_port" },
  user = { "ansible_user", "ansible_ssh_user" },
  password = { "ansible_password", "ansible_ssh_pass", "ansible_ssh_password" },
  key = { "ansible_ssh_private_key_file", "ansible_private_key_file" },
  passphrase = { "ansible_ssh_private_key_passphrase", "ansible_private_key_passphrase" },
  timeout = { "ansible_ssh_timeout", "ansible_timeout" },
  checking = { "ansible_ssh_host_key_checking", "ansible_host_key_checking" },
  args = { "ansible_ssh_args" },
  common_args = { "ansible_ssh_common_args" },
  extra_args = { "ansible_ssh_extra_args" },
}

local function lookup(vars, what)
  for _, name in ipairs(NAMES[what]) do
    if vars[name] ~= nil and vars[name] ~= "" then
      return vars[name], name
    end
  end
end

local function refuse(name, msg)
  fault.raise("usage", nil, { msg = ("%s: %s"):format(name, msg), where = "" })
end

local function integer(value, name)
  local number = math.tointeger(tonumber(value))
  if not number then
    refuse(name, ("%q is no whole number"):format(tostring(value)))
  end
  return number
end

--- Returns whether unknown hosts are taken as they come, and who says so.
local function unchecked(vars)
  local value, name = lookup(vars, "checking")
  if value == nil then
    name = "ANSIBLE_HOST_KEY_CHECKING"
    value = sys.getenv(name)
  end
  if value == nil or value == "" then
    return nil
  end
  local on = value
  if type(value) ~= "boolean" then
    on = check.value({ type = "boolean" }, tostring(value):lower())
  end
  if on == nil then
    refuse(name, ("%q is neither true nor false"):format(tostring(value)))
  end
  return not on and name or nil
end

---@class plat.ssh.Asked what is asked for beside the files of ssh_config
---@field options { text: string, from: string }[] lines that win over the files
---@field config? string the file of -F
---@field user? string
---@field port? integer
---@field password? string|plat.Secret
---@field password_from? string
---@field passphrase? string|plat.Secret
---@field passphrase_from? string

local function text_of(value)
  return type(value) == "number" and tostring(value) or value
end

local function add(out, from, fmt, value)
  out.options[#out.options + 1] = { text = fmt:format(tostring(value)), from = from }
end

local function add_args(out, text, from)
  if text then
    args.read(tostring(text), from, out)
  end
end

local function add_secrets(out, vars, flags)
  out.password, out.password_from = lookup(vars, "password")
  if not out.password and flags.password then
    out.password, out.password_from = flags.password, "the password"
  end
  out.passphrase, out.passphrase_from = lookup(vars, "passphrase")
  for _, name in ipairs({ "password", "passphrase" }) do
    out[name] = text_of(out[name])
    if type(out[name]) == "string" then
      require("plat.secret").register(out[name])
    end
  end
end

--- Returns what variables and flags say.
---@param vars table of a host
---@return plat.ssh.Asked
function M.of(vars)
  local flags, out = given.values(), { options = {} }
  add_args(out, lookup(vars, "args"))
  local checking = unchecked(vars)
  if checking then
    add(out, checking, "StrictHostKeyChecking=%s", "no")
  end
  local port, port_from = lookup(vars, "port")
  out.port = port and integer(port, port_from)
  local key, key_from = lookup(vars, "key")
  key, key_from = key or flags.key, key_from or "--private-key"
  if key then
    add(out, key_from, 'IdentityFile="%s"', key)
  end
  out.user = text_of(lookup(vars, "user")) or flags.user
  local timeout, timeout_from = lookup(vars, "timeout")
  if timeout then
    add(out, timeout_from, "ConnectTimeout=%d", integer(timeout, timeout_from))
  end
  local common, common_from = lookup(vars, "common_args")
  add_args(out, common or flags.common_args, common_from or "--ssh-common-args")
  local extra, extra_from = lookup(vars, "extra_args")
  add_args(out, extra or flags.extra_args, extra_from or "--ssh-extra-args")
  add_secrets(out, vars, flags)
  return out
end

return M
