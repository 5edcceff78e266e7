--- Values in INI inventories: what Python reads as a literal is that value, all else is text.
local json = require("plat.json")

local M = {}

local WORDS = { True = true, False = false, None = json.null }
local ESCAPES = { a = "\a", b = "\b", f = "\f", n = "\n", r = "\r", t = "\t", v = "\v" }
local HEX = { x = 2, u = 4, U = 8 }
local MAX_DEPTH = 50
local UNICODE_MAX = 0x10FFFF

local read_value

local function skip(text, pos)
  pos = text:match("^[ \t\f]*()", pos)
  return text:sub(pos, pos) == "#" and #text + 1 or pos -- a comment
end

--- Returns what an escape in a string stands for, and the position after it.
local function read_escape(text, pos, is_bytes)
  local c = text:sub(pos, pos)
  local octal = text:match("^[0-7][0-7]?[0-7]?", pos)
  if c == "\\" or c == "'" or c == '"' then
    return c, pos + 1
  elseif ESCAPES[c] then
    return ESCAPES[c], pos + 1
  elseif octal then
    return utf8.char(tonumber(octal, 8)), pos + #octal
  elseif c == "N" and not is_bytes then
    return nil -- a character by its name
  elseif HEX[c] and not (is_bytes and c ~= "x") then
    local digits = text:sub(pos + 1, pos + HEX[c])
    local code = #digits == HEX[c] and digits:find("^%x+$") and tonumber(digits, 16)
    if not code or code > UNICODE_MAX or code >= 0xD800 and code <= 0xDFFF then -- half a character
      return nil
    end
    return utf8.char(code), pos + 1 + HEX[c]
  end
  return "\\", pos
end

--- Reads one quoted text.
local function read_quoted(text, pos, raw, is_bytes)
  local quote = text:match("^'''", pos) or text:match('^"""', pos) or text:sub(pos, pos)
  local parts = {}
  pos = pos + #quote
  while pos <= #text do
    local c = text:sub(pos, pos)
    if text:sub(pos, pos + #quote - 1) == quote then
      return table.concat(parts), pos + #quote
    elseif c == "\\" and raw then
      c, pos = text:sub(pos, pos + 1), pos + 2
    elseif c == "\\" then
      c, pos = read_escape(text, pos + 1, is_bytes)
      if not c then
        return nil
      end
    else
      pos = pos + 1
    end
    parts[#parts + 1] = c
  end
  return nil
end

--- Reads texts that follow each other: Python puts them together.
local function read_string(text, pos)
  local parts = {}
  while true do
    local prefix, start = text:match("^([rRuUbB]?[rRbB]?)()[\"']", pos)
    prefix = (prefix or "-"):lower()
    if prefix == "-" then
      return #parts > 0 and table.concat(parts) or nil, pos
    elseif #prefix == 2 and prefix ~= "rb" and prefix ~= "br" then
      return nil
    end
    local part, stop =
      read_quoted(text, start, prefix:find("r", 1, true), prefix:find("b", 1, true))
    if not part then
      return nil
    end
    parts[#parts + 1], pos = part, skip(text, stop)
  end
end

local BASES = { x = 16, X = 16, o = 8, O = 8, b = 2, B = 2 }
local DIGITS = { [16] = "^%x+$", [8] = "^[0-7]+$", [2] = "^[01]+$" }

local function to_number(word)
  local plain = word:gsub("(%w)_(%w)", "%1%2"):gsub("(%w)_(%w)", "%1%2")
  local base = BASES[plain:match("^0([xXoObB])") or ""]
  if plain:find("_", 1, true) then
    return nil
  elseif base then
    local digits = plain:sub(3)
    return digits:find(DIGITS[base]) and tonumber(digits, base) or nil
  elseif plain:find("^[1-9]%d*$") or plain:find("^0+$") then
    return math.tointeger(tonumber(plain)) or tonumber(plain)
  end
  local mantissa = plain:match("^(.-)[eE][+-]?%d+$") or plain
  if mantissa:find("^%d+%.%d*$") or mantissa:find("^%.%d+$") or mantissa:find("^%d+$") then
    local is_float = mantissa ~= plain or mantissa:find(".", 1, true)
    return is_float and tonumber(plain) + 0.0 or nil
  end
  return nil
end

local function read_number(text, pos)
  local sign, at = text:match("^([+-]?)[ \t]*()", pos)
  local word, stop = text:match("^([%w_.]+)()", at)
  if word and word:find("^[%d._]+[eE]$") and not word:find("^0[xX]") then
    local exponent, after = text:match("^([+-]%d+)()", stop)
    word, stop = exponent and word .. exponent or word, after or stop
  end
  local number = word and to_number(word)
  if not number then
    return nil
  end
  return sign == "-" and -number or number, stop
end

--- Returns the text that a value is as a key in JSON.
local function key_of(value)
  return value == json.null and "null" or type(value) ~= "table" and tostring(value) or nil
end

--- Reads items up to a closing bracket. `pair` reads "key: value". The third value tells of commas.
local function read_items(text, pos, closing, depth, pair)
  local out = pair and {} or json.array()
  local commas = false
  pos = skip(text, pos)
  while text:sub(pos, pos) ~= closing do
    local value, stop = read_value(text, pos, depth + 1)
    if not stop then
      return nil
    end
    pos = skip(text, stop)
    if pair then
      local key = key_of(value)
      if text:sub(pos, pos) ~= ":" or not key then
        return nil
      end
      out[key], pos = read_value(text, skip(text, pos + 1), depth + 1)
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
    commas = commas or comma
    pos = comma and skip(text, pos + 1) or pos
    if pos > #text and closing ~= "" then
      return nil
    end
  end
  return out, pos + 1, commas
end

local function read_brackets(text, pos, depth)
  local out, stop, commas = read_items(text, pos, ")", depth)
  if out and #out == 1 and not commas then
    return out[1], stop
  end
  return out, stop
end

--- Reads one literal; returns it and the position after it, or nil.
function read_value(text, pos, depth)
  local c = text:sub(pos, pos)
  if depth > MAX_DEPTH then
    return nil
  elseif c == "[" then
    return read_items(text, pos + 1, "]", depth)
  elseif c == "(" then
    return read_brackets(text, pos + 1, depth)
  elseif c == "{" then
    return read_items(text, pos + 1, "}", depth, true)
  elseif text:find("^[rRuUbB]?[rRbB]?[\"']", pos) then
    return read_string(text, pos)
  end
  local word, stop = text:match("^(%a+)()", pos)
  if WORDS[word or ""] ~= nil and not text:find("^[%w_]", stop) then
    return WORDS[word], stop
  end
  return read_number(text, pos)
end

--- Returns the value that a text stands for. "1, 2" is a list, as Python's tuples are. Pure.
---@param text string
---@return any
function M.read(text)
  local start = skip(text, 1)
  if start > #text then
    return text
  end
  local value, stop = read_value(text, start, 1)
  local after = stop and skip(text, stop)
  if after and after > #text then
    return value
  elseif after and text:sub(after, after) == "," then
    return read_items(text, start, "", 1) or text
  end
  return text
end

return M
