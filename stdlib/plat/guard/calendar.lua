--- Change windows and freezes as a calendar: what is open when, and when it opens next.
--
-- The windows are a plan of plat.schedule whose number is 1 inside and 0 outside, so both follow
-- the same rules about time zones, nights and the changes of the clock.

local base = require("plat.guard.base")
local check = require("plat.check")
local fault = require("plat.fault")
local list = require("plat.list")
local schedule = require("plat.schedule")
local tz = require("plat.tz")

local M = {}

local KEY = "open" -- the number's name in a window of plat.schedule
local WINDOW = { "days", "from", "to", "name" }
local FREEZE = { "from", "to", "reason" }
local HORIZON = 400 * 86400 -- seconds that `next_open` looks ahead, as far as plat.schedule does

local function unknown(entry, known, what)
  for word in pairs(entry) do
    if not list.contains(known, word) then
      local close = check.did_you_mean(tostring(word), known)
      return ('%s: unknown key "%s"%s'):format(what, tostring(word), close)
    end
  end
end

local function add_window(spec, name, window)
  if type(window) ~= "table" then
    return ("%s: a window holds days, from and to"):format(name)
  end
  local problem = unknown(window, WINDOW, name)
  if problem then
    return problem
  elseif list.contains({ "tz", "holidays", "otherwise" }, name) then
    return ('"%s" is no name for a window'):format(name)
  end
  spec[name] = { days = window.days, from = window.from, to = window.to, [KEY] = 1 }
  return nil
end

--- Returns a plan for plat.schedule, or nil and what is wrong.
local function plan_of(windows, zone, holidays)
  if type(windows) ~= "table" or list.is_empty(windows) then
    return nil, "no window is given"
  end
  local spec = { tz = zone, otherwise = 0, holidays = holidays }
  for key, window in pairs(windows) do
    local name = type(key) == "string" and key or ("window %d"):format(key)
    local problem = add_window(spec, name, window)
    if problem then
      return nil, problem
    end
  end
  local problem = schedule.problem(spec, KEY)
  return not problem and spec or nil, problem
end

--- Returns an instant from "2026-12-24" or "2026-12-24 18:00", local time of a zone; a date as the
--- end of something means the end of that day.
local function instant(text, zone, is_end)
  if type(text) ~= "string" then
    return nil
  end
  local y, m, d, rest = text:match("^(%d%d%d%d)-(%d%d)-(%d%d)(.*)$")
  local hour, min = (rest or ""):match("^[ T](%d%d):(%d%d)$")
  if not y or (rest ~= "" and not hour) or tonumber(hour or 0) > 23 or tonumber(min or 0) > 59 then
    return nil
  end
  local day = tz.days(math.tointeger(y), math.tointeger(m), math.tointeger(d))
  if ("%04d-%02d-%02d"):format(tz.date(day)) ~= text:sub(1, 10) then
    return nil
  end
  local year, month, date = tz.date(day + ((is_end and not hour) and 1 or 0))
  local civil = { year = year, month = month, day = date }
  civil.hour, civil.min = tonumber(hour or 0), tonumber(min or 0)
  return (tz.unix(civil, zone))
end

local function parse_freeze(entry, zone)
  if type(entry) ~= "table" then
    return nil, "a freeze holds from, to and a reason"
  end
  local problem = unknown(entry, FREEZE, "freeze")
  if problem then
    return nil, problem
  end
  for _, key in ipairs({ "from", "to" }) do
    if not instant(entry[key], zone) then
      return nil,
        ('%s: "%s" is not a date such as 2026-12-24 or 2026-12-24 18:00'):format(
          key,
          tostring(entry[key])
        )
    end
  end
  local from, to = instant(entry.from, zone), instant(entry.to, zone, true)
  if to <= from then
    return nil, ('to: "%s" is not after "%s"'):format(entry.to, entry.from)
  elseif entry.reason ~= nil and type(entry.reason) ~= "string" then
    return nil, "reason: a text is expected"
  end
  return { from = from, to = to, reason = entry.reason }
end

---@class plat.guard.Calendar
---@field zone string
---@field plan table? for plat.schedule; nil: every time is a window
---@field freezes table[] `{ from, to, reason }`, unix seconds, by beginning

--- Returns a calendar, or nil, the option that is wrong and what is wrong with it.
---@param spec { windows: any, freeze: any, zone: any, holidays: any }
---@return plat.guard.Calendar?
---@return string? option
---@return string? problem
function M.new(spec)
  local zone = spec.zone or "UTC"
  local known, err = fault.try(tz.load, zone)
  if not known then
    return nil, "zone", err.msg
  elseif spec.windows == nil and spec.freeze == nil then
    return nil, "windows", "windows or freeze is needed"
  end
  local self = { zone = zone, freezes = {} }
  if spec.windows ~= nil then
    local problem
    self.plan, problem = plan_of(spec.windows, zone, spec.holidays)
    if not self.plan then
      return nil, "windows", problem
    end
  end
  if spec.freeze ~= nil and not base.is_list(spec.freeze) then
    return nil, "freeze", "a list of { from, to, reason } is expected"
  end
  for i, entry in ipairs(spec.freeze or {}) do
    local freeze, problem = parse_freeze(entry, zone)
    if not freeze then
      return nil, "freeze", problem
    end
    self.freezes[i] = freeze
  end
  self.freezes = list.sort_by(self.freezes, "from")
  return self
end

--- Returns the freeze that holds at an instant, nil if none does. Pure.
---@param calendar plat.guard.Calendar
---@param t number unix seconds
---@return table?
function M.frozen(calendar, t)
  return list.find(calendar.freezes, function(freeze)
    return t >= freeze.from and t < freeze.to
  end)
end

--- Returns whether an instant lies in a window, freezes left aside. Pure.
---@param calendar plat.guard.Calendar
---@param t number unix seconds
---@return boolean
function M.in_window(calendar, t)
  return calendar.plan == nil or schedule.value(calendar.plan, t, KEY) == 1
end

--- Returns when what is open at an instant closes: its window ends or a freeze begins; nil when it
--- stays open. Pure.
---@param calendar plat.guard.Calendar
---@param t number unix seconds
---@return integer?
function M.closes(calendar, t)
  local close = calendar.plan and schedule.next_change(calendar.plan, t, KEY) or nil
  for _, freeze in ipairs(calendar.freezes) do
    if freeze.from > t and (not close or freeze.from < close) then
      close = freeze.from
    end
  end
  return close
end

--- Returns the first instant not before `t` at which it is open for at least so many seconds; nil
--- when the calendar has none within 400 days. Pure.
---@param calendar plat.guard.Calendar
---@param t number unix seconds
---@param needs number seconds
---@return number?
function M.next_open(calendar, t, needs)
  local last = t + HORIZON
  while t and t <= last do
    local freeze = M.frozen(calendar, t)
    if freeze then
      t = freeze.to
    elseif not M.in_window(calendar, t) then
      t = schedule.next_change(calendar.plan, t, KEY)
    else
      local close = M.closes(calendar, t)
      if not close or close - t >= needs then
        return t
      end
      t = close
    end
  end
  return nil
end

local DAYS = { "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun" }

--- Returns an instant as people on call read it: "Fri 2026-12-18 22:00 CET". Pure.
---@param calendar plat.guard.Calendar
---@param t number unix seconds
---@return string
function M.show(calendar, t)
  local c = tz.civil(t, calendar.zone)
  return ("%s %04d-%02d-%02d %02d:%02d %s"):format(
    DAYS[c.wday],
    c.year,
    c.month,
    c.day,
    c.hour,
    c.min,
    c.abbr
  )
end

return M
