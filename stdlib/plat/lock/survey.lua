--- All locks that can be seen from here: those of this machine and the leases of some clusters.

local errors = require("plat.k8s.errors")
local fault = require("plat.fault")
local file = require("plat.lock.file")
local lease = require("plat.lock.lease")
local terms = require("plat.lock.terms")
local time = require("plat.time")

local M = {}

---@class plat.lock.Row
---@field name string
---@field kind "file"|"kubernetes"
---@field state "held"|"expired"|"stale"|"free"|"strange"
---@field where string
---@field holder string for people
---@field cluster? string
---@field left? number seconds
---@field why? string
---@field who table what is known of the holder
---@field place? table the lease

local function of_file(who)
  return {
    name = type(who.name) == "string" and who.name or who.path:match("[^/]+$"),
    kind = "file",
    state = who.held and "held" or "stale",
    where = "this machine",
    holder = terms.holder(who, require("prim.time").real()), -- also beside a sandbox
    why = not who.held and "its process is gone" or nil,
    who = who,
  }
end

local function of_lease(client, cluster, object)
  local said = terms.read(object)
  local meta = object.metadata
  local name = said.name or meta.name
  local place = lease.new(client, meta.namespace, meta.name, {
    lock = name,
    duration = said.duration or 60,
    any = true,
  })
  local verdict = terms.judge(said, nil, { now = place:now(), seen = 0, any = true })
  return {
    name = name,
    kind = "kubernetes",
    state = verdict.word,
    where = place.where,
    holder = terms.holder(said, place:now()),
    cluster = cluster.name,
    left = verdict.left,
    why = verdict.why,
    who = said,
    place = place,
  }
end

--- Returns the leases of a cluster: of all namespaces, or of its own where more may not be seen.
local function leases(cluster)
  local client = require("plat.k8s").connect(cluster.kubernetes)
  local objects, err = fault.try(lease.list, client)
  if err and errors.is(err, 403) then
    objects = lease.list(client, cluster.namespace)
  elseif err then
    error(err, 0)
  end
  local rows = {}
  for i, object in ipairs(objects) do
    rows[i] = of_lease(client, cluster, object)
  end
  return rows
end

--- Returns the locks, and the faults of the clusters that could not be asked.
---@async
---@param clusters table[] of the inventory
---@return plat.lock.Row[] rows
---@return plat.Fault[] faults
function M.all(clusters)
  local rows, faults = {}, {}
  for _, who in ipairs(file.list()) do
    rows[#rows + 1] = of_file(who)
  end
  for _, cluster in ipairs(clusters) do
    local found, err = fault.try(leases, cluster)
    for _, row in ipairs(found or {}) do
      rows[#rows + 1] = row
    end
    faults[#faults + 1] = err
  end
  return rows, faults
end

--- Returns a row as machines read it.
---@param row plat.lock.Row
---@return table
function M.data(row)
  local who = row.who
  local function instant(t)
    return t and time.rfc3339(t)
  end
  return {
    name = row.name,
    kind = row.kind,
    state = row.state,
    where = row.where,
    cluster = row.cluster,
    why = row.why,
    holder = who.id ~= "" and who.id or nil,
    run = who.run,
    host = who.host,
    pid = who.pid,
    user = who.user,
    playbook = who.playbook,
    since = instant(who.since),
    renewed = instant(who.renewed),
    duration = who.duration,
    expires = who.renewed and who.duration and instant(who.renewed + who.duration) or nil,
    broken = who.broken,
  }
end

return M
