--- Host names of an inventory: ranges, and patterns that select hosts.
local check = require("plat.check")
local fault = require("plat.fault")
local list = require("plat.list")

local M = {}

local MAX_RANGE = 10000 -- hosts one line may stand for

local function number_range(first, last, step)
  local a, b = math.tointeger(first), math.tointeger(last)
  if first:sub(1, 1) == "0" and #first > 1 and #first ~= #last then
    return nil, "both ends need the same number of digits"
  end
  if (b - a) // step >= MAX_RANGE then
    return nil, ("[%s:%s] stands for %d hosts"):format(first, last, (b - a) // step + 1)
  end
  local width = first:sub(1, 1) == "0" and #first or 1
  local out = {}
  for n = a, b, step do
    out[#out + 1] = ("%0" .. width .. "d"):format(n)
  end
  return out
end

local function letter_range(first, last, step)
  local out = {}
  for byte = first:byte(), last:byte(), step do
    out[#out + 1] = string.char(byte)
  end
  return out
end

--- Returns the names that a name with ranges stands for: "db[01:03]" is db01, db02, db03.
---@param text string
---@return string[]|nil names
---@return string? problem
function M.expand(text)
  local before, inner, after = text:match("^([^%[]*)%[([^%]]*)%](.*)$")
  if not before then
    if text:find("[%[%]]") then
      return nil, ('"%s": a range needs both brackets, like [01:03]'):format(text)
    end
    return { text }
  end
  local first, last, step = inner:match("^(%w+):(%w+):?(%d*)$")
  step = math.tointeger(step ~= "" and step or 1)
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
  local out = {}
  local tails, bad = M.expand(after)
  if not tails then
    return nil, bad
  end
  for _, item in ipairs(items) do
    for _, tail in ipairs(tails) do
      out[#out + 1] = before .. item .. tail
    end
  end
  return out
end

local function glob(pattern)
  local lua = pattern:gsub("[%^%$%(%)%%%.%[%]%+%-]", "%%%0"):gsub("%*", ".*"):gsub("%?", ".")
  return "^" .. lua .. "$"
end

--- Picks by the index of "web[0]", "web[-1]" or "web[0:2]" (both ends included).
local function pick(hosts, index)
  local first, last = index:match("^(%-?%d*):(%-?%d*)$")
  if not first then
    local at = math.tointeger(index)
    return { hosts[at < 0 and #hosts + 1 + at or at + 1] }
  end
  local a, b = tonumber(first) or 0, tonumber(last) or -1
  a, b = a < 0 and #hosts + a or a, b < 0 and #hosts + b or b
  return table.move(hosts, a + 1, math.min(b + 1, #hosts), 1, {})
end

local function to_set(hosts)
  local set = {}
  for _, name in ipairs(hosts) do
    set[name] = true
  end
  return set
end

local function select_word(inv, word)
  local base, index = word:match("^(.-)%[(%-?%d*:?%-?%d*)%]$")
  if base and index:find("%d") then
    return pick(select_word(inv, base), index)
  end
  if word:sub(1, 1) == "~" then
    fault.raise(
      "usage",
      { op = "inventory" },
      { msg = "regular expressions in patterns are not supported" }
    )
  end
  local found = {}
  if inv.groups_by_name[word] then
    for _, name in ipairs(inv:hosts_in(word)) do
      found[#found + 1] = name
    end
    return found
  end
  local pattern = glob(word)
  local seen = {}
  for _, group in ipairs(word:find("[*?]") and list.keys(inv.groups_by_name) or {}) do
    if group:find(pattern) then
      seen = list.merge(seen, to_set(inv:hosts_in(group)))
    end
  end
  for _, name in ipairs(inv.host_order) do
    if seen[name] or name:find(pattern) then
      found[#found + 1] = name
    end
  end
  if #found == 0 then
    local known = list.keys(inv.groups_by_name)
    table.move(inv.host_order, 1, #inv.host_order, #known + 1, known)
    fault.raise("usage", { op = "inventory" }, {
      msg = ('no host or group matches "%s"%s'):format(word, check.did_you_mean(word, known)),
      hint = "platrun inventory --graph shows them",
    })
  end
  return found
end

--- Returns the names of the hosts a pattern selects, in the order of the inventory: words joined by
--- "," or ":", then those with "&" (only hosts that are in it too), then those with "!" (without).
---@param inv plat.Inventory
---@param pattern string
---@return string[]
function M.select(inv, pattern)
  local union, both, without = {}, {}, {}
  local words = {}
  for part in
    pattern
      :gsub("%[[^%]]*%]", function(range)
        return (range:gsub(":", "\1"))
      end)
      :gmatch("[^,:]+")
  do
    words[#words + 1] = (part:gsub("\1", ":"):match("^%s*(.-)%s*$"))
  end
  for _, word in ipairs(words) do
    local sign = word:match("^[&!]")
    local hosts = select_word(inv, sign and word:sub(2) or word)
    local into = sign == "&" and both or sign == "!" and without or union
    into[#into + 1] = to_set(hosts)
  end
  if #union == 0 and #words > 0 then
    union[1] = to_set(inv.host_order)
  end
  local function in_any(sets, name)
    return list.find(sets, function(set)
      return set[name]
    end) ~= nil
  end
  return list.where(inv.host_order, function(name)
    local kept = in_any(union, name) and not in_any(without, name)
    for _, set in ipairs(both) do
      kept = kept and set[name]
    end
    return kept
  end)
end

return M
