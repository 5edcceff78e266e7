local effect = require("plat.effect")
local fault = require("plat.fault")
local json = require("plat.json")
local k8s = require("plat.sim.k8s")
local lock = require("plat.lock")
local plan = require("plat.effect.plan")
local run = require("plat.run")
local task = require("plat.task")
local terms = require("plat.lock.terms")
local time = require("prim.time")
local world = require("plat.sim.world")

local PATH = "/apis/coordination.k8s.io/v1/namespaces/default/leases"

-- ---- a cluster whose API answers in this process ----

local Cluster = {}
Cluster.__index = Cluster

--- Opens the door onto a simulated cluster. `before(method)` may answer instead of it, or raise.
local function open(t, opts)
  opts = opts or {}
  local self = setmetatable({ model = k8s.new({ now = time.now() }), log = {} }, Cluster)
  self.world = {}
  function self.world.request(_, _, req)
    self.model:advance(time.now())
    table.insert(self.log, req.method)
    local answer = self.before and self.before(req)
    if answer then
      return answer
    end
    local resp = self.model:handle(world.parse_request(req.method, req.url, req.headers, req.body))
    if self.date then
      resp.headers.date = self.date
    end
    return resp
  end
  self.conf = { name = "main", namespace = "default" }
  self.conf.kubernetes = { server = "https://k8s.test", name = "main" }
  local planner = opts.planning and plan.new(function() end, function() end) or nil
  effect.open({ mode = opts.planning and "plan" or "run", plan = planner, world = self.world })
  t.defer(effect.close)
  return self
end

function Cluster:ask(method, name, body)
  local path = PATH .. (name and "/" .. name or "")
  local headers = { ["content-type"] = "application/json" }
  local text = body and json.encode(body)
  local resp = self.model:handle(world.parse_request(method, path, headers, text))
  return json.decode(resp.body), resp.status
end

function Cluster:lease(name)
  local object, status = self:ask("GET", name or "platrun-job")
  return status == 200 and object or nil
end

function Cluster:put(name, spec, ours)
  local metadata = { name = name }
  if ours ~= false then
    metadata.labels = { [terms.LABEL] = terms.OURS }
    metadata.annotations = { [terms.NOTES.user] = "eve", [terms.NOTES.playbook] = "other" }
  end
  local object = { apiVersion = "coordination.k8s.io/v1", kind = "Lease", metadata = metadata }
  object.spec = spec
  local _, status = self:ask("POST", nil, object)
  assert(status == 201, status)
end

local function held_by(id, age, duration)
  return {
    holderIdentity = id,
    leaseDurationSeconds = duration or 60,
    acquireTime = terms.micro(time.now() - age),
    renewTime = terms.micro(time.now() - age),
    leaseTransitions = 2,
  }
end

local function new_run(t, id, options)
  local events = {}
  local reporter = { events = events }
  function reporter:emit(name, e)
    table.insert(events, { name = name, e = e })
  end
  local r = run.new({
    name = "scale",
    args = {},
    reporter = reporter,
    options = options,
    planning = effect.planning(),
  })
  r.id = id
  t.defer(function()
    for _, entry in ipairs(r.locks) do
      entry:release()
    end
  end)
  return r, events
end

local function lazily(t)
  local before = lock.is_lazy
  lock.is_lazy = function()
    return true
  end
  t.defer(function()
    lock.is_lazy = before
  end)
end

local tests = {}

tests["a lease is taken, renewed beside the run and given back"] = function(t)
  local cluster = open(t)
  local r, events = new_run(t, "run-1")
  local entry = r:lock("job", { cluster = cluster.conf, duration = "1s" })
  local spec = cluster:lease().spec
  t.equal(spec.holderIdentity, "sandbox:run-1")
  t.equal(spec.leaseDurationSeconds, 1)
  t.equal(spec.leaseTransitions, 0)
  local notes = cluster:lease().metadata.annotations
  t.equal(notes[terms.NOTES.name], "job")
  t.equal(notes[terms.NOTES.playbook], "scale")
  t.equal(events[1].e.state, "taken")
  t.equal(r.changes, 0, "it is no change of the playbook's")
  t.equal(r:lock("job", { cluster = cluster.conf }), entry, "the same lock twice is one")
  task.sleep(1.2)
  t.ok(cluster:lease().spec.renewTime > spec.renewTime, "renewed")
  t.ok(entry.places[1]:age() < 0.5)
  entry:check()
  entry:release()
  t.equal(cluster:lease().spec.holderIdentity, "")
  t.equal(cluster:lease().spec.leaseDurationSeconds, 1)
  entry:release()
  entry:check()
  local again = r:lock("job", { cluster = cluster.conf })
  t.equal(cluster:lease().spec.leaseTransitions, 1)
  t.ok(again ~= entry)
  t.equal(r:recall("lock", "job").state, "taken")
end

tests["a held lease is refused at once, with all that is known"] = function(t)
  local cluster = open(t)
  cluster:put("platrun-job", held_by("db-1:run-7", 5))
  local r = new_run(t, "run-1")
  local began = time.mono()
  local err = t.fails("refused", function()
    r:lock("job", { cluster = cluster.conf })
  end)
  t.ok(time.mono() - began < 0.5, "at once")
  t.equal(err.exit, 75)
  local text = fault.text(err)
  t.match(text, "run run%-7 on db%-1 by eve %(other%), since 20")
  t.match(text, "renewed 5s ago; it ends in 5[45]s unless it is renewed")
  t.match(text, 'locks break "job" %-%-reason')
  t.equal(#r.locks, 0)
  t.equal(cluster:lease().spec.holderIdentity, "db-1:run-7")
end

tests["a waiter takes an unrenewed lease over after its time and not before"] = function(t)
  local cluster = open(t)
  cluster:put("platrun-job", held_by("db-1:run-7", 0, 1))
  local r = new_run(t, "run-1", { lock_timeout = 5 })
  local began = time.mono()
  local entry = r:lock("job", { cluster = cluster.conf })
  local waited = time.mono() - began
  t.ok(waited >= 1 and waited < 3, ("it waited %g s"):format(waited))
  t.equal(entry.how, "taken over")
  t.equal(cluster:lease().spec.leaseTransitions, 3)
  t.equal(cluster:lease().spec.holderIdentity, "sandbox:run-1")
end

tests["a renewed lease is not taken over however long one watches"] = function(t)
  local cluster = open(t)
  local first = new_run(t, "run-1")
  first:lock("job", { cluster = cluster.conf, duration = "1s" })
  local second = new_run(t, "run-2")
  local began = time.mono()
  local err = t.fails("refused", function()
    second:lock("job", { cluster = cluster.conf, wait = "2500ms" })
  end)
  t.equal(err.exit, 75)
  t.ok(time.mono() - began >= 2.4)
  first.locks[1]:check()
end

tests["the same run takes its lease back at once, on the same host only"] = function(t)
  local cluster = open(t)
  cluster:put("platrun-job", held_by("sandbox:run-1", 3))
  local entry = new_run(t, "run-1"):lock("job", { cluster = cluster.conf })
  t.equal(entry.how, "taken back")
  t.equal(cluster:lease().spec.leaseTransitions, 2)
  cluster:put("platrun-other", held_by("elsewhere:run-1", 3))
  local err = t.fails("refused", function()
    new_run(t, "run-1"):lock("other", { cluster = cluster.conf })
  end)
  t.match(err.msg, "run run%-1 on elsewhere")
end

tests["of two who are equally fast one gets it"] = function(t)
  local cluster = open(t)
  cluster:put("platrun-job", held_by("old:run", 1000))
  local raced = false
  function cluster.before(req)
    if req.method == "PUT" and not raced then
      raced = true
      local object = cluster:lease()
      object.spec.holderIdentity = "fast:run-9"
      object.spec.renewTime = terms.micro(time.now())
      local _, status = cluster:ask("PUT", "platrun-job", object)
      assert(status == 200)
    end
  end
  local err = t.fails("refused", function()
    new_run(t, "run-1"):lock("job", { cluster = cluster.conf })
  end)
  t.equal(err.exit, 75)
  t.match(err.msg, "run run%-9 on fast")
end

tests["two who make it at the same time: one gets it"] = function(t)
  local cluster = open(t)
  function cluster.before(req)
    if req.method == "POST" then
      cluster:put("platrun-job", held_by("fast:run-9", 0))
    end
  end
  local err = t.fails("refused", function()
    new_run(t, "run-1"):lock("job", { cluster = cluster.conf })
  end)
  t.match(err.msg, "run run%-9 on fast")
end

tests["a lost lease stops the next change, and says who has it"] = function(t)
  lazily(t)
  local cluster = open(t)
  local r, events = new_run(t, "run-1")
  local entry = r:lock("job", { cluster = cluster.conf, duration = "1s" })
  local object = cluster:lease()
  object.spec.holderIdentity = "db-2:run-8"
  cluster:ask("PUT", "platrun-job", object)
  entry:check() -- nothing is due
  task.sleep(0.4)
  local err = t.fails("refused", entry.check, entry)
  t.match(err.msg, "the lock is lost: it is held by run run%-8 on db%-2")
  t.equal(events[#events].e.state, "lost")
  t.equal(r:recall("lock", "job").state, "lost")
  t.fails("is lost", entry.check, entry)
  entry:release()
  t.equal(cluster:lease().spec.holderIdentity, "db-2:run-8", "a lost lease is not given back")
end

tests["a deleted lease is lost and not made again"] = function(t)
  lazily(t)
  local cluster = open(t)
  local entry = new_run(t, "run-1"):lock("job", { cluster = cluster.conf, duration = "1s" })
  cluster:ask("DELETE", "platrun-job")
  t.fails("its lease was deleted", entry.renew, entry)
  t.equal(cluster:lease(), nil)
end

tests["what others write beside the terms does not lose the lease"] = function(t)
  lazily(t)
  local cluster = open(t)
  local entry = new_run(t, "run-1"):lock("job", { cluster = cluster.conf })
  local object = cluster:lease()
  object.metadata.annotations.team = "data"
  cluster:ask("PUT", "platrun-job", object)
  entry:renew()
  t.equal(cluster:lease().metadata.annotations.team, "data")
  entry:release()
  t.equal(cluster:lease().spec.holderIdentity, "")
end

tests["a lease that cannot be renewed is not relied upon to its end"] = function(t)
  lazily(t)
  local cluster = open(t)
  local entry = new_run(t, "run-1"):lock("job", { cluster = cluster.conf, duration = "1s" })
  function cluster.before()
    return { status = 503, headers = {}, body = "down" }
  end
  task.sleep(0.4)
  entry:check() -- it fails to renew, but it still holds
  task.sleep(0.5)
  local err = t.fails("refused", entry.check, entry)
  t.match(err.msg, "stale: not renewed for")
  t.ok(err.cause, "why it could not be renewed")
  cluster.before = nil
  entry:check() -- nobody had it meanwhile
end

tests["a lease of another kind is refused with its writer"] = function(t)
  local cluster = open(t)
  cluster:put("platrun-job", { holderIdentity = "pod-1_uuid", leaseDurationSeconds = 15 }, false)
  local err = t.fails("refused", function()
    new_run(t, "run-1"):lock("job", { cluster = cluster.conf, wait = "5s" })
  end)
  t.equal(err.exit, 75)
  t.match(err.msg, "not platrun's %(held by pod%-1_uuid, written by .+ at 20")
  t.match(err.hint, "kubectl %-n default get lease platrun%-job")
  cluster:put("elector", { holderIdentity = "" }, false)
  local opts = { cluster = cluster.conf, lease = "default/elector" }
  t.equal(new_run(t, "run-1"):lock("job", opts).kind, "kubernetes")
  t.equal(cluster:lease("elector").spec.holderIdentity, "sandbox:run-1")
end

tests["the server's clock counts where ours is wrong"] = function(t)
  lazily(t)
  local cluster = open(t)
  cluster.date = "Thu, 01 Jan 2037 00:00:00 GMT"
  new_run(t, "run-1"):lock("job", { cluster = cluster.conf })
  t.match(cluster:lease().spec.renewTime, "^203[67]%-")
  cluster:put("platrun-other", held_by("db:run", 0))
  local entry = new_run(t, "run-2"):lock("other", { cluster = cluster.conf })
  t.equal(entry.how, "taken over", "by the server's clock it is years old")
end

tests["an answer that is lost while taking is given back"] = function(t)
  local cluster = open(t)
  local r = new_run(t, "run-1")
  function cluster.before(req)
    if req.method == "POST" then
      cluster.before = nil
      local resp = cluster.world:request(nil, req)
      resp.delay = 5
      return resp
    end
  end
  t.fails("timeout", task.timeout, 0.1, function()
    r:lock("job", { cluster = cluster.conf })
  end)
  t.equal(cluster:lease().spec.holderIdentity, "")
end

tests["a plan takes nothing and says who has it"] = function(t)
  local cluster = open(t, { planning = true })
  cluster:put("platrun-job", held_by("db-1:run-7", 5))
  local r, events = new_run(t, "run-1")
  r:lock("job", { cluster = cluster.conf }):check()
  t.equal(events[1].e.state, "planned")
  t.match(events[1].e.holder, "run run%-7 on db%-1")
  r:lock("free", { cluster = cluster.conf })
  t.equal(events[2].e.holder, nil)
  t.equal(#r.locks, 0)
  for _, method in ipairs(cluster.log) do
    t.equal(method, "GET")
  end
end

tests["housekeeping is refused in plan mode even if something asks for it"] = function(t)
  local cluster = open(t, { planning = true })
  local lease = require("plat.lock.lease").new(
    require("plat.k8s").connect(cluster.conf.kubernetes),
    "default",
    "platrun-job",
    { lock = "job", duration = 60 }
  )
  t.fails("a plan changes nothing", lease.take, lease, lock.me(), 0)
  t.equal(cluster:lease(), nil)
end

tests["what is missing is said"] = function(t)
  local cluster = open(t)
  local r = new_run(t, "run-1")
  t.fails("a lock needs a name", r.lock, r, " ")
  t.fails("of which cluster", r.lock, r, "x", { lease = "a/b" })
  t.fails("NAMESPACE/NAME", r.lock, r, "x", { lease = "b", cluster = cluster.conf })
  t.fails("no Kubernetes", r.lock, r, "x", { cluster = { name = "bare" } })
  t.fails('did you mean "wait"', r.lock, r, "x", { wat = 1 })
  cluster.conf.namespace = "nowhere"
  local err = t.fails("http", r.lock, r, "x", { cluster = cluster.conf })
  t.match(fault.text(err), "nowhere")
end

return tests
