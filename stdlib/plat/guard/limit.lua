--- Limits of a blast radius: a number of things, or a share of all there are.

local base = require("plat.guard.base")

local M = {}

M.NAME = "blast-radius"
M.HINT = "look at what was selected; make it less, or raise the limit after a review"

--- Returns a limit of 10 or "25%", nil when it is none.
---@param value any
---@return { count: integer?, share: number? }?
function M.parse(value)
  local share = base.share(value)
  if share then
    return { share = share }
  end
  local count = math.tointeger(base.number(value))
  return count and count >= 0 and { count = count } or nil
end

--- Returns how many a limit allows: a share is rounded down, but one is always allowed, or small
--- fleets could never be changed; 0 % allows none. nil when nobody knows how many there are.
---@param max { count: integer?, share: number? }
---@param all any
---@return integer?
function M.allowance(max, all)
  if max.count then
    return max.count
  end
  all = base.number(all)
  if not all or all <= 0 then
    return nil
  end
  return max.share == 0 and 0 or math.max(math.floor(max.share * all + 1e-9), 1)
end

--- Returns a limit for people: "2 (25 %)".
---@param max { count: integer?, share: number? }
---@param allowed integer
---@return string
function M.show(max, allowed)
  return max.share and ("%d (%s)"):format(allowed, base.percent(max.share)) or tostring(allowed)
end

return M
