--- One Dremio cluster as a world, and a clock that jumps.
local dremio = require("plat.dremio")
local effect = require("plat.effect")
local list = require("plat.list")
local sim = require("plat.sim.dremio")
local task = require("plat.task")
local time = require("plat.time")

local M = {}

--- A world that is one Dremio cluster of `n` executors; every request is counted.
function M.open_world(n, opts)
  local world = { requests = 0, pods = {}, up = true, answers = {} }
  for i = 0, n - 1 do
    world.pods[i + 1] = { name = "dremio-executor-" .. i, ready = true, since = time.now() - 60 }
  end
  world.model = sim.new(list.merge({
    now = time.now,
    executors = function()
      return world.pods
    end,
    coordinator = function()
      return world.up
    end,
  }, opts))
  function world:request(authority, req)
    assert(authority == "dremio.sandbox:9047", authority)
    self.requests = self.requests + 1
    local path, raw = req.url:match("^http://[^/]+([^?]*)%??(.*)$")
    local query, headers = {}, {}
    for k, v in raw:gmatch("([^&=]+)=([^&]*)") do
      query[k] = v
    end
    for k, v in pairs(req.headers) do
      headers[k:lower()] = v
    end
    for pattern, answer in pairs(self.answers) do
      if (req.method .. " " .. path):find(pattern) then
        return answer
      end
    end
    return self.model:handle({
      method = req.method,
      path = path,
      query = query,
      headers = headers,
      body = req.body,
    })
  end
  effect.open({ mode = "run", world = world })
  return world
end

function M.connect(conf)
  return dremio.connect(list.merge({
    name = "main",
    url = "http://dremio.sandbox:9047/",
    user = "platrun",
    password = "platrun-sandbox",
    executors = 3,
  }, conf))
end

function M.names(nodes)
  return list.map(nodes, function(node)
    return node.name
  end)
end

--- Runs a test on a clock that jumps, because drains take hours; then the door and the clock are
--- as before.
function M.with_world(fn)
  return function(t)
    local real, real_sleep = list.copy(time), task.sleep
    local now = 1800000000
    t.defer(function()
      for name, old in pairs(real) do
        time[name] = old
      end
      task.sleep = real_sleep
      effect.open({ mode = "run", world = false })
    end)
    function time.now()
      return now
    end
    time.mono = time.now
    function time.sleep(seconds)
      now = now + seconds
    end
    task.sleep = time.sleep -- of the door, between attempts
    fn(t)
  end
end

return M
