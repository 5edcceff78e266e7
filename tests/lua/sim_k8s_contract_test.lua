--- The contract of the Kubernetes API on the simulated cluster: in process, and over real sockets.
local fs = require("prim.fs")
local httpd = require("plat.httpd")
local json = require("plat.json")
local k8s = require("plat.sim.k8s")
local mono = require("prim.time").mono
local out = require("plat.out")
local task = require("plat.task")
local world = require("plat.sim.world")

local ROOT = "tests/contract/k8s/"
local NOW = 1795000000

local function read(name)
  return (fs.read(ROOT .. name))
end

local loaded = {}

local function need(name)
  if loaded[name] == nil then
    loaded[name] = assert(load(assert(read(name .. ".lua")), "@" .. name .. ".lua"))(need)
  end
  return loaded[name]
end

-- Runs the whole contract over a mount; its TAP lines become notes.
local function contract(t, mount, tag)
  local lines = {}
  local failed = need("suite").run({
    read = read,
    tag = tag,
    mount = mount,
    json = json,
    files = need("files"),
    trace = tostring,
    say = function(line)
      lines[#lines + 1] = line
    end,
  })
  for _, line in ipairs(lines) do
    if failed > 0 and not line:match("^ok") then
      out.line("# " .. line)
    end
  end
  t.equal(failed, 0, "failed cases")
end

return {
  ["the contract holds in process"] = function(t)
    local mount = need("mount_model").new()
    local request = mount.request
    function mount.request(...)
      task.sleep(0) -- others get a turn
      return request(...)
    end
    contract(t, mount, "p")
  end,

  ["the contract holds behind httpd, through the real http primitive"] = function(t)
    local model = k8s.new({ now = NOW, seed = 1 })
    local start, ahead = mono(), 0
    model.hooks.now = function()
      return NOW + mono() - start + ahead
    end
    local function jump(seconds)
      ahead = ahead + seconds
      model:wake()
    end
    local server = httpd.serve(function(req)
      model:advance(model.hooks.now())
      local path, raw = req.path, req.query or ""
      local request = world.parse_request(
        req.method,
        path .. (raw ~= "" and "?" .. raw or ""),
        req.headers,
        req.body
      )
      return model:handle(request)
    end, { port = 0 })
    t.defer(function()
      server:close()
    end)
    local mount = need("mount_http").new({
      base = ("http://127.0.0.1:%d"):format(server:port()),
      jump = jump,
    })
    mount.sleep = function(_, seconds)
      jump(seconds)
      task.sleep(0)
    end
    contract(t, mount, "h")
  end,
}
