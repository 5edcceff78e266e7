--- Values that only a real run can know: a table that ends the step's body when anybody looks into
--- it. Whether it is there may be asked; what is in it may not.

local list = require("plat.list")

local M = {}

local MAX_DEPTH = 50
local HIDDEN = "\0unknown" -- a function inside, so that no encoder takes it for an empty table

local endings = setmetatable({}, { __mode = "k" }) -- what ends the body, by value

local function look(value)
  endings[value]()
end

local Unknown = { __name = "plat.Unknown" }
for _, event in ipairs({
  "index newindex call len concat unm eq lt le add sub mul div mod pow idiv band bor bxor shl shr",
  "bnot tostring pairs close",
}) do
  for word in event:gmatch("%a+") do
    Unknown["__" .. word] = function(a, b)
      look(endings[a] and a or b)
    end
  end
end

--- Returns an unknown value.
---@param ending fun() raises; called when somebody looks
---@return table
function M.new(ending)
  local value = setmetatable({ [HIDDEN] = look }, Unknown)
  endings[value] = ending
  return value
end

--- Returns whether a value is unknown.
---@param value any
---@return boolean
function M.is(value)
  return type(value) == "table" and getmetatable(value) == Unknown
end

--- Ends the body if a value is unknown or holds something that is.
---@param value any
---@param depth? integer
function M.refuse(value, depth)
  if list.is_empty(endings) then -- there is none, as in every run that is no plan
    return
  end
  depth = depth or 0
  if M.is(value) then
    look(value)
  elseif type(value) == "table" and depth < MAX_DEPTH then
    local ok, keys = pcall(list.keys, value) -- what is not plain data is refused elsewhere
    for _, key in ipairs(ok and keys or {}) do
      M.refuse(rawget(value, key), depth + 1)
    end
  end
end

--- Makes fields of a table unknown: reading one ends the body; all others stay as they are.
---@param t table
---@param fields string[]
---@param ending fun(field: string) raises
---@return table t
function M.veil(t, fields, ending)
  local hidden = {}
  for _, field in ipairs(fields) do
    hidden[field] = { value = t[field] }
    t[field] = nil
  end
  return setmetatable(t, {
    __index = function(_, field)
      if hidden[field] then
        ending(field)
      end
    end,
    hidden = hidden,
  })
end

--- Returns a field, also a veiled one: what it is now, which is not what it will be.
---@param t? table
---@param field string
---@return any?
function M.peek(t, field)
  if type(t) ~= "table" then
    return nil
  end
  local value, mt = rawget(t, field), getmetatable(t)
  if value == nil and mt and mt.hidden and mt.hidden[field] then
    return mt.hidden[field].value
  end
  return value
end

return M
