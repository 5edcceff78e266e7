--- Clock skew: the clocks of the members agree with each other and with ours.

local base = require("plat.guard.base")
local time = require("plat.time")

local M = {}

local OPTIONS = base.options("guard.clock_skew", {
  read = { type = "function", required = true, help = "gives a list of { name, time, at? }" },
  max = { type = "duration", default = "1s", help = "the largest difference that will do" },
  own = { type = "boolean", default = true, help = "compare with the clock of this machine too" },
})

--- Returns for each reading how far its clock is ahead of ours, and how far that may be off: a
--- reading was made at some moment between `from` and `to`, unless it says when.
local function offsets(readings, from, to)
  local out = {}
  for _, reading in ipairs(readings) do
    local told = base.number(reading.time)
    local at = base.number(reading.at)
    if not told then
      return nil, ("%s does not tell its time"):format(reading.name)
    elseif reading.at ~= nil and (not at or at < from - 1 or at > to + 1) then
      return nil, ("%s was not read just now"):format(reading.name)
    end
    out[#out + 1] = {
      name = reading.name,
      ahead = told - (at or (from + to) / 2),
      unsure = at and 0 or (to - from) / 2,
    }
  end
  return out
end

local function show(seconds)
  seconds = math.abs(seconds)
  if seconds < 1 then
    return ("%d ms"):format(math.floor(seconds * 1000 + 0.5))
  end
  return time.human(math.floor(seconds * 10 + 0.5) / 10)
end

local function too_slow(max, from, to)
  return false,
    ("the reading took %s, so a skew of %s cannot be told"):format(show(to - from), show(max)),
    "read them at the same time (run:gather), or give each `at`: our time when it was read"
end

--- Decides. Pure.
---@param readings any list of `{ name, time, at? }` in unix seconds
---@param max number seconds
---@param from number our clock before the reading
---@param to number our clock after it
---@param own boolean compare with our clock too
---@return boolean ok
---@return string? reason
---@return string? hint
function M.decide(readings, max, from, to, own)
  local problem = base.unnamed(readings, "clock")
  if problem or #readings == 0 then
    return false, problem or "no clock is known: the reading is empty"
  elseif #readings == 1 and not own then
    return false, "one clock alone cannot be compared"
  elseif to < from then
    return false, "our own clock jumped back while the others were read"
  end
  local clocks, unknown = offsets(readings, from, to)
  if not clocks then
    return false, unknown
  end
  local first, last = clocks[1], clocks[1] -- the slowest and the fastest clock
  for _, clock in ipairs(clocks) do
    first = clock.ahead < first.ahead and clock or first
    last = clock.ahead > last.ahead and clock or last
    local off = math.abs(clock.ahead)
    if own and off - clock.unsure > max then
      return false,
        ("the clock of %s is %s %s ours, at most %s is allowed"):format(
          clock.name,
          show(off),
          clock.ahead > 0 and "ahead of" or "behind",
          show(max)
        ),
        "look at chronyc tracking there and here"
    elseif own and off + clock.unsure > max then
      return too_slow(max, from, to)
    end
  end
  local apart, unsure = last.ahead - first.ahead, last.unsure + first.unsure
  if apart - unsure > max then
    return false,
      ("the clocks of %s and %s are %s apart, at most %s is allowed"):format(
        first.name,
        last.name,
        show(apart),
        show(max)
      ),
      "look at chronyc tracking on both"
  elseif apart + unsure > max and first ~= last then
    return too_slow(max, from, to)
  end
  return true
end

--- Makes the guard; see plat.guard.
---@param opts table
---@return plat.Guard
function M.new(opts)
  opts = OPTIONS(opts)
  return base.new("clock-skew", opts, function()
    local from = time.now()
    local readings = opts.read()
    return M.decide(readings, opts.max, from, time.now(), opts.own)
  end)
end

return M
