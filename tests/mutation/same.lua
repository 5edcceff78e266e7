--- What means the same after a mutation, and so is none. Of two neighbouring statements the order
--- does not matter only where nothing but declarations and assignments without effects stands.
local M = {}

-- Functions that change nothing; and those of them that look into no table.
local PURE, PLAIN = {}, {}
for name in ("list.get list.copy list.keys tostring table.concat"):gmatch("%S+") do
  PURE[name] = true
end
for name in
  (
    "type tonumber math.min math.max math.floor math.ceil math.tointeger "
    .. ":find :match :gsub :sub :format :rep :lower :upper :byte"
  ):gmatch("%S+")
do
  PURE[name], PLAIN[name] = true, true -- ":" stands before methods of strings
end

--- Returns what is called at a "(": a name with dots, a method with its colon, or nil for none.
local function callee(tokens, i)
  local before = tokens[i - 1]
  if not before or before.text == ")" or before.text == "]" or before.kind == "string" then
    return before and "?" or nil
  elseif before.kind ~= "name" then
    return nil
  end
  local name, at = before.text, i - 2
  if tokens[at] and tokens[at].text == ":" then
    return ":" .. name
  end
  while tokens[at] and tokens[at].text == "." and tokens[at - 1] do
    name, at = tokens[at - 1].text .. "." .. name, at - 2
  end
  return name
end

--- Reads what stands left of the "=": the names that are assigned, and whether fields are among
--- them. Nil for what is too much.
local function targets(tokens, first, last)
  local out, i, fields = {}, first, false
  while i <= last do
    if tokens[i].kind ~= "name" then
      return nil
    end
    while tokens[i + 1] and tokens[i + 1].text == "." and i + 2 <= last do
      i, fields = i + 2, true
    end
    out[#out + 1] = tokens[i].text
    i = i + 1
    if i <= last and tokens[i].text ~= "," then
      return nil
    end
    i = i + 1
  end
  return out, fields
end

---@class mutation.Statement
---@field writes string[] last names of what it assigns
---@field mentions table<string, boolean> all its names
---@field is_local boolean
---@field fields boolean it assigns to a field
---@field pure boolean it calls nothing that could have an effect, not even as f"" or f{}
---@field plain boolean the fields that it reads stand there by name
---@field constant boolean its values are literals, or names of such

--- Reads a statement; nil if it is more than a declaration or an assignment.
local function read(tokens)
  local from = tokens[1].text == "local" and 2 or 1
  local equals
  for i, t in ipairs(tokens) do
    if t.text == "function" or t.text == "..." then
      return nil
    end
    equals = equals or t.text == "=" and i or nil
  end
  if not equals then
    return nil
  end
  local writes, fields = targets(tokens, from, equals - 1)
  local out = { writes = writes, mentions = {}, is_local = from == 2, fields = fields }
  out.pure, out.plain, out.constant = true, true, true
  for i, t in ipairs(tokens) do
    out.mentions[t.kind == "name" and t.text or ""] = true
    local called = t.text == "(" and callee(tokens, i)
    local bare = (t.kind == "string" or t.text == "{") and i > 1 and tokens[i - 1].kind == "name"
    out.pure = out.pure and not bare and (not called or PURE[called] == true)
    out.plain = out.plain and (not called or PLAIN[called] == true)
    out.plain = out.plain and t.text ~= "[" and t.text ~= "#"
    local known = t.kind ~= "name" or not t.text:find("%l") -- LIMIT: assigned once, by house style
    out.constant = out.constant and (i <= equals or known)
  end
  return writes and out
end

local function touches(a, b)
  for _, name in ipairs(a.writes) do
    if b.mentions[name] then
      return true
    end
  end
  return false
end

--- Says whether two statements may change places without anybody noticing.
---@param first table[] its tokens
---@param second table[]
---@return boolean
function M.swap(first, second)
  local a, b = read(first), read(second)
  if not a or not b or touches(a, b) or touches(b, a) then
    return false
  end
  local pure = a.pure and b.pure and (a.plain or not b.fields) and (b.plain or not a.fields)
  return pure or a.constant and a.is_local or b.constant and b.is_local
end

local function texts(tokens, from, to)
  local out = {}
  for i = from, to do
    out[#out + 1] = tokens[i] and tokens[i].text or ""
  end
  return table.concat(out, " ")
end

--- Says whether a call is `error(err, 0)`: `err` is a fault, a table, and those have no position.
---@param tokens table[]
---@param open integer the "("
---@return boolean
function M.raise(tokens, open)
  return texts(tokens, open - 1, open + 4) == "error ( err , 0 )"
end

--- Says whether a number may be another one: the level of a fault that is raised again, or the
--- first position of a text, which is 0 as well as 1.
---@param tokens table[]
---@param i integer the number
---@param text string the other one
---@return boolean
function M.number(tokens, i, text)
  local from = texts(tokens, i - 1, i) == ", 1" and texts(tokens, i + 1, i + 3) == ", true )"
  local part = texts(tokens, i - 3, i + 1) == ": sub ( 1 ,"
  return M.raise(tokens, i - 3) or text == "0" and (from or part)
end

return M
