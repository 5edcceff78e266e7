--- How a host is reached: what the inventory says of it, before what ssh_config says.

local list = require("plat.list")
local sys = require("prim.sys")

local M = {}

local state = {} -- of this process: { config = }

local function config()
  state.config = state.config or require("plat.ssh.config").load({})
  return state.config
end

---@class plat.ssh.HostLike a host of the inventory, or a hop on the way to one
---@field name string for messages
---@field address string what ssh_config is asked for
---@field vars table connection variables

---@class plat.ssh.Settings
---@field host string the address that is connected to
---@field port integer
---@field user string
---@field keys string[] files of private keys
---@field agent? string socket
---@field known string[] files of known hosts: the user's, then the machine's
---@field remember? string the file that new keys are added to
---@field alias? string HostKeyAlias
---@field accept_new boolean
---@field timeout number seconds to connect
---@field password? string|plat.Secret
---@field proxyjump? plat.ssh.Hop[]
---@field proxycommand? string
---@field ssh table all that ssh_config says

local function existing(paths)
  local fs = require("prim.fs")
  return list.where(paths, function(path)
    return fs.stat(path) ~= nil
  end)
end

local function agent_of(found)
  local agent = found.identityagent
  if agent == "none" then
    return nil
  end
  return agent and agent ~= "SSH_AUTH_SOCK" and agent or sys.getenv("SSH_AUTH_SOCK")
end

local function joined(first, second)
  return table.move(second, 1, #second, #first + 1, list.copy(first))
end

--- Returns how a host is reached.
---@param host plat.ssh.HostLike
---@return plat.ssh.Settings
function M.of(host)
  local vars = host.vars
  local port = vars.ansible_port or vars.ansible_ssh_port
  local found = config():lookup(host.address, {
    user = vars.ansible_user or vars.ansible_ssh_user,
    port = port and math.tointeger(tonumber(port)) or nil,
  })
  local own = vars.ansible_ssh_private_key_file
  return {
    host = found.hostname,
    port = found.port,
    user = found.user,
    keys = existing(own and { own } or found.identityfile),
    agent = not own and agent_of(found) or nil,
    known = joined(found.userknownhostsfile, found.globalknownhostsfile),
    remember = found.userknownhostsfile[1],
    alias = found.hostkeyalias,
    accept_new = found.stricthostkeychecking == "accept-new",
    timeout = found.connecttimeout or 10,
    password = vars.ansible_password or vars.ansible_ssh_pass,
    proxyjump = found.proxyjump,
    proxycommand = found.proxycommand,
    ssh = found,
  }
end

return M
