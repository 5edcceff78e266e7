--- Replicas: the scale subresource, and the HorizontalPodAutoscalers that may own it.
local errors = require("plat.k8s.errors")
local fault = require("plat.fault")
local json = require("plat.json")
local kinds = require("plat.k8s.kinds")
local list = require("plat.list")
local predict = require("plat.k8s.predict")
local transport = require("plat.k8s.transport")

local M = {}

local HPA_VERSIONS = { "v2", "v2beta2", "v1" }
local RACES = 5 -- status updates bump the resourceVersion: a guarded PUT may lose that often

local function hpa_resource(version)
  return {
    group = "autoscaling",
    version = version,
    kind = "HorizontalPodAutoscaler",
    plural = "horizontalpodautoscalers",
    singular = "horizontalpodautoscaler",
    short = { "hpa" },
    namespaced = true,
  }
end

--- Returns what is needed of an autoscaler, whatever its version. Pure.
---@param object table
---@return plat.k8s.Hpa
function M.hpa_of(object)
  local spec, status = object.spec or {}, object.status or {}
  return {
    name = object.metadata.name,
    kind = list.get(spec, "scaleTargetRef.kind"),
    target = list.get(spec, "scaleTargetRef.name"),
    api_version = list.get(spec, "scaleTargetRef.apiVersion"),
    min = spec.minReplicas or 1,
    max = spec.maxReplicas,
    current = status.currentReplicas or 0,
    desired = status.desiredReplicas or 0,
    object = object,
  }
end

-- Lists the autoscalers of a namespace with the newest API version that the server has.
local function list_hpas(client, ns)
  if client._hpa_version then
    return client:list(hpa_resource(client._hpa_version), ns)
  end
  for _, version in ipairs(HPA_VERSIONS) do
    local items, err = fault.try(client.list, client, hpa_resource(version), ns)
    if items then
      client._hpa_version = version
      return items
    elseif not errors.is_unserved(err) then
      error(err, 0)
    end
  end
  return {} -- a server without the autoscaling API has no autoscalers
end

--- Returns the autoscalers of a namespace that target an object (all of them without one).
---@async
---@param client plat.k8s.Client
---@param ns string
---@param kind? string|table
---@param name? string
---@return plat.k8s.Hpa[]
function M.hpas(client, ns, kind, name)
  local found = {}
  local res = kind and client:resource(kind)
  for _, object in ipairs(list_hpas(client, ns)) do
    local hpa = M.hpa_of(object)
    local group = kinds.split_api_version(hpa.api_version or "")
    if not res or (hpa.kind == res.kind and hpa.target == name and group == res.group) then
      found[#found + 1] = hpa
    end
  end
  return found
end

--- Raises when an autoscaler owns the replicas of an object. Fails closed: when the autoscalers
--- cannot be read the change is refused as well.
---@async
function M.guard(client, res, ns, name, about)
  local found, err = fault.try(M.hpas, client, ns, res, name)
  if not found then
    if not errors.is(err, 403) then
      error(err, 0)
    end
    fault.raise("refused", about, {
      msg = "cannot see whether an autoscaler owns the replicas",
      cause = err,
      hint = 'allow listing horizontalpodautoscalers, or say hpa = "ignore"',
    })
  end
  if #found > 1 then
    local names = list.map(found, function(hpa)
      return hpa.name
    end)
    fault.raise("refused", about, {
      msg = ("%d autoscalers fight over it: %s"):format(#found, table.concat(names, ", ")),
      hint = "delete all but one of them first",
    })
  elseif #found == 1 then
    local hpa = found[1]
    local how = "change its bounds instead: client:set_hpa_bounds(%q, %q, { min = N, max = N })"
    fault.raise("refused", about, {
      msg = ("HorizontalPodAutoscaler %q owns the replicas (%d to %d): it would undo this"):format(
        hpa.name,
        hpa.min,
        hpa.max
      ),
      hint = how:format(ns, hpa.name),
    })
  end
end

local function read_scale(client, res, ns, name, op)
  return (
    client.transport:request({
      path = kinds.path(res, ns, name, "scale"),
      op = op,
      object = kinds.label(res, ns, name),
    })
  )
end

local function replicas_of(scale)
  return list.get(scale, "spec.replicas") or 0
end

--- Reads the scale of an object.
---@async
---@param client plat.k8s.Client
---@param kind string|table
---@param ns string
---@param name string
---@return { replicas: integer, current: integer, selector: string?, object: table }
function M.read(client, kind, ns, name)
  local scale = read_scale(client, client:resource(kind), ns, name, "k8s.scale_of")
  return {
    replicas = replicas_of(scale),
    current = list.get(scale, "status.replicas") or 0,
    selector = list.get(scale, "status.selector"),
    object = scale,
  }
end

local function put_scale(client, res, ns, name, scale, want)
  local label = kinds.label(res, ns, name)
  local from = replicas_of(scale)
  local subject = { client = client, res = res, ns = ns, name = name, label = label }
  return (
    client.transport:request({
      method = "PUT",
      path = kinds.path(res, ns, name, "scale"),
      query = { fieldManager = transport.MANAGER },
      body = {
        apiVersion = "autoscaling/v1",
        kind = "Scale",
        metadata = {
          name = name,
          namespace = ns,
          resourceVersion = list.get(scale, "metadata.resourceVersion"),
        },
        spec = { replicas = want },
      },
      op = "k8s.scale",
      object = label,
      change = predict.describe(
        {
          text = ("scale %s from %d to %d"):format(label, from, want),
          args = { kind = res.kind, namespace = ns, name = name, replicas = want },
          recovery = "repeatable",
          probe = function() -- its version is spent when the first one was done: then it looks
            return replicas_of(read_scale(client, res, ns, name, "k8s.scale")) == want
          end,
          reread = function()
            local now = read_scale(client, res, ns, name, "k8s.scale")
            return { status = 200, headers = {}, body = json.encode(now) }
          end,
          diff = function(resp)
            local to = replicas_of(json.decode(resp.body))
            return { { path = "spec.replicas", before = from, after = to } }
          end,
          compose = function(ask)
            if list.get(scale, "metadata.resourceVersion") then
              return ask()
            end
            scale.spec.replicas = want -- of an object that is only planned
            return { status = 200, headers = {}, body = json.encode(scale) }
          end,
        },
        subject,
        function(now)
          return predict.with_replicas(now, want)
        end
      ),
    })
  )
end

--- Scales an object. Does nothing when it has that many replicas already; refuses when an
--- autoscaler owns them, and when somebody else scales it at the same time.
---@async
---@param client plat.k8s.Client
---@param kind string|table
---@param ns string
---@param name string
---@param want integer
---@param opts { hpa: "check"|"ignore" }
---@return boolean changed
function M.set(client, kind, ns, name, want, opts)
  local res = client:resource(kind)
  local about = {
    op = "k8s.scale",
    target = client.target,
    object = kinds.label(res, ns, name),
  }
  if math.type(want) ~= "integer" or want < 0 then
    fault.raise("usage", about, {
      msg = ("%s is not a number of replicas"):format(tostring(want)),
    })
  end
  local scale = read_scale(client, res, ns, name, "k8s.scale")
  local from = replicas_of(scale)
  if from == want then
    return false
  end
  if opts.hpa ~= "ignore" then
    M.guard(client, res, ns, name, about)
  end
  for race = 1, RACES do
    local done, err = fault.try(put_scale, client, res, ns, name, scale, want)
    if done then
      return true
    elseif race == RACES or not errors.is_stale(err) then
      error(err, 0)
    end
    scale = read_scale(client, res, ns, name, "k8s.scale")
    local now = replicas_of(scale)
    if now == want then
      return true
    elseif now ~= from then
      fault.raise("refused", about, {
        msg = ("somebody else scaled it from %d to %d meanwhile"):format(from, now),
        cause = err,
        hint = "two operators at once: agree, then run this again",
      })
    end
  end
end

--- Changes the bounds of an autoscaler and returns the bounds it had, for the undo.
---@async
---@param client plat.k8s.Client
---@param ns string
---@param name string
---@param bounds { min: integer?, max: integer? }
---@return { min: integer, max: integer } before
function M.set_bounds(client, ns, name, bounds)
  list_hpas(client, ns) -- finds out which API version the server has
  local res = hpa_resource(client._hpa_version or HPA_VERSIONS[1])
  local before = M.hpa_of(client:get(res, ns, name))
  local min, max = bounds.min or before.min, bounds.max or before.max
  local label = kinds.label(res, ns, name)
  if min > max then
    fault.raise("usage", { op = "k8s.set_hpa_bounds", target = client.target, object = label }, {
      msg = ("min %d is above max %d"):format(min, max),
      hint = bounds.max and "give a smaller min" or "give max as well",
    })
  end
  if min ~= before.min or max ~= before.max then
    client:patch(res, ns, name, { spec = { minReplicas = min, maxReplicas = max } }, {
      text = ("set the bounds of %s from %d..%d to %d..%d"):format(
        label,
        before.min,
        before.max,
        min,
        max
      ),
    })
  end
  return { min = before.min, max = before.max }
end

return M
