--- Finds the line of a key in a YAML text, for messages: the parser's values carry no lines.
local list = require("plat.list")

local M = {}

local function join(path, key)
  local out = list.copy(path)
  out[#out + 1] = tostring(key)
  return out
end

--- Returns the place of the last key of a path, and the text with a line before it.
local function find(text, path)
  text = "\n" .. text -- so that a key at the very start has something before it
  local at = 2
  for _, key in ipairs(path) do
    local quoted = tostring(key):gsub("%p", "%%%0")
    local found = text:find("[%s{,\"']" .. quoted .. "[\"']?%s*:", at - 1)
    if not found then
      break
    end
    at = found + 1
  end
  return at, text
end

--- Returns the line on which the last key of a path stands. Keys are searched one after the other,
--- so an equal word further up does not mislead; a path that is not found in full gives the line of
--- its deepest key that is.
---@param text string
---@param path string[]
---@return integer line
function M.line(text, path)
  local at, padded = find(text, path)
  local _, newlines = padded:sub(1, at - 1):gsub("\n", "")
  return newlines
end

--- Returns the keys of a mapping in the order in which the text has them.
---@param text string
---@param path string[] of the mapping
---@param mapping table
---@return string[]
function M.keys(text, path, mapping)
  local at, padded = find(text, path)
  local place, left = {}, list.count(mapping)
  for pos, line in padded:gmatch("()([^\n]+)", at) do
    local key = line:match("^%s*[\"']?(.-)[\"']?%s*:%s") or line:match("^%s*[\"']?(.-)[\"']?%s*:$")
    if key and mapping[key] ~= nil and not place[key] then
      place[key], left = pos, left - 1
    end
    if left == 0 then
      break
    end
  end
  return list.sort_by(list.keys(mapping), function(key)
    place[key] = place[key] or (find(text, join(path, key)))
    return place[key]
  end)
end

return M
