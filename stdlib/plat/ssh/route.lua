--- The way to a host: how its connection is made.

local fault = require("plat.fault")
local prim = require("prim.ssh")

local M = {}

--- Connects to a host, up to the point where its key is known.
---@async
---@param settings plat.ssh.Settings
---@param host plat.ssh.HostLike
---@param connect_opts prim.ssh.ConnectOptions
---@return prim.ssh.Session? session
---@return table? err
function M.connect(settings, host, connect_opts)
  for _, name in ipairs({ "proxyjump", "proxycommand" }) do
    if settings[name] then
      fault.raise("usage", { op = "ssh", target = "host " .. host.name }, {
        msg = ("ssh_config asks for %s, which platrun does not do yet"):format(name),
        hint = "run platrun where the host can be reached directly",
      })
    end
  end
  return prim.connect(connect_opts)
end

return M
