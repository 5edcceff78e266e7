--- Time zones: TZif files of the system (RFC 8536) and the POSIX rule in their footer.
--
-- A zone answers two questions: which local time is it at an instant (`offset`, `civil`), and which
-- instant is a local time (`unix`). The second one has two awkward cases a year, and both are
-- defined here: a local time that happens twice means its first time, and a local time that is
-- skipped means the moment of the jump.
local calendar = require("plat.tz.calendar")
local check = require("plat.check")
local fault = require("plat.fault")
local fs = require("prim.fs")
local rules = require("plat.env").lazy("plat.tz.rule")
local sys = require("prim.sys")

---@class (exact) plat.tz.Kind what holds in a zone for a time
---@field offset integer seconds east of UTC
---@field dst boolean
---@field abbr string

---@class plat.tz.Zone
---@field name string
---@field times integer[] transitions, unix seconds
---@field kinds integer[] index into `types` from each transition on
---@field types plat.tz.Kind[]
---@field rule? table what follows the last transition

---@class plat.tz.Civil
---@field year integer
---@field month integer
---@field day integer
---@field hour integer
---@field min integer
---@field sec integer
---@field wday integer 1 is Monday
---@field offset integer
---@field dst boolean
---@field abbr string

local M = {}

local DAY = 86400
local MAX_FILE = 1024 * 1024
local HINT = "install the tzdata package or set TZDIR to a folder of time zone files"

local zones = {} -- by name; a zone file is read once a process

M.days = calendar.days
M.date = calendar.date

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
    zone.rule = rules.parse(footer)
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
      detail = close == "" and err.msg or nil,
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
---@return plat.tz.Kind
function M.offset(zone, t)
  zone = type(zone) == "string" and M.load(zone) or zone
  local times = zone.times
  local n = #times
  if zone.rule and (n == 0 or t >= times[n]) then
    return rules.at(zone.rule, math.floor(t))
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
---@param civil table `{ year, month, day, hour?, min?, sec? }`
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
