--- Host names of an inventory: ranges, ports.
local M = {}

local MAX_RANGE = 10000 -- hosts one line may stand for
local MAX_BYTES = 8 * 1024 * 1024 -- of their names together
local LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
local MAX_DIGITS = 15 -- of a number in a range
local WORD = "[%w_\128-\255]"

local function number_range(first, last, step)
  local a, b = math.tointeger(first), math.tointeger(last)
  local wide = first:sub(1, 1) == "0" and #first > 1
  if wide and #first ~= #last then
    return nil, "both ends need the same number of digits"
  end
  if (b - a) // step >= MAX_RANGE then
    return nil, ("[%s:%s] stands for %d hosts"):format(first, last, (b - a) // step + 1)
  end
  local out = {}
  for n = a, b, step do
    out[#out + 1] = ("%0" .. (wide and #first or 1) .. "d"):format(n)
  end
  return out
end

--- A range may go from small letters to capitals: those come after.
local function letter_range(first, last, step)
  local out = {}
  for i = LETTERS:find(first, 1, true), LETTERS:find(last, 1, true), step do
    out[#out + 1] = LETTERS:sub(i, i)
  end
  return out
end

local function items_of(inner)
  if #inner > 3 * MAX_DIGITS + 2 then -- it is none: to match it would take long
    return nil, ('"[%s]" is not a range like [01:03] or [a:f]'):format(inner:sub(1, 60))
  end
  local first, last, step = inner:match("^(%w*):(%w+):?(%d*)$")
  if first and math.max(#first, #last, #step) > MAX_DIGITS then
    return nil, ('"[%s]": numbers have at most %d digits'):format(inner:sub(1, 60), MAX_DIGITS)
  end
  first, step = first == "" and "0" or first, math.tointeger(step ~= "" and step or 1)
  local items, problem
  if first and step > 0 and first:find("^%d+$") and last:find("^%d+$") then
    items, problem = number_range(first, last, step)
  elseif first and step > 0 and first:find("^%a$") and last:find("^%a$") then
    items = letter_range(first, last, step)
  end
  if not items then
    return nil, problem or ('"[%s]" is not a range like [01:03] or [a:f]'):format(inner)
  elseif #items == 0 then
    return nil, ('"[%s]" is an empty range'):format(inner)
  end
  return items
end

--- Returns the names that a name with ranges stands for: "db[01:03]" is db01, db02, db03.
---@param text string
---@return string[]|nil names
---@return string? problem
function M.expand(text)
  local before, inner, after = text:match("^([^%[]*)%[([^%]]*)%](.*)$")
  if not before then
    if text:find("[", 1, true) then
      return nil, ('"%s": a range needs both brackets, like [01:03]'):format(text)
    end
    return { text }
  end
  local items, problem = items_of(inner)
  if not items then
    return nil, problem
  end
  local tails, bad = M.expand(after)
  if not tails then
    return nil, bad
  end
  local count = #items * #tails
  if count > MAX_RANGE or count * #text > MAX_BYTES then
    return nil, ('"%s" stands for %d hosts'):format(text:sub(1, 100), count)
  end
  local out = {}
  for _, item in ipairs(items) do
    for _, tail in ipairs(tails) do
      out[#out + 1] = before .. item .. tail
    end
  end
  return out
end

--- Returns a text with one digit in the place of every range.
local function without_ranges(text, class)
  return (
    text
      :gsub("%[" .. class .. ":" .. class .. "%]", "0")
      :gsub("%[" .. class .. ":" .. class .. ":%d+%]", "0")
  )
end

local function is_hostname(text)
  text = without_ranges(without_ranges(text, "%d+"), "%a")
  for label in (text .. "."):gmatch("(.-)%.") do
    if not label:find("^" .. WORD .. "[%w_\128-\255-]*$") or label:find("[_-]$") then
      return false
    end
  end
  return true
end

--- As Ansible has it: what begins like an IPv6 address counts as one.
local function is_ipv6(text)
  text = without_ranges(text:lower(), "%x+")
  local groups, pos = 0, 1
  while true do
    local stop = text:match("^%x%x?%x?%x?:()", pos)
    if not stop then
      break
    end
    groups, pos = groups + 1, stop
  end
  local rest = text:sub(pos, pos)
  return groups == 0 and text:sub(1, 2) == "::"
    or groups >= 1 and groups <= 6 and rest == ":"
    or groups >= 7 and rest:find("%x") ~= nil
end

--- Splits "HOST:PORT" and "[HOST]:PORT". Returns nil for what is neither a name nor an address,
--- with or without ranges.
---@param text string
---@return string? host
---@return integer? port
function M.address(text)
  local host, port = text:match("^%[(.+)%]:(%d+)$")
  host = host or text
  local bare, digits = host:match("^(.*):(%d+)$")
  if bare and not bare:gsub("%[[^%]]*%]", ""):find("[:%[%]]") then
    host, port = bare, digits
  end
  if is_hostname(host) or is_ipv6(host) then
    return host, port and math.tointeger(port)
  end
  return nil
end

--- Returns the names and the port that a word in an inventory stands for.
---@param text string
---@return string[]? names
---@return integer|string|nil port or what is wrong
function M.hosts(text)
  if text == "" then
    return nil, "a host needs a name"
  end
  local host, port = M.address(text)
  local names, problem = M.expand(host or text)
  if not names then
    return nil, problem
  end
  return names, host and port
end

return M
