--- Regular expressions of host patterns (`~web\d+`): the part of Python's that is understood here.
--
-- Characters, `.`, classes with ranges and negation, \d \w \s \D \W \S \b \B, ^ $ \A \Z, groups
-- `(...)`, `(?:...)` and `(?P<name>...)`, alternatives, and * + ? {m} {m,n}, greedy or with `?`.
-- What is not understood is refused, never guessed. Names are ASCII here.
local M = {}

local MAX_STEPS = 200000 -- of one match: nested repetition may take for ever otherwise
local MAX_REPEAT = 1000

local CLASSES = { d = "%d", w = "[%w_]", s = "%s", D = "%D", W = "[^%w_]", S = "%S" }
local ESCAPES = { n = "\n", t = "\t", r = "\r", f = "\f", v = "\v", a = "\a" }

--- Reads an expression: its text, and the position in it.
local Parser = {}
Parser.__index = Parser

--- A matcher is `function(subject, at, next)`: whether it matches there and `next(at)` does after.

local function refuse(what)
  error({ refused = what }, 0)
end

function Parser:peek()
  return self.text:sub(self.pos, self.pos)
end

function Parser:take()
  local c = self:peek()
  self.pos = self.pos + 1
  return c
end

local function one(test)
  return function(state, at, go)
    state.steps = state.steps + 1
    if state.steps > MAX_STEPS then
      refuse("it takes too long to match")
    end
    local c = state.subject:sub(at, at)
    return c ~= "" and test(c) and go(at + 1)
  end
end

local function char(wanted)
  return one(function(c)
    return c == wanted
  end)
end

local function class(pattern)
  return one(function(c)
    return c:find(pattern) ~= nil
  end)
end

local function is_word(state, at)
  return at >= 1 and state.subject:sub(at, at):find("[%w_]") ~= nil
end

local function boundary(wanted)
  return function(state, at, go)
    return (is_word(state, at - 1) ~= is_word(state, at)) == wanted and go(at)
  end
end

local function at_start(_, at, go)
  return at == 1 and go(at)
end

local function at_end(state, at, go)
  return at == #state.subject + 1 and go(at)
end

--- Returns the character that an escape stands for, nil for other escapes.
local function escaped(c)
  if ESCAPES[c] then
    return ESCAPES[c]
  elseif c:find("%p") or c == " " then
    return c
  end
end

function Parser:escape()
  local c = self:take()
  if CLASSES[c] then
    return class(CLASSES[c])
  elseif c == "b" or c == "B" then
    return boundary(c == "b")
  elseif c == "A" then
    return at_start
  elseif c == "Z" then
    return at_end
  end
  local literal = escaped(c)
  return literal and char(literal) or refuse(("\\%s is not understood"):format(c))
end

--- Reads one member of a class: a character, or the pattern of a class such as \d.
function Parser:member()
  local c = self:take()
  if c == "" then
    refuse("a [ is not closed")
  elseif c ~= "\\" then
    return c
  end
  c = self:take()
  if CLASSES[c] then
    return nil, CLASSES[c]
  end
  return escaped(c) or refuse(("\\%s is not understood"):format(c))
end

function Parser:set()
  local negated = self:peek() == "^"
  self.pos = self.pos + (negated and 1 or 0)
  local tests, first = {}, true
  while first or self:peek() ~= "]" do
    first = false
    local low, pattern = self:member()
    local high
    if self:peek() == "-" and self.text:sub(self.pos + 1, self.pos + 1) ~= "]" then
      self.pos = self.pos + 1
      high = self:member()
      if not low or not high or high < low then
        refuse("a range in [ ] goes from one character to a later one")
      end
    end
    tests[#tests + 1] = function(c)
      if pattern then
        return c:find(pattern) ~= nil
      end
      return c >= low and c <= (high or low)
    end
  end
  self.pos = self.pos + 1
  return one(function(c)
    for _, test in ipairs(tests) do
      if test(c) then
        return not negated
      end
    end
    return negated
  end)
end

function Parser:group()
  if self:peek() == "?" then
    local stop = self.text:match("^%?:()", self.pos)
      or self.text:match("^%?P<[%a_][%w_]*>()", self.pos)
    self.pos = stop or refuse("of (?...) only (?:...) and (?P<name>...) are understood")
  end
  local inner = self:alternatives()
  if self:take() ~= ")" then
    refuse("a ( is not closed")
  end
  return inner
end

function Parser:atom()
  local c = self:take()
  if c == "." then
    return class("[^\n]")
  elseif c == "^" then
    return at_start
  elseif c == "$" then
    return at_end
  elseif c == "\\" then
    return self:escape()
  elseif c == "[" then
    return self:set()
  elseif c == "(" then
    return self:group()
  elseif c:find("[*+?]") then
    refuse(("nothing stands before %s"):format(c))
  end
  return char(c)
end

local function greedy(item, low, high)
  local function step(state, at, go, count)
    if count < high then
      local found = item(state, at, function(after)
        return (after > at or count < low) and step(state, after, go, count + 1)
      end)
      if found then
        return true
      end
    end
    return count >= low and go(at)
  end
  return function(state, at, go)
    return step(state, at, go, 0)
  end
end

local function lazy(item, low, high)
  local function step(state, at, go, count)
    if count >= low and go(at) then
      return true
    end
    return count < high
      and item(state, at, function(after)
        return (after > at or count < low) and step(state, after, go, count + 1)
      end)
  end
  return function(state, at, go)
    return step(state, at, go, 0)
  end
end

function Parser:counts()
  local c = self:peek()
  if c == "*" or c == "+" or c == "?" then
    self.pos = self.pos + 1
    return c == "+" and 1 or 0, c == "?" and 1 or math.huge
  end
  local low, comma, high, stop = self.text:match("^{(%d*)(,?)(%d*)}()", self.pos)
  if not stop or low .. high == "" then
    return nil -- a brace that counts nothing is a character
  end
  self.pos = stop
  low, high = tonumber(low) or 0, comma == "" and tonumber(low) or tonumber(high) or math.huge
  if low > MAX_REPEAT or high ~= math.huge and (high > MAX_REPEAT or high < low) then
    refuse(("{%s,%s} is out of range"):format(low, high))
  end
  return low, high
end

function Parser:item()
  local item = self:atom()
  local low, high = self:counts()
  if not low then
    return item
  end
  local make = greedy
  if self:peek() == "?" then
    self.pos, make = self.pos + 1, lazy
  end
  if self:peek():find("[*+?]") then
    refuse("a repetition of a repetition is not understood")
  end
  return make(item, low, high)
end

function Parser:sequence()
  local items = {}
  while self:peek() ~= "" and not self:peek():find("[|)]") do
    items[#items + 1] = self:item()
  end
  return function(state, at, go)
    local function from(i, where)
      if i > #items then
        return go(where)
      end
      return items[i](state, where, function(after)
        return from(i + 1, after)
      end)
    end
    return from(1, at)
  end
end

function Parser:alternatives()
  local branches = { self:sequence() }
  while self:peek() == "|" do
    self.pos = self.pos + 1
    branches[#branches + 1] = self:sequence()
  end
  return function(state, at, go)
    for _, branch in ipairs(branches) do
      if branch(state, at, go) then
        return true
      end
    end
    return false
  end
end

local function guarded(fn, ...)
  local result = table.pack(xpcall(fn, function(e)
    return type(e) == "table" and e.refused and e or error(e, 0)
  end, ...))
  if result[1] then
    return result[2]
  end
  return nil, result[2].refused
end

--- Returns a function that tells whether a text begins with what the expression matches, as
--- Python's `re.match`; or nil and what is not understood. The function may return nil and why,
--- too.
---@param text string
---@return (fun(subject: string): boolean?, string?)? match
---@return string? problem
function M.compile(text)
  local parser = setmetatable({ text = text, pos = 1 }, Parser)
  local root, problem = guarded(function()
    local found = parser:alternatives()
    if parser:peek() ~= "" then
      refuse("a ) has no (")
    end
    return found
  end)
  if not root then
    return nil, problem
  end
  return function(subject)
    return guarded(function()
      return root({ subject = subject, steps = 0 }, 1, function()
        return true
      end) or false
    end)
  end
end

return M
