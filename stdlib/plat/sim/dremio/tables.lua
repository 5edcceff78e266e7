--- The `sys` tables of the Dremio model, made from its state.
local tz = require("plat.tz")

local M = {}

M.COLUMNS = {
  version = { "version", "commit_id", "build_time" },
  nodes = {
    "name",
    "hostname",
    "ip_address",
    "user_port",
    "fabric_port",
    "status",
    "is_master",
    "is_coordinator",
    "is_executor",
    "version",
    "node_tag",
  },
  fragments = {
    "hostname",
    "queryId",
    "majorFragmentId",
    "minorFragmentId",
    "memoryUsage",
    "rowsProcessed",
    "startTime",
  },
  jobs = {
    "job_id",
    "status",
    "query_type",
    "user_name",
    "submitted_ts",
    "submitted_epoch_millis",
    "final_state_epoch_millis",
    "queue_name",
    "error_msg",
    "query",
  },
}
M.COLUMNS.jobs_recent = M.COLUMNS.jobs

local function stamp(t)
  local c = tz.civil(t, "UTC")
  local ms = math.floor((t - math.floor(t)) * 1000)
  return ("%04d-%02d-%02d %02d:%02d:%02d.%03d"):format(
    c.year,
    c.month,
    c.day,
    c.hour,
    c.min,
    c.sec,
    ms
  )
end

local BUILD = {}

function BUILD.version(model)
  return { { version = model.version, commit_id = "0", build_time = "2026-01-01 00:00:00.000" } }
end

function BUILD.nodes(model)
  local rows = {
    {
      name = "dremio-coordinator-0",
      hostname = model.coordinator_host,
      ip_address = "10.0.0.10",
      user_port = 31010,
      fabric_port = 45678,
      status = "green",
      is_master = true,
      is_coordinator = true,
      is_executor = false,
      version = model.version,
      node_tag = "",
    },
  }
  for _, node in ipairs(model:listed()) do
    rows[#rows + 1] = {
      name = node.name,
      hostname = node.hostname,
      ip_address = node.ip,
      user_port = 0,
      fabric_port = 45678,
      status = "green",
      is_master = false,
      is_coordinator = false,
      is_executor = true,
      version = node.version,
      node_tag = "default",
    }
  end
  return rows
end

--- One row for each executor a running job works on. A query of this table runs on every executor,
--- so it sees itself: a reader has to leave its own job out.
function BUILD.fragments(model)
  local rows = {}
  for _, job in ipairs(model:active_jobs()) do
    for minor, name in ipairs(job.hosts) do
      rows[#rows + 1] = {
        hostname = model:hostname(name),
        queryId = job.id,
        majorFragmentId = 1,
        minorFragmentId = minor - 1,
        memoryUsage = 1048576,
        rowsProcessed = math.floor((model.time - job.submitted) * 1000),
        startTime = stamp(job.submitted),
      }
    end
  end
  return rows
end

local function job_rows(model, only_active)
  local rows = {}
  for _, id in ipairs(model.state.order) do
    local job = model.state.jobs[id]
    local status, ended = model:job_state(job)
    if not (only_active and ended) then
      rows[#rows + 1] = {
        job_id = job.id,
        status = status,
        query_type = job.kind,
        user_name = job.user,
        submitted_ts = stamp(job.submitted),
        submitted_epoch_millis = math.floor(job.submitted * 1000),
        final_state_epoch_millis = ended and math.floor(ended * 1000) or 0,
        queue_name = "",
        error_msg = job.error or "",
        query = job.sql,
      }
    end
  end
  return rows
end

function BUILD.jobs(model)
  return job_rows(model, true)
end

function BUILD.jobs_recent(model)
  return job_rows(model, false)
end

--- Returns the rows of a table as they are now, or nil for an unknown table.
---@param model table
---@param name string
---@return table[]|nil rows
function M.rows(model, name)
  local build = BUILD[name]
  return build and build(model)
end

return M
