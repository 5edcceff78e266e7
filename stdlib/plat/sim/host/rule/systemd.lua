--- systemctl and journalctl.

local time = require("plat.time")
local units = require("plat.sim.host.units")

local R = {}

-- ---- systemctl ----

local V = {} -- by verb: fn(cmd, unit, full, opts)

local FAILED = "Job for %s failed because the control process exited with error code.\n"
  .. 'See "systemctl status %s" and "journalctl -xeu %s" for details.'

local function needs_root(cmd, verb, full)
  if cmd.user == "root" then
    return true
  end
  cmd:tell(1, "Failed to %s %s: Interactive authentication required.", verb, full)
end

--- Makes the verb of a job: it is begun now, and the command ends when the job does.
local function job(verb, begin)
  V[verb] = function(cmd, unit, full, opts)
    if not needs_root(cmd, verb, full) then
      return
    elseif not unit then
      return cmd:tell(5, "Failed to %s %s: Unit %s not found.", verb, full, full)
    elseif unit.masked and verb ~= "stop" then
      return cmd:tell(1, "Failed to %s %s: Unit %s is masked.", verb, full, full)
    end
    local seconds = begin(cmd.host, unit)
    if opts.B then
      return
    end
    cmd.delay = math.max(cmd.delay or 0, seconds)
    if unit.fails and verb ~= "stop" and (unit.state == "failed" or seconds > 0) then
      cmd:tell(1, FAILED, full, full, full)
    end
  end
end

job("start", units.start)
job("stop", units.stop)
job("restart", units.restart)

job("reload", function()
  return 0
end)

V["try-restart"] = function(cmd, unit, full, opts)
  if unit and unit.state == "active" then
    V.restart(cmd, unit, full, opts)
  end
end

V["reload-or-restart"] = function(cmd, unit, full, opts)
  local way = unit and unit.state == "active" and unit.reload and "reload" or "restart"
  V[way](cmd, unit, full, opts)
end

V["is-active"] = function(cmd, unit)
  cmd:say("%s\n", unit and unit.state or "inactive")
  cmd.good = cmd.good or unit ~= nil and unit.state == "active"
  cmd.code = cmd.good and 0 or 3
end

V["is-failed"] = function(cmd, unit)
  cmd:say("%s\n", unit and unit.state or "inactive")
  cmd.good = cmd.good or unit ~= nil and unit.state == "failed"
  cmd.code = cmd.good and 0 or 1
end

local function unit_file(unit)
  return unit.masked and "masked" or unit.enabled and "enabled" or "disabled"
end

V["is-enabled"] = function(cmd, unit, full)
  if not unit then
    local why = "No such file or directory"
    return cmd:tell(1, "Failed to get unit file state for %s: %s", full, why)
  end
  cmd:say("%s\n", unit_file(unit))
  cmd.code = unit.enabled and not unit.masked and 0 or 1
end

local LINK = "/etc/systemd/system/multi-user.target.wants/%s"
local FILE = "/lib/systemd/system/%s"

--- Makes a verb that changes whether a unit starts at boot.
local function switch(verb, fn)
  V[verb] = function(cmd, unit, full, opts)
    if not needs_root(cmd, verb, full) then
      return
    elseif not unit then
      return cmd:tell(1, "Failed to %s unit: Unit file %s does not exist.", verb, full)
    end
    local said = fn(unit, full)
    if said and not opts.q then
      cmd:tell(cmd.code, said)
    end
    if opts.N then
      V[verb == "enable" and "start" or "stop"](cmd, unit, full, opts)
    end
  end
end

switch("enable", function(unit, full)
  if not unit.enabled then
    unit.enabled = true
    return ("Created symlink %s → %s."):format(LINK:format(full), FILE:format(full))
  end
end)

switch("disable", function(unit, full)
  if unit.enabled then
    unit.enabled = false
    return ('Removed "%s".'):format(LINK:format(full))
  end
end)

switch("mask", function(unit, full)
  if not unit.masked then
    unit.masked = true
    return ("Created symlink /etc/systemd/system/%s → /dev/null."):format(full)
  end
end)

switch("unmask", function(unit, full)
  if unit.masked then
    unit.masked = false
    return ('Removed "/etc/systemd/system/%s".'):format(full)
  end
end)

V["reset-failed"] = function(_, unit)
  if unit and unit.state == "failed" then
    unit.state, unit.sub, unit.result = "inactive", "dead", "success"
  end
end

local function stamp(host, at)
  return time.date("!%a %Y-%m-%d %H:%M:%S UTC", (at + host.skew) // 1)
end

local function properties(host, unit, full)
  local up = unit and (unit.state == "active" or unit.state == "deactivating")
  local p = {
    Id = full,
    LoadState = not unit and "not-found" or unit.masked and "masked" or "loaded",
    ActiveState = unit and unit.state or "inactive",
    SubState = unit and unit.sub or "dead",
    UnitFileState = unit and unit_file(unit) or "",
    MainPID = tostring(unit and unit.pid or 0),
    Result = unit and unit.result or "success",
    NRestarts = tostring(unit and unit.restarts or 0),
    Description = unit and unit.description or full,
    ActiveEnterTimestamp = up and stamp(host, unit.since) or "",
    User = unit and unit.user ~= "root" and unit.user or "",
  }
  return p
end

V.show = function(cmd, unit, full, opts)
  if #opts.properties == 0 then
    cmd:unmodelled("all properties: say -p NAME,...")
  end
  local found = properties(cmd.host, unit, full)
  for _, name in ipairs(opts.properties) do
    if not found[name] then
      cmd:unmodelled("the property " .. name)
    end
    cmd:say("%s%s\n", opts.v and "" or name .. "=", found[name])
  end
end

local function journal_line(entry)
  local at = time.date("!%b %d %H:%M:%S", entry.at // 1)
  return ("%s %%s %s[%d]: %s\n"):format(at, entry.ident, entry.pid, entry.text:gsub("%%", "%%%%"))
end

local DOT = { active = "●", failed = "×", inactive = "○" }

V.status = function(cmd, unit, full)
  if not unit then
    return cmd:tell(4, "Unit %s could not be found.", full)
  end
  local host = cmd.host
  cmd:say("%s %s - %s\n", DOT[unit.state] or "●", full, unit.description)
  local state = unit_file(unit)
  cmd:say("     Loaded: loaded (%s; %s; preset: enabled)\n", FILE:format(full), state)
  local how = unit.state == "failed" and "Result: " .. unit.result or unit.sub
  cmd:say("     Active: %s (%s) since %s\n", unit.state, how, stamp(host, unit.since))
  if unit.pid then
    cmd:say("   Main PID: %d (%s)\n", unit.pid, unit.name)
  end
  local lines = {}
  for _, entry in ipairs(host.journal) do
    if entry.unit == unit.name then
      lines[#lines + 1] = journal_line(entry):format(host.name:match("^[^.]+"))
    end
  end
  if lines[1] then
    cmd:say("\n" .. table.concat(lines, "", math.max(1, #lines - 9)))
  end
  cmd.code = unit.state == "active" and 0 or 3
end

local function list_units(cmd, opts)
  if not opts.L or opts.t and opts.t ~= "service" then
    cmd:unmodelled("this list: say --type=service --no-legend --plain")
  end
  for name, unit in pairs(cmd.host.services) do
    local wanted = opts.S == nil and unit.state ~= "inactive" or opts.S == unit.state
    if wanted or opts.a then
      cmd:say("%s.service loaded %s %s %s\n", name, unit.state, unit.sub, unit.description)
    end
  end
end

local LONG = {
  ["--no-block"] = "B",
  ["--now"] = "N",
  ["--quiet"] = "q",
  ["--no-pager"] = "P",
  ["--value"] = "v",
  ["--property"] = "p",
  ["--full"] = "l",
  ["--type"] = "t",
  ["--state"] = "S",
  ["--all"] = "a",
  ["--no-legend"] = "L",
  ["--plain"] = "Z",
  ["--failed"] = "F",
}

function R.systemctl(cmd)
  local opts, words = cmd:options("BNqPvp:lt:S:aLZF", LONG)
  opts.properties = {}
  for _, given in ipairs(opts.order) do
    for name in (given[1] == "p" and given[2] or ""):gmatch("[^,]+") do
      table.insert(opts.properties, name)
    end
  end
  local verb = table.remove(words, 1) or "list-units"
  if verb == "daemon-reload" then
    return needs_root(cmd, "reload", "daemon")
  elseif verb == "reboot" then
    if needs_root(cmd, "reboot", "system") then
      cmd.host.fleet:reboot(cmd.host)
    end
    return
  elseif verb == "is-system-running" then
    local failed = false
    for _, unit in pairs(cmd.host.services) do
      failed = failed or unit.state == "failed"
    end
    cmd:say(failed and "degraded\n" or "running\n")
    cmd.code = failed and 1 or 0
    return
  elseif verb == "list-units" then
    opts.S = opts.F and "failed" or opts.S
    return list_units(cmd, opts)
  elseif not V[verb] or not words[1] then
    cmd:unmodelled("the verb " .. verb .. (V[verb] and " without a unit" or ""))
  end
  for _, word in ipairs(words) do
    local unit, full = units.find(cmd.host, word)
    V[verb](cmd, unit, full, opts)
  end
  if opts.q then
    cmd.said = {}
  end
end

-- ---- journalctl ----

local JOURNAL = {
  ["--unit"] = "u",
  ["--lines"] = "n",
  ["--no-pager"] = "P",
  ["--output"] = "o",
  ["--quiet"] = "q",
  ["--boot"] = "b",
  ["--since"] = "S",
  ["--identifier"] = "t",
}

function R.journalctl(cmd)
  local opts, words = cmd:options("u:n:Po:qbS:t:x", JOURNAL)
  if words[1] or opts.o and opts.o ~= "cat" and opts.o ~= "short" then
    cmd:unmodelled(words[1] or "the output " .. opts.o)
  end
  local since = opts.S
    and tonumber(opts.S:match("^@(%d+)$") or cmd:unmodelled("the time " .. opts.S))
  local unit = opts.u and opts.u:gsub("%.service$", "")
  local lines = {}
  for _, entry in ipairs(cmd.host.journal) do
    local wanted = (not unit or entry.unit == unit) and (not opts.t or entry.ident == opts.t)
    if wanted and (not since or entry.at >= since) then
      local short = cmd.host.name:match("^[^.]+")
      lines[#lines + 1] = opts.o == "cat" and entry.text .. "\n"
        or journal_line(entry):format(short)
    end
  end
  local count = opts.n == "all" and #lines or math.tointeger(tonumber(opts.n or #lines))
  if not lines[1] and not opts.q then
    cmd:say("-- No entries --\n")
  end
  cmd:say(table.concat(lines, "", math.max(1, #lines - count + 1)))
end

return R
