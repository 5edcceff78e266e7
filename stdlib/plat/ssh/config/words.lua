--- The words of a line of ssh_config, cut as OpenSSH cuts them.

local M = {}

local BLANKS = "^[ \t\r\n]*(.*)$"

--- Cuts the first word off: it ends at blanks or one "=", or is what stands in double quotes.
--- Returns nil where a quote is not closed.
---@param s string
---@return string? word
---@return string? rest nil when the line ends with the word
function M.cut(s)
  local at = s:find('[ \t\r\n"=]')
  if not at then
    return s, nil
  end
  local c = s:sub(at, at)
  if c == '"' then
    local bare = s:sub(1, at - 1) .. s:sub(at + 1)
    local stop = bare:find('"', at, true)
    if not stop then
      return nil, nil
    end
    return bare:sub(1, stop - 1), bare:sub(stop + 1):match(BLANKS)
  end
  local rest = s:sub(at + 1):match(BLANKS)
  if c ~= "=" and rest:sub(1, 1) == "=" then
    rest = rest:sub(2):match(BLANKS)
  end
  return s:sub(1, at - 1), rest
end

--- Returns the keyword of a line in lower case and what follows it; nil for blank lines, comments.
---@param line string
---@return string? keyword
---@return string? rest "" where nothing follows
function M.keyword(line)
  line = line:match("^[^\0]*")
  line = line:sub(1, 1) .. (line:sub(2):match("^.*[^ \t\r\n\f]") or "")
  local word, rest = M.cut(line)
  if word == "" and rest then
    word, rest = M.cut(rest)
  end
  if not word or word == "" or word:sub(1, 1) == "#" then
    return nil
  end
  return word:lower(), (rest or ""):match(BLANKS)
end

local ESCAPED = { ["'"] = true, ['"'] = true, ["\\"] = true }

--- Reads one word from `i` on; returns it and where it ends, nil where a quote is not closed.
local function read_word(s, i)
  local parts, quote = {}, nil
  while i <= #s do
    local c = s:sub(i, i)
    local following = s:sub(i + 1, i + 1)
    if c == "\\" and (ESCAPED[following] or (not quote and following == " ")) then
      i = i + 1
      parts[#parts + 1] = following
    elseif not quote and (c == " " or c == "\t") then
      break
    elseif not quote and (c == '"' or c == "'") then
      quote = c
    elseif c == quote then
      quote = nil
    else
      parts[#parts + 1] = c
    end
    i = i + 1
  end
  if quote then
    return nil
  end
  return table.concat(parts), i
end

--- Splits the arguments: quotes of both kinds, backslashes, and a comment that begins a word.
--- Returns nil where a quote is not closed.
---@param s string
---@return string[]?
function M.split(s)
  local words, i = {}, 1
  while true do
    i = s:match("^[ \t]*()", i)
    if i > #s or s:sub(i, i) == "#" then
      return words
    end
    local word, stop = read_word(s, i)
    if not word then
      return nil
    end
    words[#words + 1], i = word, stop
  end
end

local SECONDS = { [""] = 1, s = 1, m = 60, h = 3600, d = 86400, w = 604800 }
local INT_MAX = 2147483647

--- Returns the seconds of a time such as "90", "1h30m" or "2W"; nil if it is none.
---@param text string
---@return integer?
function M.seconds(text)
  local total, at = 0, 1
  while at <= #text do
    local digits, unit, stop = text:match("^%+?(%d+)(%a?)()", at)
    local factor = digits and #digits < 16 and SECONDS[unit:lower()]
    total = factor and total + math.tointeger(tonumber(digits)) * factor
    if not total or total > INT_MAX then
      return nil
    end
    at = stop
  end
  return text ~= "" and total or nil
end

--- Returns a whole number from 0 to `max`, nil if the text is none.
---@param text string
---@param max? integer
---@return integer?
function M.integer(text, max)
  local digits = text:match("^%+?0*(%d+)$")
  local n = digits and #digits < 16 and math.tointeger(tonumber(digits))
  return n and n <= (max or INT_MAX) and n or nil
end

return M
