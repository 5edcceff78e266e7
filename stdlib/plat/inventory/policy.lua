--- When an environment may be changed: the keys `change_window` and `freeze` of an inventory.
--
-- The format is documented where it is used: inventory/production/platform.yaml.

local calendar = require("plat.guard.calendar")
local check = require("plat.check")
local list = require("plat.list")

local M = {}

local RANK = { safe = 1, disruptive = 2, destructive = 3 }
local RISKS = { "disruptive", "destructive" }
local OWN = { "tz", "holidays", "needs", "risk" }

local function check_risk(value)
  local _, err = check.value({ type = "enum", enum = RISKS }, value)
  return err and "risk: " .. err
end

--- Returns the windows of a `change_window`: all keys that are not its settings.
local function windows_of(spec)
  local windows = {}
  for key, value in pairs(spec) do
    if not list.contains(OWN, key) then
      windows[key] = value
    end
  end
  return windows
end

local function check_settings(spec)
  if spec.tz ~= nil and type(spec.tz) ~= "string" then
    return "tz: expected the name of a time zone"
  end
  if spec.needs ~= nil then
    local _, err = check.duration(spec.needs)
    if err then
      return "needs: " .. err
    end
  end
  if spec.risk ~= nil then
    return check_risk(spec.risk)
  end
  for key, value in pairs(windows_of(spec)) do
    if type(value) ~= "table" then
      return ('unknown key "%s"%s'):format(key, check.did_you_mean(tostring(key), OWN))
    end
  end
end

--- Returns what is wrong with a `change_window`, or nil. Pure apart from reading the zone's file.
---@param spec table
---@return string?
function M.window_problem(spec)
  local problem = check_settings(spec)
  if problem then
    return problem
  end
  local cal, option, msg = calendar.new({
    windows = windows_of(spec),
    zone = spec.tz,
    holidays = spec.holidays,
  })
  if not cal then
    return option == "zone" and "tz: " .. msg or msg
  end
end

--- Returns the entries of a `freeze` that hold for a risk, as plat.guard takes them.
local function freezes_for(entries, rank)
  local out = {}
  for _, entry in ipairs(entries) do
    if RANK[entry.risk or "disruptive"] <= rank then
      out[#out + 1] = { from = entry.from, to = entry.to, reason = entry.reason }
    end
  end
  return out
end

--- Returns what is wrong with a `freeze`, or nil. Pure.
---@param entries any
---@return string?
function M.freeze_problem(entries)
  if type(entries) ~= "table" or list.count(entries) ~= #entries then
    return "expected a list of {from, to, reason}"
  end
  local known = { "from", "to", "reason", "risk" }
  for _, entry in ipairs(entries) do
    if type(entry) ~= "table" then
      return "expected a list of {from, to, reason}"
    end
    for key in pairs(entry) do
      if not list.contains(known, key) then
        return ('unknown key "%s"%s'):format(key, check.did_you_mean(tostring(key), known))
      end
    end
    local problem = entry.risk ~= nil and check_risk(entry.risk)
    if problem then
      return problem
    end
  end
  local cal, _, msg = calendar.new({ freeze = freezes_for(entries, RANK.destructive) })
  return not cal and msg or nil
end

--- Returns when playbooks of a risk may run, nil when there is no rule about them; and how much of
--- a window must be left. Pure apart from reading the zone's file.
---@param services table `{ change_window, freeze }`, checked
---@param risk string
---@return plat.guard.Calendar?
---@return number needs seconds
function M.calendar(services, risk)
  local rank, window = RANK[risk], services.change_window
  local freeze = freezes_for(services.freeze or {}, rank)
  local spec = { zone = window and window.tz, freeze = #freeze > 0 and freeze or nil }
  local holds = window and RANK[window.risk or "destructive"] <= rank
  if holds then
    spec.windows, spec.holidays = windows_of(window), window.holidays
  end
  if not spec.windows and not spec.freeze then
    return nil, 0
  end
  return assert(calendar.new(spec)), holds and check.duration(window.needs or 0) or 0
end

return M
