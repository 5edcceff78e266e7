--- host:as(USER | { user, method, password } | false)

local host = require("plat.host")
local list = require("plat.list")

--- Returns the same host, whose commands are run as another user: as `become` of a call, for all
--- of them. Asks nothing.
---@param self plat.Host
---@param given string|table|false a user; `{ user, method, password }`; false: who logs in
---@return plat.Host
return function(self, given)
  if type(given) == "string" then
    given = { user = given }
  elseif type(given) ~= "table" and given ~= false then
    error("host:as: a user, { user, method, password } or false", 2)
  end
  local said = given or {}
  local vars = list.copy(self.vars)
  vars.ansible_become = given ~= false
  vars.ansible_become_user = said.user or vars.ansible_become_user
  vars.ansible_become_method = said.method or vars.ansible_become_method
  vars.ansible_become_password = said.password or vars.ansible_become_password
  return host.new({ name = self.name, address = self.address, vars = vars })
end
