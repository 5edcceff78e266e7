--- Room on the nodes of a Kubernetes cluster: do so many more pods fit, and if not, what is short.
--
-- Follows the scheduler where it counts for equal pods: requests against allocatable, taints, node
-- selectors and required affinity, one pod a node where the pods repel each other. Priorities and
-- volumes bound to zones are left out: a "yes" is likely, a "no" is certain but for preemption.
local list = require("plat.list")
local quantity = require("plat.k8s.quantity")

local M = {}

local HOSTNAME = "kubernetes.io/hostname"
local COUNTED = { "cpu", "memory", "ephemeral-storage" }

local function add(into, amounts, factor)
  for name, text in pairs(amounts or {}) do
    into[name] = (into[name] or 0) + (quantity.parse(text) or 0) * (factor or 1)
  end
end

local function raise_to(into, amounts)
  for name, value in pairs(amounts) do
    into[name] = math.max(into[name] or 0, value)
  end
end

local function requests_of(container)
  return list.get(container, "resources.requests")
end

--- Returns what a pod requests: its containers together, or its largest init container if that is
--- more; sidecars (init containers that restart) count as containers.
---@param spec table pod spec
---@return table<string, number> amounts by resource
function M.requests(spec)
  local total, sidecars, peak = {}, {}, {}
  for _, container in ipairs(spec.containers or {}) do
    add(total, requests_of(container))
  end
  for _, container in ipairs(spec.initContainers or {}) do
    local own = list.copy(sidecars)
    add(own, requests_of(container))
    if container.restartPolicy == "Always" then
      add(total, requests_of(container))
      sidecars = own
    end
    raise_to(peak, own)
  end
  raise_to(total, peak)
  add(total, spec.overhead)
  return total
end

-- Which nodes a pod may use

local function tolerates(taint, tolerations)
  for _, t in ipairs(tolerations or {}) do
    local key = t.key == nil or t.key == "" or t.key == taint.key
    local value = t.operator == "Exists" or (t.value or "") == (taint.value or "")
    if key and value and (t.effect == nil or t.effect == "" or t.effect == taint.effect) then
      return true
    end
  end
  return false
end

local function matches_expression(labels, e)
  local value = labels[e.key]
  if e.operator == "Exists" then
    return value ~= nil
  elseif e.operator == "DoesNotExist" then
    return value == nil
  elseif e.operator == "In" then
    return value ~= nil and list.contains(e.values or {}, value)
  elseif e.operator == "NotIn" then
    return value == nil or not list.contains(e.values or {}, value)
  end
  local a, b = tonumber(value), tonumber(e.values and e.values[1])
  return a ~= nil and b ~= nil and (e.operator == "Gt" and a > b or e.operator == "Lt" and a < b)
end

local function matches_labels(labels, selector)
  for key, value in pairs(selector.matchLabels or {}) do
    if labels[key] ~= value then
      return false
    end
  end
  for _, expression in ipairs(selector.matchExpressions or {}) do
    if not matches_expression(labels, expression) then
      return false
    end
  end
  return true
end

local function matches_affinity(labels, spec)
  local key = "affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution"
  local terms = list.get(spec, key .. ".nodeSelectorTerms")
  if not terms then
    return true
  end
  for _, term in ipairs(terms) do
    if matches_labels(labels, { matchExpressions = term.matchExpressions }) then
      return true
    end
  end
  return false
end

--- Returns why a node cannot take a pod at all, or nil.
---@param node table
---@param spec table pod spec
---@return string?
function M.unusable(node, spec)
  if list.get(node, "spec.unschedulable") then
    return "cordoned"
  end
  local ready = list.find(list.get(node, "status.conditions") or {}, { type = "Ready" })
  if not ready or ready.status ~= "True" then
    return "not ready"
  end
  for _, taint in ipairs(list.get(node, "spec.taints") or {}) do
    if taint.effect ~= "PreferNoSchedule" and not tolerates(taint, spec.tolerations) then
      return "tainted " .. taint.key
    end
  end
  local labels = node.metadata.labels or {}
  if not matches_labels(labels, { matchLabels = spec.nodeSelector }) then
    return "not selected by nodeSelector"
  elseif not matches_affinity(labels, spec) then
    return "not selected by node affinity"
  end
  return nil
end

--- Tells if pods of this template keep away from each other on a node.
local function repels_itself(template)
  local key = "spec.affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution"
  for _, term in ipairs(list.get(template, key) or {}) do
    local labels = list.get(template, "metadata.labels") or {}
    if term.topologyKey == HOSTNAME and matches_labels(labels, term.labelSelector or {}) then
      return true, term.labelSelector or {}
    end
  end
  return false
end

local function is_over(pod)
  local phase = list.get(pod, "status.phase")
  return phase == "Succeeded" or phase == "Failed"
end

--- Returns what is free on a node, and how many pods of the kind it holds already.
local function free_on(node, pods, selector)
  local free, same = {}, 0
  add(free, list.get(node, "status.allocatable"))
  for _, pod in ipairs(pods) do
    if list.get(pod, "spec.nodeName") == node.metadata.name and not is_over(pod) then
      for name, amount in pairs(M.requests(pod.spec)) do
        free[name] = (free[name] or 0) - amount
      end
      free.pods = (free.pods or 0) - 1
      if selector and matches_labels(pod.metadata.labels or {}, selector) then
        same = same + 1
      end
    end
  end
  return free, same
end

local function show_amount(name, value)
  if name == "cpu" then
    return ("%g cpu"):format(math.floor(value * 100 + 0.5) / 100)
  end
  return ("%gGi %s"):format(math.floor(value / 2 ^ 30 * 10 + 0.5) / 10, name)
end

local function show(amounts)
  local words = {}
  for _, name in ipairs(COUNTED) do
    if amounts[name] and (name ~= "ephemeral-storage" or amounts[name] > 0) then
      words[#words + 1] = show_amount(name, amounts[name])
    end
  end
  for name, value in pairs(amounts) do
    if name ~= "pods" and not list.contains(COUNTED, name) then
      words[#words + 1] = ("%g %s"):format(value, name)
    end
  end
  return #words > 0 and table.concat(words, ", ") or "nothing"
end

--- Returns how many pods with these requests fit, and which resource is short first.
local function slots(free, need)
  local fit, short = math.max(math.floor(free.pods or 110), 0), "pods"
  for name, amount in pairs(need) do
    local n = amount > 0 and math.max(math.floor((free[name] or 0) / amount + 1e-9), 0) or math.huge
    if n < fit then
      fit, short = n, name
    end
  end
  return math.tointeger(fit), short
end

---@class plat.capacity.Fit
---@field wanted integer
---@field fits integer
---@field text string one line; names the shortage
---@field detail string[] a line for each node

--- Tells how many of `count` further pods of a template fit. Pure.
---@param nodes table[]
---@param pods table[] all pods of the cluster
---@param template table pod template
---@param count integer
---@param what? string what they are called; default "pods"
---@return plat.capacity.Fit
function M.fit(nodes, pods, template, count, what)
  local need = M.requests(template.spec)
  local alone, selector = repels_itself(template)
  local total, detail = 0, {}
  for _, node in
    ipairs(list.sort_by(nodes, function(n)
      return n.metadata.name
    end))
  do
    local why = M.unusable(node, template.spec)
    if why then
      detail[#detail + 1] = ("%s: %s"):format(node.metadata.name, why)
    else
      local free, same = free_on(node, pods, selector)
      local fit, short = slots(free, need)
      if alone then
        fit = math.min(fit, same > 0 and 0 or 1)
        short = same > 0 and "one pod of the kind a node" or short
      end
      total = total + fit
      local room = {}
      for name in pairs(need) do
        room[name] = math.max(free[name] or 0, 0)
      end
      detail[#detail + 1] = ("%s: room for %d (%s free%s)"):format(
        node.metadata.name,
        fit,
        show(room),
        fit == 0 and ", short of " .. short or ""
      )
    end
  end
  local fits = math.min(total, count)
  local text = ("room for %d"):format(total)
  if fits < count then
    text = ("%d of %d %s do not fit: each needs %s; %d nodes have room for %d"):format(
      count - fits,
      count,
      what or "pods",
      show(need),
      #nodes,
      total
    )
  end
  return { wanted = count, fits = fits, text = text, detail = detail }
end

--- Returns what so many pods take from a quota: requests, limits, the pods themselves.
local function quota_need(template, count)
  local need = { pods = count, ["count/pods"] = count }
  for name, amount in pairs(M.requests(template.spec)) do
    need["requests." .. name] = amount * count
    if name == "cpu" or name == "memory" then
      need[name] = amount * count
    end
  end
  local limits = {}
  for _, container in ipairs(template.spec.containers or {}) do
    add(limits, list.get(container, "resources.limits"), count)
  end
  for name, amount in pairs(limits) do
    need["limits." .. name] = amount
  end
  return need
end

--- Returns what a namespace's quotas forbid of `count` further pods, or nil. Quotas with scopes are
--- left out. Pure.
---@param quotas table[]
---@param template table pod template
---@param count integer
---@return string?
function M.over_quota(quotas, template, count)
  local need, over = quota_need(template, count), {}
  for _, quota in ipairs(quotas) do
    if not quota.spec.scopes and not quota.spec.scopeSelector then
      for name, hard in pairs(list.get(quota, "status.hard") or quota.spec.hard or {}) do
        local used = quantity.parse((list.get(quota, "status.used") or {})[name]) or 0
        local limit = quantity.parse(hard)
        if need[name] and limit and used + need[name] > limit + 1e-6 then
          over[#over + 1] = ("%s of quota %s (%s, used %s)"):format(
            name,
            quota.metadata.name,
            hard,
            (list.get(quota, "status.used") or {})[name] or "0"
          )
        end
      end
    end
  end
  return #over > 0 and table.concat(over, "; ") or nil
end

--- Tells how many of `count` further pods of a template fit into a cluster and a namespace now.
---@async
---@param client plat.k8s.Client
---@param namespace string
---@param template table pod template
---@param count integer
---@param what? string what they are called; default "pods"
---@return plat.capacity.Fit
function M.check(client, namespace, template, count, what)
  local fit = M.fit(client:list("nodes"), client:list("pods"), template, count, what)
  local over = M.over_quota(client:list("resourcequotas", namespace), template, count)
  if over then
    fit.fits = 0
    fit.text = ("%d %s are over %s"):format(count, what or "pods", over)
  end
  return fit
end

return M
