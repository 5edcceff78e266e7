--- The clock of the run (virtual in the sandbox and in tests), and times as text.
local fault = require("plat.fault")
local prim = require("prim.time")
local tz = require("plat.env").lazy("plat.tz")

local M = {}

--- Returns the present time in unix seconds.
---@return number
function M.now()
  return prim.now()
end

--- Returns seconds of a clock that never jumps: for measuring, not for telling the time.
---@return number
function M.mono()
  return prim.mono()
end

--- Waits.
---@async
---@param seconds number
function M.sleep(seconds)
  fault.must({ op = "time.sleep" }, prim.sleep(seconds))
end

--- Returns the local date and time of an instant in a zone.
---@param t number unix seconds
---@param zone? string default "UTC"
---@return plat.tz.Civil civil `{ year, month, day, hour, min, sec, wday, offset, abbr, dst }`
function M.civil(t, zone)
  return tz.civil(t, zone or "UTC")
end

--- Returns the instant of a local date and time; see plat.tz for times that are skipped or happen
--- twice.
---@param civil table `{ year, month, day, hour?, min?, sec? }`
---@param zone? string default "UTC"
---@return integer t unix seconds
---@return "overlap"|"gap"|nil special
function M.unix(civil, zone)
  return tz.unix(civil, zone or "UTC")
end

local newest = {} -- the second of UTC that was asked for last: { at =, text = }

--- Returns an instant as RFC 3339 text: "2026-03-29T01:00:00Z".
---@param t number unix seconds; fractions are cut
---@param zone? string default "UTC"
---@return string
function M.rfc3339(t, zone)
  local is_utc, second = not zone or zone == "UTC", t // 1
  if is_utc and second == newest.at then
    return newest.text
  end
  local c = tz.civil(t, zone or "UTC")
  local text = ("%04d-%02d-%02dT%02d:%02d:%02d"):format(
    c.year,
    c.month,
    c.day,
    c.hour,
    c.min,
    c.sec
  )
  if is_utc then
    newest.at, newest.text = second, text .. "Z"
    return newest.text
  end
  local minutes = math.abs(c.offset) // 60
  return ("%s%s%02d:%02d"):format(text, c.offset < 0 and "-" or "+", minutes // 60, minutes % 60)
end

local function in_range(year, month, day, hour, min, sec)
  local y, m, d = tz.date(tz.days(year, month, day))
  return y == year and m == month and d == day and hour <= 23 and min <= 59 and sec <= 60
end

--- Returns the instant of RFC 3339 text, or nil when it is none.
---@param s string
---@return number|nil t unix seconds; an integer when the text has no fraction
function M.parse_rfc3339(s)
  local year, month, day, hour, min, sec, rest =
    s:match("^(%d%d%d%d)-(%d%d)-(%d%d)[Tt ](%d%d):(%d%d):(%d%d)(.*)$")
  if not year then
    return nil
  end
  local fraction, zone = rest:match("^(%.%d+)(.*)$")
  zone = zone or rest
  local offset
  if zone == "Z" or zone == "z" then
    offset = 0
  else
    local sign, oh, om = zone:match("^([+-])(%d%d):(%d%d)$")
    if not sign or tonumber(oh) > 23 or tonumber(om) > 59 then
      return nil
    end
    offset = (tonumber(oh) * 60 + tonumber(om)) * (sign == "-" and -60 or 60)
  end
  local y, mo, d = math.tointeger(year), math.tointeger(month), math.tointeger(day)
  local h, mi, se = math.tointeger(hour), math.tointeger(min), math.tointeger(sec)
  if not in_range(y, mo, d, h, mi, se) then
    return nil
  end
  local t = tz.days(y, mo, d) * 86400 + h * 3600 + mi * 60 + se - offset
  return fraction and t + tonumber("0" .. fraction) or t
end

--- Returns the instant of a table as `os.time` takes it. The zone is UTC: a playbook gives the same
--- answer on every machine.
---@param c table `{ year, month, day, hour?, min?, sec? }`; hour is 12 if missing
---@return integer t unix seconds
function M.from_civil(c)
  for _, name in ipairs({ "year", "month", "day" }) do
    if not math.tointeger(tonumber(c[name])) then
      error(("field '%s' is missing or not an integer in a date table"):format(name), 3)
    end
  end
  local days = tz.days(tonumber(c.year), tonumber(c.month), tonumber(c.day))
  return days * 86400 + (c.hour or 12) * 3600 + (c.min or 0) * 60 + (c.sec or 0)
end

local WDAYS = { "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday" }
local MONTHS = { "January", "February", "March", "April", "May", "June" }
table.move({ "July", "August", "September", "October", "November", "December" }, 1, 6, 7, MONTHS)

local DIRECTIVES = {
  a = function(c)
    return WDAYS[c.wday]:sub(1, 3)
  end,
  A = function(c)
    return WDAYS[c.wday]
  end,
  b = function(c)
    return MONTHS[c.month]:sub(1, 3)
  end,
  B = function(c)
    return MONTHS[c.month]
  end,
  c = "%a %b %d %H:%M:%S %Y",
  d = "day:02",
  D = "%m/%d/%y",
  F = "%Y-%m-%d",
  H = "hour:02",
  j = "yday:03",
  m = "month:02",
  M = "min:02",
  R = "%H:%M",
  S = "sec:02",
  T = "%H:%M:%S",
  X = "%H:%M:%S",
  x = "%m/%d/%y",
  y = function(c)
    return ("%02d"):format(c.year % 100)
  end,
  Y = "year:1",
  Z = function(c)
    return c.abbr
  end,
  n = function()
    return "\n"
  end,
  ["%"] = function()
    return "%"
  end,
}

local function expand(format, c)
  return (
    format:gsub("%%(.)", function(letter)
      local rule = DIRECTIVES[letter]
      if type(rule) == "function" then
        return rule(c)
      elseif not rule then
        error(("invalid conversion specifier '%%%s'"):format(letter), 5)
      end
      local field, width = rule:match("^(%a+):(%d+)$")
      return field and ("%" .. width .. "d"):format(c[field]) or expand(rule, c)
    end)
  )
end

--- Returns an instant as `os.date` does, in UTC: "%Y-%m-%d" and its like, or "*t" for a table.
---@param format? string default "%c"
---@param t? number unix seconds, default now
---@return string|table
function M.date(format, t)
  local c = tz.civil(t or prim.now(), "UTC")
  c.yday = tz.days(c.year, c.month, c.day) - tz.days(c.year, 1, 1) + 1
  format = (format or "%c"):gsub("^!", "")
  if format:sub(1, 2) == "*t" then
    c.wday, c.isdst = c.wday % 7 + 1, false -- Lua counts from Sunday
    return c
  end
  return expand(format, c)
end

--- Returns a length of time for people: "45s", "1m30s", "2h05m", "3d4h".
---@param seconds number
---@return string
function M.human(seconds)
  if seconds < 0 then
    return "-" .. M.human(-seconds)
  end
  if seconds < 10 and seconds ~= math.floor(seconds) then
    return ("%.1fs"):format(seconds)
  end
  local s = math.floor(seconds + 0.5)
  if s < 60 then
    return ("%ds"):format(s)
  elseif s < 3600 then
    return s % 60 == 0 and ("%dm"):format(s // 60) or ("%dm%02ds"):format(s // 60, s % 60)
  elseif s < 86400 then
    local m = s % 3600 // 60
    return m == 0 and ("%dh"):format(s // 3600) or ("%dh%02dm"):format(s // 3600, m)
  end
  local h = s % 86400 // 3600
  return h == 0 and ("%dd"):format(s // 86400) or ("%dd%dh"):format(s // 86400, h)
end

return M
