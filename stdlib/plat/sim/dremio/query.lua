--- Runs a parsed SELECT over a table of plain rows, for the Dremio model.
local M = {}

--- Tells if a text matches a LIKE pattern.
local function like(text, pattern)
  local lua = pattern:gsub(".", function(c)
    return c == "%" and ".*" or c == "_" and "." or c:find("%p") and "%" .. c or c
  end)
  return text:find("^" .. lua .. "$") ~= nil
end

local function compare(op, a, b)
  if type(a) ~= type(b) or type(a) == "boolean" and op ~= "=" and op ~= "<>" then
    return false
  elseif op == "=" then
    return a == b
  elseif op == "<>" then
    return a ~= b
  elseif op == "<" then
    return a < b
  elseif op == ">" then
    return a > b
  elseif op == "<=" then
    return a <= b
  elseif op == ">=" then
    return a >= b
  end
  return like(a, b)
end

local function is_in(value, literals)
  for _, literal in ipairs(literals) do
    if literal.value == value then
      return true
    end
  end
  return false
end

local function holds(test, row, canonical)
  local op = test.op
  if op == "and" then
    return holds(test[1], row, canonical) and holds(test[2], row, canonical)
  elseif op == "or" then
    return holds(test[1], row, canonical) or holds(test[2], row, canonical)
  elseif op == "not" then
    return not holds(test[1], row, canonical)
  end
  local value = row[canonical[test.column:lower()]]
  if op == "is" then
    if test.value == "null" then
      return value == nil
    end
    return value == (test.value == "true")
  elseif op == "in" then
    return is_in(value, test.values)
  end
  return value ~= nil and compare(op, value, test.value)
end

--- Appends every column a condition names.
local function columns_of(test, out)
  if test.column then
    out[#out + 1] = test.column
  end
  for _, inner in ipairs(test) do
    columns_of(inner, out)
  end
end

local function unknown_column(query, canonical)
  local used = {}
  for _, item in ipairs(query.items) do
    used[#used + 1] = item.column
  end
  for _, name in ipairs(query.group or {}) do
    used[#used + 1] = name
  end
  if query.where then
    columns_of(query.where, used)
  end
  for _, name in ipairs(used) do
    if not canonical[name:lower()] then
      return name
    end
  end
  return nil
end

local function aggregate(item, rows, canonical)
  if item.call == "count" then
    return #rows
  end
  local best
  for _, row in ipairs(rows) do
    local value = row[canonical[item.column:lower()]]
    if value ~= nil and (best == nil or (item.call == "min") == (value < best)) then
      best = value
    end
  end
  return best
end

--- Returns the columns of the answer: `{ name, item, column }`.
local function output(query, columns)
  local out = {}
  for i, item in ipairs(query.items) do
    if item.all then
      for _, name in ipairs(columns) do
        out[#out + 1] = { name = name, column = name }
      end
    else
      local plain = not item.call and item.column
      local name = item.alias or plain or "EXPR$" .. i - 1
      out[#out + 1] = { name = name, item = item, column = plain }
    end
  end
  return out
end

local function project(wanted, groups, canonical)
  local rows = {}
  for _, group in ipairs(groups) do
    local row = {}
    for _, want in ipairs(wanted) do
      if want.column then
        row[want.name] = group[1][canonical[want.column:lower()]]
      elseif want.item.call then
        row[want.name] = aggregate(want.item, group, canonical)
      else
        row[want.name] = want.item.value
      end
    end
    rows[#rows + 1] = row
  end
  return rows
end

local function has_aggregate(query)
  for _, item in ipairs(query.items) do
    if item.call then
      return true
    end
  end
  return false
end

local function group_rows(query, rows, canonical)
  if not query.group and has_aggregate(query) then
    return { rows }
  end
  local groups, by_key = {}, {}
  for i, row in ipairs(rows) do
    local parts = {}
    for _, name in ipairs(query.group or {}) do
      parts[#parts + 1] = tostring(row[canonical[name:lower()]])
    end
    local key = query.group and table.concat(parts, "\0") or i
    if not by_key[key] then
      by_key[key] = {}
      groups[#groups + 1] = by_key[key]
    end
    table.insert(by_key[key], row)
  end
  return groups
end

--- Sorts rows in place; equal ones keep their order.
local function sort_rows(rows, order)
  local place = {}
  for i, row in ipairs(rows) do
    place[row] = i
  end
  table.sort(rows, function(a, b)
    for _, key in ipairs(order) do
      local x, y = a[key.column], b[key.column]
      if x ~= y and x ~= nil and y ~= nil then
        return (x < y) ~= key.desc
      end
    end
    return place[a] < place[b]
  end)
end

--- Runs a parsed query over rows keyed by `columns`. Pure.
---@param query table from plat.sim.dremio.sql
---@param columns string[] in order
---@param rows table[]
---@return table[]|nil rows
---@return string[]|string names of the answer's columns, or the problem as Dremio words it
function M.run(query, columns, rows)
  local canonical = {}
  for _, name in ipairs(columns) do
    canonical[name:lower()] = name
  end
  local unknown = unknown_column(query, canonical)
  if unknown then
    return nil, ("VALIDATION ERROR: Column '%s' not found in any table"):format(unknown)
  end
  for _, item in ipairs(query.items) do
    if item.call and not (item.call == "count" or item.call == "min" or item.call == "max") then
      return nil, ("VALIDATION ERROR: No match found for function signature %s"):format(item.call)
    end
  end
  local found = {}
  for _, row in ipairs(rows) do
    if not query.where or holds(query.where, row, canonical) then
      found[#found + 1] = row
    end
  end
  local wanted = output(query, columns)
  local out = project(wanted, group_rows(query, found, canonical), canonical)
  if query.order then
    sort_rows(out, query.order)
  end
  for i = #out, query.limit and query.limit + 1 or #out + 1, -1 do
    out[i] = nil
  end
  local names = {}
  for i, want in ipairs(wanted) do
    names[i] = want.name
  end
  return out, names
end

return M
