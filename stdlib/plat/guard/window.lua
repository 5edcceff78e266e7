--- Change window: now is a time at which changes are allowed, and enough of it is left.

local base = require("plat.guard.base")
local calendar = require("plat.guard.calendar")
local time = require("plat.time")

local M = {}

local OPTIONS = base.options("guard.change_window", {
  windows = { type = "table", help = 'list of { days = "mon-fri", from = "22:00", to = "04:00" }' },
  zone = { type = "string", default = "UTC", help = "time zone of the times: Europe/Berlin" },
  freeze = { type = "table", help = "list of { from, to, reason }: dates, both included" },
  holidays = { type = "table", help = "dates on which no window begins" },
  needs = { type = "duration", default = 0, help = "how much of the window must be left" },
})

local function hint_of(cal, now, needs, which)
  local opens = calendar.next_open(cal, now, needs)
  if not opens then
    return ("no %s is within sight: look at windows, freeze and needs"):format(which)
  end
  return ("the next %s begins %s (in %s)"):format(
    which,
    calendar.show(cal, opens),
    time.human(opens - now)
  )
end

--- Decides. Pure.
---@param cal plat.guard.Calendar
---@param now number unix seconds
---@param needs number seconds that must be left
---@return boolean ok
---@return string? reason
---@return string? hint
function M.decide(cal, now, needs)
  local long = needs > 0 and ("window of at least %s"):format(time.human(needs)) or "change window"
  local freeze = calendar.frozen(cal, now)
  if freeze then
    return false,
      ("changes are frozen until %s%s"):format(
        calendar.show(cal, freeze.to),
        freeze.reason and ": " .. freeze.reason or ""
      ),
      cal.plan and hint_of(cal, now, needs, long) or nil
  elseif not calendar.in_window(cal, now) then
    return false,
      ("it is %s: outside the change window"):format(calendar.show(cal, now)),
      hint_of(cal, now, needs, long)
  end
  local closes = calendar.closes(cal, now)
  if not closes or closes - now >= needs then
    return true
  end
  return false,
    ("%s of the change window are left, %s are needed"):format(
      time.human(closes - now),
      time.human(needs)
    ),
    hint_of(cal, now, needs, long)
end

--- Returns the guard of a calendar. Asked again, it needs less: as much as the run has gone on.
---@param cal plat.guard.Calendar
---@param opts { name: string?, again: boolean?, needs: number? }
---@return plat.Guard
function M.of(cal, opts)
  local began
  return base.new("change-window", opts, function()
    local now = time.now()
    began = began or now
    return M.decide(cal, now, math.max((opts.needs or 0) - math.max(now - began, 0), 0))
  end)
end

--- Makes the guard; see plat.guard.
---@param opts table
---@return plat.Guard
function M.new(opts)
  opts = OPTIONS(opts)
  local cal, option, problem = calendar.new(opts)
  if not cal then
    base.misuse("guard.change_window", ('option "%s": %s'):format(option, problem))
  end
  return M.of(cal, opts)
end

return M
