--- Capacity after: those that stay can carry the load of those that leave.
--
-- Two forms: nodes of a Kubernetes cluster, by what their pods request (plat.capacity), and members
-- of anything else, by what they use of their size.

local base = require("plat.guard.base")
local capacity = require("plat.capacity")
local list = require("plat.list")
local time = require("plat.time")

local M = {}

local MIRROR = "kubernetes.io/config.mirror"
local HINT = "add a node first, or let fewer leave"

local OPTIONS = base.options("guard.capacity_after", {
  client = { type = "table", help = "plat.k8s client: the nodes of its cluster" },
  namespace = { type = "string", help = "whose quotas hold for the new pods" },
  template = { type = "table", help = "pod template of new pods" },
  count = { type = "integer", min = 0, default = 0, help = "how many new pods" },
  members = { type = "any", help = "list of { name, used, size }, or fn; instead of a client" },
  max = { type = "string", default = "80%", help = "of its size that a member may use" },
  leaving = { type = "any", default = {}, help = "names of the nodes or members that leave" },
  fresh = { type = "duration", help = "how old a member's `at` may be" },
})

-- ---- members ----

local function usage_of(member)
  local used, size = base.number(member.used), base.number(member.size)
  if not used or not size or used < 0 or size <= 0 then
    return nil
  end
  return used, size
end

--- Decides about members: all that is used, spread over those that stay. Pure.
---@param members any list of `{ name, used, size }`, in one unit
---@param leaving string[]
---@param max number share of the size that may be used
---@return boolean ok
---@return string? reason
---@return string? hint
function M.decide_members(members, leaving, max)
  local problem = base.unnamed(members, "member")
  if problem or #members == 0 then
    return false, problem or "no member is known: the reading is empty"
  end
  local used, size, left = 0, 0, 0
  for _, member in ipairs(members) do
    local takes, has = usage_of(member)
    if not takes then
      return false, ("what %s uses of its size is not known"):format(member.name)
    end
    used = used + takes
    if not list.contains(leaving, member.name) then
      size, left = size + has, left + 1
    end
  end
  for _, name in ipairs(leaving) do
    if not list.find(members, { name = name }) then
      return false, ("%s is to leave and no member"):format(name)
    end
  end
  if left == 0 then
    return false, "no member would be left", HINT
  elseif used <= size * max + 1e-9 * size then
    return true
  end
  return false,
    ("the %s left would be %s full, at most %s is allowed"):format(
      base.plural(left, "member"),
      base.percent(used / size),
      base.percent(max)
    ),
    HINT
end

-- ---- nodes ----

--- Returns whether a pod moves to another node when its own is drained.
local function moves(pod)
  local phase = list.get(pod, "status.phase")
  if phase == "Succeeded" or phase == "Failed" then
    return false
  elseif (list.get(pod, "metadata.annotations") or {})[MIRROR] then
    return false
  end
  local owner = list.find(list.get(pod, "metadata.ownerReferences") or {}, { kind = "DaemonSet" })
  return owner == nil
end

local function split(nodes, pods, leaving)
  local stay, on_node, homeless = {}, {}, {}
  for _, node in ipairs(nodes) do
    if not list.contains(leaving, node.metadata.name) then
      stay[#stay + 1] = node
      on_node[node.metadata.name] = {}
    end
  end
  for _, pod in ipairs(pods) do
    local node = list.get(pod, "spec.nodeName")
    if on_node[node or ""] then
      table.insert(on_node[node], pod)
    elseif node and list.contains(leaving, node) and moves(pod) then
      homeless[#homeless + 1] = pod
    end
  end
  return stay, on_node, homeless
end

local function by_weight(pods)
  return list.sort_by(pods, function(pod)
    return -(capacity.requests(pod.spec).memory or 0)
  end)
end

--- Finds each pod a node, the heaviest first, and puts it there. Returns those that fit nowhere.
local function place(pods, stay, on_node)
  local left = {}
  for _, pod in ipairs(by_weight(pods)) do
    local home = list.find(stay, function(node)
      local there = on_node[node.metadata.name]
      return capacity.fit({ node }, there, { metadata = pod.metadata, spec = pod.spec }, 1).fits
        == 1
    end)
    if home then
      local moved = list.copy(pod)
      moved.spec = list.merge(pod.spec, { nodeName = home.metadata.name })
      table.insert(on_node[home.metadata.name], moved)
    else
      left[#left + 1] = pod
    end
  end
  return left
end

--- Decides about nodes: the pods of those that leave, and so many new ones, fit on those that stay.
--- Pods are placed one by one, as a drain does; a full cluster may be refused where a cleverer
--- order would fit. Pods that wait for a node already are left out. Pure.
---@param nodes table[]
---@param pods table[] all pods of the cluster
---@param leaving string[]
---@param template? table pod template of new pods
---@param count? integer
---@return boolean ok
---@return string? reason
---@return string? hint
function M.decide_nodes(nodes, pods, leaving, template, count)
  if not base.is_list(nodes) or #nodes == 0 or not base.is_list(pods) then
    return false, "no node is known: the reading is empty"
  end
  for _, name in ipairs(leaving) do
    if not list.find(nodes, function(node)
      return node.metadata.name == name
    end) then
      return false, ("%s is to leave and no node of the cluster"):format(name)
    end
  end
  local stay, on_node, homeless = split(nodes, pods, leaving)
  if #stay == 0 then
    return false, "no node would be left", HINT
  end
  local left = place(homeless, stay, on_node)
  if #left > 0 then
    local names = list.map(left, function(pod)
      return pod.metadata.name
    end)
    return false,
      ("%d of %s find no room on the %s that stay: %s"):format(
        #left,
        base.plural(#homeless, "pod"),
        base.plural(#stay, "node"),
        base.some(names)
      ),
      HINT
  elseif not template or (count or 0) == 0 then
    return true
  end
  local there = {}
  for _, list_of_node in pairs(on_node) do
    table.move(list_of_node, 1, #list_of_node, #there + 1, there)
  end
  local fit = capacity.fit(stay, there, template, count, "new pods")
  if fit.fits >= count then
    return true
  end
  return false, fit.text, table.concat(fit.detail, "; ")
end

-- ---- the guard ----

local function misuse(option, problem)
  base.misuse("guard.capacity_after", ('option "%s": %s'):format(option, problem))
end

local function check_shape(opts)
  if (opts.client == nil) == (opts.members == nil) then
    misuse("client", "either client (nodes of Kubernetes) or members is needed")
  elseif
    not base.is_list(opts.leaving)
    or list.find(opts.leaving, function(name)
      return type(name) ~= "string"
    end)
  then
    misuse("leaving", "a list of names is needed")
  elseif (opts.count > 0) ~= (opts.template ~= nil) then
    misuse("count", "count and template go together")
  elseif opts.members and opts.template then
    misuse("template", "it goes with client")
  elseif #opts.leaving == 0 and opts.count == 0 then
    misuse("leaving", "leaving or count is needed")
  end
  return base.share(opts.max) or misuse("max", "a share such as 80% is needed")
end

local function look_at_nodes(opts)
  local client = opts.client
  local ok, reason, hint = M.decide_nodes(
    client:list("nodes"),
    client:list("pods"),
    opts.leaving,
    opts.template,
    opts.count
  )
  if not ok or opts.count == 0 then
    return ok, reason, hint
  end
  local quotas = client:list("resourcequotas", opts.namespace or client.namespace)
  local over = capacity.over_quota(quotas, opts.template, opts.count)
  return over == nil,
    over and ("%s would be over %s"):format(base.plural(opts.count, "new pod"), over)
end

--- Makes the guard; see plat.guard.
---@param opts table
---@return plat.Guard
function M.new(opts)
  opts = OPTIONS(opts)
  local max = check_shape(opts)
  return base.new("capacity-after", opts, function()
    if opts.client then
      return look_at_nodes(opts)
    end
    local members = base.read(opts.members)
    local old, again = base.stale(base.is_list(members) and members or {}, opts.fresh, time.now())
    if old then
      return false, old, again
    end
    return M.decide_members(members, opts.leaving, max)
  end)
end

return M
