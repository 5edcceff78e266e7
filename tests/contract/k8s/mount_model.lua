--- The contract over the simulated cluster in process, on a clock that jumps.
local M = {}

local Mount = {}
Mount.__index = Mount

local function unescape(s)
  return (
    s:gsub("+", " "):gsub("%%(%x%x)", function(hex)
      return string.char(tonumber(hex, 16))
    end)
  )
end

local function split(target)
  local path, raw = target:match("^([^?]*)%??(.*)$")
  local query = {}
  for pair in raw:gmatch("[^&]+") do
    local k, v = pair:match("^([^=]*)=?(.*)$")
    query[unescape(k)] = unescape(v)
  end
  return unescape(path), query, raw
end

--- Makes a mount of a fresh cluster without nodes.
function M.new()
  local k8s = require("plat.sim.k8s")
  local self = setmetatable({ now = 1795000000 }, Mount)
  self.model = k8s.new({ now = self.now, seed = 1 })
  self.model.hooks.now = function()
    return self.now
  end
  self.model.hooks.wait = function(_, seconds)
    self.now = self.now + seconds
  end
  return self
end

function Mount:request(req)
  self.now = self.now + 0.1 -- requests take time on a real server as well
  self.model:advance(self.now)
  local path, query, raw = split(req.target)
  local resp = self.model:handle({
    method = req.method or "GET",
    path = path,
    query = query,
    raw_query = raw,
    headers = req.headers,
    body = req.body,
  })
  if resp.stream then
    return resp
  end
  return { status = resp.status, headers = resp.headers, body = resp.body }
end

function Mount:open(req)
  return self:request(req)
end

function Mount:finish(resp)
  if not resp.stream then
    return resp
  end
  local parts = {}
  for chunk in
    function()
      return resp.stream:read()
    end
  do
    parts[#parts + 1] = chunk
  end
  return { status = resp.status, headers = resp.headers, body = table.concat(parts) }
end

function Mount:sleep(seconds)
  self.now = self.now + seconds
  self.model:advance(self.now)
end

return M
