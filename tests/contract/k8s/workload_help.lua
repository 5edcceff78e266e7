--- What the cases about workloads share: objects, waits, and the part of a kubelet.
local M = {}

local PODS = "/api/v1/namespaces/$NS/pods"
local STRATEGIC = "application/strategic-merge-patch+json"

--- Makes a workload of one container.
---@param kind string
---@param name string
---@param replicas integer
---@param edit? fun(spec: table)
---@return table
function M.workload(kind, name, replicas, edit)
  local object = {
    apiVersion = "apps/v1",
    kind = kind,
    metadata = { name = name },
    spec = {
      replicas = replicas,
      serviceName = kind == "StatefulSet" and name or nil,
      selector = { matchLabels = { app = name } },
      template = {
        metadata = { labels = { app = name } },
        spec = {
          schedulerName = "nobody", -- so that no node of a real cluster runs them
          containers = { { name = "c", image = "local/x:1" } },
        },
      },
    },
  }
  if edit then
    edit(object.spec)
  end
  return object
end

--- Writes that a pod runs and is ready, as its kubelet would.
function M.ready(t, name, value)
  local stamp = "2026-01-01T00:00:00Z"
  local condition = { type = "Ready", status = value or "True", lastTransitionTime = stamp }
  t:call("PATCH", PODS .. "/" .. name .. "/status", {
    status = { phase = "Running", conditions = { condition } },
  }, { type = STRATEGIC, quiet = true })
end

local function names(list)
  local out = {}
  for _, pod in ipairs(list.items) do
    if not pod.metadata.deletionTimestamp then
      out[#out + 1] = pod.metadata.name
    end
  end
  table.sort(out)
  return table.concat(out, " ")
end

--- Waits until exactly these pods are there and not leaving.
function M.await_pods(t, wanted)
  t:eventually("GET", PODS, function(list)
    return names(list) == wanted
  end, { keep = { "kind" } })
end

--- Waits until the status of an object has these fields and is up to date.
function M.await_status(t, path, fields, keep)
  return t:eventually("GET", path, function(object)
    for field, value in pairs(fields) do
      if (object.status or {})[field] ~= value then
        return false
      end
    end
    return object.status.observedGeneration == object.metadata.generation
  end, { keep = keep or { "status" } })
end

--- Makes every pod of a selector ready until there are as many as wanted.
function M.ready_all(t, label, count)
  t:eventually("GET", PODS .. "?labelSelector=" .. label, function(list)
    local n = 0
    for _, pod in ipairs(list.items) do
      local phase = (pod.status or {}).phase
      if not pod.metadata.deletionTimestamp then
        if phase ~= "Running" then
          M.ready(t, pod.metadata.name)
        else
          n = n + 1
        end
      end
    end
    return n == count
  end, { keep = { "kind" } })
end

return M
