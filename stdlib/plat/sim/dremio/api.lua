--- The HTTP face of the Dremio model.
local fault = require("plat.fault")
local json = require("plat.json")
local list = require("plat.list")
local tz = require("plat.tz")

local M = {}

local TOKEN_LIFE = 30 * 3600
local MAX_ROWS = 500

local function answer(status, value)
  return {
    status = status,
    headers = { ["content-type"] = "application/json" },
    body = value ~= nil and json.encode(value) or "",
  }
end

local function failure(status, message)
  return answer(status, { errorMessage = message, moreInfo = "" })
end

local function decode(request)
  local value = fault.try(json.decode, request.body or "")
  return type(value) == "table" and value or nil
end

local function iso(t)
  local c = tz.civil(t, "UTC")
  local f = "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ"
  local ms = math.floor((t - math.floor(t)) * 1000)
  return f:format(c.year, c.month, c.day, c.hour, c.min, c.sec, ms)
end

local function token_of(request)
  return (request.headers.authorization or ""):match("^_dremio(%w+)$")
end

local function login(model, request)
  local body = decode(request)
  if not body then
    return failure(400, "could not read the request")
  end
  local state = model.state
  if body.userName ~= state.user or body.password ~= state.password then
    return failure(401, "Login failed: Invalid username or password")
  end
  local tokens = {}
  for token, session in pairs(state.tokens) do
    tokens[token] = session.expires > model.time and session or nil
  end
  local token = ("%08x%08x%08x"):format(
    math.floor(model:random() * 0xffffffff),
    math.floor(model:random() * 0xffffffff),
    math.floor(model.time) & 0xffffffff
  )
  tokens[token] = { user = body.userName, expires = model.time + TOKEN_LIFE }
  state.tokens = tokens
  return answer(200, {
    token = token,
    userName = body.userName,
    expires = math.floor((model.time + TOKEN_LIFE) * 1000),
    admin = true,
    version = model.version,
  })
end

local function logout(model, request)
  model.state.tokens[token_of(request)] = nil
  return answer(204)
end

local function submit(model, request, user)
  local body = decode(request)
  if not body or type(body.sql) ~= "string" then
    return failure(400, "sql may not be null")
  end
  return answer(200, { id = model:submit(body.sql, user).id })
end

local function get_job(model, job)
  local state, ended = model:job_state(job)
  local rows = state == "COMPLETED" and job.result and #job.result.rows or nil
  return answer(200, {
    jobState = state,
    rowCount = rows,
    errorMessage = job.error or "",
    startedAt = iso(job.submitted),
    endedAt = ended and iso(ended) or nil,
    queryType = job.kind,
    queueName = "",
    cancellationReason = job.reason or "",
  })
end

local TYPES = { string = "VARCHAR", boolean = "BOOLEAN", number = "BIGINT" }

local function schema(result)
  local out = json.array({})
  for i, name in ipairs(result.names) do
    local first = result.rows[1]
    local kind = TYPES[type(first and first[name])] or "VARCHAR"
    out[i] = { name = name, type = { name = kind } }
  end
  return out
end

local function results(model, job, request)
  local state = model:job_state(job)
  if state ~= "COMPLETED" then
    return failure(400, ("Can not fetch details for a job that is in [%s] state."):format(state))
  end
  local limit = math.tointeger(request.query.limit or 100)
  local offset = math.tointeger(request.query.offset or 0)
  if not limit or not offset or limit < 0 or offset < 0 then
    return failure(400, "limit and offset must be non-negative integers")
  end
  if limit > MAX_ROWS then
    return failure(400, ("limit can not exceed %d rows"):format(MAX_ROWS))
  end
  local result = job.result or { rows = {}, names = {} }
  local rows = json.array({})
  for i = offset + 1, math.min(offset + limit, #result.rows) do
    rows[#rows + 1] = result.rows[i]
  end
  return answer(200, { rowCount = #result.rows, schema = schema(result), rows = rows })
end

local function job_call(model, request, user)
  local id, what = request.path:match("^/api/v3/job/([^/]+)/?(%w*)$")
  local job = id and model.state.jobs[id]
  if not job then
    return failure(404, ("Could not find a job with id [%s]"):format(tostring(id)))
  elseif what == "" and request.method == "GET" then
    return get_job(model, job)
  elseif what == "results" and request.method == "GET" then
    return results(model, job, request)
  elseif what == "cancel" and request.method == "POST" then
    model:cancel(job, user)
    return answer(204)
  end
  return failure(405, "HTTP 405 Method Not Allowed")
end

local function nodes(model)
  local out = json.array({
    {
      name = "dremio-coordinator-0",
      host = model.coordinator_host,
      ip = "10.0.0.10",
      port = 45678,
      status = "green",
      isMaster = true,
      isCoordinator = true,
      isExecutor = false,
      version = model.version,
    },
  })
  for _, node in ipairs(model:listed()) do
    out[#out + 1] = {
      name = node.name,
      host = node.hostname,
      ip = node.ip,
      port = 45678,
      status = "green",
      isMaster = false,
      isCoordinator = false,
      isExecutor = true,
      nodeTag = "default",
      version = node.version,
    }
  end
  return answer(200, out)
end

local function resource_info(model)
  return answer(200, { executorCount = #model:listed() })
end

local function metrics(model)
  local queued, running = 0, 0
  for _, job in ipairs(model:active_jobs()) do
    if job.held then
      queued = queued + 1
    else
      running = running + 1
    end
  end
  local lines = {
    "# TYPE jobs_active gauge",
    "jobs_active " .. running,
    "# TYPE jobs_waiting gauge",
    "jobs_waiting " .. queued,
    "# TYPE jobs_failed_total counter",
    "jobs_failed_total " .. model.state.failed,
    "",
  }
  return {
    status = 200,
    headers = { ["content-type"] = "text/plain; version=0.0.4" },
    body = table.concat(lines, "\n"),
  }
end

--- Returns the user of the request's session, or nil.
local function user_of(model, request)
  local session = model.state.tokens[token_of(request) or ""]
  return session and session.expires > model.time and session.user or nil
end

local PRIVATE = { -- method and path to handler; all need a session
  ["DELETE /apiv2/login"] = logout,
  ["POST /api/v3/sql"] = submit,
  ["GET /apiv2/system/nodes"] = nodes,
  ["GET /apiv2/system/cluster-resource-info"] = resource_info,
}

--- Answers one request.
---@param model table
---@param request table `{ method, path, query, headers, body }`
---@return table response `{ status, headers, body }`
function M.handle(model, request)
  request = list.merge({ query = {}, headers = {} }, request)
  local key = request.method .. " " .. request.path
  if key == "GET /metrics" then
    return metrics(model)
  elseif not model:is_up() then
    return answer(503, "MASTER_DOWN")
  elseif key == "GET /apiv2/server_status" then
    return answer(200, "OK")
  elseif key == "POST /apiv2/login" then
    return login(model, request)
  elseif not request.path:find("^/api") then
    return failure(404, "HTTP 404 Not Found")
  end
  local user = user_of(model, request)
  if not user then
    return failure(401, "HTTP 401 Unauthorized")
  elseif request.path:find("^/api/v3/job/") then
    return job_call(model, request, user)
  end
  local handler = PRIVATE[key]
  return handler and handler(model, request, user) or failure(404, "HTTP 404 Not Found")
end

return M
