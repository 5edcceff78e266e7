--- platrun sandbox: the simulated platform from outside: reset it, look at it, serve it.

local check = require("plat.check")
local cli = require("plat.cli")
local fault = require("plat.fault")
local list = require("plat.list")
local out = require("plat.out")
local task = require("plat.task")

local FLAGS = {
  { "--host", type = "string", default = "127.0.0.1", value = "ADDRESS", help = "listen here" },
  { "--port", type = "integer", min = 0, max = 65534, help = "Kubernetes here, Dremio one above" },
  { "--load", type = "string", value = "FILE", help = "reset to what platrun sim record wrote" },
  { "--seed", type = "integer", value = "N", help = "seed of a new sandbox" },
  { "--sandbox-time", type = "string", value = "TIME", help = "RFC 3339" },
  { "--sandbox-speed", type = "number", min = 0.001, value = "N", help = "default 1: real time" },
  { "--kubeconfig", type = "string", value = "FILE", help = "where serve writes one" },
  { "--help", "-h", help = "this text" },
}

local KUBECONFIG = [[
apiVersion: v1
kind: Config
clusters: [{name: sandbox, cluster: {server: "http://%s:%d"}}]
users: [{name: operator, user: {}}]
contexts: [{name: sandbox, context: {cluster: sandbox, user: operator, namespace: data-platform}}]
current-context: sandbox
]]

local function open(opts, ephemeral, speed)
  return require("plat.sim.world").open({
    ephemeral = ephemeral,
    seed = opts.seed,
    fixture = opts.load and require("plat.sim.fixture").read(opts.load),
    speed = speed,
    time = opts.sandbox_time and cli.time("--sandbox-time", opts.sandbox_time),
  })
end

local ACTIONS = {}

function ACTIONS.reset(opts)
  local world = require("plat.sim.world")
  world.reset()
  local fresh = open(opts, false)
  for name in pairs(fresh.fixture and fresh.fixture.hosts or {}) do
    fresh:host(name) -- so that the next process knows it without the fixture
  end
  fresh:close()
  out.line("a new sandbox in " .. world.dir())
  return 0
end

function ACTIONS.status(opts)
  local world = open(opts, true)
  out.line(("sandbox   %s"):format(world.dir))
  out.line(("time      %s"):format(require("plat.time").rfc3339(world.now)))
  local pods = world.models.kubernetes:pods({ namespace = "data-platform" })
  for _, pod in ipairs(pods) do
    local word = pod.deleting and "Terminating" or pod.phase
    out.line(("pod       %-28s %s%s"):format(pod.name, word, pod.ready and ", ready" or ""))
  end
  world:close()
  return 0
end

local function serve_model(world, authority, opts, port)
  local httpd = require("plat.httpd")
  return httpd.serve(function(req)
    return world:request(authority, {
      method = req.method,
      url = req.path .. (req.query and req.query ~= "" and "?" .. req.query or ""),
      headers = req.headers,
      body = req.body,
    })
  end, { host = opts.host, port = port })
end

local function write_kubeconfig(world, opts, port)
  local state = require("plat.state")
  local path = opts.kubeconfig or (world.dir .. "/kubeconfig")
  state.write(path, KUBECONFIG:format(opts.host, port))
  return path
end

--- Listens for both models and says where.
local function listen(world, opts)
  local port = opts.port or 0
  local kube = serve_model(world, "kubernetes.sandbox:443", opts, port)
  local dremio = serve_model(world, "dremio.sandbox:9047", opts, port > 0 and port + 1 or 0)
  local path = write_kubeconfig(world, opts, kube:port())
  out.line(("kubernetes http://%s:%d"):format(opts.host, kube:port()))
  out.line(("dremio     http://%s:%d"):format(opts.host, dremio:port()))
  out.line(("kubectl --kubeconfig %s get sts,pods,hpa -A"):format(path))
end

--- Serves the models until a signal ends it. The clock of the world runs as the real one does.
function ACTIONS.serve(opts)
  local world = open(opts, false, opts.sandbox_speed or 1)
  local _, err = xpcall(function()
    listen(world, opts)
    while true do
      task.sleep(3600)
    end
  end, fault.from_handler)
  task.shield(10, world.close, world)
  error(err, 0)
end

return {
  summary = "reset, show or serve the simulated platform",
  usage = "platrun sandbox reset|status|serve [--port N] [--kubeconfig FILE]",
  run = function(argv)
    local opts, words = cli.parse(argv, FLAGS, 1)
    opts.host = opts.host or "127.0.0.1"
    local action = ACTIONS[words[1] or ""]
    if opts.help then
      out.line("usage: platrun sandbox reset|status|serve\n")
      out.line(table.concat(cli.help(FLAGS), "\n"))
      return 0
    elseif not action then
      local word = words[1]
      local close = word and check.did_you_mean(word, list.keys(ACTIONS)) or ""
      fault.raise("usage", nil, {
        msg = word and ('platrun sandbox does not know "%s"%s'):format(word, close)
          or "what shall be done with the sandbox?",
        hint = "say reset, status or serve; platrun sandbox --help tells more",
        where = "",
      })
    end
    return action(opts)
  end,
}
