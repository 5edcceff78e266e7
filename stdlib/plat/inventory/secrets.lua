--- The `secrets:` of an inventory: names for references, so that playbooks need not know where an
--- environment keeps its secrets.

local check = require("plat.check")
local fault = require("plat.fault")
local list = require("plat.list")

local M = {}

local PATHS = { file = true, ansible = true, sops = true } -- schemes that begin with a path

--- Checks the mapping in a file. Relative paths start at the folder of the file.
---@param value table name = reference
---@param resolve fun(path: string): string
---@return table<string, string>? references
---@return string? name of the wrong one
---@return string? problem
function M.read(value, resolve)
  local out = {}
  for name, ref in pairs(value) do
    local scheme, rest = tostring(ref):match("^(%a[%w_+-]*):(.+)$")
    if not scheme then
      return nil, name, ("%s: a reference SCHEME:REST is expected, such as file:PATH"):format(name)
    elseif tostring(name):find(":", 1, true) then
      return nil, name, "the name of a secret has no colon"
    end
    out[name] = PATHS[scheme] and scheme .. ":" .. resolve(rest) or ref
  end
  return out
end

--- Returns the reference that a name stands for.
---@param inventory plat.Inventory
---@param name string
---@return string
function M.lookup(inventory, name)
  local known = inventory.services.secrets or {}
  if known[name] then
    return known[name]
  end
  local names = list.keys(known)
  fault.raise("usage", { op = "secret", object = name }, {
    msg = #names == 0 and "the inventory names no secrets"
      or ("the inventory names no such secret%s"):format(check.did_you_mean(name, names)),
    hint = #names > 0 and "it names " .. table.concat(names, ", ")
      or "platrun: {secrets: {NAME: file:/PATH}}, or ask for SCHEME:REST",
  })
end

return M
