--- What may go wrong with a simulated host. A fault is plain data in the state of the host.
---
---   unreachable  { seconds? }        nobody answers; for ever, or for a time
---   lost-before  { times? }          the connection is lost before the command has acted
---   lost-after   { times? }          ... after it has acted, and before the answer came
---   slow         { seconds, times? } each answer takes so much longer
---   reboot       { times? }          the host goes down after the command has acted
---   denied       { times? }          the login is refused
---   disk-full    { path? }           no byte is free on the disk of the path
---   skew         { seconds }         the clock goes wrong

local fault = require("plat.fault")

local M = {}

local FOR_EVER = 1 << 40

local LOST = {
  ["lost-before"] = {
    kind = "connect",
    msg = "the connection is lost",
    sent = true,
    phase = "exec",
  },
  ["lost-after"] = {
    kind = "connect",
    msg = "the connection is lost",
    sent = true,
    phase = "exec",
    acts = true,
  },
  reboot = {
    kind = "connect",
    msg = "the connection is lost",
    sent = true,
    phase = "exec",
    acts = true,
  },
  denied = { kind = "auth", msg = "permission denied (publickey)", phase = "login" },
  unreachable = { kind = "connect", msg = "no route to host", phase = "connect" },
}

local DOWN = { kind = "connect", msg = "connection refused", phase = "connect" }

--- The names of the faults.
M.NAMES = {
  "unreachable",
  "lost-before",
  "lost-after",
  "slow",
  "reboot",
  "denied",
  "disk-full",
  "skew",
}

local function spend(machine, name)
  local own = machine.faults[name]
  if not own then
    return nil
  elseif own.ends and own.ends <= machine.fleet.now then
    machine.faults[name] = nil
    return nil
  elseif own.times then
    own.times = own.times - 1
    if own.times <= 0 then
      machine.faults[name] = nil
    end
  end
  return own
end

--- Says what becomes of the next call, nil if nothing goes wrong.
---@param machine plat.sim.Machine
---@return table? lost kind, msg, sent, phase of a fault
---@return boolean? acts it happens all the same
function M.before(machine)
  if machine.state.up_at then
    return DOWN, false
  end
  for _, name in ipairs({ "unreachable", "denied", "lost-before", "lost-after", "reboot" }) do
    if spend(machine, name) then
      return LOST[name], LOST[name].acts or false
    end
  end
end

--- Returns how much longer an answer takes.
---@param machine plat.sim.Machine
---@return number seconds
function M.delay(machine)
  local own = spend(machine, "slow")
  return own and own.seconds or 0
end

--- Lets happen what happens after a command has acted.
---@param machine plat.sim.Machine
---@param lost? table of `before`
function M.after(machine, lost)
  if lost == LOST.reboot then
    machine.fleet:reboot(machine)
  end
end

--- Brings a fault about.
---@param machine plat.sim.Machine
---@param name string
---@param args table
function M.inject(machine, name, args)
  if name == "disk-full" then
    local disk = machine:disk_of(args.path or "/")
    machine.faults[name] = { path = args.path or "/", used = disk.used }
    disk.used = disk.size
  elseif name == "skew" then
    machine.faults[name] = { before = machine.skew }
    machine.state.skew = machine.skew + assert(args.seconds, "seconds")
  elseif LOST[name] or name == "slow" then
    local counted = LOST[name] and name ~= "unreachable"
    machine.faults[name] = {
      times = args.times or counted and 1 or nil,
      seconds = args.seconds,
      ends = name == "unreachable" and machine.fleet.now + (args.seconds or FOR_EVER) or nil,
    }
  else
    fault.raise("usage", nil, {
      msg = ("no fault %q of hosts"):format(name),
      hint = "there are " .. table.concat(M.NAMES, ", "),
      where = "",
    })
  end
end

--- Says whether a host has a fault.
---@param machine plat.sim.Machine
---@return boolean
function M.any(machine)
  return not require("plat.list").is_empty(machine.faults)
end

--- Ends the faults of a host: a full disk is as full as before, the clock goes right.
---@param machine plat.sim.Machine
function M.clear(machine)
  local full, skew = machine.faults["disk-full"], machine.faults.skew
  if full then
    machine:disk_of(full.path).used = full.used
  end
  if skew then
    machine.state.skew = skew.before
  end
  machine.state.faults = {}
end

return M
