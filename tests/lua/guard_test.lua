local base = require("plat.guard.base")
local backup = require("plat.guard.backup")
local blast = require("plat.guard.blast")
local capacity = require("plat.guard.capacity")
local clock = require("plat.guard.clock")
local cluster = require("plat.guard.cluster")
local disk = require("plat.guard.disk")
local guard = require("plat.guard")
local list = require("plat.list")
local quorum = require("plat.guard.quorum")
local work = require("plat.guard.work")

local NAN, INF = 0 / 0, math.huge
local NOW = 1790000000

--- Passes when a decision is yes.
local function yes(t, ok, reason)
  t.equal({ ok, reason }, { true })
end

--- Passes when a decision is no, for this reason and with this hint.
local function no(t, want, want_hint)
  return function(ok, reason, hint)
    t.equal(ok, false)
    t.match(reason, want)
    if want_hint then
      t.match(hint, want_hint)
    end
  end
end

--- Members "a", "b", ...: + is healthy, - is not, o is a healthy one that does not vote.
local function members(text)
  local out = {}
  for sign in text:gmatch(".") do
    local name = string.char(97 + #out)
    out[#out + 1] = { name = name, healthy = sign ~= "-", voter = sign ~= "o" }
  end
  return out
end

local function node(name, opts)
  opts = opts or {}
  return {
    metadata = { name = name, labels = {} },
    spec = { unschedulable = opts.cordoned },
    status = {
      allocatable = { cpu = "4", memory = opts.memory or "16Gi", pods = "110" },
      conditions = { { type = "Ready", status = opts.down and "False" or "True" } },
    },
  }
end

local function pod(name, on, memory, meta)
  return {
    metadata = list.merge({ name = name, labels = { app = "web" } }, meta),
    spec = {
      nodeName = on,
      containers = { { resources = { requests = { cpu = "1", memory = memory } } } },
    },
    status = { phase = "Running" },
  }
end

local function budget(allowed, generation, selector)
  return {
    metadata = { name = "web", generation = generation or 1 },
    spec = { selector = selector or { matchLabels = { app = "web" } } },
    status = {
      disruptionsAllowed = allowed,
      observedGeneration = 1,
      currentHealthy = 2,
      expectedPods = 3,
    },
  }
end

return {
  ["quorum: a majority of all voters stays"] = function(t)
    yes(t, quorum.decide(members("+++"), 1))
    yes(t, quorum.decide(members("+++++"), 2))
    yes(t, quorum.decide(members("++-++"), 1))
    no(t, "^1 of 3 voters would be healthy, a majority is 2$", "at most 1 may leave")(
      quorum.decide(members("+++"), 2)
    )
    no(t, "down already: b", "bring back first: b")(quorum.decide(members("+-+"), 1))
    no(t, "2 of 4 voters would be healthy, a majority is 3")(quorum.decide(members("++++"), 2))
    no(t, "^0 of 3")(quorum.decide(members("+++"), 9))
    yes(t, quorum.decide(members("+"), 0))
  end,
  ["quorum: those that do not vote, or are down, cost nothing when they leave"] = function(t)
    yes(t, quorum.decide(members("++-oo"), { "c", "d", "e" }))
    yes(t, quorum.decide(members("+++"), { "b", "b" }))
    no(t, "^1 of 3")(quorum.decide(members("+++"), { "a", "b" }))
    no(t, "z is to leave and no member", "a, b, c")(quorum.decide(members("+++"), { "z" }))
  end,
  ["quorum: what is not known refuses"] = function(t)
    no(t, "gave nothing")(quorum.decide(nil, 1))
    no(t, "is empty")(quorum.decide({}, 1))
    no(t, "is no list")(quorum.decide({ a = {} }, 1))
    no(t, "is no list")(quorum.decide("three", 1))
    no(t, "member 1 of the reading has no name")(quorum.decide({ { healthy = true } }, 0))
    no(t, "two members named a")(
      quorum.decide({ { name = "a", healthy = true }, { name = "a", healthy = true } }, 0)
    )
    no(t, "whether a is healthy")(quorum.decide({ { name = "a", healthy = "yes" } }, 0))
    no(t, "whether a votes")(quorum.decide({ { name = "a", healthy = true, voter = 1 } }, 0))
    no(t, "none of the members votes")(quorum.decide(members("oo"), 0))
  end,
  ["readings may not be older than `fresh`"] = function(t)
    local function stale(at)
      return base.stale({ { name = "a", at = at } }, 30, NOW)
    end
    t.equal({ stale(NOW - 30) }, {})
    t.equal({ stale(NOW + 1) }, {})
    t.equal({ stale(NOW - 31) }, { "a was read 31s ago, at most 30s is allowed", "read it again" })
    t.match(stale(nil), "a does not say when")
    t.match(stale(NAN), "a does not say when")
    t.match(stale(NOW + 2), "a was read in the future")
    t.equal(base.stale({ { name = "a" } }, nil, NOW), nil)
    local old = { { name = "a", healthy = true, used = 1, size = 9, free = 9, at = 5 } }
    old[1].path = "/"
    local function read()
      return old
    end
    for _, made in ipairs({
      guard.quorum({ members = old, leaving = 0, fresh = "30s" }),
      guard.capacity_after({ members = read, leaving = { "a" }, fresh = "30s" }),
      guard.disk({ read = read, fresh = "30s" }),
    }) do
      no(t, "was read %d+d.* ago", "read it again")(made.check())
    end
  end,

  ["backup age: at the limit and over it"] = function(t)
    yes(t, backup.decide(NOW - 93600, 93600, NOW))
    no(t, "26h01m old, at most 26h is allowed", "make a new one")(
      backup.decide(NOW - 93660, 93600, NOW)
    )
    yes(t, backup.decide({ time = NOW - 10, ok = true }, 60, NOW))
    yes(t, backup.decide(NOW + 1, 60, NOW))
    no(t, "which is in the future", "milliseconds")(backup.decide(NOW + 2, 60, NOW))
    no(t, "in the future")(backup.decide(NOW * 1000, 60, NOW))
  end,
  ["backup age: failed ones and other kinds do not count"] = function(t)
    local runs = {
      { time = NOW - 10, ok = false, kind = "full" },
      { time = NOW - 20, kind = "full" },
      { time = NOW - 30, ok = true, kind = "incremental" },
      { time = NOW - 300, ok = true, kind = "full" },
    }
    yes(t, backup.decide(runs, 30, NOW))
    yes(t, backup.decide(runs, 300, NOW, "full"))
    no(t, "newest good full backup is 5m old.*2 failed or unfinished")(
      backup.decide(runs, 299, NOW, "full")
    )
    no(t, "no good diff backup is known; 4 of another kind")(backup.decide(runs, 99, NOW, "diff"))
    no(t, "no good backup is known; 1 failed")(backup.decide({ runs[1] }, 99, NOW))
  end,
  ["backup age: what is not known refuses"] = function(t)
    for _, nothing in ipairs({ false, {}, "yesterday", NAN, INF, -INF }) do
      no(t, "")(backup.decide(nothing or nil, 60, NOW))
    end
    no(t, "backup 1 of the reading has no time")(backup.decide({ ok = true }, 60, NOW))
    no(t, "has no time")(backup.decide({ { time = NAN, ok = true } }, 60, NOW))
    no(t, "has no time")(backup.decide({ { time = "2026-01-01", ok = true } }, 60, NOW))
  end,

  ["capacity after: members share what the leaving ones hold"] = function(t)
    local three = {
      { name = "a", used = 40, size = 100 },
      { name = "b", used = 40, size = 100 },
      { name = "c", used = 80, size = 100 },
    }
    yes(t, capacity.decide_members(three, { "a" }, 0.8))
    no(t, "the 2 members left would be 80 %% full, at most 79 %%", "add a node")(
      capacity.decide_members(three, { "a" }, 0.79)
    )
    no(t, "no member would be left")(capacity.decide_members(three, { "a", "b", "c" }, 1))
    no(t, "z is to leave and no member")(capacity.decide_members(three, { "z" }, 1))
    for _, bad in ipairs({ {}, { used = NAN, size = 1 }, { used = 1 }, { size = 1 } }) do
      bad.name = "a"
      no(t, "of its size is not known")(capacity.decide_members({ bad }, {}, 1))
    end
    for _, bad in ipairs({ { used = -1, size = 1 }, { used = 0, size = 0 } }) do
      bad.name = "a"
      no(t, "what a uses of its size is not known")(capacity.decide_members({ bad }, {}, 1))
    end
    no(t, "is empty")(capacity.decide_members({}, {}, 1))
    no(t, "gave nothing")(capacity.decide_members(nil, {}, 1))
  end,
  ["capacity after: the pods of a drained node fit on the others"] = function(t)
    local nodes = { node("n1"), node("n2", { memory = "12Gi" }), node("n3", { cordoned = true }) }
    local pods = { pod("big", "n1", "8Gi"), pod("small", "n1", "4Gi"), pod("other", "n3", "1Gi") }
    yes(t, capacity.decide_nodes(nodes, pods, { "n1" }))
    pods[4] = pod("more", "n2", "1Gi")
    no(t, "1 of 2 pods find no room on the 2 nodes that stay: small")(
      capacity.decide_nodes(nodes, pods, { "n1" })
    )
    pods[2].metadata.ownerReferences = { { kind = "DaemonSet", name = "agent" } }
    yes(t, capacity.decide_nodes(nodes, pods, { "n1" }))
    pods[5], pods[6] = pod("done", "n1", "9Gi"), pod("mirror", "n1", "9Gi")
    pods[5].status.phase = "Succeeded"
    pods[6].metadata.annotations = { ["kubernetes.io/config.mirror"] = "x" }
    yes(t, capacity.decide_nodes(nodes, pods, { "n1" }))
    pods[5].status.phase = "Failed"
    yes(t, capacity.decide_nodes(nodes, pods, { "n1" }))
    no(t, "no node would be left")(capacity.decide_nodes(nodes, pods, { "n1", "n2", "n3" }))
    no(t, "n9 is to leave and no node")(capacity.decide_nodes(nodes, pods, { "n9" }))
    no(t, "no node is known")(capacity.decide_nodes({}, pods, {}))
    no(t, "no node is known")(capacity.decide_nodes(nodes, nil, {}))
  end,
  ["capacity after: new pods fit beside those that moved"] = function(t)
    local nodes, pods = { node("n1"), node("n2") }, { pod("a", "n1", "8Gi") }
    local template = pod("new", nil, "4Gi")
    yes(t, capacity.decide_nodes(nodes, pods, { "n1" }, template, 2))
    no(t, "1 of 3 new pods do not fit", "n2: room for 2")(
      capacity.decide_nodes(nodes, pods, { "n1" }, template, 3)
    )
  end,

  ["disk: headroom after growth, as a share and in bytes"] = function(t)
    local function disks(free, growth)
      return { { path = "/data", size = 100, free = free, growth = growth } }
    end
    yes(t, disk.decide(disks(25), { share = 0.2 }, 5))
    no(t, "^/data: 19 bytes of 100 bytes would be free %(19 %%%), 20 %% is needed$")(
      disk.decide(disks(24), { share = 0.2 }, 5)
    )
    yes(t, disk.decide(disks(24, 4), { share = 0.2 }, 5))
    yes(t, disk.decide(disks(10), { bytes = 10 }, 0))
    no(t, "10 bytes is needed")(disk.decide(disks(9), { bytes = 10 }, 0))
    no(t, "0 bytes of")(disk.decide(disks(9), { bytes = 0 }, 50))
    yes(t, disk.decide(disks(0), { bytes = 0 }, 0))
    yes(t, disk.decide(disks(100), { share = 1 }, 0))
    no(t, "not known")(disk.decide({ { path = "/", size = 0, free = 0 } }, { bytes = 0 }, 0))
    for _, free in ipairs({ NAN, -1, 101, "9" }) do
      no(t, "/data: size and free space are not known")(disk.decide(disks(free), { bytes = 0 }, 0))
    end
    no(t, "what it grows by")(disk.decide(disks(9, NAN), { bytes = 0 }, 0))
    no(t, "no file system is known")(disk.decide({}, { bytes = 0 }, 0))
    no(t, "no file system is known")(disk.decide(nil, { bytes = 0 }, 0))
    no(t, "file system 1 of the reading has no path")(disk.decide({ {} }, { bytes = 0 }, 0))
  end,

  ["running work is named"] = function(t)
    yes(t, work.decide({}, "queries", NOW))
    no(t, "^queries are running: q1 %(select%) for 1m30s, q2$", "wait until they end")(
      work.decide(
        { { name = "q1", kind = "select", since = NOW - 90 }, { name = "q2", since = NAN } },
        "queries",
        NOW
      )
    )
    local many = {}
    for i = 1, 9 do
      many[i] = "s" .. i
    end
    no(t, "s1, .*s6 and 3 more$")(work.decide(many, "syncs", NOW))
    no(t, "one without a name")(work.decide({ {} }, "syncs", NOW))
    no(t, "the reading gave nothing")(work.decide(nil, "syncs", NOW))
    no(t, "is no list")(work.decide({ q1 = true }, "syncs", NOW))
  end,

  ["clock skew: against ours and among each other"] = function(t)
    local function skew(a, b, max, own, to)
      local two = { { name = "a", time = NOW + a }, { name = "b", time = NOW + b } }
      return clock.decide(two, max or 2, NOW, to or NOW, own ~= false)
    end
    yes(t, skew(1, -1))
    yes(t, skew(2, 0))
    yes(t, skew(0.5, 1, 2, true, NOW + 1))
    no(t, "the clock of a is 3s ahead of ours, at most 2s is allowed")(skew(3, 3))
    no(t, "the clock of b is 2.5s behind ours")(skew(0, -2.5))
    no(t, "the clocks of b and a are 3s apart")(skew(1.5, -1.5))
    yes(t, skew(60, 61, 2, false))
    no(t, "3s apart")(skew(60, 63, 2, false))
    no(t, "the reading took 10s, so a skew of 2s cannot be told", "run:gather")(
      skew(5, 5, 2, true, NOW + 10)
    )
    no(t, "jumped back")(skew(0, 0, 2, true, NOW - 1))
    local at = { { name = "a", time = NOW + 1, at = NOW + 1 }, { name = "b", time = NOW + 9.5 } }
    at[2].at = NOW + 9
    yes(t, clock.decide(at, 1, NOW, NOW + 10, true))
    at[2].at = NOW - 60
    no(t, "b was not read just now")(clock.decide(at, 1, NOW, NOW + 10, true))
  end,
  ["clock skew: what is not known refuses"] = function(t)
    local one = { { name = "a", time = NOW } }
    yes(t, clock.decide(one, 1, NOW, NOW, true))
    no(t, "one clock alone")(clock.decide(one, 1, NOW, NOW, false))
    no(t, "a does not tell its time")(clock.decide({ { name = "a", time = NAN } }, 1, 0, 0, true))
    no(t, "is empty")(clock.decide({}, 1, NOW, NOW, true))
    no(t, "gave nothing")(clock.decide(nil, 1, NOW, NOW, true))
  end,

  ["blast radius: hosts and deletions"] = function(t)
    local quarter = { share = 0.25 }
    yes(t, blast.decide_hosts(2, 8, quarter))
    no(t, "3 of 8 hosts would be touched, at most 2 %(25 %%%) may be")(
      blast.decide_hosts(3, 8, quarter)
    )
    yes(t, blast.decide_hosts({ "a" }, { "a", "b", "c" }, quarter))
    yes(t, blast.decide_hosts({ "a", "a" }, 4, { count = 1 }))
    yes(t, blast.decide_hosts({ { name = "a" } }, { { name = "a" } }, { count = 1 }))
    yes(t, blast.decide_hosts(0, 4, { count = 0 }))
    no(t, "at most 0 %(0 %%%)")(blast.decide_hosts(1, 8, { share = 0 }))
    no(t, "z would be touched and is none")(blast.decide_hosts({ "z" }, { "a" }, quarter))
    no(t, "9 hosts would be touched, and there are 8")(blast.decide_hosts(9, 8, { count = 99 }))
    for _, bad in ipairs({ -1, NAN, 1.5, "all", { {} } }) do
      no(t, "nobody knows which")(blast.decide_hosts(bad, 8, quarter))
      no(t, "nobody knows how many")(blast.decide_hosts(1, bad, quarter))
      no(t, "nobody knows how much")(blast.decide_deletions(bad, 8))
    end
    no(t, "nobody knows how many")(blast.decide_hosts({}, {}, quarter))
    yes(t, blast.decide_deletions(10, 10))
    no(t, "2 objects would be deleted, at most 1 may be: a, b")(
      blast.decide_deletions({ "a", "b" }, 1)
    )
  end,

  ["nodes ready"] = function(t)
    local nodes = { node("n1"), node("n2", { down = true }), node("n3", { cordoned = true }) }
    yes(t, cluster.decide_nodes(nodes, 1))
    no(t, "1 of 3 nodes are ready, 2 are needed: n2 is not ready, n3 is cordoned")(
      cluster.decide_nodes(nodes, 2)
    )
    no(t, "3 are needed")(cluster.decide_nodes(nodes))
    no(t, "no node is known")(cluster.decide_nodes({}))
  end,
  ["disruption budgets"] = function(t)
    local pods = { pod("web-1", "n1", "1Gi") }
    yes(t, cluster.decide_budgets({ budget(1) }, pods, 1))
    yes(t, cluster.decide_budgets({ budget(0, 1, { matchLabels = { app = "db" } }) }, pods, 1))
    no(t, "budget web allows 0 disruptions now, not 1 %(2 of 3 pods healthy%)")(
      cluster.decide_budgets({ budget(0) }, pods, 1)
    )
    local expression = { key = "app", operator = "NotIn", values = { "db" } }
    no(t, "allows 1")(
      cluster.decide_budgets({ budget(1, 1, { matchExpressions = { expression } }) }, pods, 2)
    )
    for operator, concerned in pairs({
      In = true,
      NotIn = false,
      Exists = true,
      DoesNotExist = false,
    }) do
      local selector = { { key = "app", operator = operator, values = { "web" } } }
      local ok = cluster.decide_budgets({ budget(0, 1, { matchExpressions = selector }) }, pods, 1)
      t.equal(ok, not concerned, operator)
    end
    no(t, "not known yet")(cluster.decide_budgets({ budget(1, 2) }, pods, 1))
    no(t, "not known yet")(cluster.decide_budgets({ budget(nil) }, pods, 1))
    no(t, "no pod has these labels")(cluster.decide_budgets({}, {}, 1))
  end,
}
