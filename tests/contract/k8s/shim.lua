--- Stands in for the runtime when the contract suite runs under a plain lua5.4: sorted `pairs` and
--- the few plat modules that the simulated cluster needs. Under platrun it does nothing.
local M = {}

local raw_next, raw_pairs = next, pairs

--- Orders keys as platrun's `pairs` does: numbers, then strings.
local function before(a, b)
  if type(a) == type(b) then
    return a < b
  end
  return type(a) == "number"
end

--- Iterates over a table in the order of its keys.
local function sorted_pairs(t)
  local keys, n = {}, 0
  for k in raw_pairs(t) do
    n = n + 1
    keys[n] = k
  end
  table.sort(keys, before)
  local i = 0
  return function()
    i = i + 1
    local k = keys[i]
    if k ~= nil then
      return k, t[k]
    end
  end
end

local ARRAY = {}
local json = { null = setmetatable({}, {
  __tostring = function()
    return "null"
  end,
}) }

--- Marks a table as an array, so that an empty one stays one.
function json.array(t)
  return setmetatable(t or {}, ARRAY)
end

--- Says whether a table is marked as an array.
function json.is_array(t)
  return type(t) == "table" and getmetatable(t) == ARRAY
end

local ESCAPE = { ['"'] = '\\"', ["\\"] = "\\\\", ["\n"] = "\\n", ["\t"] = "\\t", ["\r"] = "\\r" }

local function quote(s)
  return '"'
    .. s:gsub('[%c"\\]', function(c)
      return ESCAPE[c] or ("\\u%04x"):format(c:byte())
    end)
    .. '"'
end

local function encode(v, out)
  local kind = type(v)
  if v == json.null then
    out[#out + 1] = "null"
  elseif kind == "string" then
    out[#out + 1] = quote(v)
  elseif kind == "number" then
    out[#out + 1] = math.type(v) == "integer" and ("%d"):format(v) or ("%.17g"):format(v)
  elseif kind == "boolean" then
    out[#out + 1] = tostring(v)
  elseif kind == "table" and (getmetatable(v) == ARRAY or v[1] ~= nil) then
    out[#out + 1] = "["
    for i = 1, #v do
      out[#out + 1] = i > 1 and "," or ""
      encode(v[i], out)
    end
    out[#out + 1] = "]"
  elseif kind == "table" then
    out[#out + 1] = "{"
    local first = true
    for k, value in sorted_pairs(v) do
      if type(k) ~= "string" then
        error("json.encode: key of type " .. type(k))
      end
      out[#out + 1] = (first and "" or ",") .. quote(k) .. ":"
      encode(value, out)
      first = false
    end
    out[#out + 1] = "}"
  else
    error("json.encode: cannot encode a " .. kind)
  end
end

--- Encodes a value as JSON text with sorted keys.
function json.encode(v)
  local out = {}
  encode(v, out)
  return table.concat(out)
end

local UNESCAPE = { b = "\b", f = "\f", n = "\n", r = "\r", t = "\t" }

local function bad(s, at, what)
  error({ kind = "parse", msg = ("%s at byte %d of %d"):format(what, at, #s) }, 0)
end

local function decode_string(s, at)
  local parts, from = {}, at + 1
  while true do
    local stop = s:find('["\\]', from)
    if not stop then
      bad(s, #s, "unexpected end of JSON input")
    end
    parts[#parts + 1] = s:sub(from, stop - 1)
    if s:byte(stop) == 34 then
      return table.concat(parts), stop + 1
    end
    local c = s:sub(stop + 1, stop + 1)
    if c == "u" then
      local code = tonumber(s:sub(stop + 2, stop + 5), 16)
      stop = stop + 4
      if code >= 0xD800 and code < 0xDC00 and s:sub(stop + 2, stop + 3) == "\\u" then
        local low = tonumber(s:sub(stop + 4, stop + 7), 16)
        code = 0x10000 + (code - 0xD800) * 0x400 + (low - 0xDC00)
        stop = stop + 6
      end
      parts[#parts + 1] = utf8.char(code)
    else
      parts[#parts + 1] = UNESCAPE[c] or c
    end
    from = stop + 2
  end
end

local LITERAL = { { "true", true }, { "false", false }, { "null", json.null } }
local decode_value

local function skip(s, at)
  return s:find("[^ \t\r\n]", at) or #s + 1
end

local function decode_array(s, at)
  local out = json.array({})
  at = skip(s, at + 1)
  if s:byte(at) == 93 then
    return out, at + 1
  end
  while true do
    out[#out + 1], at = decode_value(s, at)
    at = skip(s, at)
    local c = s:byte(at)
    if c == 93 then
      return out, at + 1
    elseif c ~= 44 then
      bad(s, at, "expected , or ]")
    end
    at = at + 1
  end
end

local function decode_object(s, at)
  local out = {}
  at = skip(s, at + 1)
  if s:byte(at) == 125 then
    return out, at + 1
  end
  while true do
    at = skip(s, at)
    if s:byte(at) ~= 34 then
      bad(s, at, at > #s and "unexpected end of JSON input" or "expected a key")
    end
    local key
    key, at = decode_string(s, at)
    at = skip(s, at)
    if s:byte(at) ~= 58 then
      bad(s, at, "expected :")
    end
    out[key], at = decode_value(s, at + 1)
    at = skip(s, at)
    local c = s:byte(at)
    if c == 125 then
      return out, at + 1
    elseif c ~= 44 then
      bad(s, at, "expected , or }")
    end
    at = at + 1
  end
end

function decode_value(s, at)
  at = skip(s, at)
  local c = s:byte(at)
  if c == 123 then
    return decode_object(s, at)
  elseif c == 91 then
    return decode_array(s, at)
  elseif c == 34 then
    return decode_string(s, at)
  end
  for _, literal in ipairs(LITERAL) do
    if s:sub(at, at + #literal[1] - 1) == literal[1] then
      return literal[2], at + #literal[1]
    end
  end
  local number = s:match("^-?%d+%.?%d*[eE]?[-+]?%d*", at)
  if not number then
    bad(s, at, at > #s and "unexpected end of JSON input" or "invalid character")
  end
  return math.tointeger(tonumber(number)) or tonumber(number), at + #number
end

--- Decodes JSON text; raises a parse fault.
function json.decode(s)
  local value, at = decode_value(s, 1)
  at = skip(s, at)
  if at <= #s then
    bad(s, at, "text after the value")
  end
  return value
end

local time = {}

--- Formats unix seconds as RFC 3339 in UTC.
function time.rfc3339(t)
  return os.date("!%Y-%m-%dT%H:%M:%SZ", math.floor(t))
end

--- Parses an RFC 3339 instant in UTC.
function time.parse_rfc3339(s)
  local y, mo, d, h, mi, sec = s:match("^(%d+)-(%d+)-(%d+)T(%d+):(%d+):(%d+)")
  y, mo, d = tonumber(y), tonumber(mo), tonumber(d)
  if mo <= 2 then
    y, mo = y - 1, mo + 12
  end
  local days = 365 * y + y // 4 - y // 100 + y // 400 + (153 * (mo - 3) + 2) // 5 + d - 719469
  return days * 86400 + tonumber(h) * 3600 + tonumber(mi) * 60 + tonumber(sec)
end

local list = {}

--- Copies all levels; marked arrays stay marked.
function list.deep_copy(v)
  if type(v) ~= "table" or v == json.null then
    return v
  end
  local out = {}
  for k, item in raw_next, v do
    out[k] = list.deep_copy(item)
  end
  return setmetatable(out, getmetatable(v))
end

--- Compares two values, tables by content.
function list.deep_equal(a, b)
  if a == b then
    return true
  elseif type(a) ~= "table" or type(b) ~= "table" or a == json.null or b == json.null then
    return false
  end
  for k, v in raw_next, a do
    if not list.deep_equal(v, b[k]) then
      return false
    end
  end
  for k in raw_next, b do
    if a[k] == nil then
      return false
    end
  end
  return true
end

--- Says whether a table has no key.
function list.is_empty(t)
  return raw_next(t) == nil
end

--- Returns the keys of a table in order.
function list.keys(t)
  local keys = {}
  for k in sorted_pairs(t) do
    keys[#keys + 1] = k
  end
  return keys
end

M.json, M.time = json, time

--- Installs the stand-ins unless the runtime is there.
function M.install(root)
  if pcall(require, "prim.json") then
    return
  end
  pairs = sorted_pairs -- luacheck: ignore 121 (the runtime does the same)
  package.path = root .. "/stdlib/?.lua;" .. package.path
  package.loaded["plat.json"] = json
  package.loaded["plat.time"] = time
  package.loaded["plat.list"] = list
end

return M
