--- Option schemas: one table serves validation, help text and documentation.

local copy = require("prim.table").shallow

local M = {}

local UNITS = { ms = 0.001, s = 1, m = 60, h = 3600, d = 86400, w = 604800 }
local SIZES = { B = 1, KB = 1e3, MB = 1e6, GB = 1e9, TB = 1e12 }
local BINARY = { Ki = 1 << 10, Mi = 1 << 20, Gi = 1 << 30, Ti = 1 << 40 }
local MAX_WORD = 80 -- whoever writes a longer one has not mistyped it

--- Returns a duration in seconds: "90s", "5m", "1h30m", "250ms", or a number of seconds.
---@param v string|number
---@return number? seconds
---@return string? err
function M.duration(v)
  if type(v) == "number" then
    if v < 0 or v ~= v then
      return nil, "a duration is not negative"
    end
    return v
  end
  if type(v) ~= "string" then
    return nil, "a duration is expected, such as 90s, 5m or 1h30m"
  end
  local total, pos = 0, 1
  while pos <= #v do
    local n, unit, stop = v:match("^(%d+%.?%d*)(%a+)()", pos)
    if not n or not UNITS[unit] then
      if pos == 1 and tonumber(v) and tonumber(v) >= 0 then
        return tonumber(v)
      end
      return nil, ("%q is not a duration, such as 90s, 5m or 1h30m"):format(v)
    end
    total, pos = total + tonumber(n) * UNITS[unit], stop
  end
  if pos == 1 then
    return nil, "a duration is empty"
  end
  return total
end

--- Returns a size in bytes: "16MB", "2Gi", or a number.
---@param v string|integer
---@return integer? bytes
---@return string? err
function M.bytes(v)
  if math.type(v) == "integer" and v >= 0 then
    return v
  end
  if type(v) == "string" then
    local n, unit = v:match("^(%d+%.?%d*)%s*(%a*)$")
    local factor = unit and (SIZES[unit] or BINARY[unit:gsub("B$", "")] or (unit == "" and 1))
    if factor then
      return math.tointeger(tonumber(n) * factor // 1)
    end
  end
  return nil, ("%q is not a size, such as 512KB, 16MB or 2Gi"):format(tostring(v))
end

--- Returns the number of edits (insert, delete, replace, swap) between two words, or `max` + 1.
local function distance(a, b, max)
  if math.abs(#a - #b) > max or #a > MAX_WORD then
    return max + 1
  end
  local before, prev = nil, {}
  for j = 0, #b do
    prev[j] = j
  end
  for i = 1, #a do
    local row = { [0] = i }
    for j = 1, #b do
      local cost = a:byte(i) == b:byte(j) and 0 or 1
      row[j] = math.min(prev[j] + 1, row[j - 1] + 1, prev[j - 1] + cost)
      if before and j > 1 and a:byte(i) == b:byte(j - 1) and a:byte(i - 1) == b:byte(j) then
        row[j] = math.min(row[j], before[j - 2] + 1)
      end
    end
    before, prev = prev, row
  end
  return prev[#b]
end

--- Returns the candidate that was probably meant, nil if none is near.
---@param word string
---@param candidates string[]
---@return string?
function M.suggest(word, candidates)
  local best, best_at
  local max = #word <= 3 and 1 or #word <= 7 and 2 or 3
  for _, candidate in ipairs(candidates) do
    local d = distance(word:lower(), candidate:lower(), max)
    if d <= max and (not best_at or d < best_at) then
      best, best_at = candidate, d
    end
  end
  if not best then
    for _, candidate in ipairs(candidates) do
      if #word >= 3 and candidate:lower():sub(1, #word) == word:lower() then
        return candidate
      end
    end
  end
  return best
end

--- Returns ` (did you mean "x"?)` or an empty string.
---@param word string
---@param candidates string[]
---@return string
function M.did_you_mean(word, candidates)
  local best = M.suggest(word, candidates)
  return best and (' (did you mean "%s"?)'):format(best) or ""
end

local function integer(v)
  if type(v) == "string" and v:find("^[+-]?%d+$") then
    v = math.tointeger(tonumber(v))
  end
  local n = math.type(v) == "integer" and v or (type(v) == "number" and math.tointeger(v))
  if not n then
    return nil, ("%q is not a whole number"):format(tostring(v))
  end
  return n
end

local function number(v)
  local n = type(v) == "number" and v or (type(v) == "string" and tonumber(v))
  if not n or n ~= n then
    return nil, ("%q is not a number"):format(tostring(v))
  end
  return n
end

local TRUE = { ["true"] = true, yes = true, on = true, ["1"] = true }
local FALSE = { ["false"] = true, no = true, off = true, ["0"] = true }

local function boolean(v)
  if type(v) == "boolean" then
    return v
  elseif TRUE[v] then
    return true
  elseif FALSE[v] then
    return false
  end
  return nil, ("%q is not true or false"):format(tostring(v))
end

local function of_type(name)
  return function(v)
    if type(v) == name then
      return v
    end
    return nil, ("a %s is expected, not a %s"):format(name, type(v))
  end
end

local function list(v)
  if type(v) == "string" then
    local out = {}
    for item in v:gmatch("[^,]+") do
      out[#out + 1] = item
    end
    return out
  end
  return of_type("table")(v)
end

--- Text, or a secret in its place.
local function sendable(v)
  if type(v) == "userdata" and require("prim.secret").is(v) then
    return v
  end
  return of_type("string")(v)
end

M.types = {
  string = of_type("string"),
  sendable = sendable,
  integer = integer,
  number = number,
  boolean = boolean,
  duration = M.duration,
  bytes = M.bytes,
  list = list,
  table = of_type("table"),
  ["function"] = of_type("function"),
  enum = of_type("string"),
  cluster = of_type("string"),
  any = function(v)
    return v
  end,
}

--- Checks one value against its declaration.
---@param decl table `{ type=, min=, max=, enum= }`
---@param v any
---@return any? value converted
---@return string? err
function M.value(decl, v)
  local convert = M.types[decl.type or "any"]
  if not convert then
    return nil, ("the declaration has the unknown type %q"):format(tostring(decl.type))
  end
  local out, err = convert(v)
  if out == nil then
    return nil, err
  end
  if decl.min and out < decl.min then
    return nil, ("%s is less than %s"):format(tostring(v), tostring(decl.min))
  elseif decl.max and out > decl.max then
    return nil, ("%s is more than %s"):format(tostring(v), tostring(decl.max))
  end
  if decl.enum then
    for _, word in ipairs(decl.enum) do
      if word == out then
        return out
      end
    end
    local hint = type(out) == "string" and M.did_you_mean(out, decl.enum) or ""
    return nil, ("%q is none of %s%s"):format(tostring(out), table.concat(decl.enum, ", "), hint)
  end
  return out
end

--- Raises for the first option, in the order of names, that is unknown or wrong.
local function explain(name, schema, names, opts, level)
  for field, v in pairs(opts) do
    local decl = schema[field]
    if not decl then
      local hint = type(field) == "string" and M.did_you_mean(field, names) or ""
      error(("%s: unknown option %q%s"):format(name, tostring(field), hint), level + 1)
    end
    local value, err = M.value(decl, v)
    if value == nil then
      error(("%s: option %q: %s"):format(name, field, err), level + 1)
    end
  end
end

--- Returns a function that validates an option table: closed, typed, with defaults. It raises at
--- its caller's caller: `ssh.connect: unknown option "time_out" (did you mean "timeout"?)`.
---@param name string the function whose options these are
---@param schema table<string, table> by field `{ type, default, required, min, max, enum, help }`
---@return fun(opts: table?, level: integer?): table
function M.options(name, schema)
  local names, required = {}, {}
  local defaults = {}
  for field, decl in pairs(schema) do
    names[#names + 1] = field
    required[#required + 1] = decl.required and field or nil
    if decl.default ~= nil then
      local value, err = M.value(decl, decl.default)
      assert(value ~= nil, err) -- a default of false is one
      defaults[field] = value
    end
  end
  return function(opts, level)
    level = (level or 2) + 1
    local out = copy(defaults)
    if opts ~= nil and type(opts) ~= "table" then
      error(("%s: options are a table, not a %s"):format(name, type(opts)), level)
    end
    if opts then
      for field, v in next, opts do -- every call does this: without sorting
        local decl = schema[field]
        local value = decl and M.value(decl, v)
        if value == nil then
          explain(name, schema, names, opts, level)
        end
        out[field] = value
      end
    end
    for i = 1, #required do
      local field = required[i]
      if out[field] == nil then
        error(("%s: option %q is required"):format(name, field), level)
      end
    end
    return out
  end
end

return M
