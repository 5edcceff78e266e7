--- Rules of time zones in POSIX form: "CET-1CEST,M3.5.0,M10.5.0/3".
local calendar = require("plat.tz.calendar")

local M = {}

local DAY = 86400

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
function M.parse(s)
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
    local first = calendar.days(year, day.month, 1)
    local date = first + (day.wday - (first + 4) % 7) % 7 + (day.week - 1) * 7
    if date >= calendar.days(year, day.month + 1, 1) then -- week 5 means the last one
      date = date - 7
    end
    return date * DAY + day.time
  end
  local n = day.day
  if day.skip_leap then -- J60 is 1 March in every year
    n = (is_leap(year) and n >= 60) and n or n - 1
  end
  return (calendar.days(year, 1, 1) + n) * DAY + day.time
end

--- Returns what a rule says for an instant.
---@param rule table from parse()
---@param t integer unix seconds
---@return plat.tz.Kind
function M.at(rule, t)
  if not rule.dst then
    return rule.std
  end
  local year = calendar.date((t + rule.std.offset) // DAY)
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

return M
