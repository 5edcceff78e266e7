--- Time zones: TZif files of the system (RFC 8536) and the POSIX rule in their footer.
--
-- A zone answers two questions: which local time is it at an instant (`offset`, `civil`), and which
-- instant is a local time (`unix`). The second one has two awkward cases a year, and both are
-- defined here: a local time that happens twice means its first time, and a local time that is
-- skipped means the moment of the jump.
local check = require("plat.check")
local fault = require("plat.fault")
local fs = require("prim.fs")
local sys = require("prim.sys")

local M = {}

local DAY = 86400
local MAX_FILE = 1024 * 1024
local HINT = "install the tzdata package or set TZDIR to a folder of time zone files"

local zones = {} -- by name; a zone file is read once a process

--- Returns the days from 1970-01-01 to a date of the proleptic Gregorian calendar.
---@param year integer
---@param month integer may be outside 1..12
---@param day integer may be outside the month
---@return integer
function M.days(year, month, day)
  year = year + (month - 1) // 12
  month = (month - 1) % 12 + 1
  local y = month <= 2 and year - 1 or year
  local era = y // 400
  local yoe = y - era * 400
  local doy = (153 * (month + (month > 2 and -3 or 9)) + 2) // 5 + day - 1
  return era * 146097 + yoe * 365 + yoe // 4 - yoe // 100 + doy - 719468
end

--- Returns the date that is `days` after 1970-01-01.
---@param days integer
---@return integer year, integer month, integer day
function M.date(days)
  local z = days + 719468
  local era = z // 146097
  local doe = z - era * 146097
  local yoe = (doe - doe // 1460 + doe // 36524 - doe // 146096) // 365
  local doy = doe - (365 * yoe + yoe // 4 - yoe // 100)
  local mp = (5 * doy + 2) // 153
  local month = mp < 10 and mp + 3 or mp - 9
  return yoe + era * 400 + (month <= 2 and 1 or 0), month, doy - (153 * mp + 2) // 5 + 1
end

-- POSIX TZ rules: "CET-1CEST,M3.5.0,M10.5.0/3"

local function parse_name(s, pos)
  local name, after = s:match("^<([%w+-]+)>()", pos)
  if not name then
    name, after = s:match("^(%a%a%a+)()", pos)
  end
  return name, after
end

local function parse_clock(s, pos)
  local sign, h, after = s:match("^([+-]?)(%d+)()", pos)
  if not h then
    return nil
  end
  local total = tonumber(h) * 3600
  local m, after_m = s:match("^:(%d%d)()", after)
  if m then
    total, after = total + tonumber(m) * 60, after_m
    local sec, after_s = s:match("^:(%d%d)()", after)
    if sec then
      total, after = total + tonumber(sec), after_s
    end
  end
  return sign == "-" and -total or total, after
end

local function parse_day(s, pos)
  local m, w, d, after = s:match("^,M(%d+)%.(%d)%.(%d)()", pos)
  local rule
  if m then
    rule = { month = tonumber(m), week = tonumber(w), wday = tonumber(d) }
  else
    local j, n, after_n = s:match("^,(J?)(%d+)()", pos)
    if not n then
      return nil
    end
    rule, after = { day = tonumber(n), skip_leap = j == "J" }, after_n
  end
  rule.time = 7200
  if s:sub(after, after) == "/" then
    rule.time, after = parse_clock(s, after + 1)
    if not rule.time then
      return nil
    end
  end
  return rule, after
end

--- Parses a POSIX TZ rule (the footer of a TZif file). Pure.
---@param s string
---@return table|nil rule nil when the text is not a rule
function M.parse_rule(s)
  local std, pos = parse_name(s, 1)
  local offset
  if std then
    offset, pos = parse_clock(s, pos)
  end
  if not offset then
    return nil
  end
  local rule = { std = { offset = -offset, dst = false, abbr = std } }
  if pos > #s then
    return rule
  end
  local dst, after = parse_name(s, pos)
  if not dst then
    return nil
  end
  local dst_offset = -offset + 3600
  if s:find("^[+%-%d]", after) then
    dst_offset, after = parse_clock(s, after)
    if not dst_offset then
      return nil
    end
    dst_offset = -dst_offset
  end
  rule.dst = { offset = dst_offset, dst = true, abbr = dst }
  rule.from, after = parse_day(s, after)
  if rule.from then
    rule.to, after = parse_day(s, after)
  end
  if not rule.to or after <= #s then
    return nil
  end
  return rule
end

local function is_leap(year)
  return year % 4 == 0 and (year % 100 ~= 0 or year % 400 == 0)
end

--- The instant a rule day begins to hold in a year, in local seconds (no offset applied).
local function rule_local(day, year)
  if day.month then
    local first = M.days(year, day.month, 1)
    local date = first + (day.wday - (first + 4) % 7) % 7 + (day.week - 1) * 7
    if date >= M.days(year, day.month + 1, 1) then -- week 5 means the last one
      date = date - 7
    end
    return date * DAY + day.time
  end
  local n = day.day
  if day.skip_leap then -- J60 is 1 March in every year
    n = (is_leap(year) and n >= 60) and n or n - 1
  end
  return (M.days(year, 1, 1) + n) * DAY + day.time
end

local function rule_at(rule, t)
  if not rule.dst then
    return rule.std
  end
  local year = M.date((t + rule.std.offset) // DAY)
  local from = rule_local(rule.from, year) - rule.std.offset
  local to = rule_local(rule.to, year) - rule.dst.offset
  local summer
  if from < to then
    summer = t >= from and t < to
  else -- southern hemisphere: the summer spans the new year
    summer = t >= from or t < to
  end
  return summer and rule.dst or rule.std
end

-- TZif files

local function header(data, pos)
  if data:sub(pos, pos + 3) ~= "TZif" or #data < pos + 43 then
    return nil
  end
  local version = data:sub(pos + 4, pos + 4)
  local isut, isstd, leap, times, types, chars = string.unpack(">I4I4I4I4I4I4", data, pos + 20)
  return {
    version = version,
    isut = isut,
    isstd = isstd,
    leap = leap,
    times = times,
    types = types,
    chars = chars,
    body = pos + 44,
  }
end

local function body_size(h, width)
  return h.times * (width + 1) + h.types * 6 + h.chars + h.leap * (width + 4) + h.isstd + h.isut
end

local function read_types(data, h, at)
  local names = at + h.types * 6
  local types = {}
  for i = 1, h.types do
    local offset, dst, name = string.unpack(">i4BB", data, at + (i - 1) * 6)
    local abbr = string.unpack("z", data, names + name)
    types[i] = { offset = offset, dst = dst ~= 0, abbr = abbr }
  end
  return types
end

--- Parses the bytes of a TZif file (version 2 or later). Pure.
---@param data string
---@return table|nil zone `{ times, kinds, types, rule }`
---@return string? problem
function M.parse(data)
  local h = header(data, 1)
  if not h then
    return nil, "is not a TZif file"
  end
  local width = 4
  if h.version >= "2" then
    local second = h.body + body_size(h, 4)
    h, width = header(data, second), 8
    if not h then
      return nil, "is cut short"
    end
  end
  local size = body_size(h, width)
  if h.types == 0 or #data < h.body + size - 1 then
    return nil, "is cut short"
  end
  local zone = { times = {}, kinds = {} }
  local at = h.body
  local format = width == 8 and ">i8" or ">i4"
  for i = 1, h.times do
    zone.times[i] = string.unpack(format, data, at + (i - 1) * width)
  end
  at = at + h.times * width
  for i = 1, h.times do
    zone.kinds[i] = data:byte(at + i - 1) + 1
    if zone.kinds[i] > h.types then
      return nil, "names a type that it does not hold"
    end
  end
  zone.types = read_types(data, h, at + h.times)
  local footer = data:match("^\n([^\n]*)\n", h.body + size)
  if footer and footer ~= "" then
    zone.rule = M.parse_rule(footer)
    if not zone.rule then
      return nil, ('ends in an unknown rule "%s"'):format(footer)
    end
  end
  return zone
end

local function is_name(name)
  return #name <= 100
    and name:find("^[%a][%w_+/-]*$")
    and not name:find("//", 1, true)
    and not name:find("/$")
end

--- Suggests a zone of the same folder as a wrong name.
local function suggestion(dir, name)
  local folder = name:match("^(.*/)[^/]*$") or ""
  local names = fs.list(dir .. "/" .. folder)
  local word = names and check.suggest(name:match("[^/]*$"), names)
  return word and (' (did you mean "%s"?)'):format(folder .. word) or ""
end

--- Returns a time zone by its name, for example "Europe/Berlin". Raises kind "usage" when there is
--- none.
---@param name string
---@return plat.tz.Zone
function M.load(name)
  if zones[name] then
    return zones[name]
  end
  if name == "UTC" then
    local utc = { offset = 0, dst = false, abbr = "UTC" }
    zones.UTC = { name = name, times = {}, kinds = {}, types = { utc }, rule = { std = utc } }
    return zones.UTC
  end
  local about = { op = "tz.load", target = name }
  if not is_name(name) then
    fault.raise("usage", about, { msg = ('"%s" is not the name of a time zone'):format(name) })
  end
  local dir = sys.getenv("TZDIR") or "/usr/share/zoneinfo"
  local data, err = fs.read(dir .. "/" .. name, { max = MAX_FILE })
  if not data then
    local close = suggestion(dir, name)
    fault.raise("usage", about, {
      msg = ('unknown time zone "%s"%s'):format(name, close),
      detail = err.msg,
      hint = close == "" and HINT or nil,
    })
  end
  local zone, problem = M.parse(data)
  if not zone then
    fault.raise("parse", about, { msg = ("%s/%s %s"):format(dir, name, problem) })
  end
  zone.name = name
  zones[name] = zone
  return zone
end

--- Returns what holds in a zone at an instant.
---@param zone plat.tz.Zone|string
---@param t number unix seconds
---@return { offset: integer, dst: boolean, abbr: string }
function M.offset(zone, t)
  zone = type(zone) == "string" and M.load(zone) or zone
  local times = zone.times
  local n = #times
  if zone.rule and (n == 0 or t >= times[n]) then
    return rule_at(zone.rule, math.floor(t))
  end
  local lo, hi = 0, n -- the last transition at or before t
  while lo < hi do
    local mid = (lo + hi + 1) // 2
    if times[mid] <= t then
      lo = mid
    else
      hi = mid - 1
    end
  end
  return zone.types[lo == 0 and 1 or zone.kinds[lo]]
end

--- Returns the local date and time of an instant.
---@param t number unix seconds
---@param zone plat.tz.Zone|string
---@return plat.tz.Civil civil `wday` is 1 (Monday) to 7 (Sunday)
function M.civil(t, zone)
  local kind = M.offset(zone, t)
  local at = math.floor(t) + kind.offset
  local days, second = at // DAY, at % DAY
  local year, month, day = M.date(days)
  return {
    year = year,
    month = month,
    day = day,
    hour = second // 3600,
    min = second % 3600 // 60,
    sec = second % 60,
    wday = (days + 3) % 7 + 1,
    offset = kind.offset,
    abbr = kind.abbr,
    dst = kind.dst,
  }
end

--- Returns the instant of a local date and time. A time that happens twice is its first time
--- ("overlap"); a time that is skipped is the moment of the jump ("gap").
---@param civil { year: integer, month: integer, day: integer, hour?: integer, min?: integer, sec?: integer }
---@param zone plat.tz.Zone|string
---@return integer t unix seconds
---@return "overlap"|"gap"|nil special
function M.unix(civil, zone)
  zone = type(zone) == "string" and M.load(zone) or zone
  local days = M.days(civil.year, civil.month, civil.day)
  local wall = days * DAY + (civil.hour or 0) * 3600 + (civil.min or 0) * 60 + (civil.sec or 0)
  local before = M.offset(zone, wall - DAY).offset
  local after = M.offset(zone, wall + DAY).offset
  local a, b = wall - before, wall - after
  local a_holds = M.offset(zone, a).offset == before
  local b_holds = M.offset(zone, b).offset == after
  if a_holds and b_holds then
    return math.min(a, b), a ~= b and "overlap" or nil
  elseif a_holds or b_holds then
    return a_holds and a or b
  end
  local lo, hi = wall - DAY - before, wall + DAY - after -- local time passes `wall` in between
  while lo < hi do
    local mid = (lo + hi) // 2
    if mid + M.offset(zone, mid).offset >= wall then
      hi = mid
    else
      lo = mid + 1
    end
  end
  return lo, "gap"
end

return M
