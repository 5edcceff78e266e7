--- The Gregorian calendar: dates and days since 1970-01-01.
local M = {}

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

return M
