--- All locks that can be seen from here: those of this machine, the leases of some clusters, and
--- the heartbeats on some hosts.

local errors = require("plat.k8s.errors")
local fault = require("plat.fault")
local file = require("plat.lock.file")
local lease = require("plat.lock.lease")
local list = require("plat.list")
local task = require("plat.task")
local terms = require("plat.lock.terms")
local time = require("plat.time")

local M = {}

---@class plat.lock.Row
---@field name string
---@field kind "file"|"kubernetes"|"host"
---@field state "held"|"expired"|"stale"|"free"|"strange"
---@field where string
---@field holder string for people
---@field cluster? string
---@field left? number seconds
---@field why? string
---@field who table what is known of the holder
---@field on? string the host
---@field place? table the lease, or what is on the host

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

local function of_beat(item)
  local place, said = item.place, item.said
  local row = {
    name = place.lock,
    kind = "host",
    where = place.where,
    on = place.host.name,
    who = said or { id = "" },
    place = place,
  }
  if not said or said.id ~= "" and not said.duration then
    row.state, row.holder = "strange", said and said.id or "nobody"
    row.why = said and ("held by %s, and nothing says for how long"):format(said.id)
      or "it holds no state of a lock"
    return row
  end
  local verdict = terms.judge(said, nil, { now = place:now(), seen = 0 })
  row.state, row.left, row.why = verdict.word, verdict.left, verdict.why
  row.holder = terms.holder(said, place:now())
  return row
end

--- Returns the locks on a host.
local function beats(host, dir)
  return list.map(require("plat.lock.heartbeat").list(host, dir), of_beat)
end

--- Returns the locks, and the faults of the clusters and hosts that could not be asked.
---@async
---@param clusters table[] of the inventory
---@param hosts plat.Host[]
---@param dir? string where on the hosts
---@return plat.lock.Row[] rows
---@return plat.Fault[] faults
function M.all(clusters, hosts, dir)
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
  local answers = task.each(hosts, { limit = 64, collect = true }, function(host)
    return beats(host, dir)
  end)
  for _, found in ipairs(answers) do
    if fault.is(found) then
      faults[#faults + 1] = found
    else
      table.move(found, 1, #found, #rows + 1, rows)
    end
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
    on = row.on,
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
