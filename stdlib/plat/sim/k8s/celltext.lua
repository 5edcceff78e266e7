--- Texts in the cells of tables: durations, ages, maps.
local time = require("plat.time")

local M = {}

M.NONE = "<none>"

--- Writes a duration as kubectl does: "45s", "5m32s", "3h5m", "2d4h", "12d", "2y30d".
---@param seconds number
---@return string
function M.duration(seconds)
  local s = math.max(0, math.floor(seconds))
  local m, h, d = s // 60, s // 3600, s // 86400
  local function two(big, unit, small, sub)
    return small == 0 and ("%d%s"):format(big, unit) or ("%d%s%d%s"):format(big, unit, small, sub)
  end
  if s < 120 then
    return ("%ds"):format(s)
  elseif m < 10 then
    return two(m, "m", s % 60, "s")
  elseif m < 180 then
    return ("%dm"):format(m)
  elseif h < 8 then
    return two(h, "h", m % 60, "m")
  elseif h < 48 then
    return ("%dh"):format(h)
  elseif h < 192 then
    return two(d, "d", h % 24, "h")
  elseif d < 730 then
    return ("%dd"):format(d)
  elseif d < 2920 then
    return two(d // 365, "y", d % 365, "d")
  end
  return ("%dy"):format(d // 365)
end

--- Writes how long ago an instant was.
---@param stamp string?
---@param now number
---@return string
function M.since(stamp, now)
  if not stamp then
    return "<unknown>"
  end
  return M.duration(now - time.parse_rfc3339(stamp))
end

--- Writes the age of an object.
---@param object table
---@param now number
---@return string
function M.age(object, now)
  return M.since(object.metadata.creationTimestamp, now)
end

--- Writes a map as "a=b,c=d".
---@param map table<string, string>?
---@return string
function M.keys(map)
  local parts = {}
  for key, value in pairs(map or {}) do
    parts[#parts + 1] = key .. "=" .. value
  end
  return #parts > 0 and table.concat(parts, ",") or M.NONE
end

return M
