--- Model of a Dremio cluster: one coordinator and executors that come and go with their pods.
--
-- Answers the calls that plat.dremio and an operator's curl make: server_status, login, SQL jobs
-- with their states on the clock, results, cancel, nodes, metrics. Which executors exist is told by
-- a provider function, asked at every advance: the pods of a Kubernetes model, or a list in a test.
local api = require("plat.sim.dremio.api")
local faults = require("plat.sim.dremio.faults")
local list = require("plat.list")
local query = require("plat.sim.dremio.query")
local sql = require("plat.sim.dremio.sql")
local tables = require("plat.sim.dremio.tables")

local M = {}

local KEEP_JOBS = 1000
local REGISTER = { 3, 8 } -- seconds from a ready pod to its row in sys.nodes, least and most
local PHASES = { -- seconds after the submission
  { "PENDING", 0 },
  { "METADATA_RETRIEVAL", 0.05 },
  { "PLANNING", 0.1 },
  { "EXECUTION_PLANNING", 0.25 },
  { "RUNNING", 0.3 },
}
local RUN_TIME = 0.5 -- seconds a query of the system tables runs
local LOST_NODE = "One or more nodes lost connectivity during query. Identified nodes were [%s:0]."

local Model = { __name = "plat.sim.dremio" }
Model.__index = Model

--- Makes a model.
---@param opts table `now` (function or number), `executors` (function -> list of `{ name, ip?,
---  ready, deleting?, image?, uid?, since? }`), `coordinator?` (function -> bool ready), `user`,
---  `password`, `namespace`, `service`, `version`, `seed`, `background?` (seconds between short
---  queries)
---@return table model
function M.new(opts)
  local self = setmetatable({}, Model)
  self.clock = type(opts.now) == "function" and opts.now or nil
  self.time = self.clock and self.clock() or opts.now or 0
  self.provider = opts.executors
  self.coordinator = opts.coordinator
  self.domain = ("%s.%s.svc.cluster.local"):format(
    opts.service or "dremio-cluster-pod",
    opts.namespace or "data-platform"
  )
  self.coordinator_host = "dremio-coordinator-0." .. self.domain
  self.version = opts.version or "26.0.5"
  self.state = {
    jobs = {},
    order = {},
    tokens = {},
    executors = {},
    user = opts.user or "platrun",
    password = opts.password or "platrun-sandbox",
    seed = (opts.seed or 1) % 2147483646 + 1,
    background = opts.background,
    next_background = opts.background and self.time + opts.background,
    failed = 0,
  }
  self:advance(self.time)
  for _, node in pairs(self.state.executors) do -- a cluster that is running already
    node.registers = self.time
  end
  return self
end

--- Makes a model from what `dump` gave; `opts` supplies the functions again.
---@param state table
---@param opts table
---@return table model
function M.restore(state, opts)
  local self = M.new(list.merge(opts, { executors = false }))
  self.provider = opts.executors
  self.state = list.deep_copy(state)
  self.nodes, self.active, self.pods_version = nil, nil, nil -- they were of another state
  return self
end

--- Returns the whole state as plain data.
---@return table
function Model:dump()
  return list.deep_copy(self.state)
end

--- A random number in [0, 1) that belongs to the state, so that a restored model goes on the same.
function Model:random()
  self.state.seed = self.state.seed * 48271 % 2147483647
  return self.state.seed / 2147483647
end

function Model:hostname(name)
  return name .. "." .. self.domain
end

local function ordinal_of(node)
  return ("%08d %s"):format(tonumber(node.name:match("%d+$")) or 0, node.name)
end

--- Returns the executors that queries run on, by ordinal.
function Model:registered()
  self.nodes = self.nodes or list.sort_by(list.values(self.state.executors), ordinal_of)
  local out = {}
  for _, node in ipairs(self.nodes) do
    if node.registers <= self.time then
      out[#out + 1] = node
    end
  end
  return out
end

--- Returns the executors that sys.nodes shows: also those that are gone and not yet given up.
function Model:listed()
  local out = list.copy(self:registered())
  for _, name in ipairs(list.keys(self.state.gone or {})) do
    local gone = self.state.gone[name]
    if gone.until_ > self.time and not self.state.executors[name] then
      out[#out + 1] = gone.node
    end
  end
  return out
end

--- Returns the present state of a job, and when it ended.
function Model:job_state(job)
  if job.final then
    return job.final, job.ended
  end
  if job.held then
    return "QUEUED"
  end
  local age = self.time - job.started
  if age >= job.length then
    return "COMPLETED", job.started + job.length
  end
  local state
  for _, phase in ipairs(PHASES) do
    state = age >= phase[2] and phase[1] or state
  end
  return state
end

--- Returns the jobs that have not ended, oldest first.
function Model:active_jobs()
  local jobs, out = self.state.jobs, {}
  local candidates = self.active
    or list.map(self.state.order, function(id)
      return jobs[id]
    end)
  for _, job in ipairs(candidates) do
    local _, ended = self:job_state(job)
    if not ended and jobs[job.id] then
      out[#out + 1] = job
    end
  end
  self.active = out -- what has ended stays so: nobody looks at it again
  return out
end

--- Ends a job now.
---@param job table
---@param state string
---@param message? string
function Model:finish(job, state, message)
  job.final, job.ended, job.error, job.result = state, self.time, message, nil
end

--- Forgets an executor; what ran on it fails.
function Model:lose(node)
  self.state.executors[node.name], self.nodes = nil, nil
  if self.state.lingers then
    self.state.gone[node.name] = { node = node, until_ = self.time + self.state.lingers }
  end
  for _, job in ipairs(self:active_jobs()) do
    if list.contains(job.hosts, node.name) then
      self:finish(job, "FAILED", LOST_NODE:format(node.hostname))
      self.state.failed = self.state.failed + 1
    end
  end
end

function Model:update_executors()
  local present = {}
  local pods, version
  if self.provider then
    pods, version = self.provider()
  end
  if version and version == self.pods_version then
    return -- nothing has come or gone
  end
  self.pods_version = version
  for _, pod in ipairs(pods or {}) do
    if pod.ready and not pod.deleting then
      present[pod.name] = pod
    end
  end
  local known = self.state.executors
  for name, node in pairs(list.merge({}, known)) do
    local pod = present[name]
    if not pod or pod.uid ~= node.uid then
      self:lose(node)
    end
  end
  for name, pod in pairs(present) do
    if not known[name] then
      local delay = REGISTER[1] + self:random() * (REGISTER[2] - REGISTER[1])
      self.nodes = nil
      known[name] = {
        name = name,
        uid = pod.uid,
        ip = pod.ip or "10.0.0.1",
        hostname = self:hostname(name),
        version = pod.image and pod.image:match(":(%d+%.%d+%.%d+)") or self.version,
        registers = (pod.since or self.time) + delay,
      }
    end
  end
end

--- Processes everything that is due up to `now`.
---@param now number unix seconds
function Model:advance(now)
  local before, version = self.time, self.pods_version
  self.time = math.max(before, now)
  self:update_executors()
  if self.time == before and version and version == self.pods_version then
    return -- neither time nor the pods have moved
  end
  local nodes = self:registered()
  for _, job in ipairs(self:active_jobs()) do
    if job.held and #nodes > 0 then
      job.held, job.started = nil, self.time
    end
  end
  local state = self.state
  while state.next_background and state.next_background <= self.time do
    local at = state.next_background
    state.next_background = at + state.background * (0.5 + self:random())
    if #nodes > 0 then
      local host = nodes[1 + math.floor(self:random() * #nodes)].name
      self:start_job("select * from lake.sales.orders", "dashboards", "JDBC", at, {
        hosts = { host },
        length = 2 + self:random() * 20,
      })
    end
  end
end

--- Returns when something happens next by itself, or nil.
---@return number|nil
function Model:next_event()
  local next_at = self.state.next_background
  for _, node in pairs(self.state.executors) do
    if node.registers > self.time and (not next_at or node.registers < next_at) then
      next_at = node.registers
    end
  end
  for _, job in ipairs(self:active_jobs()) do
    local ends = not job.held and job.started + job.length or nil
    next_at = ends and (not next_at or ends < next_at) and ends or next_at
  end
  return next_at
end

function Model:start_job(text, user, kind, at, opts)
  local r = math.floor(self:random() * 0x7fffffff)
  local state = self.state
  state.made = (state.made or 0) + 1
  local job = {
    id = ("%08x-%04x-%04x-%04x-%08x%04x"):format(
      0x20000000 - state.made,
      r & 0xffff,
      r >> 16,
      0x8000 | (r >> 3) & 0x3fff,
      math.floor(at) & 0xffffffff,
      (r >> 7 & 0xff) << 8 -- the last byte of a query's id counts its attempts
    ),
    sql = text,
    user = user,
    kind = kind,
    submitted = at,
    started = at,
    hosts = opts.hosts or {},
    length = opts.length,
    held = opts.held,
    error = opts.error,
  }
  state.jobs[job.id] = job
  state.order[#state.order + 1] = job.id
  table.insert(self.active or {}, job)
  if #state.order > KEEP_JOBS then
    state.jobs[table.remove(state.order, 1)] = nil
  end
  return job
end

--- Brings a fault about; nil and why not, when it cannot be.
---@param name string "query", or with its arguments "query:30:dremio-executor-1"
---@param args? any[]
---@return string? what what happens now
---@return string? problem
function Model:fault(name, args)
  return faults.inject(self, name, args)
end

--- Ends the faults.
function Model:calm()
  faults.clear(self)
end

--- Plans a statement: what it reads and whether it can be answered.
local function plan(text)
  local parsed, problem = sql.parse(text)
  if not parsed then
    return nil, problem
  end
  if not parsed.from then
    return { query = parsed, columns = {} }
  end
  local name = parsed.from[#parsed.from]:lower()
  local columns = #parsed.from == 2 and parsed.from[1]:lower() == "sys" and tables.COLUMNS[name]
  if not columns then
    local path = table.concat(parsed.from, ".")
    return nil, ("VALIDATION ERROR: Object '%s' not found"):format(path)
  end
  return { query = parsed, columns = columns, table = name }
end

--- Starts a job for a statement. What it reads is the state at its submission.
---@param text string
---@param user string
---@return table job
function Model:submit(text, user)
  local planned, problem = plan(text)
  local job = self:start_job(text, user, "REST", self.time, { length = RUN_TIME })
  local rows, names
  if planned and planned.table == "fragments" then -- asks every executor, so it runs there itself
    job.hosts = list.map(self:registered(), function(node)
      return node.name
    end)
  end
  if planned then
    rows = planned.table and tables.rows(self, planned.table) or { {} }
    rows, names = query.run(planned.query, planned.columns, rows)
  end
  if not rows then
    self:finish(job, "FAILED", problem or names)
    self.state.failed = self.state.failed + 1
    return job
  end
  job.result = { rows = rows, names = names }
  if not planned.table and #self:registered() == 0 then
    job.held = true -- waits for an executor
  end
  return job
end

--- Cancels a job; one that has ended stays as it is.
---@param job table
---@param user string
function Model:cancel(job, user)
  local _, ended = self:job_state(job)
  if not ended then
    self:finish(job, "CANCELED")
    job.reason = ("Query cancelled by user '%s'"):format(user)
  end
end

--- Makes every session expire, as a restart of the coordinator does.
function Model:expire_tokens()
  self.state.tokens = {}
end

--- Tells if the coordinator answers.
function Model:is_up()
  return not self.coordinator or self.coordinator()
end

--- Answers one request.
---@param request table `{ method, path, query, headers, body }`
---@return table response `{ status, headers, body }`
function Model:handle(request)
  if self.clock then
    self:advance(self.clock())
  end
  return api.handle(self, request)
end

return M
