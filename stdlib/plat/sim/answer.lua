--- Answers of a server that fails, in the words of the model that was asked.

local json = require("plat.json")

local M = {}

local function kubernetes(status, reason, message, seconds)
  return {
    kind = "Status",
    apiVersion = "v1",
    metadata = {},
    status = "Failure",
    message = message,
    reason = reason,
    details = seconds and { retryAfterSeconds = seconds } or nil,
    code = status,
  }
end

--- Returns the answer of a failing server.
---@param at plat.sim.Moment
---@param status integer
---@param reason string Kubernetes' word for it
---@param message string
---@param seconds? integer for Retry-After
---@return table resp
function M.failure(at, status, reason, message, seconds)
  local body = at.model == "kubernetes" and kubernetes(status, reason, message, seconds)
    or { errorMessage = message, moreInfo = "" }
  return {
    status = status,
    headers = {
      ["content-type"] = "application/json",
      ["retry-after"] = seconds and ("%d"):format(seconds) or nil,
    },
    body = json.encode(body) .. "\n",
  }
end

return M
