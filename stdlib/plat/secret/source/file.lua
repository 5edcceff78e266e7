--- Secrets in files: `file:PATH`. Only the owner of the file may have rights to it.

local common = require("plat.secret.common")
local fault = require("plat.fault")
local sys = require("prim.sys")

local M = {}

local BEYOND_GROUP = 7 -- 0007: systemd gives a unit's user its credentials by a group-like ACL

--- Returns which rights nobody but the owner may have: fewer where systemd has put the file.
local function shared_bits(path)
  local dir = sys.getenv("CREDENTIALS_DIRECTORY")
  if
    dir
    and dir ~= ""
    and path:sub(1, #dir + 1) == dir .. "/"
    and not path:find("/..", 1, true)
  then
    return BEYOND_GROUP
  end
end

--- Returns the content of a file, without one newline at its end. A relative path starts at the
--- current folder.
---@param rest string
---@return string
function M.read(rest)
  local about = common.about("file", rest)
  if rest == "" then
    fault.raise("usage", about, { msg = "no path is given", hint = "write file:/PATH" })
  end
  local path = common.expand(rest)
  local text = common.read_file(about, path, { private = true, shared = shared_bits(path) })
  text = common.chomp(text)
  if text == "" then
    fault.raise("parse", about, { msg = ("the file %s is empty"):format(path) })
  end
  return text
end

return M
