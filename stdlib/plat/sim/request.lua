--- Requests as the models of the sandbox understand them.

local M = {}

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
function M.parse(method, url, headers, body)
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

return M
