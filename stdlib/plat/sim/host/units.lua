--- The services of a simulated host: states of units as systemd has them, on the host's clock.
---
--- A service starts in `start` seconds (default: at once) and runs until it is stopped; one that
--- `fails` does not start, and that text is in the journal. `unit.due`: when its job is done.

local fault = require("plat.fault")
local list = require("plat.list")

local M = {}

local STATES = { active = true, inactive = true, failed = true }
local SUB = { active = "running", inactive = "dead", failed = "failed" }
local KEYS = {
  "state",
  "enabled",
  "description",
  "command",
  "user",
  "start",
  "stop",
  "fails",
  "masked",
  "reload",
}

local function start_process(host, unit)
  local process = host:spawn(unit.command, { user = unit.user, unit = unit.name })
  unit.pid = process.pid
end

local function set(host, unit, state)
  unit.state, unit.sub = state, SUB[state]
  unit.since = host.fleet.now
end

--- Adds a service.
---@param host plat.sim.Machine
---@param name string
---@param given string|table its state, or `{ state, enabled, description, command, user, start,
---  stop, fails, masked, reload }`
---@param now number
function M.add(host, name, given, now)
  name = name:gsub("%.service$", "")
  local spec = type(given) == "table" and given or { state = given }
  for key in pairs(spec) do
    if not list.contains(KEYS, key) then
      fault.raise("usage", nil, {
        msg = ("simulated host %s: services %s: no key %q"):format(host.name, name, key),
        hint = "there are " .. table.concat(KEYS, ", "),
        where = "",
      })
    end
  end
  local state = spec.state or "active"
  if not STATES[state] then
    fault.raise("usage", nil, {
      msg = ("simulated host %s: services %s: no state %q"):format(host.name, name, state),
      hint = "there are active, inactive and failed",
      where = "",
    })
  end
  local unit = list.merge({
    name = name,
    description = name,
    command = "/usr/sbin/" .. name,
    user = "root",
    enabled = state == "active",
    reload = true,
  }, spec)
  unit.start, unit.stop = tonumber(unit.start) or 0, tonumber(unit.stop) or 0
  unit.state, unit.sub, unit.since = state, SUB[state], now
  unit.result = state == "failed" and "exit-code" or "success"
  unit.restarts = 0
  host.services[name] = unit
  if state == "active" then
    start_process(host, unit)
  end
end

--- Returns a unit by the name that systemctl takes, nil if there is none.
---@param host plat.sim.Machine
---@param name string
---@return table? unit
---@return string full with its suffix
function M.find(host, name)
  local full = name:find("%.%a+$") and name or name .. ".service"
  return host.services[full:match("^(.*)%.service$") or full], full
end

--- Says a line in the journal about a unit.
local function tell(host, unit, text, own)
  host:log(text, {
    unit = unit.name,
    ident = own and unit.name or "systemd",
    pid = own and unit.pid or 1,
  })
end

local function stopped(host, unit)
  host:kill({ unit = unit.name })
  unit.pid, unit.due = nil, nil
end

local function come_up(host, unit)
  unit.due = nil
  if unit.fails then
    local pid = host.next_pid
    local why = type(unit.fails) == "string" and unit.fails or "fatal: cannot start"
    host:log(why, { unit = unit.name, ident = unit.name, pid = pid })
    tell(
      host,
      unit,
      ("%s.service: Main process exited, code=exited, status=1/FAILURE"):format(unit.name)
    )
    tell(host, unit, ("%s.service: Failed with result 'exit-code'."):format(unit.name))
    tell(host, unit, ("Failed to start %s.service - %s."):format(unit.name, unit.description))
    stopped(host, unit)
    set(host, unit, "failed")
    unit.result = "exit-code"
    return
  end
  start_process(host, unit)
  set(host, unit, "active")
  unit.result = "success"
  tell(host, unit, ("Started %s.service - %s."):format(unit.name, unit.description))
end

local function go_down(host, unit)
  stopped(host, unit)
  set(host, unit, "inactive")
  unit.result = "success"
  tell(host, unit, ("%s.service: Deactivated successfully."):format(unit.name))
  tell(host, unit, ("Stopped %s.service - %s."):format(unit.name, unit.description))
end

--- Begins to start a unit, unless it runs. Returns when that is done.
---@param host plat.sim.Machine
---@param unit table
---@return number seconds
function M.start(host, unit)
  local now = host.fleet.now
  if unit.state == "active" then
    return 0
  elseif unit.state == "activating" then
    return unit.due - now
  end
  tell(host, unit, ("Starting %s.service - %s..."):format(unit.name, unit.description))
  if unit.start <= 0 then
    come_up(host, unit)
    return 0
  end
  unit.state, unit.sub, unit.since, unit.due = "activating", "start", now, now + unit.start
  host.fleet:expect(host)
  return unit.start
end

--- Begins to stop a unit. Returns when that is done.
---@param host plat.sim.Machine
---@param unit table
---@return number seconds
function M.stop(host, unit)
  local now = host.fleet.now
  if unit.state == "inactive" or unit.state == "failed" then
    return 0
  elseif unit.state == "deactivating" then
    return unit.due - now
  end
  tell(host, unit, ("Stopping %s.service - %s..."):format(unit.name, unit.description))
  if unit.stop <= 0 or unit.state == "activating" then
    go_down(host, unit)
    return 0
  end
  unit.state, unit.sub, unit.since, unit.due = "deactivating", "stop-sigterm", now, now + unit.stop
  host.fleet:expect(host)
  return unit.stop
end

--- Begins to restart a unit. Returns when that is done.
---@param host plat.sim.Machine
---@param unit table
---@return number seconds
function M.restart(host, unit)
  local down = M.stop(host, unit)
  if down > 0 then
    unit.again = true
    return down + unit.start
  end
  return M.start(host, unit)
end

--- Ends a unit as a crash of its process does.
---@param host plat.sim.Machine
---@param unit table
---@param signal string "KILL"
function M.crash(host, unit, signal)
  local number = signal == "KILL" and "9/KILL" or "11/" .. signal
  tell(
    host,
    unit,
    ("%s.service: Main process exited, code=killed, status=%s"):format(unit.name, number)
  )
  tell(host, unit, ("%s.service: Failed with result 'signal'."):format(unit.name))
  stopped(host, unit)
  set(host, unit, "failed")
  unit.result = "signal"
end

--- Returns when the next job of a unit of the host is done.
---@param host plat.sim.Machine
---@return number?
function M.next_event(host)
  local at
  for _, unit in pairs(host.services) do
    at = unit.due and math.min(unit.due, at or unit.due) or at
  end
  return at
end

--- Finishes the jobs of units that are due by now.
---@param host plat.sim.Machine
function M.advance(host)
  for _, unit in pairs(host.services) do
    if unit.due and unit.due <= host.fleet.now then
      if unit.state == "activating" then
        come_up(host, unit)
      else
        go_down(host, unit)
        if unit.again then
          unit.again = nil
          M.start(host, unit)
        end
      end
    end
  end
end

--- What a boot does: nothing that ran runs, and what is enabled starts.
---@param host plat.sim.Machine
function M.boot(host)
  for _, unit in pairs(host.services) do
    unit.pid, unit.due, unit.again = nil, nil, nil
    set(host, unit, "inactive")
    unit.result = "success"
    if unit.enabled and not unit.masked then
      M.start(host, unit)
    end
  end
end

return M
