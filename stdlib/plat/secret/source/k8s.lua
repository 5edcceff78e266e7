--- Kubernetes Secrets of the run's cluster: `k8s:NAMESPACE/NAME/KEY`, or `k8s:NAME/KEY` in the
--- cluster's namespace.

local common = require("plat.secret.common")
local fault = require("plat.fault")
local hash = require("plat.hash")
local k8s = require("plat.k8s")
local list = require("plat.list")

local M = {}

local function parse(rest, about)
  local words = {}
  for word in (rest .. "/"):gmatch("([^/]*)/") do
    words[#words + 1] = word
  end
  if #words < 2 or #words > 3 or list.contains(words, "") then
    fault.raise("usage", about, {
      msg = "that names no field of a Secret",
      hint = "write k8s:NAMESPACE/NAME/KEY, or k8s:NAME/KEY",
    })
  elseif #words == 2 then
    return nil, words[1], words[2]
  end
  return table.unpack(words)
end

--- Returns the value of one key of a Secret.
---@async
---@param rest string
---@param ctx { cluster: table? }
---@return string
function M.read(rest, ctx)
  local about = common.about("k8s", rest)
  local namespace, name, key = parse(rest, about)
  local cluster = ctx and ctx.cluster
  if not cluster then
    fault.raise("usage", about, {
      msg = "the run has chosen no cluster yet",
      hint = "call run:cluster(NAME) before run:secret",
    })
  end
  local api = common.told_of(about, k8s.connect, cluster.kubernetes)
  namespace = namespace or cluster.namespace or api.namespace
  local object = common.told_of(about, api.find, api, "Secret", namespace, name)
  if not object then
    fault.raise("http", about, {
      msg = ("%s has no Secret %s in the namespace %s"):format(api.target, name, namespace),
      code = 404,
      hint = ("kubectl get secrets -n %s shows what is there"):format(namespace),
    })
  end
  local data = type(object.data) == "table" and object.data or {}
  if type(data[key]) ~= "string" then
    local names = list.keys(data)
    fault.raise("http", about, {
      msg = ("the Secret %s/%s has no key %q"):format(namespace, name, key),
      hint = #names == 0 and "it is empty" or "its keys are: " .. common.list_names(names),
    })
  end
  local value = fault.try(hash.unbase64, data[key])
  if not value then
    fault.raise("parse", about, { msg = ("the value of %q is not base64"):format(key) })
  end
  return common.text_of(about, value)
end

return M
