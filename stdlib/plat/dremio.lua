--- Dremio: SQL, executors and what runs on them, over the coordinator's HTTP API.
--
-- An executor is known by three names: its pod ("dremio-executor-3"), its host name in the system
-- tables ("dremio-executor-3.dremio-cluster-pod.data-platform.svc.cluster.local") and its ordinal.
-- The first label of the host name is the pod's name; every function here takes and gives that.
local check = require("plat.check")
local effect = require("plat.effect")
local fault = require("plat.fault")
local list = require("plat.list")
local query = require("plat.dremio.query")
local schedule = require("plat.schedule")
local session = require("plat.dremio.session")
local time = require("plat.time")
local unknown = require("plat.effect.unknown")
local watch = require("plat.dremio.watch")

local M = {}

local SQL = check.options("dremio.sql", { timeout = { type = "duration", default = "60s" } })

local WAIT = check.options("dremio.wait", {
  within = { type = "duration", default = "15m" },
  readings = { type = "integer", default = 3, min = 1, help = "good readings in a row" },
  every = { type = "duration", default = "5s", help = "between good readings" },
})

local FOLLOW = 5 -- readings of a wait of which one looks at the executor, the others at a job

---@class plat.dremio.Client
---@field target string
local Client = { __name = "plat.dremio.Client" }
Client.__index = Client

--- Returns a client; a session opens with the first call that needs one.
---@param conf table `url`, `user` and one of `password`, `password_file`, `password_env`,
---  `token_file`; also `name`, `ca_file`, `server_name`, `insecure`, `proxy`
---@return plat.dremio.Client
function M.connect(conf)
  local raw = session.new(conf)
  local self = { target = raw.target, _session = raw, _own_jobs = {}, _seen_jobs = {} }
  return setmetatable(self, Client)
end

function Client:__tostring()
  return self.target
end

--- Returns the number of executors that an inventory entry asks for at an instant.
---@param conf table with `executors`: a number or a schedule
---@param t? number unix seconds, default now
---@return integer|nil executors nil when the inventory does not say
---@return string|nil window name of the schedule's window
function M.planned_executors(conf, t)
  if conf.executors == nil then
    return nil
  end
  return schedule.value(conf.executors, t or time.now())
end

--- Returns the pod name of a host name.
---@param hostname string
---@return string
function M.executor_name(hostname)
  return hostname:match("^[^.]+") or hostname
end

--- Returns whether the coordinator is up, and its own word for its state ("OK", "MASTER_DOWN").
--- Needs no session.
---@async
---@return boolean up
---@return string text
function Client:status()
  return self._session:status()
end

--- Opens a session; raises kind "auth" when the credentials are refused.
---@async
function Client:login()
  self._session:login()
end

--- The id of a query without the count of its attempts, which is its last byte.
local function base_id(id)
  return (id:gsub("%x%x$", ""))
end

--- Runs a statement that reads and returns its rows. A query that is not waited for to its end
--- (timeout, cancel) is cancelled on the server.
---@async
---@param text string one select, show, describe or explain
---@param opts? { timeout?: number|string } default 60s
---@return table[] rows
---@return string job its id
function Client:sql(text, opts)
  local rows, id = query.run(self._session, text, SQL(opts).timeout)
  self._own_jobs[#self._own_jobs % 16 + 1] = base_id(id)
  return rows, id
end

--- Returns the executors that the coordinator knows, in the order of their ordinals.
---@async
---@return { name: string, hostname: string, version: string, status: string }[]
function Client:executors()
  local rows = self:sql("select hostname, version, status from sys.nodes where is_executor = true")
  local out = list.map(rows, function(row)
    return {
      name = M.executor_name(row.hostname),
      hostname = row.hostname,
      version = row.version,
      status = row.status,
    }
  end)
  return list.sort_by(out, function(node)
    return ("%s%08d"):format(node.name:gsub("%d+$", ""), tonumber(node.name:match("%d+$")) or 0)
  end)
end

--- Returns which versions the executors run: version to names.
---@async
---@return table<string, string[]>
function Client:versions()
  local out = {}
  for _, node in ipairs(self:executors()) do
    out[node.version] = out[node.version] or {}
    table.insert(out[node.version], node.name)
  end
  return out
end

--- Returns what runs on each executor: name to a list of queries. The query that looks, which runs
--- on every executor itself, is left out.
---@async
---@return table<string, { job: string, fragments: integer, started: string }[]>
function Client:fragments()
  local rows, own = self:sql(
    "select hostname, queryId, count(*) as fragments, min(startTime) as started"
      .. " from sys.fragments group by hostname, queryId"
  )
  local out = {}
  for _, row in ipairs(rows) do
    if base_id(row.queryId) ~= base_id(own) then
      local name = M.executor_name(row.hostname)
      out[name] = out[name] or {}
      table.insert(out[name], {
        job = base_id(row.queryId) .. "00",
        fragments = tonumber(row.fragments),
        started = row.started,
      })
    end
  end
  return out
end

--- Returns the jobs that have not ended; this client's own are left out.
---@async
---@return { id: string, user: string, status: string, submitted: number }[]
function Client:jobs()
  local rows, own =
    self:sql("select job_id, user_name, status, submitted_epoch_millis from sys.jobs")
  local out = {}
  for _, row in ipairs(rows) do
    if row.job_id ~= own and not list.contains(self._own_jobs, base_id(row.job_id)) then
      out[#out + 1] = {
        id = row.job_id,
        user = row.user_name,
        status = row.status,
        submitted = (tonumber(row.submitted_epoch_millis) or 0) / 1000,
      }
    end
  end
  return out
end

--- Returns the jobs with work on one executor, with their users where Dremio tells them (sys.jobs
--- needs a privilege that the session may lack).
---@async
---@param name string pod name of the executor
---@return { id: string, user: string, started: string, fragments: integer }[]
function Client:jobs_on(name)
  local work = self:fragments()[name] or {}
  local jobs = self._seen_jobs
  local unknown_job = list.find(work, function(item)
    return not list.find(jobs, { id = item.job })
  end)
  if unknown_job then
    jobs = fault.try(self.jobs, self) or {}
    self._seen_jobs = jobs
  end
  return list.map(work, function(item)
    local job = list.find(jobs, { id = item.job })
    return {
      id = item.job,
      user = job and job.user or "unknown user",
      started = job and time.rfc3339(job.submitted) or item.started,
      fragments = item.fragments,
    }
  end)
end

--- Cancels a job. One that has ended already is no error.
---@async
---@param id string
function Client:cancel(id)
  local path = "/api/v3/job/" .. id .. "/cancel"
  local _, err = fault.try(self._session.call, self._session, {
    method = "POST",
    path = path,
    op = "dremio.cancel",
    object = "job " .. id,
    change = {
      text = "cancel Dremio job " .. id,
      args = { job = id },
      recovery = "repeatable",
      predict = function()
        return { status = 204, headers = {}, body = "" }
      end,
      overlay = query.after_cancel(id),
    },
  })
  if err and err.code ~= 404 then
    error(err, 0)
  end
end

--- Runs a smallest query through the whole of Dremio; raises when it fails.
---@async
---@return number seconds it took
function Client:smoke()
  local before = time.mono()
  local rows = self:sql("select 1 as alive", { timeout = "60s" })
  if #rows ~= 1 or tonumber(rows[1].alive) ~= 1 then
    fault.raise("failed", { op = "dremio.smoke", target = self.target }, {
      msg = "select 1 did not answer 1",
    })
  end
  return time.mono() - before
end

--- Whether a job runs for sure: one request, where a look at the executor takes eight. Where it
--- cannot be told, or where the session may not know, it is not sure.
local function runs(self, id)
  local job = fault.try(self._session.call, self._session, {
    path = "/api/v3/job/" .. id,
    op = "dremio.job",
    object = "job " .. id,
  })
  return type(job) == "table" and job.jobState == "RUNNING"
end

local function describe_job(job)
  return ("job %s of %s since %s"):format(job.id, job.user, job.started)
end

--- Waits until nothing runs on an executor. The fault of a wait in vain names the jobs, in its
--- text and as `seen.jobs`.
---
--- Dremio has no public call that keeps new queries away from an executor, so a query may still
--- start between the last reading and the end of the pod: the pod's grace period is for that one.
---@async
---@param name string pod name
---@param opts? { within?: number|string, readings?: integer, every?: number|string }
function Client:wait_drained(name, opts)
  local about = { op = "dremio.wait_drained", target = self.target, object = name }
  opts = WAIT(opts)
  opts.what = "nothing runs on " .. name
  local deadline = time.mono() + opts.within -- then all jobs are named
  local last, followed = nil, 0
  watch.watch(about, opts, function()
    followed = followed + 1
    local follow = last and followed < FOLLOW and time.mono() < deadline
    if follow and runs(self, last.jobs[1]) then
      return last -- as long as this one runs, the executor is not idle
    end
    followed = 0
    local jobs = self:jobs_on(name)
    local ids = list.map(jobs, function(job)
      return job.id
    end)
    local seen = {
      good = #jobs == 0,
      text = #jobs == 0 and "idle"
        or ("%d running: %s"):format(#jobs, table.concat(list.map(jobs, describe_job), "; ")),
      jobs = ids,
      hint = #jobs > 0 and "wait longer (drain=), or cancel them (cancel_queries=true)" or nil,
    }
    last = #jobs > 0 and seen or nil
    return seen
  end)
end

local ABSENT = "a pod that runs but is absent here: look at its ZooKeeper address, at port 45678 "
  .. "(NetworkPolicy), and whether it started as a coordinator of its own"

--- Waits until the coordinator knows exactly these executors.
---@async
---@param names string[]|integer pod names, or how many
---@param opts? { within?: number|string, readings?: integer, every?: number|string }
---@return table[] executors
function Client:wait_executors(names, opts)
  local want = type(names) == "table" and #names or names
  local about = { op = "dremio.wait_executors", target = self.target }
  opts = WAIT(opts)
  opts.what = ("the coordinator sees %d executors"):format(want)
  local seen = watch.watch(about, opts, function()
    local nodes = self:executors()
    local known = list.map(nodes, function(node)
      return node.name
    end)
    local missing = list.where(type(names) == "table" and names or {}, function(name)
      return not list.contains(known, name)
    end)
    local text = ("%d of %d"):format(#nodes, want)
    if #missing > 0 then
      text = text .. ", missing: " .. table.concat(missing, ", ")
    end
    return {
      good = #nodes == want and #missing == 0,
      text = text,
      nodes = nodes,
      hint = #nodes < want and ABSENT or nil,
    }
  end)
  return seen.good and seen.nodes
    or unknown.new(function()
      effect.plan():cut("what follows depends on the executors that the coordinator will see")
    end)
end

--- Waits until the coordinator has forgotten an executor.
---@async
---@param name string pod name
---@param opts? { within?: number|string, readings?: integer, every?: number|string }
function Client:wait_gone(name, opts)
  local about = { op = "dremio.wait_gone", target = self.target, object = name }
  opts = WAIT(opts)
  opts.what = name .. " has left"
  watch.watch(about, opts, function()
    local node = list.find(self:executors(), { name = name })
    return { good = not node, text = node and "still known, " .. node.status or "gone" }
  end)
end

--- Waits until the coordinator answers that it is up.
---@async
---@param opts? { within?: number|string, readings?: integer, every?: number|string }
function Client:wait_up(opts)
  opts = WAIT(opts)
  opts.what = "the coordinator is up"
  watch.watch({ op = "dremio.wait_up", target = self.target }, opts, function()
    local up, text = self:status()
    return { good = up, text = text }
  end)
end

return M
