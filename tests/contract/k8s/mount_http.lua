--- The contract over the real http primitive: the simulated cluster behind httpd, or a server.
local http = require("prim.http")

local M = {}

local Mount = {}
Mount.__index = Mount

--- Makes a mount.
---@param opts table base (URL), ca, cert, key (PEM text), jump(seconds)?, sleep(seconds)
function M.new(opts)
  return setmetatable(opts, Mount)
end

local function send(self, req, stream)
  local headers = {}
  for name, value in pairs(req.headers) do
    headers[#headers + 1] = name .. ": " .. value
  end
  local named = not req.anonymous
  local resp, err = http.request({
    method = req.method or "GET",
    url = self.base .. req.target,
    headers = headers,
    body = req.body,
    ca = self.ca,
    cert = named and self.cert or nil,
    key = named and self.key or nil,
    timeout = 60,
    stream = stream,
  })
  if not resp then
    error(("%s %s: %s"):format(req.method or "GET", req.target, err.msg), 0)
  end
  return resp
end

function Mount:request(req)
  return send(self, req, false)
end

function Mount:open(req)
  return send(self, req, true)
end

--- Reads a watch to its end. Where the clock is ours, it jumps past the end.
function Mount:finish(resp)
  if self.jump then
    self.jump(60)
  end
  local parts = {}
  while true do
    local chunk, err = resp.stream:read()
    if err then
      error(err.msg, 0)
    elseif not chunk then
      break
    end
    parts[#parts + 1] = chunk
  end
  resp.stream:close()
  return { status = resp.status, headers = resp.headers, body = table.concat(parts) }
end

return M
