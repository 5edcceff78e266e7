--- Streams of a response that wait for what the model does next: watches and followed logs.
local M = {}

---@class plat.sim.k8s.Stream
---@field model plat.sim.K8s
---@field deadline number? unix seconds at which the server ends it
---@field take fun(self): string? the text that is ready now
---@field wake_at fun(self): number? a time at which `take` may have more of its own
---@field last boolean? set by `take`: nothing follows
---@field ended boolean
local Stream = { __name = "plat.sim.k8s.Stream" }
Stream.__index = Stream

--- Opens a stream.
---@param model plat.sim.K8s
---@param fields table take, deadline, wake_at and whatever `take` needs
---@return plat.sim.k8s.Stream
function M.open(model, fields)
  local self = setmetatable(fields, Stream)
  self.model, self.ended = model, false
  model.streams[#model.streams + 1] = self
  return self
end

local function nearest(self, now)
  local at = self.deadline or now + 3600
  for _, time in ipairs({ self.model:next_event() or at, self:wake_at() or at }) do
    at = math.min(at, time)
  end
  return math.max(at, now + 0.001) -- a clock in floats may stand still for less
end

--- Returns nil: most streams have no times of their own.
function Stream:wake_at()
  return nil
end

--- Returns the next text; waits for it. nil at the end.
---@async
---@return string?
function Stream:read()
  local model = self.model
  while not self.ended and not self.last do
    local now = model.hooks.now(model)
    model:advance(math.min(now, self.deadline or now))
    local text = self:take()
    if text then
      return text
    end
    if self.deadline and now >= self.deadline then
      break
    end
    model.hooks.wait(self, nearest(self, now) - now)
  end
  self:close()
  return nil
end

--- Ends the stream.
function Stream:close()
  if self.ended then
    return
  end
  self.ended = true
  local streams = self.model.streams
  for i, stream in ipairs(streams) do
    if stream == self then
      table.remove(streams, i)
      return
    end
  end
end

return M
