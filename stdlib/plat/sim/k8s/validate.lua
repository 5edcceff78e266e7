--- Validation of objects as the API server does it: causes of a 422.
local data = require("plat.sim.k8s.data")
local json = require("plat.json")
local quantity = require("plat.sim.k8s.quantity")
local select = require("plat.sim.k8s.select")
local status = require("plat.sim.k8s.status")

local M = {}

local cause = status.cause

local SUBDOMAIN = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric "
  .. "characters, '-' or '.', and must start and end with an alphanumeric character (e.g. "
  .. "'example.com', regex used for validation is "
  .. "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
local LABEL = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or "
  .. "'-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', "
  .. "regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
local SERVICE = "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start "
  .. "with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or "
  .. "'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')"

local function is_label(s)
  return s:match("^[a-z0-9][-a-z0-9]*$") ~= nil and s:sub(-1) ~= "-" and #s <= 63
end

local function is_subdomain(s)
  for part in (s .. "."):gmatch("([^.]*)%.") do
    if not is_label(part) then
      return false
    end
  end
  return #s <= 253
end

local function show(v)
  return type(v) == "string" and '"' .. v .. '"' or json.encode(v)
end

local function invalid(causes, field, v, message)
  causes[#causes + 1] = cause("Invalid", field, ("Invalid value: %s: %s"):format(show(v), message))
end

local function required(causes, field, message)
  local text = "Required value" .. (message and ": " .. message or "")
  causes[#causes + 1] = cause("Required", field, text)
end

local function forbidden(causes, field, message)
  causes[#causes + 1] = cause("Forbidden", field, "Forbidden: " .. message)
end

local function unsupported(causes, field, v, list)
  local names = {}
  for i, name in ipairs(list) do
    names[i] = show(name)
  end
  local text = ("Unsupported value: %s: supported values: %s"):format(
    show(v),
    table.concat(names, ", ")
  )
  causes[#causes + 1] = cause("NotSupported", field, text)
end

local function not_negative(causes, field, v)
  if v and v < 0 then
    invalid(causes, field, v, "must be greater than or equal to 0")
  end
end

local function name_of(causes, object)
  local name = object.metadata.name
  if not name then
    return required(causes, "metadata.name", "name or generateName is required")
  end
  local kind = object.kind
  if kind == "Service" then
    if not (is_label(name) and name:match("^%l")) then
      invalid(causes, "metadata.name", name, SERVICE)
    end
  elseif kind == "Namespace" or kind == "StatefulSet" then
    if not is_label(name) then
      invalid(causes, "metadata.name", name, LABEL)
    end
  elseif not is_subdomain(name) then
    invalid(causes, "metadata.name", name, SUBDOMAIN)
  end
end

local NAME_PART = "name part must consist of alphanumeric characters, '-', '_' or '.', and must "
  .. "start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', "
  .. "regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
local LABEL_VALUE = "a valid label must be an empty string or consist of alphanumeric characters, "
  .. "'-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or "
  .. "'my_value',  or '12345', regex used for validation is "
  .. "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"

local function is_qualified(key)
  local name = key:match("^[^/]+/([^/]+)$") or key
  return name:match("^[%w][%w%-_%.]*$") ~= nil and name:match("%w$") ~= nil and #name <= 63
end

--- Checks the labels and annotations of an object; the server does so twice on an update.
local function marks(causes, meta)
  for key, value in pairs(meta.labels or {}) do
    if not is_qualified(key) then
      invalid(causes, "metadata.labels", key, NAME_PART)
    end
    if value ~= "" and not (value:match("^%w[%w%-_%.]*$") and value:match("%w$")) then
      invalid(causes, "metadata.labels", value, LABEL_VALUE)
    end
  end
  for key in pairs(meta.annotations or {}) do
    if not is_qualified(key:lower()) then
      invalid(causes, "metadata.annotations", key, NAME_PART)
    end
  end
end

local function one_container(causes, c, at, names)
  if not c.name then
    required(causes, at .. ".name")
  elseif not is_label(c.name) then
    invalid(causes, at .. ".name", c.name, LABEL)
  elseif names[c.name] then
    causes[#causes + 1] =
      cause("Duplicate", at .. ".name", ("Duplicate value: %s"):format(show(c.name)))
  end
  names[c.name or ""] = true
  if not c.image or c.image == "" then
    required(causes, at .. ".image")
  end
  local requests = c.resources and c.resources.requests or {}
  local limits = c.resources and c.resources.limits or {}
  for name, value in pairs(requests) do
    local limit = quantity.value(limits[name])
    if limit and quantity.value(value) and quantity.value(value) > limit then
      invalid(
        causes,
        at .. ".resources.requests",
        value,
        ("must be less than or equal to %s limit of %s"):format(name, limits[name])
      )
    end
  end
end

--- Checks a pod's spec.
---@param causes table[]
---@param spec table?
---@param at string "spec" or "spec.template.spec"
---@param policies string[] restart policies that are allowed
function M.pod_spec(causes, spec, at, policies)
  spec = spec or {}
  local names = {}
  if not spec.containers or #spec.containers == 0 then
    required(causes, at .. ".containers")
  end
  for _, list in ipairs({ "initContainers", "containers" }) do
    for i, c in ipairs(spec[list] or {}) do
      one_container(causes, c, ("%s.%s[%d]"):format(at, list, i - 1), names)
    end
  end
  local allowed = false
  for _, policy in ipairs(policies) do
    allowed = allowed or policy == spec.restartPolicy
  end
  if not allowed and spec.restartPolicy then
    unsupported(causes, at .. ".restartPolicy", spec.restartPolicy, policies)
  end
end

local ALWAYS = { "Always" }

local function workload(causes, object, policies)
  local spec = object.spec
  not_negative(causes, "spec.replicas", spec.replicas)
  local labels = data.get(spec, "template.metadata.labels") or {}
  if not spec.selector then
    required(causes, "spec.selector")
    invalid(
      causes,
      "spec.template.metadata.labels",
      labels,
      "`selector` does not match template `labels`"
    )
  elseif not select.matches(spec.selector, labels) then
    local message = "`selector` does not match template `labels`"
    invalid(causes, "spec.template.metadata.labels", labels, message)
  end
  M.pod_spec(causes, data.get(spec, "template.spec"), "spec.template.spec", policies or ALWAYS)
end

local KIND = {}

KIND.Deployment, KIND.StatefulSet, KIND.ReplicaSet, KIND.DaemonSet =
  workload, workload, workload, workload

function KIND.Pod(causes, object)
  M.pod_spec(causes, object.spec, "spec", { "Always", "OnFailure", "Never" })
end

local function job_template(causes, object, at)
  local spec = data.get(object, at)
  M.pod_spec(causes, spec, at, { "Always", "OnFailure", "Never" })
  if spec and spec.restartPolicy == "Always" then
    causes[#causes + 1] = cause(
      "NotSupported",
      at .. ".restartPolicy",
      'Required value: valid values: "OnFailure", "Never"'
    )
    causes[#causes].reason = "FieldValueRequired"
  end
end

function KIND.Job(causes, object)
  job_template(causes, object, "spec.template.spec")
  not_negative(causes, "spec.backoffLimit", object.spec.backoffLimit)
end

function KIND.CronJob(causes, object)
  local spec = object.spec
  job_template(causes, object, "spec.jobTemplate.spec.template.spec")
  if not spec.schedule or spec.schedule == "" then
    required(causes, "spec.schedule")
  else
    local _, problem = require("plat.sim.k8s.cron").parse(spec.schedule)
    if problem then
      invalid(causes, "spec.schedule", spec.schedule, problem)
    end
  end
  local policies = { Allow = true, Forbid = true, Replace = true }
  if not policies[spec.concurrencyPolicy] then
    local names = { "Allow", "Forbid", "Replace" }
    unsupported(causes, "spec.concurrencyPolicy", spec.concurrencyPolicy, names)
  end
  not_negative(causes, "spec.successfulJobsHistoryLimit", spec.successfulJobsHistoryLimit)
  not_negative(causes, "spec.failedJobsHistoryLimit", spec.failedJobsHistoryLimit)
end

function KIND.HorizontalPodAutoscaler(causes, object)
  local spec = object.spec
  local least = spec.minReplicas
  if least and least < 1 then
    invalid(causes, "spec.minReplicas", least, "must be greater than or equal to 1")
  end
  if not spec.maxReplicas or spec.maxReplicas < 1 then
    invalid(causes, "spec.maxReplicas", spec.maxReplicas or 0, "must be greater than 0")
  end
  if least and (spec.maxReplicas or 0) < least then
    local message = "must be greater than or equal to `minReplicas`"
    invalid(causes, "spec.maxReplicas", spec.maxReplicas or 0, message)
  end
end

function KIND.PodDisruptionBudget(causes, object)
  local spec = object.spec
  if spec.minAvailable ~= nil and spec.maxUnavailable ~= nil then
    local text = (
      '{"MinAvailable":%s,"Selector":%s,"MaxUnavailable":%s,'
      .. '"UnhealthyPodEvictionPolicy":null}'
    ):format(show(spec.minAvailable), json.encode(spec.selector), show(spec.maxUnavailable))
    local message = "minAvailable and maxUnavailable cannot be both set"
    causes[#causes + 1] = cause("Invalid", "spec", ("Invalid value: %s: %s"):format(text, message))
  end
end

function KIND.Lease(causes, object)
  local seconds = object.spec.leaseDurationSeconds
  if seconds and seconds < 1 then
    invalid(causes, "spec.leaseDurationSeconds", seconds, "must be greater than 0")
  end
  not_negative(causes, "spec.leaseTransitions", object.spec.leaseTransitions)
end

function KIND.Service(causes, object)
  local ports = object.spec.ports or {}
  if #ports == 0 and object.spec.clusterIP ~= "None" and object.spec.type ~= "ExternalName" then
    required(causes, "spec.ports")
  end
  for i, port in ipairs(ports) do
    local at = ("spec.ports[%d]"):format(i - 1)
    if #ports > 1 and not port.name then
      required(causes, at .. ".name")
    end
    for _, field in ipairs({ "port", "targetPort" }) do
      local number = port[field] or 0
      if math.type(number) == "integer" and (number < 1 or number > 65535) then
        invalid(causes, at .. "." .. field, number, "must be between 1 and 65535, inclusive")
      end
    end
  end
end

--- Checks a whole object; raises 422 with every cause.
---@param kind plat.sim.k8s.Kind
---@param object table
---@param old? table the stored object, for an update
function M.object(kind, object, old)
  local causes = {}
  if not old then
    name_of(causes, object)
  else
    marks(causes, object.metadata)
  end
  marks(causes, object.metadata)
  if KIND[object.kind] then
    KIND[object.kind](causes, object)
  end
  if old then
    M.update(causes, object, old)
  end
  if #causes > 0 then
    status.invalid(kind.group, kind.kind, object.metadata.name or "", causes)
  end
end

local FIXED = { -- fields that never change, by kind
  Deployment = { "selector" },
  ReplicaSet = { "selector" },
  DaemonSet = { "selector" },
  Job = { "selector", "completions", "template" },
}

local STS_OPEN = "replicas ordinals template updateStrategy revisionHistoryLimit "
  .. "persistentVolumeClaimRetentionPolicy minReadySeconds "
local STS_MESSAGE = "updates to statefulset spec for fields other than 'replicas', 'ordinals', "
  .. "'template', 'updateStrategy', 'revisionHistoryLimit', "
  .. "'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden"
local POD_MESSAGE = "pod updates may not change fields other than `spec.containers[*].image`,"
  .. "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only "
  .. "additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set "
  .. "to 1 if it was previously negative)"

local function closed_copy(spec, open)
  local copy = {}
  for key, value in pairs(spec or {}) do
    if not open:find(key .. " ", 1, true) then
      copy[key] = value
    end
  end
  return copy
end

local function pod_without_images(spec)
  local copy = data.copy(spec)
  for _, list in ipairs({ "containers", "initContainers" }) do
    for _, c in ipairs(copy[list] or {}) do
      c.image = nil
    end
  end
  copy.tolerations, copy.activeDeadlineSeconds = nil, nil
  return copy
end

--- Adds the causes that forbid a change.
---@param causes table[]
---@param object table
---@param old table
function M.update(causes, object, old)
  for _, field in ipairs(FIXED[object.kind] or {}) do
    if not data.equal(object.spec[field], old.spec[field]) then
      invalid(causes, "spec." .. field, object.spec[field], "field is immutable")
    end
  end
  if object.kind == "StatefulSet" then
    if not data.equal(closed_copy(object.spec, STS_OPEN), closed_copy(old.spec, STS_OPEN)) then
      forbidden(causes, "spec", STS_MESSAGE)
    end
  elseif object.kind == "Pod" then
    if not data.equal(pod_without_images(object.spec), pod_without_images(old.spec)) then
      forbidden(causes, "spec", POD_MESSAGE)
    end
  end
end

return M
