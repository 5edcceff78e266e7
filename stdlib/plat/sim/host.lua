--- Simulated hosts: commands, files, services, packages, users and clocks of as many machines as
--- the world names, on a given clock. What is asked of them is the plain data of `effect.remote`; a
--- host is made when it is first asked.
---
---   local fleet = host.new({ now = 0, hosts = { db1 = { services = { cron = "failed" } } } })
---   fleet:ask("db1", { verb = "command", argv = { "systemctl", "restart", "cron" } })
---   fleet:host("db1").services.cron.state

local alter = require("plat.sim.host.alter")
local data = require("plat.sim.host.data")
local fault = require("plat.fault")
local machines = require("plat.sim.host.machine")
local rules = require("plat.sim.host.rules")
local trouble = require("plat.sim.host.trouble")
local units = require("plat.sim.host.units")
local verbs = require("plat.sim.host.verbs")
local wait = require("plat.sim.host.wait")

local M = {}

---@class plat.sim.Fleet
---@field now number unix seconds
---@field machines table<string, plat.sim.Machine> those that have been asked
---@field rules table[] of the world, see plat.sim.host.rules
---@field rules_of table<string, table[]> of single hosts
local Fleet = { __name = "plat.sim.Fleet" }
Fleet.__index = Fleet

--- Makes a fleet.
---@param opts { now: number?, hosts: table|fun(name: string): table?, rules: table[]?,
---  on_new: fun(name: string, spec: table)? } hosts: what is said of each by name, see
---  plat.sim.host.machine
---@return plat.sim.Fleet
function M.new(opts)
  local self = setmetatable({
    now = opts.now or 0,
    machines = {},
    pending = {},
    rules = opts.rules or {},
    rules_of = {},
    on_new = opts.on_new,
    steps = 0,
  }, Fleet)
  local hosts = opts.hosts or {}
  self.spec_of = type(hosts) == "function" and hosts or function(name)
    return hosts[name]
  end
  self.named = type(hosts) == "table" and hosts or {}
  return self
end

--- Makes a fleet of what `dump` returned; `opts` are those of `new`.
---@param dump table
---@param opts table
---@return plat.sim.Fleet
function M.restore(dump, opts)
  local self = M.new(opts)
  self.now = dump.now
  for name, state in pairs(dump.machines) do
    local machine = machines.restore(data.unpack(state), self)
    self.machines[name] = machine
    self.rules_of[name] = (self.spec_of(name) or {}).rules
    self:expect(machine)
  end
  return self
end

--- Returns the whole state as plain data, with files that are no text in base64.
---@return table
function Fleet:dump()
  local out = {}
  for name, machine in pairs(self.machines) do
    out[name] = data.pack(machine.state)
  end
  return { now = self.now, machines = out }
end

--- Says whether a host belongs to the fleet.
---@param name string
---@return boolean
function Fleet:owns(name)
  return self.machines[name] ~= nil or self.spec_of(name) ~= nil
end

--- Returns the names of the hosts that a table gave, and of those that have been asked.
---@return string[]
function Fleet:names()
  local names = {}
  for name in pairs(self.machines) do
    names[#names + 1] = name
  end
  for name in pairs(self.named) do
    names[#names + 1] = not self.machines[name] and name or nil
  end
  table.sort(names)
  return names
end

--- Adds a host.
---@param name string
---@param spec table
---@return plat.sim.Machine
function Fleet:add(name, spec)
  self.rules_of[name] = spec.rules
  local machine = machines.new(name, spec, self)
  self.machines[name] = machine
  self:expect(machine)
  return machine
end

--- Returns a host, to look at or to change: its `files`, `services`, `processes`, `packages`,
--- `users`, `journal`.
---@param name string
---@return plat.sim.Machine
function Fleet:host(name)
  local machine = self.machines[name]
  if machine then
    return machine
  end
  local spec = self.spec_of(name)
  if not spec then
    fault.raise("usage", nil, {
      msg = ("no host %q is simulated"):format(name),
      hint = ("name it in the world: hosts = { [%q] = {} }"):format(name),
      where = "",
    })
  end
  if self.on_new then
    self.on_new(name, spec)
  end
  return self:add(name, spec)
end

-- ---- time ----

--- Is told that something will happen on a host by itself.
---@param machine plat.sim.Machine
function Fleet:expect(machine)
  self.pending[machine.name] = machine
end

local function next_of(machine)
  local at, up = units.next_event(machine), machine.state.up_at
  return up and math.min(up, at or up) or at
end

--- Returns when something happens next by itself, nil if nothing does.
---@return number?
function Fleet:next_event()
  local at
  for name, machine in pairs(self.pending) do
    self.steps = self.steps + 1
    local own = next_of(machine)
    if own then
      at = math.min(own, at or own)
    else
      self.pending[name] = nil
    end
  end
  return at
end

local function boot(machine)
  local s = machine.state
  s.up_at, s.boots, s.booted = nil, s.boots + 1, machine.fleet.now
  s.processes, s.next_pid = {}, 1
  machine:spawn("/sbin/init", { ppid = 0 })
  for _, folder in ipairs({ "/tmp", "/run" }) do
    alter.clear(machine, folder)
  end
  units.boot(machine)
end

--- Lets time pass up to a moment.
---@param now number
function Fleet:advance(now)
  while true do
    local at = self:next_event()
    if not at or at > now then
      break
    end
    self.now = math.max(self.now, at)
    for _, machine in pairs(self.pending) do
      self.steps = self.steps + 1
      local up = machine.state.up_at
      if up and up <= self.now then
        boot(machine)
      elseif not up then
        units.advance(machine)
      end
    end
  end
  self.now = math.max(self.now, now)
end

--- Lets a host go down and come up again.
---@param machine plat.sim.Machine
function Fleet:reboot(machine)
  local s = machine.state
  s.up_at = self.now + s.boot_seconds
  s.processes = {}
  for _, unit in pairs(s.services) do
    unit.due, unit.again = nil, nil
  end
  self:expect(machine)
end

-- ---- being asked ----

--- Returns who a call is performed as, or what sudo says instead.
local function who(machine, call)
  local become = call.become
  if not become then
    return machine.user
  end
  local user = become.user or "root"
  if machine.user ~= "root" and not machine.sudo then
    return nil, "sudo: a password is required\n"
  elseif not machine.users[user] then
    return nil, ("sudo: unknown user %s\n"):format(user)
  end
  return user
end

local function perform(machine, call)
  local user, complaint = who(machine, call)
  if not user then
    return { code = 1, stdout = "", stderr = complaint }
  elseif call.verb == "command" then
    return rules.answer(machine, {
      text = call.text or require("plat.host").quote(call.argv),
      argv = call.argv,
      stdin = call.stdin,
      user = user,
    })
  end
  return verbs.perform(machine, call, user)
end

--- Asks a host, as `effect.remote` does. What is to be waited for and raised is `deliver`'s.
---@param name string
---@param call table
---@return { value: any, delay: number?, lost: table? }? answer
---@return string? why it is not part of the fleet
function Fleet:ask(name, call)
  if not self:owns(name) then
    return nil, "no host is named so"
  end
  self.steps = self.steps + 1
  local machine = self:host(name)
  local lost, acts = trouble.before(machine)
  if lost and not acts then
    return { lost = lost, delay = lost.delay }
  end
  local value = perform(machine, call)
  local delay = (type(value) == "table" and value.delay or 0) + trouble.delay(machine)
  if type(value) == "table" then
    value.delay = nil
  end
  trouble.after(machine, lost)
  return { value = value, delay = delay > 0 and delay or nil, lost = lost }
end

--- Waits as long as an answer takes, and returns it, or raises what became of it.
---@async
---@param name string
---@param call table
---@param answer table of `ask`
---@return any
function M.deliver(name, call, answer)
  local about = { op = "ssh", target = "host " .. name }
  if answer.delay then
    wait.seconds(about.target, answer.delay, call.timeout)
  end
  if answer.lost then
    local lost = answer.lost
    fault.raise(lost.kind, about, { msg = lost.msg, sent = lost.sent, phase = lost.phase })
  end
  return answer.value
end

--- Says whether what is only read matters for what comes after: while faults are counted.
---@param name string
---@return boolean
function Fleet:counts_reads(name)
  local machine = self.machines[name]
  return machine ~= nil and trouble.any(machine)
end

--- Brings a fault about; plat.sim.host.trouble names them.
---@param name string
---@param args table `{ host, seconds, times, ... }`
function Fleet:fault(name, args)
  trouble.inject(self:host(args.host), name, args)
end

--- Ends the faults.
function Fleet:calm()
  for _, machine in pairs(self.machines) do
    trouble.clear(machine)
  end
end

return M
