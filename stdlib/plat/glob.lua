--- Shell patterns: `*`, `?`, `[a-c]` and `[!a]`. A match takes a time that grows with the lengths
--- of pattern and text, never exponentially.

local M = {}

local STAR, ANY = {}, {}

--- Returns whether one byte is among the members of a class: "a-c", "xyz", "-a".
local function member_of(members, negated)
  local ranges, at = {}, 1
  while at <= #members do
    local low, high, stop = members:match("^(.)%-(.)()", at)
    low, high = low or members:sub(at, at), high or members:sub(at, at)
    ranges[#ranges + 1] = { low, high }
    at = stop or at + 1
  end
  return function(c)
    for _, range in ipairs(ranges) do
      if c >= range[1] and c <= range[2] then
        return not negated
      end
    end
    return negated
  end
end

--- Returns what a pattern consists of: STAR, ANY, a byte, or the function of a class.
local function items_of(text, opts)
  local class = ("^%%[([!%s]?)(%%]?[^%%]]*)%%]()"):format(opts.caret and "^" or "")
  local last = text:match("^.*()%]") or 0
  local items, at = {}, 1
  while at <= #text do
    local c = text:sub(at, at)
    local sign, members, stop
    if c == "[" and at < last then
      sign, members, stop = text:match(class, at)
    end
    if stop and members ~= "" then
      items[#items + 1], at = member_of(members, sign ~= ""), stop
    elseif c == "\\" and opts.escapes and at < #text then
      items[#items + 1], at = text:sub(at + 1, at + 1), at + 2
    else
      if not (c == "*" and items[#items] == STAR) then
        items[#items + 1] = c == "*" and STAR or c == "?" and ANY or c
      end
      at = at + 1
    end
  end
  return items
end

local function fits(item, c)
  return item == ANY or item == c or type(item) == "function" and item(c)
end

--- Returns the function that tells whether a whole text is what a pattern describes. A bracket that
--- is not closed stands for itself.
---@param pattern string
---@param opts? { caret?: boolean, escapes?: boolean } `[^a]` is as `[!a]`; a backslash quotes
---@return fun(text: string): boolean
function M.matcher(pattern, opts)
  if not pattern:find("[*?%[\\]") then
    return function(text)
      return text == pattern
    end
  end
  local items = items_of(pattern, opts or {})
  return function(text)
    local t, p, star, mark = 1, 1, nil, nil
    while t <= #text do
      local item = items[p]
      if item == STAR then
        star, mark, p = p, t, p + 1
      elseif item and fits(item, text:sub(t, t)) then
        t, p = t + 1, p + 1
      elseif star then
        mark = mark + 1
        t, p = mark, star + 1
      else
        return false
      end
    end
    return #items < p or #items == p and items[p] == STAR
  end
end

return M
