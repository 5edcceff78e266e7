--- A scripted API server behind the door, for the tests of plat.k8s. Not a test itself.
local effect = require("plat.effect")
local json = require("plat.json")
local task = require("plat.task")

local M = {}

local function answer(item)
  local resp = {
    status = item.status or 200,
    headers = item.headers or { ["content-type"] = "application/json" },
  }
  local body = item.body
  resp.body = type(body) == "table" and json.encode(body) or body or ""
  if item.chunks then
    local at = 0
    resp.body = nil
    resp.stream = {
      read = function()
        at = at + 1
        local chunk = item.chunks[at]
        if type(chunk) == "function" then
          chunk = chunk() -- it may wait
        end
        return chunk
      end,
      close = function() end,
    }
  end
  return resp
end

--- Opens the door onto routes: `["GET /path?query"]` to an answer, a list of answers (one a call,
--- the last one stays) or a function. Keys without a query match any. Returns the list of requests.
---@param t table the test
---@param routes table
---@param plan? table|false a plan: opens the door in plan mode
---@param observer? table what is told of changes
---@return table[] requests
function M.open(t, routes, plan, observer)
  local requests = {}
  local calls = {}
  local world = { has_localhost = true } -- credential plugins really run
  function world:request(authority, req)
    local path = req.url:match("^%a+://[^/]+(.*)$")
    requests[#requests + 1] = {
      line = req.method .. " " .. path,
      headers = req.headers,
      endpoint = req.endpoint,
      body = req.body and req.body:find("^[{%[]") and json.decode(req.body) or req.body,
      authority = authority,
    }
    local key = req.method .. " " .. path
    if not routes[key] then
      key = req.method .. " " .. path:match("^[^?]*")
    end
    local route = routes[key]
    calls[key] = (calls[key] or 0) + 1
    if type(route) == "function" then
      route = route(req, calls[key])
    elseif type(route) == "table" and route[1] then
      route = route[math.min(calls[key], #route)]
    end
    return answer(route or {
      status = 404,
      body = M.status(404, "NotFound", "no route for " .. req.method .. " " .. path),
    })
  end
  local mode = plan and "plan" or "run"
  effect.open({ mode = mode, world = world, plan = plan or false, observer = observer })
  t.defer(function()
    effect.open({ mode = "run", world = false, plan = false })
  end)
  return requests
end

--- Returns a Status body.
function M.status(code, reason, message, details, metadata)
  return {
    kind = "Status",
    apiVersion = "v1",
    metadata = metadata or {},
    status = "Failure",
    message = message,
    reason = reason,
    details = details,
    code = code,
  }
end

--- Returns a list body.
function M.list(items, metadata)
  return { kind = "List", apiVersion = "v1", metadata = metadata or {}, items = json.array(items) }
end

--- Calls a function as the body of a step, where changes are allowed.
function M.step(fn)
  return task.with_context({ key = "step", counts = {} }, fn)
end

--- Returns a line of a watch stream.
function M.event(kind, object)
  return json.encode({ type = kind, object = object }) .. "\n"
end

--- Returns the request lines of a method.
function M.lines(requests, method)
  local lines = {}
  for _, request in ipairs(requests) do
    if not method or request.line:find("^" .. method .. " ") then
      lines[#lines + 1] = request.line
    end
  end
  return lines
end

return M
