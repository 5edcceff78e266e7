--- Decodes a pod list of about 10 MB some times: what JSON costs on its way into Lua.
local json = require("plat.json")

local M = {
  summary = "Decode a large pod list",
  risk = "safe",
  args = { times = { type = "integer", default = 1, min = 0 } },
}

local POD = [[
{"metadata":{"name":"dremio-executor-%d","generateName":"dremio-executor-","namespace":"data",
"uid":"7c3d1f8e-0b5a-4c61-9a53-%012d","resourceVersion":"%d",
"creationTimestamp":"2026-01-05T04:05:06Z",
"labels":{"app":"dremio-executor","role":"dremio-cluster-pod","controller-revision-hash":"x-5d9c"},
"ownerReferences":[{"apiVersion":"apps/v1","kind":"StatefulSet","name":"dremio-executor",
"uid":"1","controller":true,"blockOwnerDeletion":true}],
"annotations":{"note":"caf\u00e9 \"%d\"\n"}},
"spec":{"volumes":[{"name":"data","persistentVolumeClaim":{"claimName":"data-%d"}}],
"containers":[{"name":"executor","image":"registry.example/dremio:25.1","resources":
{"limits":{"cpu":"8","memory":"64Gi"},"requests":{"cpu":"8","memory":"64Gi"}},"ports":
[{"containerPort":45678,"protocol":"TCP"}],"volumeMounts":[{"name":"data","mountPath":"/opt/d"}],
"readinessProbe":{"tcpSocket":{"port":45678},"initialDelaySeconds":5,"periodSeconds":10}}],
"restartPolicy":"Always","terminationGracePeriodSeconds":600,"hostNetwork":false},
"status":{"phase":"Running","conditions":[{"type":"Ready","status":"True","lastProbeTime":null},
{"type":"PodScheduled","status":"True","lastProbeTime":null}],"podIP":"10.1.2.3",
"containerStatuses":[{"name":"executor","ready":true,"restartCount":0,"started":true}],
"score":%d.5}}]]

--- Returns the text of a pod list of at least so many bytes.
function M.pods(bytes)
  local items, size = {}, 0
  while size < bytes do
    local i = #items
    items[i + 1] = POD:format(i, i, i * 7, i, i, i)
    size = size + #items[i + 1]
  end
  return '{"apiVersion":"v1","kind":"PodList","metadata":{"resourceVersion":"9"},"items":['
    .. table.concat(items, ",")
    .. "]}"
end

function M.run(_, args)
  local text = M.pods(10 * 1024 * 1024)
  for _ = 1, args.times do
    local value = json.decode(text)
    assert(#value.items > 1000)
  end
end

return M
