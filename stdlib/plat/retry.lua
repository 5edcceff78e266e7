--- When an HTTP request may be sent again, and how long to wait before. Pure, but for the chance in
--- the waits: the door asks, sleeps and sends.
---
--- Repeated is what is safe to repeat and may succeed next time: idempotent requests after a lost
--- or refused connection, 429, 502, 503 and 504; a GET whose answer was cut off; whatever surely
--- never left. A POST that may have left is not: whether it happened must be looked up first.

local fault = require("plat.fault")
local tz = require("plat.tz")

local M = {}

local IDEMPOTENT = { GET = true, HEAD = true, OPTIONS = true, PUT = true, DELETE = true }
local PASSING = { [429] = true, [502] = true, [503] = true, [504] = true }
local DEFAULT = { times = 5, delay = 0.25, max_delay = 10, factor = 3, jitter = 0.5, patience = 30 }
local NO_SUCH_NAME = "no such name$" -- asking again at once does not help
local CUT_OFF = "^body ended" -- the connection was lost in the middle of the answer
local MONTHS = {
  Jan = 1,
  Feb = 2,
  Mar = 3,
  Apr = 4,
  May = 5,
  Jun = 6,
  Jul = 7,
  Aug = 8,
  Sep = 9,
  Oct = 10,
  Nov = 11,
  Dec = 12,
}

---@class plat.retry.Policy
---@field times integer attempts in all
---@field delay number seconds before the second attempt
---@field factor number each wait is this many times the one before
---@field max_delay number
---@field jitter number each wait is shortened by chance by up to this fraction
---@field patience number a longer Retry-After is not waited for
---@field attempt integer attempts made

--- Returns a policy for one request; `req.retry` may be a table that changes its numbers.
---@param req? { retry: boolean|table|nil }
---@return plat.retry.Policy
function M.policy(req)
  local policy = { attempt = 0 }
  local given = req and type(req.retry) == "table" and req.retry or {}
  for name, value in pairs(DEFAULT) do
    policy[name] = given[name] or value
  end
  return policy
end

--- Returns how long a Retry-After header asks to wait, nil if it cannot be read.
---@param value? string seconds or an HTTP date
---@param now number unix seconds, for a date
---@return number? seconds
function M.retry_after(value, now)
  if not value then
    return nil
  end
  if value:find("^%d+$") then
    return tonumber(value)
  end
  local day, month, year, h, m, s =
    value:match("(%d%d) (%a%a%a) (%d%d%d%d) (%d%d):(%d%d):(%d%d) GMT$")
  if not day or not MONTHS[month] then
    return nil
  end
  local days = tz.days(tonumber(year), MONTHS[month], tonumber(day))
  return math.max(0, days * 86400 + tonumber(h) * 3600 + tonumber(m) * 60 + tonumber(s) - now)
end

local function asks_for(resp, now)
  return resp.headers and M.retry_after(resp.headers["retry-after"], now)
end

local function may_pass(outcome, method)
  if fault.is(outcome) or outcome.kind then
    local text = tostring(outcome.msg)
    if method == "GET" and text:find(CUT_OFF) then
      return true
    elseif outcome.kind ~= "connect" or text:find(NO_SUCH_NAME) then
      return false
    end
    return IDEMPOTENT[method] or outcome.sent == false
  end
  return IDEMPOTENT[method] and PASSING[outcome.status] or false
end

--- Returns the seconds to wait before the next attempt, nil when there should be none. Counts one
--- attempt of the policy.
---@param policy plat.retry.Policy
---@param outcome table an answer (`status`, `headers`) or a fault
---@param method string
---@param now? number unix seconds, for a Retry-After that is a date
---@return number? delay
function M.should(policy, outcome, method, now)
  policy.attempt = policy.attempt + 1
  if policy.attempt >= policy.times or not may_pass(outcome, method) then
    return nil
  end
  local asked = outcome.status and asks_for(outcome, now or require("plat.time").now())
  if asked then
    return asked <= policy.patience and asked or nil
  end
  local delay = policy.delay * policy.factor ^ (policy.attempt - 1)
  return math.min(delay, policy.max_delay) * (1 - policy.jitter * math.random())
end

return M
