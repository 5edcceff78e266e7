--- The variables that ssh_config has sent along: SetEnv and SendEnv.

local pattern = require("plat.ssh.pattern")
local sys = require("prim.sys")

local M = {}

--- Gives a session the variables for its commands. SendEnv counts where the user asks for it: what
--- the machine's file says of it is the locale, by which answers should not differ.
---@param settings plat.ssh.Settings
---@param session prim.ssh.Session
function M.give(settings, session)
  local set = {}
  for _, one in ipairs(settings.ssh.setenv) do
    local name, value = one:match("^([^=]*)=(.*)$")
    set[name] = true
    session:setenv(name, value)
  end
  local wanted = settings.ssh.sendenv_user or {}
  if #wanted == 0 then
    return
  end
  for name, value in pairs(sys.environ()) do
    for _, one in ipairs(wanted) do
      if not set[name] and pattern.matches(name, one) then
        set[name] = true
        session:setenv(name, value)
      end
    end
  end
end

return M
