--- run:lock: only one run at a time works on a thing.

local effect = require("plat.effect")
local fault = require("plat.fault")
local file = require("plat.lock.file")
local lock = require("plat.lock")
local terms = require("plat.lock.terms")

--- The cluster whose lease is taken: the one that is named, else the one that the run uses.
local function cluster_of(run, opts)
  local cluster = opts.cluster
  if type(cluster) == "string" then
    cluster = run.inventory():cluster(cluster)
  elseif cluster == nil then
    cluster = run.cluster_used
  elseif type(cluster) ~= "table" or type(cluster.name) ~= "string" then
    error('run:lock: option "cluster": what run:cluster returns, or a name', 3)
  end
  if not cluster or not cluster.kubernetes then
    if opts.cluster or opts.lease then
      fault.raise("usage", { op = "run:lock", object = cluster and cluster.name }, {
        msg = cluster and "this cluster has no Kubernetes, so no lease"
          or "a lease of which cluster?",
        hint = "give it cluster = run:cluster(NAME)",
      })
    end
    return nil
  end
  return cluster
end

local function lease_of(name, opts, cluster)
  local ns, object = cluster.namespace or "default", terms.lease_name(name)
  if opts.lease then
    ns, object = opts.lease:match("^([%w%-]+)/([%w%-%.]+)$")
    if not ns then
      error(('run:lock: option "lease": %q is not NAMESPACE/NAME'):format(opts.lease), 3)
    end
  end
  return require("plat.lock.lease").new(
    require("plat.k8s").connect(cluster.kubernetes),
    ns,
    object,
    { lock = name, duration = opts.duration, any = opts.lease ~= nil }
  )
end

--- The place of a lock on a host.
local function beat_of(run, name, opts)
  local host = opts.on
  if type(host) == "string" then
    host = run.inventory():hosts(host, { unlimited = true })[1]
    host = host and require("plat.host").new(host)
  end
  if type(host) ~= "table" or type(host.vars) ~= "table" then
    error('run:lock: option "on": a host of run:hosts, or the name of one', 3)
  elseif opts.dir and opts.dir:sub(1, 1) ~= "/" then
    error(('run:lock: option "dir": %q does not begin with /'):format(opts.dir), 3)
  end
  opts.on = host
  return require("plat.lock.heartbeat").new(host, name, opts)
end

--- The places of a lock, the nearest first. A sandbox is held by one process as a whole, and its
--- locks are none of this machine's business.
local function places_of(run, name, opts)
  local far
  if opts.on then
    far = beat_of(run, name, opts)
  else
    local cluster = cluster_of(run, opts)
    far = cluster and lease_of(name, opts, cluster)
  end
  local places = {}
  if not effect.sandbox() then
    places[1] = file.new(name, far and far.key)
  end
  places[#places + 1] = far
  return places
end

local function tell_plan(run, name, places)
  local holder
  for _, place in ipairs(places) do
    holder = holder or place:holder()
  end
  local last = places[#places]
  run.reporter:emit("lock", {
    name = name,
    state = "planned",
    where = last and last.where,
    holder = holder,
  })
end

local function same(entry, places)
  local last, mine = places[#places], entry.places[#entry.places]
  return not entry.released and last and mine and last.key == mine.key and last.kind == mine.kind
end

--- Returns a function that records a state of the lock, with enough to take it again for an undo.
local function recorder(run, name, kind, opts)
  local cluster = not opts.on and cluster_of(run, opts)
  local saved = {
    cluster = cluster and cluster.name or nil,
    on = opts.on and opts.on.name,
    dir = opts.dir,
    lease = opts.lease,
    duration = opts.duration,
  }
  return function(state, holder)
    run:record({
      type = "lock",
      name = name,
      kind = kind,
      state = state,
      holder = holder,
      opts = saved,
    })
  end
end

--- Returns who we are, and records it before anything is taken: who holds a lock must be able to
--- go on. Ids of runs differ, and the same seed gives the same world: in a sandbox the holder is
--- named by its playbook and the time there; the journal keeps the name for a resume.
local function holder_of(run, name, remember)
  local me = lock.me(run)
  if not run.journal then
    return me
  end
  local before = run:recall("lock", name)
  if effect.sandbox() then
    me.id = before and before.holder
      or ("sandbox:%s-%s"):format(run.name, terms.micro(require("plat.time").now()))
    me.run = me.id:match(":(.*)$")
  end
  if not before then
    remember("asked", me.id)
    run:sync()
  end
  return me
end

--- Takes a lock of a name for the rest of the run: here, and as a Lease on the cluster or by a
--- heartbeat on a host. Raises kind
--- "refused" with exit status 75 when another run has it. In plan mode it takes nothing and says
--- who has it.
---@async
---@param run plat.Run
---@param name string
---@param opts? { cluster: any, lease: string?, on: any, dir: string?, duration: any, wait: any }
---@return table lock `:check()` raises when it is lost, `:release()` gives it back early
return function(run, name, opts)
  if type(name) ~= "string" or not name:find("%S") then
    error("run:lock: a lock needs a name", 2)
  end
  opts = lock.options(opts)
  local places = places_of(run, name, opts)
  if run.planning then
    tell_plan(run, name, places)
    return { name = name, check = function() end, renew = function() end, release = function() end }
  end
  for _, entry in ipairs(run.locks) do
    if entry.name == name and same(entry, places) then
      return entry
    end
  end
  local kind = #places > 0 and places[#places].kind or "file"
  local remember = recorder(run, name, kind, opts)
  local me = holder_of(run, name, remember)
  local entry = lock.take(name, places, me, {
    wait = opts.wait or (run.options or {}).lock_timeout or 0,
    on_state = function(state, err)
      remember(state, me.id)
      if state == "lost" then
        run.reporter:emit("lock", { name = name, state = "lost", reason = err.msg })
      end
    end,
  })
  table.insert(run.locks, entry)
  run.reporter:emit("lock", {
    name = name,
    state = "taken",
    where = #places > 0 and entry.where or nil,
    how = entry.how,
  })
  return entry
end
