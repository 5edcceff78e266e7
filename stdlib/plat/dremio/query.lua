--- SQL on Dremio: a statement becomes a job, the job is followed to its end, its rows are read.
local effect = require("plat.effect")
local fault = require("plat.fault")
local list = require("plat.list")
local time = require("plat.time")

local M = {}

local PAGE = 500 -- Dremio refuses larger pages
local MAX_ROWS = 100000
local FIRST_POLL, MAX_POLL = 0.25, 10 -- seconds between looks at a job
local MAX_FIRST = 2 -- seconds to the first look, however long the last statement took

local SELECT = "a select reads tables and changes none"
local ABANDON = "ends a select that this session started and nobody waits for"

effect.declare_read({ method = "POST", path = "^/api/v3/sql$", reason = SELECT })
effect.declare_read({ method = "POST", path = "^/api/v3/job/[%w-]+/cancel$", reason = ABANDON })

local READING =
  list.map({ "select", "with", "show", "describe", "explain", "values" }, string.upper)

--- Raises when a statement is not one statement that reads.
local function check_reads(query)
  local text = query:gsub("%-%-[^\n]*", " "):gsub("/%*.-%*/", " ")
  local word = text:match("^[%s(]*(%a+)")
  local rest = text:gsub("'[^']*'", ""):match(";%s*(.-)%s*$")
  if not word or not list.contains(READING, word:upper()) or (rest and rest ~= "") then
    error("dremio.sql: only one statement that reads is taken, not: " .. query:sub(1, 60), 4)
  end
end

local FINAL = { COMPLETED = true, FAILED = true, CANCELED = true, INVALID_STATE = true }

--- Follows a job to its end. The first look comes when the session's last job had ended, a little
--- earlier each time: statements of one session resemble each other.
local function await_job(session, id, about, timeout)
  local began = time.mono()
  local deadline = began + timeout
  local first = session.first_look or FIRST_POLL
  local delay = FIRST_POLL
  time.sleep(math.min(first, timeout))
  session.first_look = math.max(first * 0.9, FIRST_POLL)
  while true do
    local job = session:call({
      path = "/api/v3/job/" .. id,
      op = about.op,
      object = about.object,
      needs = { "jobState" },
    })
    if FINAL[job.jobState] then
      return job
    end
    local left = deadline - time.mono()
    if left <= 0 then
      fault.raise("timeout", about, {
        msg = ("is %s after %s"):format(job.jobState, time.human(timeout)),
        hint = job.jobState == "QUEUED" and "no executor is free, or none is there" or nil,
      })
    end
    time.sleep(math.min(delay, left))
    delay = math.min(delay * 2, MAX_POLL)
    session.first_look = math.min(time.mono() - began, MAX_FIRST)
  end
end

--- The kinds of error that the next try meets again; others pass (a node was lost, no resources).
local LASTING = { "PARSE", "VALIDATION", "PERMISSION", "FUNCTION", "PLAN", "UNSUPPORTED_OPERATION" }

local function fail(about, job)
  local why = job.jobState == "FAILED" and job.errorMessage or job.cancellationReason
  local kind = (why or ""):match("^([%u_]+) ERROR")
  fault.raise("http", about, {
    msg = ("%s: %s"):format(job.jobState:lower(), why or "no reason given"),
    reason = job.jobState,
    code = list.contains(LASTING, kind) and 400 or 500, -- as a status would say it
  })
end

local function read_rows(session, id, about)
  local rows, total = {}
  repeat
    local page = session:call({
      path = "/api/v3/job/" .. id .. "/results",
      query = { offset = #rows, limit = PAGE },
      op = about.op,
      object = about.object,
      needs = { "rowCount", "rows" },
    })
    total = math.min(tonumber(page.rowCount) or 0, MAX_ROWS)
    for _, row in ipairs(page.rows) do
      rows[#rows + 1] = row
    end
  until #page.rows == 0 or #rows >= total
  return rows
end

--- Runs a statement that reads and returns its rows. A query that is not waited for to its end
--- (timeout, cancel) is cancelled on the server.
---@async
---@param session plat.dremio.Session
---@param query string
---@param timeout number seconds
---@return table[] rows
---@return string job its id
function M.run(session, query, timeout)
  check_reads(query)
  local id = session:call({
    method = "POST",
    path = "/api/v3/sql",
    body = { sql = query },
    op = "dremio.sql",
    read = SELECT,
    needs = { "id" },
  }).id
  local about = { op = "dremio.sql", target = session.target, object = "job " .. id }
  local finished = false
  local _ <close> = setmetatable({}, {
    __close = function()
      if not finished then
        local path = "/api/v3/job/" .. id .. "/cancel"
        fault.try(
          session.call,
          session,
          { method = "POST", path = path, op = "dremio.cancel", read = ABANDON }
        )
      end
    end,
  })
  local job = await_job(session, id, about, timeout)
  finished = true
  if job.jobState ~= "COMPLETED" then
    fail(about, job)
  end
  return read_rows(session, id, about), id
end

--- Returns how later reads look after a job was cancelled: what runs nobody knows, as it takes a
--- while to end.
---@param id string
---@return fun(read: table, resp: table): table?, string?
function M.after_cancel(id)
  return function(read, resp)
    local text = read.body or ""
    local running = text:find("sys.jobs", 1, true) or text:find("sys.fragments", 1, true)
    if running or read.url:find("/job/" .. id, 1, true) then
      return nil, "which a cancelled job is part of"
    end
    return resp
  end
end

return M
