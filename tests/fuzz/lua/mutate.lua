--- Inputs for parsers in Lua: texts of a corpus, changed by somebody who knows their tokens.
local M = {}

local MAX = 48 * 1024
local NUMBERS = {
  "0",
  "-1",
  "00",
  "1e999",
  "0x",
  "65536",
  "2147483648",
  "9223372036854775807",
  "9223372036854775808",
  "99999999999999999999999999",
}
local BYTES = { "\0", "\r", "\r\n", "\t", "\f", "\v", "\127", "\128", "\195\169", "\239\187\191" }
local COMMON =
  { " ", "  ", "\n", "\n\n", '"', "'", "\\", "=", ":", ",", "#", "%", "%s", "[", "]", "(" }
table.move(
  { ")", "{", "}", "*", "?", "!", "&", "~", "@", "$", "|", "+", "-", "^", ".", "/", "_", ";" },
  1,
  18,
  #COMMON + 1,
  COMMON
)

---@class fuzz.Draw
local Draw = {}
Draw.__index = Draw

--- Returns what draws by chance: the same for the same seed.
---@param seed integer
function M.draw(seed)
  local self = setmetatable({ state = seed * 2654435761 + 88172645463325252 }, Draw)
  self:n(2)
  return self
end

--- Returns 1 to n.
function Draw:n(n)
  self.state = (self.state * 6364136223846793005 + 1442695040888963407) & 0xFFFFFFFFFFFFFFFF
  return (self.state >> 33) % n + 1
end

--- Returns one of a list.
function Draw:one(list)
  return list[self:n(#list)]
end

--- Returns whether something that happens once in n times happens.
function Draw:once_in(n)
  return self:n(n) == 1
end

--- Returns random bytes.
function Draw:bytes(n)
  local out = {}
  for i = 1, n do
    out[i] = string.char(self:n(256) - 1)
  end
  return table.concat(out)
end

--- Returns the words and the marks between them that texts consist of.
---@param texts string[]
---@return string[]
function M.tokens_of(texts)
  local seen, out = {}, {}
  for _, text in ipairs(texts) do
    for word in text:gmatch("[%w_.-]+") do
      if #word <= 40 and not seen[word] then
        seen[word] = true
        out[#out + 1] = word
      end
    end
  end
  return out
end

local function token(draw, how)
  local kind = draw:n(10)
  if kind == 1 then
    return draw:one(NUMBERS)
  elseif kind == 2 then
    return draw:one(BYTES)
  elseif kind <= 5 then
    return draw:one(COMMON)
  end
  return draw:one(how.tokens)
end

local function lines_of(text)
  local out = {}
  for line in (text .. "\n"):gmatch("([^\n]*)\n") do
    out[#out + 1] = line
  end
  return out
end

local STEPS = {}

function STEPS.insert(draw, text, how)
  local at = draw:n(#text + 1)
  return text:sub(1, at - 1) .. token(draw, how) .. text:sub(at)
end

function STEPS.replace(draw, text, how)
  local at = draw:n(#text + 1)
  return text:sub(1, at - 1) .. token(draw, how) .. text:sub(at + draw:n(4))
end

function STEPS.word(draw, text, how) -- a whole word becomes another
  local start, stop = text:find("[%w_.-]+", draw:n(#text + 1))
  if not start then
    return text .. token(draw, how)
  end
  return text:sub(1, start - 1) .. token(draw, how) .. text:sub(stop + 1)
end

function STEPS.cut(draw, text)
  local at = draw:n(#text + 1)
  return text:sub(1, at - 1) .. text:sub(at + draw:n(draw:once_in(3) and 60 or 3))
end

function STEPS.stop(draw, text)
  return draw:once_in(4) and text:sub(1, draw:n(#text + 1) - 1) or text
end

function STEPS.double(draw, text)
  local at, size = draw:n(#text + 1), draw:n(40)
  local piece = text:sub(at, at + size)
  return text:sub(1, at + size) .. piece .. text:sub(at + size + 1)
end

function STEPS.many(draw, text, how) -- depth, and what is quadratic
  local at, count = draw:n(#text + 1), draw:one({ 3, 20, 60, 250 })
  if draw:once_in(12) then
    count = draw:one({ 2000, 40000 })
  end
  local piece = token(draw, how):rep(count)
  return text:sub(1, at - 1) .. piece:sub(1, MAX) .. text:sub(at)
end

function STEPS.pairs(draw, text, how) -- two tokens around many
  local piece = token(draw, how) .. token(draw, how)
  local at = draw:n(#text + 1)
  return text:sub(1, at - 1) .. piece:rep(draw:one({ 2, 10, 40 })):sub(1, MAX) .. text:sub(at)
end

function STEPS.line(draw, text, how) -- a line of another text
  local lines, other = lines_of(text), lines_of(draw:one(how.corpus))
  table.insert(lines, draw:n(#lines + 1), draw:one(other))
  return table.concat(lines, "\n")
end

function STEPS.swap(draw, text)
  local lines = lines_of(text)
  local a, b = draw:n(#lines), draw:n(#lines)
  lines[a], lines[b] = lines[b], lines[a]
  return table.concat(lines, "\n")
end

function STEPS.byte(draw, text)
  local at = draw:n(#text + 1)
  return text:sub(1, at - 1) .. draw:bytes(1) .. text:sub(at + 1)
end

local NAMES = {}
for name in pairs(STEPS) do
  NAMES[#NAMES + 1] = name
end

--- Returns a text with some changes.
---@param draw fuzz.Draw
---@param text string
---@param how { corpus: string[], tokens: string[] }
---@return string
function M.text(draw, text, how)
  for _ = 1, draw:one({ 1, 1, 2, 3, 5 }) do
    text = STEPS[draw:one(NAMES)](draw, text, how):sub(1, MAX)
  end
  return text
end

return M
