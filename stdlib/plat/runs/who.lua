--- Who does something to a run: the account, and the person behind an account that many share.

local fs = require("prim.fs")
local sys = require("prim.sys")

local M = {}

local NOBODY = 4294967295 -- the login uid of what no login started

---@class plat.runs.Who
---@field user string the account
---@field host string
---@field uid integer
---@field sudo_user? string who became this account by sudo
---@field login_uid? integer who logged in, as the kernel keeps it; sudo and su do not change it

--- Returns who this process works for.
---@return plat.runs.Who
function M.here()
  local sudo = sys.getenv("SUDO_USER")
  local login = math.tointeger(tonumber(fs.read("/proc/self/loginuid") or ""))
  return {
    user = sys.user(),
    host = sys.hostname(),
    uid = sys.uid(),
    sudo_user = sudo ~= "" and sudo or nil,
    login_uid = login ~= NOBODY and login or nil,
  }
end

--- Returns the name of the person: who came by sudo, else the account.
---@param who plat.runs.Who
---@return string
function M.person(who)
  return who.sudo_user or who.user
end

--- Returns a person for people: "alice" or "alice (as root)", and where.
---@param who plat.runs.Who
---@return string
function M.text(who)
  local name = tostring(who.user)
  if who.sudo_user and who.sudo_user ~= name then
    name = ("%s (as %s)"):format(who.sudo_user, name)
  end
  return who.host and ("%s on %s"):format(name, who.host) or name
end

--- Returns whether two may be one person. Who logged in decides, where that is known of both: a
--- name in the environment can be forged. In doubt they are one: an account without a trace of who
--- is behind it is everybody who can become it. Pure.
---@param a plat.runs.Who
---@param b plat.runs.Who
---@return boolean
function M.same(a, b)
  if a.login_uid and b.login_uid and a.host == b.host then
    return a.login_uid == b.login_uid
  elseif M.person(a) == M.person(b) then
    return true
  end
  return a.user == b.user and (a.sudo_user == nil or b.sudo_user == nil)
end

return M
