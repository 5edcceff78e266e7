--- Where a Lua source can be mutated: five generic operators. Plain Lua; knows tokens, not grammar,
--- and keeps only what still compiles.
local same = require("same")

local M = {}

M.OPERATORS = { "drop", "swap", "negate", "number", "argument" }

---@class mutation.Site
---@field op string
---@field from integer first byte that is replaced
---@field to integer last byte
---@field text string what stands there instead
---@field line integer

local KEYWORDS = {}
local WORDS = "and break do else elseif end false for function goto if in local nil not or repeat "
  .. "return then true until while"
for word in WORDS:gmatch("%a+") do
  KEYWORDS[word] = true
end

-- The end of what begins at a position and is no code: a comment or a long string.
local function skip(src, at)
  local level = src:match("^%-%-%[(=*)%[", at) or src:match("^%[(=*)%[", at)
  if level then
    local _, close = src:find("]" .. level .. "]", at, true)
    return close
  end
  local _, stop = src:find("^%-%-[^\n]*", at)
  return stop
end

local function quoted(src, at)
  local quote, i = src:sub(at, at), at + 1
  while src:sub(i, i) ~= quote do
    i = i + (src:sub(i, i) == "\\" and 2 or 1)
  end
  return i
end

--- Returns the tokens of a source: kind, text, from, to.
function M.tokens(src)
  local out, at = {}, 1
  local function add(kind, to)
    out[#out + 1] = { kind = kind, text = src:sub(at, to), from = at, to = to }
    at = to + 1
  end
  while at <= #src do
    local c = src:sub(at, at)
    if c:find("%s") then
      at = at + 1
    elseif src:find("^%-%-", at) then
      at = skip(src, at) + 1
    elseif src:find("^%[=*%[", at) then
      add("string", skip(src, at))
    elseif c == '"' or c == "'" then
      add("string", quoted(src, at))
    elseif c:find("[%a_]") then
      local _, to = src:find("^[%w_]+", at)
      add(KEYWORDS[src:sub(at, to)] and "keyword" or "name", to)
    elseif c:find("%d") then
      local _, to = src:find("^[%w.]+", at)
      add("number", to)
    else
      local _, to = src:find("^[=~<>]=", at)
      if not to then
        _, to = src:find("^%.%.%.?", at)
      end
      add("sign", to or at)
    end
  end
  return out
end

local function line_of(src, at)
  local _, n = src:sub(1, at - 1):gsub("\n", "\n")
  return n + 1
end

local function compiles(src, site)
  local text = src:sub(1, site.from - 1) .. site.text .. src:sub(site.to + 1)
  return load(text, "=mutant", "t") ~= nil
end

local OPEN, CLOSE = { ["("] = true, ["{"] = true, ["["] = true }, {}
CLOSE[")"], CLOSE["}"], CLOSE["]"] = true, true, true

-- The arguments of the call whose "(" is the i-th token: where each begins and ends.
local function arguments(tokens, i)
  local args, depth, blocks, first = {}, 0, 0, i + 1
  for j = i + 1, #tokens do
    local t = tokens[j]
    if t.kind == "keyword" then
      if t.text == "function" or t.text == "if" or t.text == "do" or t.text == "repeat" then
        blocks = blocks + 1
      elseif t.text == "end" or t.text == "until" then
        blocks = blocks - 1
      end
    elseif t.kind == "sign" and blocks == 0 then
      if depth == 0 and (t.text == "," or t.text == ")") then
        if j > first then
          args[#args + 1] = { first = first, last = j - 1 }
        end
        first = j + 1
        if t.text == ")" then
          return args, j
        end
      elseif OPEN[t.text] then
        depth = depth + 1
      elseif CLOSE[t.text] then
        depth = depth - 1
      end
    end
  end
  return nil
end

local function is_call(tokens, i)
  local before, two = tokens[i - 1], tokens[i - 2]
  if not before or tokens[i].text ~= "(" then
    return false
  end
  local named = before.kind == "name" or before.text == ")" or before.text == "]"
  local declared = before.kind == "name" and two and two.text == "function"
  for back = 2, 8, 2 do -- function M.x.y(
    local dot = tokens[i - back]
    if not dot or not (dot.text == "." or dot.text == ":") then
      declared = declared or (dot ~= nil and dot.text == "function")
      break
    end
  end
  return named and not declared
end

local FIND = {}

--- Integers, one more or one less by turns.
function FIND.number(_, tokens, add)
  local up = true
  for i, t in ipairs(tokens) do
    local n = t.kind == "number" and math.tointeger(tonumber(t.text))
    if n and t.text:find("^%d+$") then
      local other = tostring(up and n + 1 or n - 1)
      if not same.number(tokens, i, other) then
        add({ from = t.from, to = t.to, text = other })
      end
      up = not up
    end
  end
end

--- One argument of a call: the last, and where there are several the first too.
function FIND.argument(_, tokens, add)
  for i = 2, #tokens do
    local args, close
    if is_call(tokens, i) then
      args, close = arguments(tokens, i)
    end
    local n = args and #args or 0
    if n == 1 then
      add({ from = tokens[i].to + 1, to = tokens[close].from - 1, text = "" })
    elseif n > 1 then
      local last, before = args[n], args[n - 1]
      if not same.raise(tokens, i) then
        add({ from = tokens[before.last].to + 1, to = tokens[last.last].to, text = "" })
      end
      add({
        from = tokens[args[1].first].from,
        to = tokens[args[2].first].from - 1,
        text = "",
      })
    end
  end
end

--- The condition of an if, an elseif or a while.
function FIND.negate(src, tokens, add)
  local closes = { ["if"] = "then", ["elseif"] = "then", ["while"] = "do" }
  for i, t in ipairs(tokens) do
    local close = t.kind == "keyword" and closes[t.text]
    local depth, j = 0, i + 1
    while close and tokens[j] do
      if tokens[j].text == "function" then
        depth = depth + 1
      elseif tokens[j].text == "end" then
        depth = depth - 1
      elseif tokens[j].text == close and depth == 0 then
        local from, to = tokens[i + 1].from, tokens[j - 1].to
        add({ from = from, to = to, text = "not (" .. src:sub(from, to) .. ")" })
        break
      end
      j = j + 1
    end
  end
end

-- Statements that stand alone in lines of their own: calls and assignments.
local function statements(src)
  local out, at = {}, 1
  for line in src:gmatch("([^\n]*)\n") do
    local indent, rest = line:match("^(%s*)(.*)$")
    local head = rest:match('^[%a_][%w_.:%[%]"]*')
    local word = rest:match("^%a+")
    if head and not KEYWORDS[word or ""] or word == "local" or word == "return" then
      local from = at + #indent
      local to = at + #line - 1
      if rest:find("[({]$") then -- to the line that closes it, of the same indent
        local _, stop = src:find("\n" .. indent .. "[)}][^\n]*", to)
        to = stop or to
      end
      local text = src:sub(from, to)
      local alone = load(text:gsub("^return", "local _ ="), "=s", "t")
        and not text:find("^local [%w_, ]+$")
      if alone then
        out[#out + 1] = { from = from, to = to, indent = #indent, word = word, text = text }
      end
    end
    at = at + #line + 1
  end
  return out
end

--- A statement that is not a declaration.
function FIND.drop(src, _, add)
  for _, s in ipairs(statements(src)) do
    local loads = s.text:find("require%(") or s.text:find("^%-%-")
    if s.word ~= "local" and s.word ~= "return" and not loads and s.indent > 0 then
      add({ from = s.from, to = s.to, text = "" })
    end
  end
end

-- Whether what stands behind a position belongs to the statement before it.
local function goes_on(src, at)
  local rest = src:sub(at + 1):gsub("%-%-[^\n]*", ""):match("%S.*") or "end"
  local word = rest:match("^[%a_][%w_]*")
  return not word or word == "and" or word == "or"
end

--- Two statements that follow each other, unless their order does not matter.
function FIND.swap(src, _, add)
  local before
  for _, s in ipairs(statements(src)) do
    local together = before
      and before.indent == s.indent
      and s.indent > 0
      and before.word ~= "return"
      and s.word ~= "return"
      and src:sub(before.to + 1, s.from - 1):find("^%s*$")
    local ends = together and not goes_on(src, s.to)
    if together and not (ends and same.swap(M.tokens(before.text), M.tokens(s.text))) then
      local between = src:sub(before.to + 1, s.from - 1)
      add({ from = before.from, to = s.to, text = s.text .. between .. before.text })
    end
    before = s
  end
end

--- Lists the mutants of a source by operator; each compiles and differs.
---@param src string
---@return table<string, mutation.Site[]>
function M.of(src)
  local tokens, out = M.tokens(src), {}
  for _, op in ipairs(M.OPERATORS) do
    local list = {}
    FIND[op](src, tokens, function(site)
      site.op, site.line = op, line_of(src, site.from)
      if src:sub(site.from, site.to) ~= site.text then
        list[#list + 1] = site
      end
    end)
    out[op] = list
  end
  return out
end

--- Returns the source with a mutation in it.
function M.apply(src, site)
  return src:sub(1, site.from - 1) .. site.text .. src:sub(site.to + 1)
end

--- Says whether a mutant can be loaded at all; the others are no mutants.
M.compiles = compiles

return M
