--- Cuts the targets of a rollout into batches, in their order. Pure.

local list = require("plat.list")

local M = {}

local ROUNDING = 1e-9 -- 10 % of 30 is 3.0000000000000004 for the machine

--- Reads "3", 3 or "10%".
---@param v any
---@return { count: integer?, percent: number? }? amount
---@return string? err
function M.amount(v)
  local percent = type(v) == "string" and tonumber(v:match("^%s*(%d+%.?%d*)%s*%%%s*$"))
  if percent and percent <= 100 then
    return { percent = percent }
  end
  local count = math.tointeger(tonumber(v))
  if count and count >= 0 then
    return { count = count }
  end
  return nil,
    ("%s is neither a number nor a share such as 25%%"):format(
      type(v) == "string" and ("%q"):format(v) or tostring(v)
    )
end

--- Reads what was given as `batches`: one amount, a list of them, or text with commas.
---@param spec any
---@return table[]? amounts at least one
---@return string? err
function M.parse(spec)
  if type(spec) == "string" then
    local words = {}
    for word in spec:gmatch("[^,]+") do
      words[#words + 1] = word
    end
    spec = words
  elseif type(spec) ~= "table" then
    spec = { spec }
  end
  local amounts = {}
  for i, v in ipairs(spec) do
    local amount, err = M.amount(v)
    if not amount then
      return nil, err
    elseif amount.count == 0 or amount.percent == 0 then
      return nil, ("batch %d would be empty"):format(i)
    end
    amounts[i] = amount
  end
  if #amounts == 0 or #amounts ~= list.count(spec) then
    return nil, 'a list of sizes is expected, such as { 1, "10%", "50%" }'
  end
  return amounts
end

--- Returns how large the batches are: shares are shares of all targets, rounded up; the last size
--- repeats.
---@param amounts table[] from M.parse
---@param all integer how many targets there are
---@param left integer how many of them are to be cut into batches
---@return integer[]
function M.sizes(amounts, all, left)
  local sizes = {}
  while left > 0 do
    local amount = amounts[math.min(#sizes + 1, #amounts)]
    local n = amount.count or math.ceil(all * amount.percent / 100 - ROUNDING)
    n = math.max(1, math.min(n, left))
    sizes[#sizes + 1] = n
    left = left - n
  end
  return sizes
end

--- Merges two sorted lists; of equals those of the first come first.
local function merge(a, b, before)
  local out, i, j = {}, 1, 1
  while i <= #a or j <= #b do
    if j > #b or i <= #a and not before(b[j], a[i]) then
      out[#out + 1], i = a[i], i + 1
    else
      out[#out + 1], j = b[j], j + 1
    end
  end
  return out
end

--- A sort that is stable, does not mind an inconsistent comparison, and in which it may wait.
local function sort(items, before)
  if #items < 2 then
    return items
  end
  local middle = #items // 2
  local head = table.move(items, 1, middle, 1, {})
  local tail = table.move(items, middle + 1, #items, 1, {})
  return merge(sort(head, before), sort(tail, before), before)
end

--- Returns the items in the order in which they are rolled out. A function is a comparison
--- `(a, b)` that says whether a goes before b, or gives the number or text by which one item is
--- sorted. Equal ones keep their order.
---@param items any[]
---@param how? "listed"|"reverse"|fun(a: any, b: any): any
---@return any[]? ordered
---@return string? err
function M.order(items, how)
  if how == nil or how == "listed" then
    return list.copy(items)
  elseif how == "reverse" then
    local out = {}
    for i = #items, 1, -1 do
      out[#out + 1] = items[i]
    end
    return out
  elseif type(how) ~= "function" then
    return nil, 'it is "listed", "reverse" or a function'
  elseif #items < 2 then
    return list.copy(items)
  end
  local kind = type(how(items[1], items[2]))
  if kind == "boolean" or kind == "nil" then
    return sort(items, how)
  elseif kind ~= "number" and kind ~= "string" then
    return nil, ("the function returned a %s: a comparison or a sort key is expected"):format(kind)
  end
  local keyed = list.map(items, function(item)
    return { item = item, key = how(item) }
  end)
  for _, entry in ipairs(keyed) do
    if type(entry.key) ~= kind then
      return nil, ("the sort keys are of different types: %s and %s"):format(kind, type(entry.key))
    end
  end
  return list.map(
    sort(keyed, function(a, b)
      return a.key < b.key
    end),
    function(entry)
      return entry.item
    end
  )
end

--- Cuts ordered names into batches. The last one, if there is one, is a batch of its own.
---@param names string[] in order
---@param amounts table[] from M.parse
---@param last? string
---@return string[][]
function M.cut(names, amounts, last)
  local rest = list.where(names, function(name)
    return name ~= last
  end)
  local batches, at = {}, 0
  for _, size in ipairs(M.sizes(amounts, #names, #rest)) do
    batches[#batches + 1] = table.move(rest, at + 1, at + size, 1, {})
    at = at + size
  end
  if #rest < #names then
    batches[#batches + 1] = { last }
  end
  return batches
end

return M
