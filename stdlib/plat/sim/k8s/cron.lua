--- Schedules of CronJobs: five fields, names of months and days, steps, ranges, @daily and so on.

local calendar = require("plat.tz.calendar")

local M = {}

local NAMED = {
  ["@yearly"] = "0 0 1 1 *",
  ["@annually"] = "0 0 1 1 *",
  ["@monthly"] = "0 0 1 * *",
  ["@weekly"] = "0 0 * * 0",
  ["@daily"] = "0 0 * * *",
  ["@midnight"] = "0 0 * * *",
  ["@hourly"] = "0 * * * *",
}
local FIELDS = { { 0, 59 }, { 0, 23 }, { 1, 31 }, { 1, 12 }, { 0, 6 } }
local WORDS = {
  [4] = "jan feb mar apr may jun jul aug sep oct nov dec",
  [5] = "sun mon tue wed thu fri sat",
}
local YEARS = 5 -- how far ahead a next time is looked for

--- The local date and time of an instant. Most clusters keep UTC: no zone is loaded for that.
local function civil_of(at, zone)
  if zone ~= "UTC" then
    return require("plat.tz").civil(at, zone)
  end
  local days = at // 86400
  local _, month, day = calendar.date(days)
  local rest = at % 86400
  return {
    month = month,
    day = day,
    hour = rest // 3600,
    min = rest // 60 % 60,
    wday = (days + 3) % 7 + 1, -- 1970-01-01 was a Thursday; 1 is Monday
  }
end

local function number_of(word, field)
  local at = 0
  for name in (WORDS[field] or ""):gmatch("%a+") do
    if word:lower() == name then
      return at + FIELDS[field][1]
    end
    at = at + 1
  end
  return math.tointeger(tonumber(word))
end

--- Adds the numbers of one part, "1-5/2", to a set; returns what is wrong with it.
local function part(set, text, field)
  local range, step = text:match("^(.-)/(%d+)$")
  range, step = range or text, math.tointeger(tonumber(step or "1"))
  local low, high = FIELDS[field][1], FIELDS[field][2]
  local from, to = low, high
  if range ~= "*" and range ~= "?" then
    local a, b = range:match("^(%w+)%-(%w+)$")
    from = number_of(a or range, field)
    to = a and number_of(b, field) or (range ~= text and high or from)
  end
  if not from or not to or step < 1 then
    return ("failed to parse int from %s"):format(range)
  elseif from < low then
    return ("beginning of range (%d) below minimum (%d): %s"):format(from, low, text)
  elseif to > high then
    return ("end of range (%d) above maximum (%d): %s"):format(to, high, text)
  elseif from > to then
    return ("beginning of range (%d) beyond end of range (%d): %s"):format(from, to, text)
  end
  for n = from, to, step do
    set[n] = true
  end
end

--- Reads a schedule.
---@param text string
---@return table[]? fields sets of numbers; a field that begins with `*` has `any`
---@return string? problem
function M.parse(text)
  local words, fields = {}, {}
  for word in (NAMED[text] or text):gmatch("%S+") do
    words[#words + 1] = word
  end
  if #words ~= 5 then
    return nil, ("expected exactly 5 fields, found %d: [%s]"):format(#words, text)
  end
  for field, word in ipairs(words) do
    fields[field] = { any = word:find("^[*?]") ~= nil }
    for one in (word .. ","):gmatch("([^,]*),") do
      local problem = part(fields[field], one, field)
      if problem then
        return nil, problem
      end
    end
  end
  return fields
end

local function day_fits(fields, civil)
  local by_month, by_week = fields[3][civil.day], fields[5][civil.wday % 7]
  if fields[3].any or fields[5].any then
    return by_month and by_week
  end
  return by_month or by_week
end

--- Returns the first time of a schedule after an instant.
---@param fields table[] as parsed
---@param after number unix seconds
---@param zone string
---@return integer? unix seconds; nil if there is none within some years
function M.next(fields, after, zone)
  local at = (after // 60 + 1) * 60 | 0
  local last = after + YEARS * 366 * 86400
  while at <= last do
    local civil = civil_of(at, zone)
    if not fields[4][civil.month] or not day_fits(fields, civil) then
      at = at + (24 - civil.hour) * 3600 - civil.min * 60 -- midnight, but for a change of clocks
      local landed = civil_of(at, zone)
      at = at - (landed.hour > 0 and landed.hour < 3 and landed.hour * 3600 or 0)
    elseif not fields[2][civil.hour] then
      at = at + (60 - civil.min) * 60
    elseif not fields[1][civil.min] then
      at = at + 60
    else
      return at
    end
  end
  return nil
end

return M
