--- Worlds for generated playbooks: a cluster, a Dremio and a counter that nothing predicts. Each
--- play gets its own copy of the same one, at the same time.
local dremio = require("plat.sim.dremio")
local effect = require("plat.effect")
local fault = require("plat.fault")
local k8s = require("plat.sim.k8s")
local planner = require("plat.effect.plan")
local run = require("plat.run")
local seeds = require("plat.sim.k8s.seeds")
local sim = require("plat.sim.world")
local time = require("prim.time")

local M = {}

local NOW = 1795000000
local START = NOW + 300 -- all is ready then
local NS = "data-platform"
M.NS = NS

local World = {}
World.__index = World

-- ---- the models ----

local function dremio_options(self)
  local function pods(role)
    return self.kubernetes:pods({ namespace = NS, labels = { app = "dremio", role = role } })
  end
  return {
    now = function()
      return self.now
    end,
    executors = function()
      return pods("executor")
    end,
    coordinator = function()
      local found = pods("coordinator")[1]
      return found ~= nil and found.ready and not found.deleting
    end,
    seed = 1,
  }
end

local function config_map(name, n, tier)
  return {
    apiVersion = "v1",
    kind = "ConfigMap",
    metadata = { name = name, namespace = NS, labels = { tier = tier, made = "before" } },
    data = { n = tostring(n), keep = "it" },
  }
end

--- A store whose replicas matter to nobody else.
local function stateful_set(name)
  local labels = { app = name }
  return {
    apiVersion = "apps/v1",
    kind = "StatefulSet",
    metadata = { name = name, namespace = NS, labels = labels },
    spec = {
      replicas = 2,
      serviceName = name,
      selector = { matchLabels = labels },
      template = {
        metadata = { labels = labels },
        spec = { containers = { { name = "c", image = "apache/superset:3.0.0" } } },
      },
    },
  }
end

local base

--- Makes the world that all copies are made of.
local function make()
  local self = setmetatable({ now = NOW }, World)
  self.kubernetes = k8s.seed({ now = NOW, seed = 3 })
  for i = 1, 6 do
    local object = config_map("base-" .. i, i, i % 2 == 0 and "even" or "odd")
    seeds.put(self.kubernetes, object)
  end
  seeds.put(self.kubernetes, stateful_set("store"))
  self.kubernetes:advance(START)
  self.now = START
  self.dremio = dremio.new(dremio_options(self))
  for _ = 1, 2 do
    self.dremio:fault("query", { "90" })
  end
  return { kubernetes = self.kubernetes:dump(), dremio = self.dremio:dump() }
end

--- Returns a copy of the world as it is at the beginning.
function M.copy()
  base = base or make()
  local self = setmetatable({ now = START, counter = {}, changes = 0 }, World)
  self.kubernetes = k8s.restore(base.kubernetes)
  self.dremio = dremio.restore(base.dremio, dremio_options(self))
  self.has_localhost = true
  return self
end

function World:advance()
  local now = math.max(time.now(), self.now)
  while true do
    local due
    for _, model in ipairs({ self.kubernetes, self.dremio }) do
      local at = model:next_event()
      due = at and at <= now and math.min(due or at, at) or due
    end
    if not due then
      break
    end
    self.now = math.max(self.now, due)
    self.kubernetes:advance(self.now)
    self.dremio:advance(self.now)
  end
  self.now = now
  self.kubernetes:advance(now)
  self.dremio:advance(now)
end

--- Whether a request could change a model: neither a GET, nor a dry run, nor a declared read.
local function mutates(req)
  if req.method == "GET" or req.url:find("[?&]dryRun=All") then
    return false
  end
  local path = req.url:match("^%a+://[^/]+([^?]*)")
  return path ~= "/apiv2/login" and path ~= "/api/v3/sql"
end

--- A counter: PUT sets, GET tells; nobody can predict it.
local function count(self, request)
  if request.method ~= "GET" then
    self.counter[request.path] = tonumber(request.body) or 0
  end
  return { status = 200, headers = {}, body = tostring(self.counter[request.path] or 0) }
end

function World:request(authority, req)
  self.changes = self.changes + (mutates(req) and 1 or 0)
  self:advance()
  local request = sim.parse_request(req.method, req.url, req.headers, req.body)
  if authority == "counter.sandbox:80" then
    return count(self, request)
  end
  local model = authority == "kubernetes.sandbox:443" and self.kubernetes or self.dremio
  return model:handle(request)
end

-- ---- a play ----

local function reporter()
  return { emit = function() end }
end

local function observe(r, into)
  local observer = r:observer()
  local intent, outcome = observer.intent, observer.outcome
  observer.intent = function(change)
    intent(change)
    change.order = #into + 1
    into[#into + 1] = change
  end
  observer.outcome = function(change, word, ...)
    change.word = word
    outcome(change, word, ...)
  end
  return observer
end

---@class plan.Play
---@field err? plat.Fault
---@field changes table[] performed, in order; `word` says how they ended
---@field plan? plat.Plan
---@field world table
---@field run plat.Run

--- Plays a playbook on a fresh copy of the world: plans it, or runs it, undone if it fails.
---@param playbook { run: function, undo: table }
---@param opts { planning: boolean?, expect: table? }
---@return plan.Play
function M.play(playbook, opts)
  local world = M.copy()
  time.virtual(START, 0)
  local r = run.new({
    name = "generated",
    playbook = playbook,
    args = {},
    reporter = reporter(),
    planning = opts.planning,
    expect = opts.expect,
  })
  local changes = {}
  local function nothing() end
  local plan = opts.planning and planner.new(nothing, nothing) or nil
  effect.open({
    mode = opts.planning and "plan" or "run",
    plan = plan,
    world = world,
    observer = observe(r, changes),
  })
  local ok, err = xpcall(function()
    playbook.run(r)
    if opts.expect then
      opts.expect:finish()
    end
  end, fault.from_handler)
  local undo_ok, undo_err = xpcall(function()
    if not ok and not opts.planning then
      r:undo_since(0)
    end
  end, fault.from_handler)
  effect.close()
  err = not ok and not err.plan_stop and err or nil
  return {
    err = err or not undo_ok and undo_err or nil,
    changes = changes,
    plan = plan,
    world = world,
    run = r,
  }
end

return M
