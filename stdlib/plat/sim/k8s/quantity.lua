--- Quantities of the Kubernetes API: "500m", "16Gi", 4.
local M = {}

local UNITS = {
  [""] = 1,
  m = 1 / 1000,
  k = 1e3,
  M = 1e6,
  G = 1e9,
  T = 1e12,
  P = 1e15,
  Ki = 1 << 10,
  Mi = 1 << 20,
  Gi = 1 << 30,
  Ti = 1 << 40,
  Pi = 1 << 50,
}

--- Returns the value of a quantity; nil if it is none.
---@param v any
---@return number?
function M.value(v)
  if type(v) == "number" then
    return v
  elseif type(v) ~= "string" then
    return nil
  end
  local number, unit = v:match("^([-+]?[%d.]+)([%a]*)$")
  local factor = unit and UNITS[unit]
  return factor and tonumber(number) and tonumber(number) * factor
end

--- Returns a quantity as the API writes it: a number becomes text.
---@param v any
---@return any
function M.canonical(v)
  if math.type(v) == "integer" then
    return ("%d"):format(v)
  elseif math.type(v) == "float" then
    return ("%dm"):format(math.floor(v * 1000 + 0.5))
  end
  local whole = type(v) == "string" and v:match("^(%d+)000m$")
  return whole or v
end

local BINARY = { { "Pi", 1 << 50 }, { "Ti", 1 << 40 }, { "Gi", 1 << 30 }, { "Mi", 1 << 20 } }

--- Returns a value as text: cores in whole numbers or thousandths, bytes in the largest unit that
--- divides them.
---@param value number
---@param cores boolean
---@return string
function M.text(value, cores)
  if cores then
    local milli = math.floor(value * 1000 + 0.5)
    return milli % 1000 == 0 and ("%d"):format(milli // 1000) or ("%dm"):format(milli)
  end
  local bytes = math.floor(value)
  for _, unit in ipairs(BINARY) do
    if bytes > 0 and bytes % unit[2] == 0 then
      return ("%d%s"):format(bytes // unit[2], unit[1])
    end
  end
  return ("%d"):format(bytes)
end

--- Returns a number or percentage of a total ("25%" of 4), rounded as asked.
---@param v integer|string|nil
---@param total integer
---@param up boolean
---@return integer
function M.share(v, total, up)
  if type(v) == "string" then
    local percent = tonumber(v:match("^(%d+)%%$") or 0)
    local share = percent * total / 100
    return up and math.ceil(share) or math.floor(share)
  end
  return v or 0
end

return M
