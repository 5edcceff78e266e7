--- Performs commands where a host is: over SSH, or on this machine. Whoever calls it has passed the
--- door (plat.effect).

local effect = require("plat.effect")
local ssh = require("plat.env").lazy("plat.ssh")

local M = {}

--- Runs a text by a POSIX shell on a host.
---@async
---@param host plat.Host
---@param text string
---@param opts? table stdin, timeout, max_output
---@return plat.proc.Output
function M.perform(host, text, opts)
  opts = opts or {}
  local sent = { stdin = opts.stdin, timeout = opts.timeout, max_output = opts.max_output }
  if host:is_local() then
    local req = { argv = { "sh", "-c", text }, opts = sent, target = "host " .. host.name }
    req.op, req.read = "host.run", "its caller has passed the door"
    return effect.proc(req)
  end
  return ssh.exec(host, text, sent)
end

return M
