--- Numbers that follow the clock: "6 executors on working days from 07:30 to 20:00, otherwise 2".
--
-- A spec is a plain number, or a table as an inventory writes it:
--
--   tz: Europe/Berlin            # default UTC
--   business:                    # any name; as many windows as needed
--     days: mon-fri              # "mon-fri", "mon,wed", a list, or "daily" (the default)
--     from: "07:30"              # local time of tz; quoted, because YAML reads 20:00 as 1200
--     to: "20:00"                # not after `from`: the window ends on the next day
--     executors: 6
--   holidays: ["2026-12-25"]     # no window begins on these dates
--   otherwise: 2
--
-- Where windows overlap the larger number holds. A window belongs to the day it begins on. At the
-- two changes of the clock a time that happens twice means the first, and a time that is skipped
-- means the moment of the jump (see plat.tz), so no window begins or ends twice.
local check = require("plat.check")
local fault = require("plat.fault")
local list = require("plat.list")
local tz = require("plat.tz")

local M = {}

local DAYS = { mon = 1, tue = 2, wed = 3, thu = 4, fri = 5, sat = 6, sun = 7 }
local OWN_KEYS = { "tz", "holidays", "otherwise" }
local LOOK_AHEAD = 400 -- days next_change() looks into the future
local CHUNK = 8 -- days at a time

local function add_days(set, text)
  for part in text:lower():gmatch("[^,%s]+") do
    local first, last = part:match("^(%a+)%-(%a+)$")
    first, last = DAYS[first or part], DAYS[last or part]
    if not first or not last then
      return ('days: "%s" is not a day or a range of days (mon tue wed thu fri sat sun)'):format(
        part
      )
    end
    local day = first
    set[day] = true
    while day ~= last do -- sat-mon goes over the end of the week
      day = day % 7 + 1
      set[day] = true
    end
  end
  return nil
end

local function parse_days(value)
  local set = {}
  if value == nil or value == "daily" then
    for day = 1, 7 do
      set[day] = true
    end
    return set
  end
  if type(value) == "string" then
    value = { value }
  elseif type(value) ~= "table" then
    return nil, 'days: expected text like "mon-fri"'
  end
  for _, text in ipairs(value) do
    local problem = type(text) == "string" and add_days(set, text) or nil
    if problem or type(text) ~= "string" then
      return nil, problem or 'days: expected text like "mon-fri"'
    end
  end
  if #list.keys(set) == 0 then
    return nil, "days: no day is named"
  end
  return set
end

--- Returns the minutes of "07:30".
local function parse_clock(value, name, default)
  if value == nil then
    return default
  end
  if math.type(value) == "integer" then
    return nil, ('%s: write the time in quotes, like "07:30"'):format(name)
  end
  local h, m = tostring(value):match("^(%d%d?):(%d%d)$")
  h, m = tonumber(h), tonumber(m)
  if not h or m > 59 or h * 60 + m > 1440 then
    return nil, ('%s: "%s" is not a time of day, like "07:30"'):format(name, tostring(value))
  end
  return math.tointeger(h * 60 + m)
end

local function check_number(value, name)
  if math.type(value) == "integer" and value >= 0 then
    return nil
  end
  return ("%s: expected a number that is not negative, got %s"):format(
    name,
    type(value) == "string" and ('"%s"'):format(value) or tostring(value)
  )
end

local function unknown_key(word, known)
  return ('unknown key "%s"%s'):format(word, check.did_you_mean(word, known))
end

local function parse_window(spec, key)
  local known = { "days", "from", "to", key }
  for word in pairs(spec) do
    if not list.contains(known, word) then
      return nil, unknown_key(tostring(word), known)
    end
  end
  local problem = check_number(spec[key], key)
  if problem then
    return nil, problem
  end
  local days, bad_days = parse_days(spec.days)
  local from, bad_from = parse_clock(spec.from, "from", 0)
  local to, bad_to = parse_clock(spec.to, "to", 1440)
  if not days or not from or not to then
    return nil, bad_days or bad_from or bad_to
  end
  if from == to or from == 1440 then
    return nil, "from, to: the window is empty; leave both out for whole days"
  end
  return { days = days, from = from, to = to, value = spec[key] }
end

local function parse_holidays(value)
  local set = {}
  if value ~= nil and type(value) ~= "table" then
    return nil, "holidays: expected a list of dates"
  end
  for _, text in ipairs(value or {}) do
    local y, m, d = tostring(text):match("^(%d%d%d%d)-(%d%d)-(%d%d)$")
    local day = y and tz.days(math.tointeger(y), math.tointeger(m), math.tointeger(d))
    if not day or ("%04d-%02d-%02d"):format(tz.date(day)) ~= text then
      return nil, ('holidays: "%s" is not a date, like "2026-12-25"'):format(tostring(text))
    end
    set[day] = true
  end
  return set
end

local function parse_windows(spec, key)
  local windows = {}
  for name, value in pairs(spec) do
    if not list.contains(OWN_KEYS, name) then
      if type(value) ~= "table" then
        return nil, unknown_key(tostring(name), OWN_KEYS)
      end
      local window, problem = parse_window(value, key)
      if not window then
        return nil, ("%s: %s"):format(name, problem)
      end
      window.name = name
      windows[#windows + 1] = window
    end
  end
  if #windows == 0 then
    return nil, "no window is given; a plain number would do"
  end
  return windows
end

local function parse(spec, key)
  if type(spec) ~= "table" then
    local problem = check_number(spec, key)
    return not problem and { windows = {}, holidays = {}, otherwise = spec, zone = "UTC" }, problem
  end
  local problem = check_number(spec.otherwise, "otherwise")
  if problem then
    return nil, problem
  end
  if spec.tz ~= nil and type(spec.tz) ~= "string" then
    return nil, "tz: expected the name of a time zone"
  end
  local zone, err = fault.try(tz.load, spec.tz or "UTC")
  if not zone then
    return nil, "tz: " .. err.msg
  end
  local holidays, windows
  holidays, problem = parse_holidays(spec.holidays)
  if holidays then
    windows, problem = parse_windows(spec, key)
  end
  if not windows then
    return nil, problem
  end
  return { windows = windows, holidays = holidays, otherwise = spec.otherwise, zone = zone }
end

--- Returns what is wrong with a spec, or nil. Pure apart from reading the zone's file.
---@param spec integer|table
---@param key? string name of the number in a window; default "executors"
---@return string? problem
function M.problem(spec, key)
  local _, problem = parse(spec, key or "executors")
  return problem
end

local function compiled(spec, key)
  local plan, problem = parse(spec, key or "executors")
  if not plan then
    fault.raise("usage", { op = "schedule" }, { msg = problem })
  end
  return plan
end

--- Returns the interval of a window that begins on a day, or nil.
local function interval(plan, window, day)
  if not window.days[(day + 3) % 7 + 1] or plan.holidays[day] then
    return nil
  end
  local function at(minutes)
    local y, m, d = tz.date(day + minutes // 1440)
    return (
      tz.unix(
        { year = y, month = m, day = d, hour = minutes // 60 % 24, min = minutes % 60 },
        plan.zone
      )
    )
  end
  return at(window.from), at(window.to > window.from and window.to or window.to + 1440)
end

local function local_day(plan, t)
  return (math.floor(t) + tz.offset(plan.zone, t).offset) // 86400
end

local function value_at(plan, t)
  local value, name
  if #plan.windows > 0 then
    local today = local_day(plan, t)
    for _, window in ipairs(plan.windows) do
      for day = today - 1, today do
        local from, to = interval(plan, window, day)
        if from and t >= from and t < to and (not value or window.value > value) then
          value, name = window.value, window.name
        end
      end
    end
  end
  return value or plan.otherwise, name or "otherwise"
end

--- Returns the number a spec gives at an instant.
---@param spec integer|table
---@param t number unix seconds
---@param key? string name of the number in a window; default "executors"
---@return integer value
---@return string window name of the window that gives it, or "otherwise"
function M.value(spec, t, key)
  return value_at(compiled(spec, key), t)
end

--- Returns when the number changes next and to what; nil when it does not within 400 days.
---@param spec integer|table
---@param t number unix seconds
---@param key? string name of the number in a window; default "executors"
---@return integer|nil t unix seconds
---@return integer|nil value
function M.next_change(spec, t, key)
  local plan = compiled(spec, key)
  if #plan.windows == 0 then
    return nil
  end
  local now, today = value_at(plan, t), local_day(plan, t)
  for first = today, today + LOOK_AHEAD, CHUNK do
    local edges = {}
    for _, window in ipairs(plan.windows) do
      for day = first - 1, first + CHUNK do
        local from, to = interval(plan, window, day)
        edges[#edges + 1] = from
        edges[#edges + 1] = to
      end
    end
    table.sort(edges)
    for _, edge in ipairs(edges) do
      if edge > t and local_day(plan, edge) < first + CHUNK and value_at(plan, edge) ~= now then
        return edge, (value_at(plan, edge))
      end
    end
  end
  return nil
end

return M
