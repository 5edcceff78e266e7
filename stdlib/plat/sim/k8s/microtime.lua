--- Times with microseconds, as leases hold them: exactly six digits, or the server refuses them.
local time = require("plat.time")

local M = {}

local LAYOUT = "2006-01-02T15:04:05.000000Z07:00"

local function split(text)
  local seconds, rest = text:match("^(%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%d)(.*)$")
  if not seconds then
    return nil, text, "2006"
  end
  local micros, zone = rest:match("^(%.%d%d%d%d%d%d)(.*)$")
  if not micros then
    return nil, rest, ".000000"
  elseif zone ~= "Z" and not zone:find("^[+-]%d%d:%d%d$") then
    return nil, zone, "Z07:00"
  end
  return seconds, micros, zone
end

--- Returns what the decoder says of a text that is no such time; nil if it is one.
---@param text string
---@return string? message
function M.wrong(text)
  local seconds, value, element = split(text)
  if not seconds then
    local form = 'parsing time "%s" as "%s": cannot parse "%s" as "%s"'
    return form:format(text, LAYOUT, value, element)
  end
end

--- Returns a time of any zone as the server stores it.
---@param text string
---@return string
function M.utc(text)
  local seconds, micros, zone = split(text)
  if zone == "Z" then
    return text
  end
  local sign, hours, minutes = zone:match("^([+-])(%d%d):(%d%d)$")
  local offset = (tonumber(hours) * 60 + tonumber(minutes)) * (sign == "-" and -60 or 60)
  local at = time.parse_rfc3339(seconds .. "Z") - offset
  return (time.rfc3339(at):gsub("Z$", micros .. "Z"))
end

return M
