--- What `platrun runs` makes of journals: stories, differences, what may be deleted.
local diff = require("plat.runs.diff")
local list = require("plat.list")
local prune = require("plat.runs.prune")
local runs = require("plat.runs")
local story = require("plat.runs.story")
local tail = require("plat.runs.tail")
local tell = require("plat.runs.tell")
local verify = require("plat.runs.verify")

local HEAD = {
  type = "run",
  t = 1000,
  user = "alice",
  host = "ops-1",
  pid = 7,
  version = "1.0",
  playbook = { name = "scale", path = "/p/scale.lua", summary = "Scale it", sha256 = "aa" },
  args = { executors = 5 },
  inventory = { path = "inventory/production", files = { { path = "/i/a.yaml", sha256 = "11" } } },
  options = { inventory = { "/i" } },
}

local function change(step, n)
  return {
    type = "intent",
    key = ("%s|k8s.scale|cluster main|sts|%d"):format(step, n),
    step = step,
    op = "k8s.scale",
    target = "cluster main",
    object = "sts",
    text = "scale from 3 to 5",
    args = { replicas = 5 },
    recovery = "repeatable",
  }
end

--- A run of these records behind the header.
local function run_of(records, opts)
  local all = { HEAD }
  for i, record in ipairs(records) do
    record.n, record.t = i + 1, record.t or 1000 + i
    all[i + 1] = record
  end
  local run = { id = "20260714-030000-scale-0000", dir = "/nonexistent", records = all }
  run.head, run.whole, run.status = HEAD, "complete", "ok"
  return list.merge(run, opts or {})
end

--- A failed run with everything in it.
local function eventful()
  local intent = change("scale up", 1)
  local err = { kind = "timeout", op = "wait", target = "cluster main", msg = "2 of 5 ready" }
  return {
    { type = "guard", name = "quorum", status = "ok" },
    {
      type = "guard",
      name = "freeze",
      status = "overridden",
      reason = "frozen",
      why = "ticket 12",
    },
    { type = "keep", name = "before", value = 3 },
    { type = "request", name = "go", text = "go on?", expires_at = 90000 },
    {
      type = "approval",
      name = "go",
      granted = true,
      by = "carol",
      user = "root",
      sudo_user = "bob",
      host = "ops-1",
      reason = "looked at it",
    },
    { type = "resume", user = "bob", host = "ops-2", pid = 8 },
    { type = "lock", name = "dremio", kind = "lease", state = "taken" },
    { type = "step", key = "scale up", title = "scale up" },
    { type = "undo", id = "u1", step = "scale up", name = "scale_to", args = { n = 3 } },
    intent,
    { type = "outcome", key = intent.key, outcome = "done" },
    { type = "step", key = "scale up/wait", title = "wait" },
    {
      type = "step_end",
      key = "scale up/wait",
      status = "failed",
      changes = 0,
      error = err,
      t = 1130,
    },
    { type = "step_end", key = "scale up", status = "failed", changes = 1, error = err },
    { type = "undo_start", cause = err },
    { type = "undo_end", id = "u1", status = "failed", error = { msg = "no connection" } },
    { type = "end", status = "compensation failed", exit = 9, error = err, t = 1200 },
  }
end

local function text_of(run)
  return table.concat(tell.lines(run), "\n") .. "\n"
end

return {
  ["story: everything that was recorded, in its place"] = function(t)
    local s = story.of(run_of(eventful()).records)
    t.equal(
      list.map(s.guards, function(g)
        return g.status
      end),
      { "ok", "overridden" }
    )
    t.equal(s.steps[1].changes[1].outcome, "done")
    t.equal(s.steps[2].seconds, 118)
    t.equal(s.undo[1].status, "failed")
    t.equal(s.kept, { { name = "before", value = 3 } })
    t.equal(s.approvals[1].status, "granted")
    t.equal(s.resumes[1].user, "bob")
  end,

  ["show: tells a compensation that failed so that somebody else can go on"] = function(t)
    local records = eventful()
    local run = run_of(records, { status = "compensation failed", finish = records[#records] })
    local text = text_of(run)
    for _, line in ipairs({
      "compensation failed %(exit 9%)",
      "started .*by alice on ops%-1",
      "resumed .*by bob on ops%-2, pid 8",
      "overridden freeze: frozen; overridden, because: ticket 12",
      "granted +go on%? by bob %(as root%) on ops%-1, who says to be carol at .*: looked at it",
      "failed +scale up",
      "done +cluster main: scale from 3 to 5",
      "failed +  wait",
      "cluster main: wait: 2 of 5 ready",
      "undo, because cluster main: wait: 2 of 5 ready",
      'failed +scale_to {"n":3} of "scale up"',
      "no connection",
      "before = 3",
      "taken +dremio %(lease%)",
      "undo by hand what could not be undone",
      "platrun /p/scale%.lua %-i /i executors=5",
    }) do
      t.match(text, line)
    end
  end,

  ["show: an intent without an outcome is unknown, control characters are not shown"] = function(t)
    local intent = change("s", 1)
    local run = run_of({
      { type = "step", key = "s", title = "s" },
      intent,
      { type = "keep", name = "k", value = "a\27[2Jb" },
    }, { status = "unfinished", whole = "unfinished" })
    local text = text_of(run)
    t.match(text, "unknown +cluster main: scale")
    t.match(text, "begun +s")
    t.match(text, "after record 4")
    t.match(text, "next\n  platrun resume 20260714")
    t.match(text, "k = a %[2Jb")
  end,

  ["show: a damaged run says where, and what is before is told"] = function(t)
    local run = run_of(
      { { type = "step", key = "s", title = "the step" } },
      { status = "damaged", whole = "damaged", problem = "its chain does not fit", line = 3 }
    )
    local text = text_of(run)
    t.match(text, "line 3: its chain does not fit")
    t.match(text, "the step")
    t.match(text, "platrun runs verify")
    local empty = { id = "x", dir = "/nonexistent", records = {}, head = {} }
    empty.status, empty.whole, empty.problem = "damaged", "damaged", "the journal is missing"
    t.match(text_of(empty), "the journal is missing")
  end,

  ["diff: what was asked, found and done"] = function(t)
    local a, b = run_of(eventful()), run_of(eventful())
    t.equal(diff.of(a, b), {})
    b.head = list.deep_copy(HEAD)
    b.head.args.executors = 6
    b.head.inventory.files[1].sha256 = "22"
    b.head.playbook.sha256 = "bb"
    b.records = list.deep_copy(b.records)
    list.find(b.records, { type = "keep" }).value = 4
    list.find(b.records, { type = "intent" }).args.replicas = 6
    list.find(b.records, { type = "guard", name = "quorum" }).status = "refused"
    table.insert(b.records, { type = "step", key = "more", title = "more" })
    local found = list.map(diff.of(a, b), function(d)
      return d.what .. " " .. d.name
    end)
    t.equal(found, {
      "playbook sha256",
      "argument executors",
      "inventory file /i/a.yaml",
      "kept value before",
      "guard quorum",
      "step more",
      "arguments of scale up: k8s.scale sts",
    })
  end,

  ["prune: only what has ended, never the newest nor the newest success"] = function(t)
    local function at(id, status, age, playbook, sandbox)
      local head = { playbook = { name = playbook or "a" }, sandbox = sandbox, t = 0 }
      return { id = id, status = status, head = head, records = { { t = 10000 - age } } }
    end
    local all = {
      at("r9", "running", 10),
      at("r8", "failed", 20),
      at("r7", "failed", 30),
      at("r6", "suspended", 40),
      at("r5", "unfinished", 50),
      at("r4", "changed", 60),
      at("r3", "ok", 70),
      at("r2", "ok", 80, "b"),
      at("r1", "damaged", 90),
      at("r0", "ok", 100, "a", true),
      at("q9", "newer schema", 110, "c"),
      at("q8", "unreadable", 120, "d"),
    }
    local function goes(opts)
      local ids = {}
      for _, d in ipairs(prune.decide(all, opts, 10000)) do
        ids[#ids + 1] = not d.keep and d.run.id or nil
      end
      return table.concat(ids, " ")
    end
    t.equal(goes({ keep = 1 }), "r8 r7 r3")
    t.equal(goes({ keep = 2 }), "r7 r3")
    t.equal(goes({ older_than = 65 }), "r3")
    t.equal(goes({ keep = 3, older_than = 25 }), "r3")
    t.equal(goes({ keep = 1, unfinished = true }), "r8 r7 r5 r3")
    t.equal(goes({ damaged = true }), "r1", "nothing else, unless that is asked for")
    t.equal(goes({ keep = 1, damaged = true }), "r8 r7 r3 r1")
  end,

  ["verify: a sentence and an exit status"] = function(t)
    local step = { { type = "step", key = "s", title = "drain node-3" } }
    local cases = {
      { 0, "complete: 2 records, ok", { whole = "complete" } },
      { 3, 'unfinished after record 2 %(step "drain node%-3" began%)', { whole = "unfinished" } },
      { 3, "; 12 bytes of a line that was cut follow", { whole = "torn", torn = 12 } },
      {
        1,
        "damaged: line 2: flipped; the 1 records",
        {
          whole = "damaged",
          line = 2,
          problem = "flipped",
        },
      },
      { 1, "newer schema: line 1: schema 9", { whole = "newer", line = 1, problem = "schema 9" } },
    }
    local results = {}
    for i, case in ipairs(cases) do
      local run = run_of(step, case[3])
      run.status = run.whole == "complete" and "ok" or "unfinished"
      results[i] = verify.result(run)
      t.match(results[i].text, case[2])
      t.equal(verify.exit({ results[i] }), case[1])
    end
    t.equal(verify.exit(results), 1)
    t.equal(verify.exit({ results[1], results[2] }), 3)
    t.equal(verify.exit({}), 0)
  end,

  ["runs: names of playbooks, and changes that surely did not happen"] = function(t)
    t.ok(runs.is_of("20260714-030000-scale-0a1b", "scale"))
    t.ok(runs.is_of("20260714-030000-scale", "scale"))
    t.ok(not runs.is_of("20260714-030000-scaler-0a1b", "scale"))
    t.equal(runs.playbook_name("playbooks/scale-dremio.lua"), "scale-dremio")
    local a, b, c = change("s", 1), change("s", 2), change("s", 3)
    local run = run_of({
      a,
      { type = "outcome", key = a.key, outcome = "failed" },
      b,
      { type = "outcome", key = b.key, outcome = "unknown" },
      c,
    })
    t.equal(runs.changes(run), 2)
  end,

  ["next: what can be done about a run"] = function(t)
    local asked = { request = { name = "x" } }
    for _, case in ipairs({
      { "ok" },
      { "running", "runs tail %-f" },
      { "unfinished", "resume" },
      { "suspended", "approve", { waits = asked } },
      { "suspended", "resume", { waits = { request = {}, decision = { granted = true } } } },
      { "suspended", "resume" },
      { "failed", nil },
      { "failed", "resume", { finish = { resumable = true } } },
      { "damaged", "runs verify" },
      { "newer schema", "that version" },
      { "unreadable", "as that user" },
    }) do
      local run = list.merge(run_of({}), case[3] or {}, { status = case[1] })
      local text = table.concat(runs.next(run), " ")
      t.match(text, case[2] or "^$", case[1])
    end
  end,

  ["tail: events as lines; what is no event is shown as it is"] = function(t)
    t.match(
      tail.line('{"event":"step_end","time":"T","title":"drain","status":"ok","seconds":75}'),
      "T ok +drain  1m15s"
    )
    t.match(
      tail.line('{"event":"lock","title":"dremio","status":"taken","time":"T"}'),
      "taken: dremio"
    )
    t.match(
      tail.line('{"event":"finish","time":"T","exit":2,"fault":{"text":"it broke"}}'),
      "end +exit 2: it broke"
    )
    t.equal(tail.line('{"event":"outcome","outcome":"done","time":"T"}'), nil)
    t.equal(tail.line('{"event":"strange","time":"T"}'), nil)
    t.match(tail.line("half a li"), "%? +half a li")
  end,
}
