--- task.retry: trying again, with back-off and jitter.

local fault = require("plat.fault")
local prim = require("prim.task")
local time = require("prim.time")

local function default_when(err)
  return err.kind == "connect" or err.kind == "timeout"
end

--- Calls a function again while it fails: `times` attempts in all, waiting `delay` seconds, then
--- `factor` times as long, at most `max_delay`, each shortened at random by up to `jitter` (a
--- fraction). A cancel and a passed deadline are never retried; `when(fault)` decides about the
--- rest (default: connect and timeout).
---@async
---@param opts table `{ times = 3, delay = 1, max_delay = 30, factor = 2, jitter = 0.2, when = fn }`
---@param fn fun(attempt: integer): any
---@return any ... what `fn` returns
local function retry(opts, fn)
  local times, delay = opts.times or 3, opts.delay or 1
  local factor, max_delay = opts.factor or 2, opts.max_delay or 30
  local jitter, when = opts.jitter or 0.2, opts.when or default_when
  for attempt = 1, math.huge do
    local results = table.pack(xpcall(fn, fault.from_handler, attempt))
    if results[1] then
      return table.unpack(results, 2, results.n)
    end
    local err = results[2]
    local deadline = prim.deadline()
    local expired = deadline and time.mono() >= deadline - 1e-6
    if err.kind == "cancelled" or expired or attempt >= times or not when(err) then
      error(err, 0)
    end
    fault.must({ op = "retry" }, time.sleep(delay * (1 - jitter * math.random())))
    delay = math.min(delay * factor, max_delay)
  end
end

return retry
