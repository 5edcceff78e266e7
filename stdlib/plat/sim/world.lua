--- The sandbox's world: models that answer instead of the wire, one clock, and a log from which the
--- world is built again after the process has ended, however it ended.

local fault = require("plat.fault")
local json = require("plat.json")
local lazy = require("plat.env").lazy
local faults, models = lazy("plat.sim.faults"), lazy("plat.sim.models")
local place, request = lazy("plat.sim.host.place"), lazy("plat.sim.request")
local state = require("plat.state")
local time = require("prim.time")

local M = {}

M.SCHEMA = 1

--- Parses a request: see plat.sim.request.
function M.parse_request(...)
  return request.parse(...)
end

--- Returns the fault that a text names.
---@param text string
---@return plat.sim.Fault
function M.parse_fault(text)
  return faults.parse(text)
end

local SAFE = { GET = true, HEAD = true, OPTIONS = true }
local World = { __name = "plat.sim.World" }
World.__index = World

for _, name in ipairs({ "owns", "remote", "host" }) do -- what hosts need, of plat.sim.host.place
  World[name] = function(...)
    return place[name](...)
  end
end

-- ---- models ----

local log

--- The order in which models advance: what others look at comes first.
local ORDER = { "kubernetes", "dremio", "hosts" }

M.AUTHORITIES = {
  ["kubernetes.sandbox:443"] = "kubernetes",
  ["dremio.sandbox:9047"] = "dremio",
}

--- Lets every model live up to a time, event by event, so that they see each other's effects.
---@param now number unix seconds
function World:advance(now)
  while true do
    local due, by
    local quiet = now -- up to when the other models do nothing
    for _, name in ipairs(ORDER) do
      local at = self.models[name]:next_event()
      if at and at <= now and (not due or at < due) then
        due, by, quiet = at, name, due or quiet
      elseif at then
        quiet = math.min(quiet, at)
      end
    end
    if not due then
      break
    end
    self.now = math.max(self.now, due)
    for _, name in ipairs(ORDER) do
      self.models[name]:advance(self.now, name == by and quiet or nil)
    end
  end
  self.now = math.max(self.now, now)
  for _, name in ipairs(ORDER) do
    self.models[name]:advance(self.now)
  end
end

-- ---- requests ----

--- What is written down holds no secrets: the sandbox forgets them when its process ends.
function log(self, entry)
  if self.file then
    entry.t = self.now
    fault.must(
      { op = "sandbox", object = "world.log" },
      self.file:write(json.encode(entry, { redact = true }) .. "\n")
    )
  end
end

--- Lets a model answer. The change is in the log before the model acts.
local function answer(self, name, authority, req)
  self:advance(time.now())
  if not SAFE[req.method] then
    log(self, {
      authority = authority,
      method = req.method,
      url = req.url:match("^%a+://[^/?]*(.*)$") or req.url, -- a served one has no host
      headers = req.headers,
      body = req.body,
    })
  end
  return self.models[name]:handle(request.parse(req.method, req.url, req.headers, req.body))
end

--- Answers a request to an authority ("host:port"), unless a fault prevents it.
---@async
---@param authority string
---@param req { method: string, url: string, headers: table?, body: string? }
---@return table? resp
---@return string? err who is not part of this world
function World:request(authority, req)
  local name = M.AUTHORITIES[authority]
  if not name then
    local known = {}
    for host in pairs(M.AUTHORITIES) do
      known[#known + 1] = host
    end
    return nil, "it knows " .. table.concat(known, " and ")
  end
  self:live()
  local injector = self.injector
  if not injector then
    return answer(self, name, authority, req)
  end
  local at = injector:moment(req, name)
  return injector:before(at) or injector:after(at, answer(self, name, authority, req))
end

-- ---- faults ----

--- Returns a model.
---@param name string "kubernetes" or "dremio"
---@return table
function World:model(name)
  return self.models[name]
end

--- Brings a fault about, now or at its moment.
---@param f plat.sim.Fault
function World:fault(f)
  faults.bring(self, f)
end

--- Lets something happen to the models now; it is in the log.
---@param name string of a fault's kind
---@param args table
---@param about table what the request at which it happens says; empty at the start
function World:happen(name, args, about)
  self:live()
  self:advance(time.now())
  local f = { name = name, args = args, about = about }
  log(self, { fault = f })
  faults.act(self, f)
end

-- ---- the world between runs ----

local function replay(self, text, offset)
  for line in text:sub(offset + 1):gmatch("([^\n]*)\n") do
    local entry = json.decode(line, { name = "world.log" })
    self:advance(entry.t)
    if entry.fault then
      faults.act(self, entry.fault)
    elseif entry.calm then
      self:calm()
    elseif entry.host or entry.remote then
      self.models.hosts:replay(entry)
    else
      local model = self.models[M.AUTHORITIES[entry.authority]]
      local resp = model:handle(request.parse(entry.method, entry.url, entry.headers, entry.body))
      if resp.stream then
        resp.stream:close()
      end
    end
  end
end

--- Ends the faults of earlier runs: each run brings its own.
function World:calm()
  for _, name in ipairs(ORDER) do
    local model = self.models[name]
    if model.calm then
      model:calm()
    end
  end
end

local HEADER = 200 -- bytes at the end of a snapshot that hold its small fields

--- Returns the small fields of a snapshot, which stand at its end, without decoding the models.
local function read_header(text)
  local now, offset, schema, seed =
    text:sub(-HEADER):match('"now":([%d.eE+-]+),"offset":(%d+),"schema":(%d+),"seed":(%d+)}%s*$')
  if tonumber(schema) ~= M.SCHEMA then
    fault.raise("refused", { op = "sandbox" }, {
      msg = "this sandbox was made by another version of platrun, or is damaged",
      hint = "platrun sandbox reset makes a new one",
    })
  end
  return { now = tonumber(now), offset = tonumber(offset), seed = tonumber(seed), text = text }
end

local function hold(self)
  local sys = require("prim.sys")
  local lock, err = state.lock(self.dir .. "/lock", ("pid %d"):format(sys.pid()))
  if not lock then
    fault.raise("refused", { op = "sandbox" }, {
      msg = ("the sandbox is in use by %s"):format(err.held or "another process"),
      hint = "wait for it, or choose another with XDG_STATE_HOME",
      exit = 75,
      where = "",
    })
  end
  self.lock = lock
end

--- A line that a killed process wrote in part is cut off: its request was never answered.
local function whole_lines(text)
  return text:match("^(.*\n)") or ""
end

--- Returns the directory of the sandbox.
---@return string
function M.dir()
  return state.dir() .. "/sandbox"
end

--- Returns the time of the last line of the log, 0 if there is none.
local function last_time(text)
  local from = #text
  while from > 1 and text:byte(from - 1) ~= 10 do -- a pattern would search from the front
    from = from - 1
  end
  return from > 0 and json.decode(text:sub(from), { name = "world.log" }).t or 0
end

--- Builds the models: from the snapshot and the log behind it, or new ones. Then the log is open
--- for what comes.
local function build(self, snapshot, text)
  if snapshot then
    local whole = json.decode(snapshot.text, { name = "snapshot.json", max_size = 1 << 30 })
    self.now = snapshot.now
    self.models = models.make(self, log, whole.models)
    replay(self, whole_lines(text), snapshot.offset)
  else
    self.models = models.make(self, log)
    if not self.ephemeral then
      self.offset = 0
      self:save()
    end
  end
  if not self.ephemeral then
    self.file = state.append(self.dir .. "/world.log")
    if #whole_lines(text) < #text then
      self.file:truncate(#whole_lines(text))
    end
  end
  -- The faults ended with the run that brought them: what has passed since may have healed.
  log(self, { calm = true })
  self:calm()
  self:advance(time.now())
end

--- Makes sure that the models are there: a run that asks nothing does not pay for them. Who asks
--- while they are being made waits.
---@async
function World:live()
  local make, prim = self.make, require("prim.task")
  if make then
    self.make, self.waiting = nil, {}
    local ok, err = xpcall(make, fault.from_handler)
    for _, gate in ipairs(self.waiting) do
      gate:open()
    end
    self.waiting = nil
    return ok or error(err, 0)
  elseif self.waiting then
    local gate = prim.gate()
    table.insert(self.waiting, gate)
    gate:wait()
  end
end

--- Opens the world that earlier runs left, or a new one.
---@param opts table `{ ephemeral, time, speed, seed, lazy, inventory, rules }`: an ephemeral world
---  is not written down; a lazy one is built when it is first asked; inventory: names the hosts
---@return table world
function M.open(opts)
  local self = setmetatable({
    dir = M.dir(),
    ephemeral = opts.ephemeral,
    inventory = opts.inventory,
    rules = opts.rules,
    fixture = opts.fixture,
  }, World)
  state.make_dir(self.dir)
  hold(self)
  local kept = state.read(self.dir .. "/snapshot.json")
  local text = state.read(self.dir .. "/world.log") or ""
  local snapshot = kept and read_header(kept)
  self.seed = snapshot and snapshot.seed or opts.seed or 1
  self.now = snapshot and math.max(snapshot.now, last_time(whole_lines(text):sub(1, -2)))
    or opts.time
    or time.real() // 1
  self:start_clock(opts)
  self.make = function()
    build(self, snapshot, text)
  end
  if not opts.lazy then
    self:live()
  end
  return self
end

--- The clock of the sandbox never runs backwards: it goes on at the later of its own time and now.
function World:start_clock(opts)
  local now = opts.time or time.real()
  if opts.time and opts.time < self.now then
    fault.raise("usage", nil, {
      msg = "--sandbox-time lies before the sandbox's own time "
        .. require("plat.time").rfc3339(self.now),
      hint = "platrun sandbox reset makes a new one",
      where = "",
    })
  end
  time.virtual(math.max(now, self.now), opts.speed or 0)
end

--- Writes the world down, so that the next run does not replay the whole log.
function World:save()
  if self.ephemeral then
    return
  end
  local dump = self:dump()
  dump.schema = M.SCHEMA
  dump.offset = self.file and self.file:size() or self.offset or 0
  state.write(self.dir .. "/snapshot.json", json.encode(dump, { redact = true }))
end

--- Returns all that is, as plain data.
---@return { now: number, seed: integer, models: table }
function World:dump()
  local dumps = {}
  for _, name in ipairs(ORDER) do
    dumps[name] = self.models[name]:dump()
  end
  return { now = self.now, seed = self.seed, models = dumps }
end

--- Makes a world that nothing keeps, for tests: a new one, or what `dump` returned. Its clock is
--- the caller's business.
---@param opts { time: number?, seed: integer?, dump: table?, hosts: table?, rules: table[]?,
---  fixture: table? } hosts, rules: of simulated hosts, see plat.sim.host; fixture: what the
---  cluster begins with, of plat.sim.fixture
---@return table world
function M.memory(opts)
  local self = setmetatable({
    ephemeral = true,
    hosts = opts.hosts,
    rules = opts.rules,
    fixture = opts.fixture,
  }, World)
  local dump = opts.dump
  self.seed = dump and dump.seed or opts.seed or 1
  self.now = dump and dump.now or opts.time
  if dump then
    self.models = models.make(self, log, dump.models)
  else
    self.models = models.make(self, log)
  end
  return self
end

--- Ends the use of the world: time passes up to now, and what is is written down.
function World:close()
  if self.models then
    self:advance(time.now())
    self:save()
  end
  if self.file then
    self.file:close()
  end
  if self.lock then
    self.lock:close()
  end
end

--- Throws the world away.
function M.reset()
  local self = setmetatable({ dir = M.dir() }, World)
  state.make_dir(self.dir)
  hold(self)
  for _, name in ipairs({ "snapshot.json", "world.log" }) do
    state.remove(self.dir .. "/" .. name)
  end
  self.lock:close()
end

return M
