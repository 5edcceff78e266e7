--- How a host is reached: what the inventory and the command line say of it, before what ssh_config
--- says.

local list = require("plat.list")
local out = require("plat.out")
local variables = require("plat.ssh.variables")

local M = {}

local configs = {} -- of this process: by the path of -F, "" for the usual files

local function config(path)
  local key = path or ""
  configs[key] = configs[key]
    or { files = require("plat.ssh.config").load({ path = path }), told = 0 }
  return configs[key]
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
---@field strict "yes"|"accept-new"|"no" what becomes of hosts that are not known
---@field strict_from? string who says so
---@field timeout number seconds to connect
---@field attempts integer how often
---@field password? string|plat.Secret
---@field password_from string where it stands
---@field passphrase? string|plat.Secret of encrypted keys
---@field passphrase_from? string
---@field batch boolean nobody is asked for anything
---@field tries integer how often somebody is asked for a passphrase
---@field proxyjump? plat.ssh.Hop[]
---@field proxycommand? string
---@field ssh table all that ssh_config says

local STRICT = { ["accept-new"] = "accept-new", no = "no" }

local function joined(first, second)
  return table.move(second, 1, #second, #first + 1, list.copy(first))
end

--- Tells each keyword that is not done once a run.
local function tell_ignored(of)
  local ignored = of.files.ignored
  for i = of.told + 1, #ignored do
    local one = ignored[i]
    if not one.harmless then
      out.warn(("%s: platrun does not do %s"):format(one.place, one.keyword))
    end
  end
  of.told = #ignored
end

--- Returns how a host is reached.
---@param host plat.ssh.HostLike
---@return plat.ssh.Settings
function M.of(host)
  local asked = variables.of(host.vars)
  local of = config(asked.config)
  local found = of.files:lookup(host.address, {
    user = asked.user,
    port = asked.port,
    options = asked.options,
  })
  tell_ignored(of)
  return {
    host = found.hostname,
    port = found.port,
    user = found.user,
    keys = found.identityfile,
    agent = found.agent_socket or nil,
    known = joined(found.userknownhostsfile, found.globalknownhostsfile),
    remember = found.userknownhostsfile[1],
    alias = found.hostkeyalias,
    strict = STRICT[found.stricthostkeychecking] or "yes",
    strict_from = found.strict_from,
    timeout = found.connecttimeout or 10,
    attempts = found.connectionattempts,
    password = asked.password,
    password_from = asked.password_from,
    passphrase = asked.passphrase,
    passphrase_from = asked.passphrase_from,
    batch = found.batchmode,
    tries = found.numberofpasswordprompts,
    proxyjump = found.proxyjump,
    proxycommand = found.proxycommand,
    ssh = found,
  }
end

return M
