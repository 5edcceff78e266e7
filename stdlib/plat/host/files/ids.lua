--- Owners and groups of a host's files: names as numbers.

local files = require("plat.host.files")
local quote = require("plat.host.quote")

local M = {}

local known = {} -- by host, kind and name

local COMMANDS = {
  user = { "id", "-u" },
  group = { "getent", "group" },
}

--- Returns the number of a name; nil where the host does not tell.
local function number_of(host, kind, name, opts)
  local at = ("%s %s %s"):format(host.name, kind, name)
  if known[at] == nil then
    local argv = { COMMANDS[kind][1], COMMANDS[kind][2], name }
    local text = ("%s %s %s"):format(argv[1], argv[2], quote(name))
    local out = files.ask(host, {
      op = "host.put",
      path = text,
      opts = opts,
      call = { verb = "command", text = text, argv = argv },
      perform = function(transport)
        return transport:run(text) or { code = 1, stdout = "" }
      end,
    })
    local digits = out.stdout:match("^(%d+)\n") or out.stdout:match("^[^:]*:[^:]*:(%d+):")
    known[at] = out.code == 0 and math.tointeger(tonumber(digits)) or nil
  end
  return known[at]
end

local function is(host, kind, id, number, name, opts)
  if id == nil then
    return true
  elseif math.type(id) == "integer" then
    return id == number
  elseif name ~= nil then
    return id == name
  end
  return number ~= nil and number_of(host, kind, id, opts) == number
end

--- Returns whether what is there has the owner and the group that it shall have.
---@async
---@param host plat.Host
---@param before table of stat
---@param what { owner: any, group: any }
---@param opts table
---@return boolean
function M.same(host, before, what, opts)
  local at = function(field)
    return rawget(before, field)
  end
  return is(host, "user", what.owner, at("uid"), at("owner"), opts)
    and is(host, "group", what.group, at("gid"), at("group"), opts)
end

return M
