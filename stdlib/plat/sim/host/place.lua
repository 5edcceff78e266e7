--- The place of simulated hosts in a world: their models are made when a host is first asked, since
--- most runs ask none, and what changes them is in the world's log.

local data = require("plat.sim.host.data")
local list = require("plat.list")
local wait = require("plat.env").lazy("plat.sim.host.wait")

local M = {}

---@class plat.sim.Place
---@field opts table `{ hosts, rules, now = fn, log = fn }`
---@field kept? table what `dump` returned, until the fleet is made
---@field fleet? plat.sim.Fleet
local Place = { __name = "plat.sim.Place" }
Place.__index = Place

--- Makes the place.
---@param opts { hosts: table|fun(name: string): table?, rules: table[]?, now: fun(): number,
---  log: fun(make: fun(): table)? } log: gets an entry of what changes hosts, before it does
---@param kept? table what `dump` returned
---@return plat.sim.Place
function M.new(opts, kept)
  return setmetatable({ opts = opts, kept = kept }, Place)
end

--- Returns what is said of hosts by the first that says something.
---@param ... table|fun(name: string): table? by name
---@return fun(name: string): table?
function M.specs(...)
  local all = table.pack(...)
  return function(name)
    for i = 1, all.n do
      local said = all[i]
      local spec = type(said) == "function" and said(name) or type(said) == "table" and said[name]
      if spec then
        return spec
      end
    end
  end
end

--- Makes the place of hosts in a world.
---@param world table `{ now, hosts, inventory, rules, file }`
---@param log fun(world: table, entry: table)
---@param kept? table what `dump` returned
---@return plat.sim.Place
function M.of_world(world, log, kept)
  local inventory = world.inventory and M.of_inventory(world.inventory)
  return M.new({
    hosts = M.specs(world.hosts, inventory, world.fixture and world.fixture.hosts),
    rules = world.rules,
    now = function()
      return world.now
    end,
    log = function(make)
      if world.file then
        log(world, make())
      end
    end,
  }, kept)
end

--- Asks unless a fault prevents it; what it does to the answer happens to a box around it.
local function injected(injector, req, ask)
  local at = injector:moment(req, "hosts")
  injector:before(at)
  local value, why = ask()
  if value == nil then
    return nil, why
  end
  local box = injector:after(at, { value = value })
  if box.delay then
    wait.seconds(req.target, box.delay, req.timeout)
  end
  return box.value
end

--- Raises a text if a fault of a host makes no sense in a world.
---@param world table
---@param args { host: string }
function M.check_fault(world, args)
  if not world.models.hosts:owns(args.host) then
    error(("no host %q is simulated"):format(args.host), 0)
  end
end

local function name_of(target)
  return target:match("^host (.*)$") or ""
end

--- Whether a target is a host of a world; a method of the world.
---@async
---@param world table
---@param target string "host NAME"
---@return boolean
function M.owns(world, target)
  world:live()
  return world.models.hosts:owns(name_of(target))
end

--- Asks a host of a world; a method of the world.
---@async
---@param world table
---@param target string "host NAME"
---@param call table of effect.remote
---@param reads? boolean it only looks
---@param req? table of effect.remote
---@return any answer nil: it is not simulated
---@return string? why
function M.remote(world, target, call, reads, req)
  world:live()
  local function ask()
    world:advance(require("prim.time").now())
    return world.models.hosts:remote(name_of(target), call, reads)
  end
  if not world.injector then
    return ask()
  end
  return injected(world.injector, {
    op = req and req.op or "host." .. call.verb,
    object = req and req.object or call.text or call.path,
    target = target,
    change = not reads or nil,
    timeout = call.timeout,
  }, ask)
end

--- Returns the machine of a host of a world; a method of the world.
---@async
---@param world table
---@param name string
---@return plat.sim.Machine
function M.host(world, name)
  world:live()
  return world.models.hosts:live():host(name)
end

--- Returns what an inventory says of its hosts, for simulated ones: by name, nil for a host that is
--- not in it. Its variable `platrun_sim` holds what plat.sim.host.machine takes.
---@param inventory plat.Inventory
---@return fun(name: string): table?
function M.of_inventory(inventory)
  local specs
  local function read(entry)
    local spec = list.deep_copy(entry.vars.platrun_sim or {})
    spec.user = spec.user or entry.vars.ansible_user
    spec.domain = spec.domain or entry.name:match("^[^.]+%.(.*%a.*)$")
    spec.ip = spec.ip or entry.address:match("^%d+%.%d+%.%d+%.%d+$")
    return spec
  end
  return function(name)
    if not specs then
      specs = {}
      for _, entry in ipairs(inventory:hosts("all", { unlimited = true })) do
        specs[entry.name] = entry
      end
    end
    return specs[name] and read(specs[name])
  end
end

--- Returns the fleet, made now if it was not.
---@return plat.sim.Fleet
function Place:live()
  if not self.fleet then
    local host = require("plat.sim.host")
    local opts = {
      now = self.opts.now(),
      hosts = self.opts.hosts,
      rules = self.opts.rules,
      on_new = function(name, spec)
        self:log({ host = name, spec = spec })
      end,
    }
    self.fleet = self.kept and host.restore(self.kept, opts) or host.new(opts)
    self.kept = nil
    self.fleet:advance(self.opts.now())
  end
  return self.fleet
end

--- Writes to the world's log, unless it is read just now.
---@param entry table
function Place:log(entry)
  if self.opts.log and not self.reading then
    self.opts.log(function()
      return data.pack(entry)
    end)
  end
end

--- Says whether a host is simulated.
---@param name string
---@return boolean
function Place:owns(name)
  local hosts = self.opts.hosts
  local spec = type(hosts) == "function" and hosts(name) or type(hosts) == "table" and hosts[name]
  return spec ~= nil and spec ~= false or self:knows(name)
end

--- Says whether a host has been asked already.
---@param name string
---@return boolean
function Place:knows(name)
  if self.fleet then
    return self.fleet.machines[name] ~= nil
  end
  return self.kept ~= nil and self.kept.machines[name] ~= nil
end

--- Returns a call as it is performed and logged: what is to be sent from a file here is in it.
local function complete(call)
  if call.source and not call.content then
    local fault, fs = require("plat.fault"), require("prim.fs")
    call = list.copy(call)
    local about = { op = "host." .. call.verb, object = call.source }
    call.content = fault.must(about, fs.read(call.source, { max = 1 << 30 }))
    call.source = nil
  end
  return call
end

--- Asks a host and waits for its answer.
---@async
---@param name string
---@param call table of effect.remote
---@param reads? boolean it only looks
---@return any answer nil: it is not simulated
---@return string? why
function Place:remote(name, call, reads)
  if not self:owns(name) then
    return nil, "no simulated host has this name"
  end
  local fleet = self:live()
  fleet:host(name)
  call = complete(call)
  if not reads or fleet:counts_reads(name) then
    self:log({ remote = name, call = call })
  end
  return require("plat.sim.host").deliver(name, call, fleet:ask(name, call))
end

--- Does again what an entry of the log says.
---@param entry table
function Place:replay(entry)
  entry = data.unpack(entry)
  local fleet = self:live()
  self.reading = true
  if entry.host and not self:knows(entry.host) then
    fleet:add(entry.host, entry.spec)
  elseif entry.remote then
    pcall(fleet.ask, fleet, entry.remote, entry.call) -- what it raised then, it raises again
  end
  self.reading = false
end

-- ---- a model among the others ----

--- Returns when something happens next by itself.
---@return number?
function Place:next_event()
  return self.fleet and self.fleet:next_event()
end

--- Lets time pass.
---@param now number
function Place:advance(now)
  if self.fleet then
    self.fleet:advance(now)
  end
end

--- Returns the whole state as plain data.
---@return table?
function Place:dump()
  return self.fleet and self.fleet:dump() or self.kept
end

--- Returns how hosts differ from what was said of them: texts by the names of the things.
---@return table<string, string>
function Place:differences()
  if not (self.fleet or self.kept) then
    return {}
  end
  return require("plat.sim.host.difference").of(self:live())
end

--- Brings a fault about.
---@param name string
---@param args table `{ host, ... }`
function Place:fault(name, args)
  self:live():fault(name, args)
end

--- Ends the faults of earlier runs.
function Place:calm()
  if self.fleet or self.kept and not list.is_empty(self.kept.machines) then
    self:live():calm()
  end
end

return M
