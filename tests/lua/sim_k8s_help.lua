--- What the tests of the simulated cluster share: a sandbox whose clock the test moves.
local json = require("plat.json")
local k8s = require("plat.sim.k8s")

local M = {}

local NOW = 1795000000
M.NOW = NOW

-- A cluster whose clock the test moves.
function M.sandbox(spec)
  spec = spec or {}
  spec.now, spec.seed = NOW, spec.seed or 7
  return k8s.seed(spec)
end

function M.ask(model, method, path, body, kind)
  local target, raw = path:match("^([^?]*)%??(.*)$")
  local query = {}
  for name, value in raw:gmatch("([^&=]+)=([^&]*)") do
    query[name] = value
  end
  local resp = model:handle({
    method = method,
    path = target,
    query = query,
    headers = { ["content-type"] = kind or "application/merge-patch+json" },
    body = body and json.encode(body),
  })
  return resp.body and resp.body:match("^{") and json.decode(resp.body) or resp, resp.status
end

local SETS = "/apis/apps/v1/namespaces/data-platform/statefulsets/"
local EXECUTORS = SETS .. "dremio-executor"
local LABELS = { app = "dremio", role = "executor" }

function M.scale(model, n)
  return M.ask(model, "PATCH", EXECUTORS .. "/scale", { spec = { replicas = n } })
end

function M.executors(model)
  local ready, all = 0, model:pods({ namespace = "data-platform", labels = LABELS })
  for _, pod in ipairs(all) do
    ready = ready + (pod.ready and 1 or 0)
  end
  return ready, all
end

function M.pod(model, name)
  return (M.ask(model, "GET", "/api/v1/namespaces/data-platform/pods/" .. name))
end

function M.waiting_reason(model, name)
  local state = M.pod(model, name).status.containerStatuses[1].state
  return state.waiting and state.waiting.reason
end

function M.reasons(model, name)
  local path = "/api/v1/namespaces/data-platform/events?fieldSelector=involvedObject.name="
  local seen = {}
  for _, event in ipairs((M.ask(model, "GET", path .. name)).items) do
    seen[event.reason] = event.message
  end
  return seen
end

return M
