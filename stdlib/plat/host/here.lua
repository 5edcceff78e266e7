--- Commands on this machine, under the same leash as those over SSH: what another user runs, we may
--- not signal. Whoever calls it has passed the door (plat.effect).

local fault = require("plat.fault")
local follow = require("plat.host.follow")
local prim = require("prim.proc")

local M = {}

local MAX_OUTPUT = 16 * 1024 * 1024

--- Runs a text by sh; its input stays open, so that its end tells when we are gone.
---@async
---@param host { name: string }
---@param command string
---@param opts { stdin: string?, timeout: number?, max_output: integer?, leash: boolean?,
---  on_chunk: function? }
---@return plat.proc.Output
function M.run(host, command, opts)
  local about = { op = "host.run", target = "host " .. host.name }
  local process <close> = fault.must(about, prim.spawn({ "sh", "-c", command }, { stdin = true }))
  local take, kept = opts.on_chunk, nil
  if not take then
    take, kept = follow.keeper(about, opts.max_output or MAX_OUTPUT)
  end
  local ok, err = xpcall(function()
    if opts.stdin then
      local sent, why = process:write(opts.stdin)
      if not sent and why.kind ~= "io" then -- io: it has ended without reading all
        fault.raise_err(about, why)
      end
    end
    if not opts.leash then
      process:close_stdin()
    end
    follow.read(about, process, opts.timeout or 60, take)
  end, fault.from_handler)
  local output = kept and kept() or { stdout = "", stderr = "" }
  if not ok then
    err.sent, err.stdout, err.stderr = true, output.stdout, output.stderr
    error(err, 0)
  end
  local status = fault.must(about, process:wait())
  output.code, output.signal = status.code, status.signal
  return output
end

return M
