--- Default values that the API server fills in.
local data = require("plat.sim.k8s.data")
local microtime = require("plat.sim.k8s.microtime")
local quantity = require("plat.sim.k8s.quantity")

local M = {}

local A = data.array

local function default(t, key, value)
  if t[key] == nil then
    t[key] = value
  end
end

local function probe(p)
  if not p then
    return
  end
  default(p, "timeoutSeconds", 1)
  default(p, "periodSeconds", 10)
  default(p, "successThreshold", 1)
  default(p, "failureThreshold", 3)
  if p.httpGet then
    default(p.httpGet, "path", "/")
    default(p.httpGet, "scheme", "HTTP")
  end
end

local function resources(r)
  for _, part in ipairs({ "limits", "requests" }) do
    for name, value in pairs(r[part] or {}) do
      r[part][name] = quantity.canonical(value)
    end
  end
end

local function pull_policy(image)
  local tag = image:match(":([^:/]+)$")
  if image:find("@", 1, true) or (tag and tag ~= "latest") then
    return "IfNotPresent"
  end
  return "Always"
end

local function container(c)
  if type(c.image) == "string" and c.image ~= "" then
    default(c, "imagePullPolicy", pull_policy(c.image))
  end
  default(c, "resources", {})
  resources(c.resources)
  default(c, "terminationMessagePath", "/dev/termination-log")
  default(c, "terminationMessagePolicy", "File")
  for _, port in ipairs(c.ports or {}) do
    default(port, "protocol", "TCP")
  end
  for _, env in ipairs(c.env or {}) do
    local ref = env.valueFrom and env.valueFrom.fieldRef
    if ref then
      default(ref, "apiVersion", "v1")
    end
  end
  probe(c.livenessProbe)
  probe(c.readinessProbe)
  probe(c.startupProbe)
end

local function volumes(list)
  for _, v in ipairs(list or {}) do
    for _, form in ipairs({ "configMap", "secret", "downwardAPI", "projected" }) do
      if v[form] then
        default(v[form], "defaultMode", 420)
      end
    end
    if v.hostPath then
      default(v.hostPath, "type", "")
    end
  end
end

--- Fills in a pod's spec, of a pod or of a template.
---@param spec table
function M.pod_spec(spec)
  for _, list in ipairs({ "initContainers", "containers" }) do
    for _, c in ipairs(spec[list] or {}) do
      container(c)
    end
  end
  volumes(spec.volumes)
  default(spec, "restartPolicy", "Always")
  default(spec, "terminationGracePeriodSeconds", 30)
  default(spec, "dnsPolicy", "ClusterFirst")
  default(spec, "securityContext", {})
  default(spec, "schedulerName", "default-scheduler")
  if spec.serviceAccountName then
    default(spec, "serviceAccount", spec.serviceAccountName)
  end
end

local function template(spec)
  if type(spec.template) == "table" then
    default(spec.template, "metadata", {})
    default(spec.template, "spec", {})
    M.pod_spec(spec.template.spec)
  end
end

local function qos(spec)
  local any, guaranteed = false, true
  for _, c in ipairs(spec.containers or {}) do
    local limits, requests = c.resources.limits or {}, c.resources.requests or {}
    for _, name in ipairs({ "cpu", "memory" }) do
      any = any or limits[name] ~= nil or requests[name] ~= nil
      guaranteed = guaranteed and limits[name] ~= nil and limits[name] == requests[name]
    end
  end
  return guaranteed and "Guaranteed" or any and "Burstable" or "BestEffort"
end

local KIND = {}

function KIND.Pod(object)
  local spec = object.spec
  for _, c in ipairs(spec.containers or {}) do
    local limits = c.resources and c.resources.limits
    if limits then
      default(c.resources, "requests", {})
      for name, value in pairs(limits) do
        default(c.resources.requests, name, value)
      end
    end
  end
  M.pod_spec(spec)
  default(spec, "enableServiceLinks", true)
  object.status = object.status or {}
  default(object.status, "phase", "Pending")
  default(object.status, "qosClass", qos(spec))
end

local function claim(spec)
  default(spec, "volumeMode", "Filesystem")
  default(spec, "resources", {})
  resources(spec.resources)
end

function KIND.StatefulSet(object)
  local spec = object.spec
  template(spec)
  default(spec, "podManagementPolicy", "OrderedReady")
  default(spec, "replicas", 1)
  default(spec, "revisionHistoryLimit", 10)
  default(spec, "updateStrategy", {})
  default(spec.updateStrategy, "type", "RollingUpdate")
  if spec.updateStrategy.type == "RollingUpdate" then
    default(spec.updateStrategy, "rollingUpdate", {})
    default(spec.updateStrategy.rollingUpdate, "partition", 0)
  end
  local policy = spec.persistentVolumeClaimRetentionPolicy or {}
  spec.persistentVolumeClaimRetentionPolicy = policy
  default(policy, "whenDeleted", "Retain")
  default(policy, "whenScaled", "Retain")
  for _, c in ipairs(spec.volumeClaimTemplates or {}) do
    c.apiVersion, c.kind = "v1", "PersistentVolumeClaim"
    default(c, "spec", {})
    claim(c.spec)
    c.status = { phase = "Pending" }
  end
  default(object, "status", { replicas = 0, availableReplicas = 0 })
end

function KIND.Deployment(object)
  local spec = object.spec
  template(spec)
  default(spec, "replicas", 1)
  default(spec, "revisionHistoryLimit", 10)
  default(spec, "progressDeadlineSeconds", 600)
  default(spec, "strategy", {})
  default(spec.strategy, "type", "RollingUpdate")
  if spec.strategy.type == "RollingUpdate" then
    default(spec.strategy, "rollingUpdate", {})
    default(spec.strategy.rollingUpdate, "maxUnavailable", "25%")
    default(spec.strategy.rollingUpdate, "maxSurge", "25%")
  end
  default(object, "status", {})
end

function KIND.ReplicaSet(object)
  template(object.spec)
  default(object.spec, "replicas", 1)
  default(object, "status", { replicas = 0 })
end

function KIND.DaemonSet(object)
  local spec = object.spec
  template(spec)
  default(spec, "revisionHistoryLimit", 10)
  default(spec, "updateStrategy", {})
  default(spec.updateStrategy, "type", "RollingUpdate")
  if spec.updateStrategy.type == "RollingUpdate" then
    default(spec.updateStrategy, "rollingUpdate", {})
    default(spec.updateStrategy.rollingUpdate, "maxSurge", 0)
    default(spec.updateStrategy.rollingUpdate, "maxUnavailable", 1)
  end
  default(object.metadata, "annotations", {})
  default(object.metadata.annotations, "deprecated.daemonset.template.generation", "1")
  default(object, "status", {
    currentNumberScheduled = 0,
    desiredNumberScheduled = 0,
    numberMisscheduled = 0,
    numberReady = 0,
  })
end

function KIND.Job(object)
  local spec = object.spec
  template(spec)
  default(spec, "backoffLimit", 6)
  default(spec, "completionMode", "NonIndexed")
  default(spec, "parallelism", 1)
  default(spec, "completions", 1)
  default(spec, "suspend", false)
  default(spec, "manualSelector", false)
  default(spec, "podReplacementPolicy", "TerminatingOrFailed")
  default(object, "status", {})
end

function KIND.CronJob(object)
  local spec = object.spec
  default(spec, "concurrencyPolicy", "Allow")
  default(spec, "suspend", false)
  default(spec, "successfulJobsHistoryLimit", 3)
  default(spec, "failedJobsHistoryLimit", 1)
  spec.jobTemplate = spec.jobTemplate or {}
  default(spec.jobTemplate, "metadata", {})
  default(spec.jobTemplate, "spec", {})
  template(spec.jobTemplate.spec)
  default(object, "status", {})
end

local function scaling_rules(rules, window, policies)
  default(rules, "selectPolicy", "Max")
  if window then
    default(rules, "stabilizationWindowSeconds", window)
  end
  default(rules, "policies", policies)
end

local function percent()
  return { type = "Percent", value = 100, periodSeconds = 15 }
end

function KIND.HorizontalPodAutoscaler(object)
  local spec = object.spec
  default(spec, "minReplicas", 1)
  default(
    spec,
    "metrics",
    A({
      {
        type = "Resource",
        resource = { name = "cpu", target = { type = "Utilization", averageUtilization = 80 } },
      },
    })
  )
  local behavior = spec.behavior
  if behavior then
    default(behavior, "scaleUp", {})
    default(behavior, "scaleDown", {})
    local pods = { type = "Pods", value = 4, periodSeconds = 15 }
    scaling_rules(behavior.scaleUp, 0, A({ pods, percent() }))
    scaling_rules(behavior.scaleDown, nil, A({ percent() }))
  end
  default(object, "status", { desiredReplicas = 0, currentMetrics = M.null })
end

function KIND.PodDisruptionBudget(object)
  default(object, "status", {
    disruptionsAllowed = 0,
    currentHealthy = 0,
    desiredHealthy = 0,
    expectedPods = 0,
  })
end

function KIND.Service(object)
  local spec = object.spec
  default(spec, "type", "ClusterIP")
  default(spec, "sessionAffinity", "None")
  for _, port in ipairs(spec.ports or {}) do
    default(port, "protocol", "TCP")
    default(port, "targetPort", port.port)
  end
  if spec.type ~= "ExternalName" then
    default(spec, "internalTrafficPolicy", "Cluster")
    if spec.type ~= "ClusterIP" then
      default(spec, "externalTrafficPolicy", "Cluster")
    end
  end
  default(object, "status", { loadBalancer = {} })
end

function KIND.PersistentVolumeClaim(object)
  claim(object.spec)
  default(object, "status", { phase = "Pending" })
end

function KIND.Ingress(object)
  default(object, "status", { loadBalancer = {} })
end

function KIND.NetworkPolicy(object)
  local types = data.array({ "Ingress" })
  if object.spec.egress then
    types[2] = "Egress"
  end
  default(object.spec, "policyTypes", types)
end

function KIND.Secret(object)
  default(object, "type", "Opaque")
end

function KIND.Namespace(object)
  default(object, "status", { phase = "Active" })
  default(object.metadata, "labels", {})
  object.metadata.labels["kubernetes.io/metadata.name"] = object.metadata.name
end

function KIND.Lease(object)
  local spec = object.spec
  for _, field in ipairs({ "acquireTime", "renewTime" }) do
    spec[field] = spec[field] and microtime.utc(spec[field])
  end
end

function KIND.StorageClass(object)
  default(object, "reclaimPolicy", "Delete")
  default(object, "volumeBindingMode", "Immediate")
end

function KIND.Event(object)
  default(object, "source", {})
  for _, field in ipairs({ "firstTimestamp", "lastTimestamp", "eventTime" }) do
    default(object, field, M.null)
  end
  default(object, "reportingComponent", "")
  default(object, "reportingInstance", "")
end

M.null = require("plat.json").null

local SPECLESS =
  " ConfigMap Secret Event Namespace StorageClass ControllerRevision Endpoints ServiceAccount "

--- Fills in an object of any kind, in place.
---@param object table
function M.fill(object)
  if not SPECLESS:find(" " .. object.kind .. " ", 1, true) then
    object.spec = object.spec or {}
  end
  local fill = KIND[object.kind]
  if fill then
    fill(object)
  end
end

return M
