--- Parser of the SELECTs that the Dremio model answers (plat.sim.dremio.query runs them).
--
-- select ITEM, ... [from A.B] [where COND] [group by COL, ...] [order by COL [desc], ...] [limit N]
-- with items *, COL, literals, count(*), min(COL), max(COL), each with an alias; conditions are
-- comparisons, IN, LIKE, IS [NOT] NULL, boolean columns, AND, OR, NOT and parentheses.
local M = {}

local PARSE_ERROR = "PARSE ERROR: Failure parsing the query."

local function tokens(text)
  local out, pos = {}, 1
  local function take(pattern, kind)
    local value, after = text:match("^" .. pattern .. "()", pos)
    if value then
      out[#out + 1] = { kind = kind, text = value, low = kind == "word" and value:lower() or value }
      pos = after
    end
    return value
  end
  while true do
    pos = text:match("^%s*()", pos)
    if pos > #text then
      return out
    end
    local known = take("([%a_][%w_$]*)", "word")
      or take('"([^"]+)"', "name")
      or take("'([^']*)'", "string")
      or take("(%d+%.?%d*)", "number")
      or take("(<>)", "op")
      or take("([<>!]=)", "op")
      or take("([*(),.=<>;])", "op")
    if not known then
      return nil
    end
  end
end

local Parser = {}
Parser.__index = Parser

function Parser:peek(...)
  local token = self.list[self.at]
  if token and token.kind ~= "string" and token.kind ~= "name" then
    for _, text in ipairs({ ... }) do
      if token.low == text then
        return text
      end
    end
  end
  return nil
end

function Parser:accept(...)
  local text = self:peek(...)
  if text then
    self.at = self.at + 1
  end
  return text
end

function Parser:expect(...)
  return self:accept(...) or error(self)
end

--- Takes a name: a word or "quoted"; optionally t.col.
function Parser:name()
  local token = self.list[self.at]
  if not token or (token.kind ~= "word" and token.kind ~= "name") then
    error(self)
  end
  self.at = self.at + 1
  return token.text
end

function Parser:literal()
  local token = self.list[self.at]
  if token and token.kind == "string" then
    self.at = self.at + 1
    return { value = token.text }
  elseif token and token.kind == "number" then
    self.at = self.at + 1
    return { value = math.tointeger(token.text) or tonumber(token.text) }
  end
  local word = self:accept("true", "false")
  return word and { value = word == "true" } or nil
end

function Parser:item()
  if self:accept("*") then
    return { all = true }
  end
  local item = self:literal()
  if not item then
    local name = self:name()
    if self:accept("(") then
      item = { call = name:lower(), column = not self:accept("*") and self:name() or nil }
      self:expect(")")
    else
      item = { column = name }
    end
  end
  if self:accept("as") then
    item.alias = self:name()
  end
  return item
end

function Parser:comma_list(method)
  local out = {}
  repeat
    out[#out + 1] = self[method](self)
  until not self:accept(",")
  return out
end

function Parser:predicate()
  if self:accept("not") then
    local inner = self:predicate()
    return { op = "not", inner }
  elseif self:accept("(") then
    local inner = self:condition()
    self:expect(")")
    return inner
  end
  local column = self:name()
  local negated = self:accept("not") ~= nil
  local op = self:accept("=", "<>", "!=", "<", ">", "<=", ">=", "like", "in", "is")
  local test
  if op == "in" then
    self:expect("(")
    test = { op = "in", column = column, values = self:comma_list("literal") }
    self:expect(")")
  elseif op == "is" then
    negated = self:accept("not") ~= nil
    local word = self:expect("null", "true", "false")
    test = { op = "is", column = column, value = word }
  elseif op then
    local value = self:literal() or error(self)
    test = { op = op == "!=" and "<>" or op, column = column, value = value.value }
  else
    test = { op = "is", column = column, value = "true" }
  end
  return negated and { op = "not", test } or test
end

function Parser:conjunction()
  local left = self:predicate()
  while self:accept("and") do
    left = { op = "and", left, self:predicate() }
  end
  return left
end

function Parser:condition()
  local left = self:conjunction()
  while self:accept("or") do
    left = { op = "or", left, self:conjunction() }
  end
  return left
end

function Parser:order_key()
  local column = self:name()
  return { column = column, desc = self:accept("asc", "desc") == "desc" }
end

function Parser:select()
  self:expect("select")
  local query = { items = self:comma_list("item") }
  if self:accept("from") then
    query.from = { self:name() }
    while self:accept(".") do
      query.from[#query.from + 1] = self:name()
    end
    query.where = self:accept("where") and self:condition() or nil
    if self:accept("group") then
      self:expect("by")
      query.group = self:comma_list("name")
    end
    if self:accept("order") then
      self:expect("by")
      query.order = self:comma_list("order_key")
    end
    query.limit = self:accept("limit") and (self:literal() or error(self)).value or nil
  end
  self:accept(";")
  return self.at > #self.list and query or error(self)
end

--- Parses a query. Pure.
---@param text string
---@return table|nil query
---@return string? problem as Dremio words it
function M.parse(text)
  local found = tokens(text)
  if not found then
    return nil, PARSE_ERROR
  end
  local parser = setmetatable({ list = found, at = 1 }, Parser)
  local ok, query = pcall(parser.select, parser) -- the parser itself is the error value
  if not ok and query ~= parser then
    error(query, 0)
  end
  if not ok then
    return nil, PARSE_ERROR
  end
  return query
end

return M
