--- Secrets in the environment: `env:NAME`. Whoever is us can read it in /proc, and every program
--- that we start inherits it: a file is better.

local common = require("plat.secret.common")
local fault = require("plat.fault")
local sys = require("prim.sys")

local M = {}

--- Returns a variable of the environment, as it is.
---@param rest string
---@return string
function M.read(rest)
  local about = common.about("env", rest)
  if not rest:find("^[%a_][%w_]*$") then
    fault.raise("usage", about, {
      msg = ("%q is not the name of a variable"):format(rest),
      hint = "write env:NAME",
    })
  end
  local value = sys.getenv(rest)
  if not value or value == "" then
    fault.raise("io", about, {
      msg = ("$%s is %s"):format(rest, value and "empty" or "not set"),
      hint = "cron, systemd and sudo drop variables: file:PATH works everywhere",
    })
  end
  return value
end

return M
