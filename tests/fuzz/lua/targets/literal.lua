--- Values of INI inventories as Python writes literals: any text has a value, and a value that is
--- written as one is read as itself. Words of a line: quoted, they are themselves.
local fuzz = ...
local ini = require("plat.inventory.ini")
local json = require("plat.json")
local literal = require("plat.inventory.literal")

local write

local function items(value)
  local parts = {}
  for i, item in ipairs(value) do
    parts[i] = write(item)
  end
  return "[" .. table.concat(parts, ", ") .. "]"
end

function write(value)
  if value == json.null then
    return "None"
  elseif type(value) == "boolean" then
    return value and "True" or "False"
  elseif type(value) == "number" then
    return math.type(value) == "integer" and ("%d"):format(value) or ("%.17g"):format(value)
  elseif type(value) == "string" then
    return "'" .. value:gsub("['\\]", "\\%0"):gsub("\n", "\\n") .. "'"
  elseif json.is_array(value) then
    return items(value)
  end
  local parts = {}
  for key, item in pairs(value) do
    parts[#parts + 1] = write(key) .. ": " .. write(item)
  end
  return "{" .. table.concat(parts, ", ") .. "}"
end

local TEXTS = { "", "a", "it's", "a\\b", '"', "x\ny", "None", "1", "\195\169", "#", "{", "a, b" }

local function made(draw, depth)
  local kind = draw:n(depth > 3 and 5 or 7)
  if kind == 1 then
    return draw:n(2000) - 1000
  elseif kind == 2 then
    return (draw:n(2000) - 1000) / 8
  elseif kind <= 4 then
    return draw:one(TEXTS)
  elseif kind == 5 then
    return draw:one({ true, false, json.null })
  end
  local out = kind == 6 and json.array() or {}
  for i = 1, draw:n(4) - 1 do
    out[kind == 6 and i or draw:one(TEXTS)] = made(draw, depth + 1)
  end
  return out
end

local function words(draw)
  local out, quoted = {}, {}
  for i = 1, draw:n(5) do
    local word = draw:one(TEXTS) .. draw:one(TEXTS)
    out[i] = word
    quoted[i] = "'" .. word:gsub("'", [['"'"']]) .. "'"
  end
  return out, table.concat(quoted, " ")
end

return {
  name = "literal",
  kinds = {},
  tokens = {
    "u'",
    "r'",
    "'''",
    "0x",
    "1e5",
    "True",
    "None",
    "[",
    "]",
    "{",
    "}",
    "(",
    ",)",
    "\\N",
    "\\x4",
  },
  corpus = {
    "[1, 'x']",
    "{'a': {'b': 1}, 'c': [True, None, -1.5]}",
    "(1, 'two')",
    "1, 2",
    "r'a\\nb' u'c' b'd'",
    "'a\\tb\\x41\\u00e4\\101\\q'",
    "0x1f",
    "1_000",
    "1e-5",
    "'''a'b''' # c",
  },
  check = function(text, draw)
    local to_json = require("plat.inventory.value").to_json
    local found = fuzz.try({ parse = true }, to_json, literal.read(text))
    if found and utf8.len(text) then
      json.encode(found)
    end
    ini.words(text)
    local value = made(draw, 1)
    if type(value) ~= "table" or json.is_array(value) or next(value) then
      fuzz.same(literal.read(write(value)), value, "the value of " .. write(value))
    end
    local list, line = words(draw)
    fuzz.same(ini.words(line), list, "the words of " .. line)
  end,
}
