--- Waits for a state that has to hold for several readings in a row, cheap when the wait is long.
local effect = require("plat.effect")
local fault = require("plat.fault")
local time = require("plat.time")

local M = {}

local FIRST_DELAY = 1
local MAX_DELAY = 60
local GROWTH = 1.5

--- Faults that pass: the coordinator restarts, the network hiccups. They count as a bad reading.
local function passes(err)
  return err.kind == "connect"
    or (err.kind == "timeout" and not err.deadline) -- a deadline around the wait does not pass
    or (err.kind == "http" and (err.code == nil or err.code >= 500))
end

local function look(read)
  local seen, err = fault.try(read)
  if seen then
    return seen
  elseif not passes(err) then
    error(err, 0)
  end
  return { good = false, text = fault.text(err), cause = err }
end

--- Reads until `read` was good `readings` times in a row, `every` seconds apart. Between bad
--- readings it waits a second, and longer (up to a minute) while nothing changes. When `within` has
--- passed it raises kind "timeout" with what was seen last.
---
--- In plan mode nothing is waited for: the state is read once.
---@async
---@param about table context of a fault: `{ op, target, object }`
---@param opts { what: string, within: number, readings: integer, every?: number } every: where
---  there are several readings
---@param read fun(): table `{ good, text, detail?, hint?, ... }`; the fault carries it as `seen`
---@return table seen the last reading
function M.watch(about, opts, read)
  local deadline = time.mono() + opts.within
  local delay, good, last = FIRST_DELAY, 0, nil
  while true do
    local seen = effect.glance(look, read)
    if effect.planning() then
      effect.plan_wait(("%s; now: %s"):format(opts.what, seen.text))
      return seen
    end
    good = seen.good and good + 1 or 0
    if good >= opts.readings then
      return seen
    end
    if seen.text ~= last then
      effect.progress(("%s: %s"):format(opts.what, seen.text))
      delay, last = FIRST_DELAY, seen.text
    end
    local left = deadline - time.mono()
    if left <= 0 then
      fault.raise("timeout", about, {
        msg = ("%s: not within %s: %s"):format(opts.what, time.human(opts.within), seen.text),
        detail = seen.detail,
        hint = seen.hint,
        cause = seen.cause,
        seen = seen,
      })
    end
    time.sleep(math.max(math.min(seen.good and opts.every or delay, left), 0.05))
    delay = math.min(delay * GROWTH, MAX_DELAY)
  end
end

return M
