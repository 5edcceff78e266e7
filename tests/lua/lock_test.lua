local fault = require("plat.fault")
local file = require("plat.lock.file")
local lock = require("plat.lock")
local state = require("plat.state")
local task = require("plat.task")
local terms = require("plat.lock.terms")
local time = require("prim.time")

local NOW = 1795000000

local tests = {}

-- ---- judging ----

local function said(changes)
  local out = {
    id = "h2:r2",
    host = "h2",
    run = "r2",
    ours = true,
    duration = 60,
    since = NOW - 100,
    renewed = NOW - 10,
    transitions = 1,
  }
  for name, value in pairs(changes or {}) do
    out[name] = value or nil
  end
  return out
end

local function word(changes, clock)
  clock = clock or {}
  local verdict = terms.judge(said(changes), "h1:r1", {
    now = NOW,
    seen = clock.seen or 0,
    any = clock.any,
  })
  return verdict.word, verdict
end

tests["a lease is judged by the server's clock with a margin, or by watching it"] = function(t)
  t.equal(word(), "held")
  t.equal(select(2, word()).left, 50)
  t.equal(word({ id = "h1:r1" }), "mine")
  t.equal(word({ id = "" }), "free")
  t.equal(word({ renewed = NOW - 61 }), "held", "a second too old: clocks differ")
  t.equal(word({ renewed = NOW - 90 }), "held")
  t.equal(word({ renewed = NOW - 91 }), "expired", "duration and margin")
  t.equal(word({ renewed = NOW - 61 }, { seen = 59 }), "held")
  t.equal(word({ renewed = NOW - 61 }, { seen = 60 }), "expired", "watched for its time")
end

tests["a renewal in the future is neither old nor valid for ever"] = function(t)
  local future = { renewed = NOW + 86400 }
  t.equal(word(future), "held")
  t.equal(select(2, word(future)).left, 60, "at most its duration")
  t.equal(word(future, { seen = 59.9 }), "held")
  t.equal(word(future, { seen = 60 }), "expired")
end

tests["a lease that says nonsense is explained, not believed"] = function(t)
  for _, odd in ipairs({
    {},
    { metadata = { name = "x", labels = { [terms.LABEL] = terms.OURS } } },
    { spec = "x", metadata = { labels = 3, annotations = "a", managedFields = { 1, {}, "x" } } },
    { spec = { holderIdentity = {}, renewTime = 7, leaseDurationSeconds = "60" } },
    { spec = { holderIdentity = "x", renewTime = "soon", leaseDurationSeconds = 0 } },
    { spec = { holderIdentity = "x", leaseDurationSeconds = 1.5, leaseTransitions = "many" } },
  }) do
    local read = terms.read(odd)
    local verdict = terms.judge(read, "h1:r1", { now = NOW, seen = 1e9 })
    t.ok(verdict.word == "strange" or verdict.word == "free", verdict.word)
    t.ok(#terms.holder(read, NOW) > 0)
  end
  local read = terms.read({
    metadata = {
      managedFields = {
        { manager = "kubectl-edit", time = "2026-02-01T00:00:00Z" },
        { manager = "elector", time = "2026-01-01T00:00:00Z" },
      },
    },
    spec = { holderIdentity = "pod-7", leaseDurationSeconds = 15 },
  })
  local verdict = terms.judge(read, nil, { now = NOW, seen = 1e9, any = true })
  t.equal(verdict.word, "strange")
  t.match(
    verdict.why,
    "pod%-7, written by kubectl%-edit at 2026%-02%-01T00:00:00Z, without a renew"
  )
  verdict = terms.judge(read, nil, { now = NOW, seen = 1e9 })
  t.match(verdict.why, "not platrun's")
end

tests["a foreign lease is followed as client-go does, when the playbook names it"] = function(t)
  t.equal(word({ ours = false, id = "" }), "strange")
  t.equal(word({ ours = false, id = "" }, { any = true }), "free")
  t.equal(word({ ours = false }, { any = true }), "held")
  t.equal(word({ ours = false }, { any = true, seen = 60 }), "expired")
  t.equal(word({ ours = false }, { seen = 60 }), "strange")
end

tests["names, times and specs"] = function(t)
  t.equal(terms.lease_name("dremio"), "platrun-dremio")
  t.match(terms.lease_name("Dremio prod"), "^platrun%-dremio%-prod%-%x%x%x%x%x%x%x%x$")
  t.ok(terms.lease_name("Dremio prod") ~= terms.lease_name("dremio-prod"))
  t.match(terms.lease_name("ß"), "^platrun%-%x+$")
  t.ok(#terms.lease_name(("a"):rep(300)) <= 63)
  t.equal(terms.micro(1767225600), "2026-01-01T00:00:00.000000Z")
  t.equal(terms.micro(1767225600.25), "2026-01-01T00:00:00.250000Z")
  t.equal(terms.micro(1767225600.9999996), "2026-01-01T00:00:00.999999Z")
  t.equal(terms.http_date("Thu, 01 Jan 2026 00:00:00 GMT"), 1767225600)
  t.equal(terms.http_date("yesterday"), nil)
  t.equal(terms.http_date(nil), nil)
  local spec = terms.spec(said(), "h1:r1", 60, NOW)
  t.equal(spec.leaseTransitions, 2, "it changes hands")
  t.equal(spec.acquireTime, terms.micro(NOW))
  spec = terms.spec(said({ id = "h1:r1" }), "h1:r1", 60, NOW)
  t.equal(spec.leaseTransitions, 1, "it is taken back")
  t.equal(spec.acquireTime, terms.micro(NOW - 100))
end

local function own_files(t)
  local before, dir = file.dir, t.tmp()
  file.dir = function()
    return dir
  end
  t.defer(function()
    file.dir = before
  end)
  return dir
end

-- ---- this machine ----

tests["a lock of this machine excludes, says who, and its file goes"] = function(t)
  local dir = own_files(t)
  local first = lock.take("my job", { file.new("my job") }, lock.me({ id = "r1", name = "p" }), {})
  local err = t.fails("refused", function()
    lock.take("my job", { file.new("my job") }, lock.me({ id = "r2" }), {})
  end)
  t.equal(err.exit, 75)
  t.match(err.msg, "held on this machine by run r1 on .+ pid %d+ by .+ %(p%), since")
  t.equal(#file.list(), 1)
  t.equal(file.list()[1].held, true)
  t.match(file.new("my job"):holder(), "run r1")
  local other = lock.take("my job", { file.new("my job", "elsewhere") }, lock.me(), {})
  other:release()
  first:release()
  t.equal(file.list(), {})
  t.equal(file.new("my job"):holder(), nil)
  t.equal(#require("prim.fs").list(dir), 0)
end

tests["a waiter gets the lock of this machine when it is given back"] = function(t)
  own_files(t)
  local first = lock.take("x", { file.new("x") }, lock.me(), {})
  local giver = task.spawn(function()
    task.sleep(0.3)
    first:release()
  end)
  local began = time.mono()
  local second = lock.take("x", { file.new("x") }, lock.me(), { wait = 5 })
  t.ok(time.mono() - began >= 0.3)
  giver:join()
  second:release()
end

tests["a file that a dead process left, or that is damaged, holds nobody up"] = function(t)
  local dir = own_files(t)
  state.write(file.new("x").path, '{"name":"x","pid":1,"run":"r9"}')
  state.write(dir .. "/junk.lock", "\0\1{")
  t.equal(#file.list(), 2)
  t.equal(file.new("x"):holder(), nil)
  t.equal(file.clear(file.list()[1]), true)
  lock.take("x", { file.new("x") }, lock.me(), {}):release()
  t.equal(file.list(), {})
end

tests["a lock taken in two places is taken in both or in none"] = function(t)
  own_files(t)
  local place = {
    kind = "kubernetes",
    take = function()
      fault.raise("refused", nil, { msg = "no", held = true, exit = 75 })
    end,
  }
  t.fails("refused", lock.take, "x", { file.new("x"), place }, lock.me(), {})
  t.equal(file.new("x"):holder(), nil)
end

tests["--cron: the same playbook with the same arguments once at a time"] = function(t)
  own_files(t)
  local playbook = { name = "scale", path = "playbooks/scale-dremio.lua" }
  local first = lock.for_cron(playbook, { executors = 3, cluster = "main" })
  local err = t.fails("refused", lock.for_cron, playbook, { cluster = "main", executors = 3 })
  t.equal(err.exit, 75)
  t.match(tostring(err), "cron scale cluster=main executors=3")
  lock.for_cron(playbook, { executors = 4, cluster = "main" }):release()
  first:release()
  lock.for_cron(playbook, { executors = 3, cluster = "main" }):release()
end

return tests
