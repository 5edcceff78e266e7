--- Values in INI inventories: what Python reads as a literal is that value, all else is text.
local json = require("plat.json")

local M = {}

local WORDS = { True = true, False = false, None = json.null }
local ESCAPES = { n = "\n", t = "\t", r = "\r", ["\\"] = "\\", ["'"] = "'", ['"'] = '"' }
local MAX_DEPTH = 50

local read_value

local function skip(text, pos)
  return text:match("^%s*()", pos)
end

local function read_string(text, pos)
  local quote = text:sub(pos, pos)
  local parts = {}
  pos = pos + 1
  while pos <= #text do
    local c = text:sub(pos, pos)
    if c == quote then
      return table.concat(parts), pos + 1
    elseif c == "\\" then
      pos = pos + 1
      local escaped = text:sub(pos, pos)
      c = ESCAPES[escaped] or "\\" .. escaped
    end
    parts[#parts + 1] = c
    pos = pos + 1
  end
  return nil
end

local function read_number(text, pos)
  local word, stop = text:match("^([+-]?[%w.]+[+-]?%d*)()", pos)
  word = word or ""
  local hex = word:match("^[+-]?0[xX]%x+$")
  if hex then
    return math.tointeger(tonumber(hex)), stop
  elseif word:find("^[+-]?[1-9]%d*$") or word:find("^[+-]?0+$") then
    return math.tointeger(tonumber(word)) or tonumber(word), stop
  elseif
    word:find("^[+-]?%d+%.%d*$")
    or word:find("^[+-]?%.%d+$")
    or word:find("^[+-]?%d+%.?%d*[eE][+-]?%d+$")
  then
    return tonumber(word) + 0.0, stop
  end
  return nil
end

--- Reads items up to a closing bracket. `pair` reads "key: value".
local function read_items(text, pos, closing, depth, pair)
  local out = pair and {} or json.array()
  pos = skip(text, pos)
  while text:sub(pos, pos) ~= closing do
    local value, stop = read_value(text, pos, depth + 1)
    if not stop then
      return nil
    end
    pos = skip(text, stop)
    if pair then
      if text:sub(pos, pos) ~= ":" then
        return nil
      end
      out[tostring(value)], pos = read_value(text, skip(text, pos + 1), depth + 1)
      if not pos then
        return nil
      end
      pos = skip(text, pos)
    else
      out[#out + 1] = value
    end
    local comma = text:sub(pos, pos) == ","
    if not comma and text:sub(pos, pos) ~= closing then
      return nil
    end
    pos = comma and skip(text, pos + 1) or pos
  end
  return out, pos + 1
end

--- Reads one literal; returns it and the position after it, or nil.
function read_value(text, pos, depth)
  local c = text:sub(pos, pos)
  if depth > MAX_DEPTH then
    return nil
  elseif c == "'" or c == '"' then
    return read_string(text, pos)
  elseif c == "[" then
    return read_items(text, pos + 1, "]", depth)
  elseif c == "(" then
    return read_items(text, pos + 1, ")", depth)
  elseif c == "{" then
    return read_items(text, pos + 1, "}", depth, true)
  end
  local word, stop = text:match("^(%a+)()", pos)
  if WORDS[word or ""] ~= nil then
    return WORDS[word], stop
  end
  return read_number(text, pos)
end

--- Returns the value that a text stands for. Pure.
---@param text string
---@return any
function M.read(text)
  local value, stop = read_value(text, skip(text, 1), 1)
  if stop and skip(text, stop) > #text then
    return value
  end
  return text
end

return M
