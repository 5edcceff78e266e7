--- HTTP services of a test by table: `http = { ["api.example:443"] = { ["GET /health"] = ... } }`.
--- A function gets the request and a table of its own, which outlives the process.

local json = require("plat.json")
local request = require("plat.sim.request")

local M = {}

local Stubs = { __name = "plat.test.Stubs" }
Stubs.__index = Stubs

--- Opens the services of a case.
---@param services table<string, table|fun(req: table, memory: table): table>
---@param memory? table what they remember
---@return table
function M.open(services, memory)
  return setmetatable({ services = services, memory = memory or {} }, Stubs)
end

--- Returns what a service answers; nil when there is none at this authority.
---@param authority string "api.example:443"
---@param req table
---@return table? resp
function Stubs:answer(authority, req)
  local service = self.services[authority]
  if not service then
    return nil
  end
  local asked = request.parse(req.method, req.url, req.headers, req.body)
  local answer
  if type(service) == "function" then
    self.memory[authority] = self.memory[authority] or {}
    answer = service(asked, self.memory[authority])
  else
    answer = service[req.method .. " " .. asked.path]
  end
  answer = answer or { status = 404, body = "no stub for " .. req.method .. " " .. asked.path }
  local body = answer.body
  return {
    status = answer.status or 200,
    headers = answer.headers or {},
    body = type(body) == "table" and json.encode(body) or body or "",
    delay = answer.delay,
  }
end

return M
