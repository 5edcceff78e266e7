--- Kubernetes quantities: "500m", "1.5", "2Gi", "1e3".
local M = {}

local FACTORS = {
  [""] = 1,
  n = 1e-9,
  u = 1e-6,
  m = 1e-3,
  k = 1e3,
  M = 1e6,
  G = 1e9,
  T = 1e12,
  P = 1e15,
  E = 1e18,
  Ki = 2 ^ 10,
  Mi = 2 ^ 20,
  Gi = 2 ^ 30,
  Ti = 2 ^ 40,
  Pi = 2 ^ 50,
  Ei = 2 ^ 60,
}

--- Returns the value of a quantity, nil when it is none.
---@param text string|number|nil
---@return number?
function M.parse(text)
  if type(text) == "number" then
    return text
  elseif type(text) ~= "string" then
    return nil
  end
  local digits, exponent = text:match("^([+-]?%d+%.?%d*)[eE]([+-]?%d+)$")
  if digits then
    return tonumber(digits) * 10 ^ tonumber(exponent)
  end
  local number, suffix = text:match("^([+-]?%d*%.?%d*)(%a*)$")
  local value, factor = tonumber(number or ""), FACTORS[suffix or "?"]
  return value and factor and value * factor
end

return M
