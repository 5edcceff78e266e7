--- Credentials of a systemd unit: `credential:NAME`, a file in $CREDENTIALS_DIRECTORY.

local common = require("plat.secret.common")
local fault = require("plat.fault")
local sys = require("prim.sys")

local M = {}

local VARIABLE = "CREDENTIALS_DIRECTORY"
local BEYOND_GROUP = 7 -- 0007: systemd gives a unit's user its credentials by a group-like ACL

--- Returns a credential, without one newline at its end.
---@param rest string
---@return string
function M.read(rest)
  local about = common.about("credential", rest)
  if rest == "" or rest:find("/", 1, true) or rest == "." or rest == ".." then
    fault.raise("usage", about, {
      msg = ("%q is not the name of a credential"):format(rest),
      hint = "write credential:NAME, the name in LoadCredential=NAME:PATH",
    })
  end
  local dir = sys.getenv(VARIABLE)
  if not dir or dir == "" then
    fault.raise("io", about, {
      msg = ("$%s is not set: systemd sets it for a unit that loads credentials"):format(VARIABLE),
      hint = ("put LoadCredential=%s:PATH into the unit, or use file:PATH"):format(rest),
    })
  end
  local text = common.read_file(about, dir .. "/" .. rest, {
    private = true,
    shared = BEYOND_GROUP,
    hint = ("put LoadCredential=%s:PATH into the unit"):format(rest),
  })
  text = common.chomp(text)
  if text == "" then
    fault.raise("parse", about, { msg = "the credential is empty" })
  end
  return text
end

return M
