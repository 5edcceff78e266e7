--- The sandbox's world: models that answer instead of the wire, one clock, and a log from which the
--- world is built again after the process has ended, however it ended.

local check = require("plat.check")
local fault = require("plat.fault")
local json = require("plat.json")
local list = require("plat.list")
local state = require("plat.state")
local time = require("prim.time")

local M = {}

M.SCHEMA = 1

local SAFE = { GET = true, HEAD = true, OPTIONS = true }

local World = { __name = "plat.sim.World" }
World.__index = World

-- ---- models ----

--- The faults that a user can ask for: which model, and how the words after the colon are read.
local FAULTS = {
  ["pod-crash"] = { model = "kubernetes", usage = "pod-crash:POD", words = { "pod" } },
  ["image-pull"] = { model = "kubernetes", usage = "image-pull[:POD-PREFIX]", words = {} },
  ["no-capacity"] = { model = "kubernetes", usage = "no-capacity", words = {} },
  ["api-503"] = { model = "kubernetes", usage = "api-503:N", words = { "N" } },
  ["slow"] = { model = "kubernetes", usage = "slow:MS", words = { "MS" } },
  ["watch-410"] = { model = "kubernetes", usage = "watch-410", words = {} },
  ["query"] = { model = "dremio", usage = "query:MINUTES[:EXECUTOR]", words = { "MINUTES" } },
}

local function names_of_faults()
  local names = {}
  for name in pairs(FAULTS) do
    names[#names + 1] = name
  end
  return names
end

--- Reads `name[:arg[:arg]]` as given to --fault. Raises kind "usage".
---@param text string
---@return { name: string, model: string, args: string[] }
function M.parse_fault(text)
  local words = {}
  for word in (text .. ":"):gmatch("([^:]*):") do
    words[#words + 1] = word
  end
  local name = table.remove(words, 1)
  local known = FAULTS[name]
  if not known then
    fault.raise("usage", nil, {
      msg = ('--fault: no fault "%s"%s'):format(name, check.did_you_mean(name, names_of_faults())),
      hint = "the faults are " .. table.concat(
        list.map(names_of_faults(), function(n)
          return FAULTS[n].usage
        end),
        ", "
      ),
      where = "",
    })
  elseif #words < #known.words then
    fault.raise("usage", nil, { msg = "--fault: write " .. known.usage, where = "" })
  end
  for i, word in ipairs(known.words) do
    if word:upper() == word and not tonumber(words[i]) then
      fault.raise("usage", nil, {
        msg = ("--fault %s: %q is not a number; write %s"):format(name, words[i], known.usage),
        where = "",
      })
    end
  end
  return { name = name, model = known.model, args = words }
end

local function dremio_options(self)
  return {
    now = function()
      return self.now
    end,
    executors = function()
      return self.models.kubernetes:pods({
        namespace = "data-platform",
        labels = { app = "dremio", role = "executor" },
      })
    end,
    coordinator = function()
      local pods = self.models.kubernetes:pods({
        namespace = "data-platform",
        labels = { app = "dremio", role = "coordinator" },
      })
      return pods[1] ~= nil and pods[1].ready and not pods[1].deleting
    end,
    seed = self.seed,
  }
end

local function seed_models(self)
  self.models = {}
  self.models.kubernetes = require("plat.sim.k8s").seed({ now = self.now, seed = self.seed })
  self.models.dremio = require("plat.sim.dremio").new(dremio_options(self))
end

local function restore_models(self, dump)
  self.models = {}
  self.models.kubernetes = require("plat.sim.k8s").restore(dump.kubernetes)
  self.models.dremio = require("plat.sim.dremio").restore(dump.dremio, dremio_options(self))
end

--- The order in which models advance: what others look at comes first.
local ORDER = { "kubernetes", "dremio" }

M.AUTHORITIES = {
  ["kubernetes.sandbox:443"] = "kubernetes",
  ["dremio.sandbox:9047"] = "dremio",
}

--- Lets every model live up to a time, event by event, so that they see each other's effects.
---@param now number unix seconds
function World:advance(now)
  while true do
    local due
    for _, name in ipairs(ORDER) do
      local at = self.models[name]:next_event()
      if at and at <= now and (not due or at < due) then
        due = at
      end
    end
    if not due then
      break
    end
    self.now = math.max(self.now, due)
    for _, name in ipairs(ORDER) do
      self.models[name]:advance(self.now)
    end
  end
  self.now = math.max(self.now, now)
  for _, name in ipairs(ORDER) do
    self.models[name]:advance(self.now)
  end
end

-- ---- requests ----

local function unescape(s)
  return (
    s:gsub("+", " "):gsub("%%(%x%x)", function(hex)
      return string.char(tonumber(hex, 16))
    end)
  )
end

--- Makes the request that models understand.
---@param method string
---@param url string path?query, or a whole URL
---@param headers? table<string, string>
---@param body? string
---@return table request
function M.parse_request(method, url, headers, body)
  local target = url:match("^%a+://[^/?]*(.*)$") or url
  local path, raw = target:match("^([^?]*)%??(.*)$")
  local query, lower = {}, {}
  for pair in raw:gmatch("[^&]+") do
    local k, v = pair:match("^([^=]*)=?(.*)$")
    query[unescape(k)] = unescape(v)
  end
  for k, v in pairs(headers or {}) do
    lower[k:lower()] = tostring(v)
  end
  return {
    method = method,
    path = path == "" and "/" or (path:gsub("%%(%x%x)", function(hex)
      return string.char(tonumber(hex, 16))
    end)),
    raw_query = raw,
    query = query,
    headers = lower,
    body = body,
  }
end

local function log(self, entry)
  if self.file then
    entry.t = self.now
    fault.must(
      { op = "sandbox", object = "world.log" },
      self.file:write(json.encode(entry) .. "\n")
    )
  end
end

--- Answers a request to an authority ("host:port"). The change is in the log before the model acts.
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
  self:advance(time.now())
  if not SAFE[req.method] then
    log(self, {
      authority = authority,
      method = req.method,
      url = req.url:match("^%a+://[^/?]*(.*)$"),
      headers = req.headers,
      body = req.body,
    })
  end
  return self.models[name]:handle(M.parse_request(req.method, req.url, req.headers, req.body))
end

--- Brings a fault about.
---@param f { name: string, model: string, args: string[] }
function World:fault(f)
  self:advance(time.now())
  log(self, { fault = f })
  self.models[f.model]:fault(f.name, f.args)
end

-- ---- the world between runs ----

local function replay(self, text, offset)
  for line in text:sub(offset + 1):gmatch("([^\n]*)\n") do
    local entry = json.decode(line, { name = "world.log" })
    self:advance(entry.t)
    if entry.fault then
      self.models[entry.fault.model]:fault(entry.fault.name, entry.fault.args)
    elseif entry.calm then
      self:calm()
    else
      local model = self.models[M.AUTHORITIES[entry.authority]]
      local resp = model:handle(M.parse_request(entry.method, entry.url, entry.headers, entry.body))
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

local function load_snapshot(self, text)
  local snapshot = json.decode(text, { name = "snapshot.json", max_size = 1 << 30 })
  if snapshot.schema ~= M.SCHEMA then
    fault.raise("refused", { op = "sandbox" }, {
      msg = "this sandbox was made by another version of platrun",
      hint = "platrun sandbox reset makes a new one",
    })
  end
  self.now, self.seed = snapshot.now, snapshot.seed
  restore_models(self, snapshot.models)
  return snapshot.offset
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

--- Opens the world that earlier runs left, or a new one.
---@param opts { ephemeral: boolean?, time: number?, speed: number?, seed: integer? } an ephemeral
---  world is not written down
---@return table world
function M.open(opts)
  local self = setmetatable({ dir = M.dir(), ephemeral = opts.ephemeral }, World)
  state.make_dir(self.dir)
  hold(self)
  local snapshot = state.read(self.dir .. "/snapshot.json")
  local text = state.read(self.dir .. "/world.log") or ""
  local offset = 0
  if snapshot then
    offset = load_snapshot(self, snapshot)
  else
    self.now = opts.time or time.real() // 1
    self.seed = opts.seed or 1
    seed_models(self)
    if not self.ephemeral then
      self.offset = 0
      self:save()
    end
  end
  replay(self, whole_lines(text), offset)
  if not self.ephemeral then
    self.file = state.append(self.dir .. "/world.log")
    if #whole_lines(text) < #text then
      self.file:truncate(#whole_lines(text))
    end
  end
  self:start_clock(opts)
  if not self.ephemeral then
    log(self, { calm = true })
  end
  self:calm()
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
  self:advance(time.now())
end

--- Writes the world down, so that the next run does not replay the whole log.
function World:save()
  if self.ephemeral then
    return
  end
  local models = {}
  for _, name in ipairs(ORDER) do
    models[name] = self.models[name]:dump()
  end
  state.write(
    self.dir .. "/snapshot.json",
    json.encode({
      schema = M.SCHEMA,
      now = self.now,
      seed = self.seed,
      offset = self.file and self.file:size() or self.offset or 0,
      models = models,
    })
  )
end

--- Ends the use of the world: time passes up to now, and what is is written down.
function World:close()
  self:advance(time.now())
  self:save()
  if self.file then
    self.file:close()
  end
  self.lock:close()
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
