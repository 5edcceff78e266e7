--- Picks a value out of a document by a dotted path: `db.password`, `users.0.key` (from 0, as
--- Ansible and SOPS count).

local common = require("plat.secret.common")
local fault = require("plat.fault")
local json = require("plat.json")
local list = require("plat.list")

local M = {}

local function missing(about, done, key, node)
  local place = done == "" and "the document" or ('"%s"'):format(done)
  local names = {}
  if json.is_array(node) or #node > 0 then
    names = { ("0 to %d"):format(#node - 1) }
  else
    for _, name in ipairs(list.keys(node)) do
      names[#names + 1] = tostring(name)
    end
  end
  fault.raise("parse", about, {
    msg = ('there is no "%s" in %s'):format(key, place),
    hint = #names == 0 and place .. " is empty" or "there is: " .. common.list_names(names),
  })
end

--- Returns the value at a path. A key that has dots in its name is found as well.
---@param document any
---@param path string
---@param about table for faults
---@return any
function M.pick(document, path, about)
  local node, rest, done = document, path, ""
  while true do
    if type(node) ~= "table" or node == json.null then
      fault.raise("parse", about, {
        msg = (done == "" and "the document" or ('"%s"'):format(done)) .. " has no fields",
        hint = "a document with KEY: VALUE is expected",
      })
    end
    local key, tail = rest, nil
    if node[rest] == nil then
      key, tail = rest:match("^([^.]*)%.(.+)$")
      key = key or rest
    end
    local value = node[key]
    if value == nil and key:find("^%d+$") and #node > 0 then
      value = node[tonumber(key) + 1]
    end
    if value == nil then
      missing(about, done, key, node)
    elseif not tail then
      return value
    end
    done = done == "" and key or done .. "." .. key
    node, rest = value, tail
  end
end

return M
