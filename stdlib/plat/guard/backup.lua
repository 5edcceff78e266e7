--- Backup age: the newest good backup is young enough to lose what came after it.

local base = require("plat.guard.base")
local time = require("plat.time")

local M = {}

local SKEW = 1 -- seconds: what two good clocks may differ by (rule "clock" of the same runbooks)

local OPTIONS = base.options("guard.backup_age", {
  newest = { type = "any", required = true, help = "fn: unix time, { time, ok, kind } or a list" },
  max = { type = "duration", required = true, help = "the oldest that will do: 26h" },
  kind = { type = "string", help = "only backups of this kind count: full" },
})

--- Returns an age for people: in hours, as backups are spoken of, up to three days.
local function show(seconds)
  if seconds < 3600 or seconds >= 72 * 3600 then
    return time.human(seconds)
  end
  local minutes = math.floor(seconds / 60 + 0.5)
  return minutes % 60 == 0 and ("%dh"):format(minutes // 60)
    or ("%dh%02dm"):format(minutes // 60, minutes % 60)
end

local function records_of(found)
  if type(found) == "number" then
    return { { time = found, ok = true } }
  elseif type(found) == "table" and not base.is_list(found) then
    return { found }
  end
  return base.is_list(found) and found or nil
end

--- Returns the time of the newest backup that counts, and how many failed or were of another kind.
local function newest_good(records, now, kind)
  local best, failed, other = nil, 0, 0
  for i, record in ipairs(records) do
    local at = type(record) == "table" and base.number(record.time)
    if not at then
      return nil, ("backup %d of the reading has no time"):format(i)
    elseif at > now + SKEW then
      return nil,
        ("a backup is dated %s, which is in the future"):format(time.rfc3339(at)),
        "compare the clocks; times are unix seconds, not milliseconds"
    end
    if kind and record.kind ~= kind then
      other = other + 1
    elseif record.ok ~= true then -- nobody said that it succeeded
      failed = failed + 1
    elseif not best or at > best then
      best = at
    end
  end
  return best or false, failed, other
end

--- Decides. Pure.
---@param found any unix time, `{ time, ok, kind }`, or a list of these
---@param max number seconds
---@param now number unix seconds
---@param kind? string
---@return boolean ok
---@return string? reason
---@return string? hint
function M.decide(found, max, now, kind)
  local records = records_of(found)
  if not records or #records == 0 then
    return false, "no backup is known", "make a backup and look that it succeeds"
  end
  if type(found) == "number" and not base.number(found) then
    return false, "the time of the newest backup is not a number"
  end
  local best, failed, other = newest_good(records, now, kind)
  if best == nil then
    return false, failed, other
  end
  local what = kind and kind .. " backup" or "backup"
  local more = failed > 0 and ("; %d failed or unfinished"):format(failed) or ""
  if not best then
    more = more .. (other > 0 and ("; %d of another kind"):format(other) or "")
    return false, ("no good %s is known%s"):format(what, more), "make one first"
  elseif now - best <= max then
    return true
  end
  return false,
    ("the newest good %s is %s old, at most %s is allowed%s"):format(
      what,
      show(now - best),
      show(max),
      more
    ),
    "make a new one first"
end

--- Makes the guard; see plat.guard.
---@param opts table
---@return plat.Guard
function M.new(opts)
  opts = OPTIONS(opts)
  return base.new("backup-age", opts, function()
    return M.decide(base.read(opts.newest), opts.max, time.now(), opts.kind)
  end)
end

return M
