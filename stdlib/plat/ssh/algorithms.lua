--- Lists of algorithms as ssh_config writes them: a whole list, or `+`, `-`, `^` and what to add to
--- platrun's own, take away from it, put in front of it.

local list = require("plat.list")
local pattern = require("plat.ssh.pattern")
local prim = require("prim.ssh")

local M = {}

M.version = prim.version

local own

--- Returns what libssh2 has and is sound, best first: "kex", "host_keys", "ciphers", "macs".
---@return table<string, string> names with commas between
function M.own()
  own = own or prim.algorithms()
  return own
end

--- Splits a list at its commas.
---@param text string
---@return string[]
function M.split(text)
  local names = {}
  for name in text:gmatch("[^,%s]+") do
    names[#names + 1] = name
  end
  return names
end

local function joined(first, second)
  local out = list.copy(first)
  for _, name in ipairs(second) do
    if not list.contains(out, name) then
      out[#out + 1] = name
    end
  end
  return out
end

--- Returns the list that a setting stands for.
---@param text? string nil: the default
---@param default string[]
---@return string[]
function M.choose(text, default)
  local sign, rest = (text or ""):match("^([+^-])(.*)$")
  local names = M.split(rest or text or "")
  if sign == "+" then
    return joined(default, names)
  elseif sign == "^" then
    return joined(names, default)
  elseif sign == "-" then
    return list.where(default, function(name)
      return pattern.list(name, rest) ~= 1
    end)
  end
  return #names > 0 and names or default
end

return M
