--- Patterns of OpenSSH: `*` and `?`, lists with commas, and `!` in front of what shall not match.

local M = {}

local STAR, ANY = ("*"):byte(), ("?"):byte()

--- Returns whether a text is what a pattern describes. Linear in memory, never exponential.
---@param text string
---@param pattern string
---@return boolean
function M.matches(text, pattern)
  local t, p, star, mark = 1, 1, nil, nil
  while t <= #text do
    local c = pattern:byte(p)
    if c == STAR then
      star, mark, p = p, t, p + 1
    elseif c == ANY or c == text:byte(t) then
      t, p = t + 1, p + 1
    elseif star then
      mark = mark + 1
      t, p = mark, star + 1
    else
      return false
    end
  end
  return pattern:find("^%**$", p) ~= nil
end

--- Returns 1 if a text matches a list such as "*.example.com,!db.*", -1 if a negated one matches,
--- 0 if none does.
---@param text string
---@param list string
---@param lower? boolean compare with the patterns in lower case
---@return integer
function M.list(text, list, lower)
  local found = 0
  for item in (list .. ","):gmatch("([^,]*),") do
    local negated = item:sub(1, 1) == "!"
    local one = negated and item:sub(2) or item
    if M.matches(text, lower and one:lower() or one) then
      if negated then
        return -1
      end
      found = 1
    end
  end
  return found
end

--- Returns the same for a host's name, whose case does not count.
---@param host string
---@param list string
---@return integer
function M.host(host, list)
  return M.list(host:lower(), list, true)
end

return M
