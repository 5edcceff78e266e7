--- plat.dremio: what runs on an executor, and waiting until nothing does.
local help =
  load(assert(require("prim.fs").read("tests/lua/dremio_help.lua")), "@dremio_help.lua")()
local connect, open_world = help.connect, help.open_world
local effect = require("plat.effect")
local list = require("plat.list")
local task = require("plat.task")
local time = require("plat.time")
local watch = require("plat.dremio.watch")

local tests = {
  ["the query that looks at the fragments is not work"] = function(t)
    local w = open_world(3)
    local api = connect()
    t.equal(api:fragments(), {})
    w.model:fault("query", { "20", "dremio-executor-1" })
    local work = api:fragments()
    t.equal(list.keys(work), { "dremio-executor-1" })
    local jobs = api:jobs_on("dremio-executor-1")
    t.equal({ #jobs, jobs[1].user }, { 1, "analyst" })
    t.equal(jobs[1].id, w.model:active_jobs()[1].id)
  end,

  ["an idle executor is drained after three readings"] = function(t)
    open_world(2)
    local before = time.now()
    connect():wait_drained("dremio-executor-1", { within = "1m" })
    local took = time.now() - before
    t.ok(took >= 10 and took < 20, tostring(took))
  end,

  ["a long drain is cheap and ends when the query ends"] = function(t)
    local w = open_world(2)
    local before = time.now()
    w.model:fault("query", { "120" })
    connect():wait_drained("dremio-executor-1", { within = "3h" })
    t.ok(time.now() - before >= 7200)
    t.ok(time.now() - before < 7200 + 120, tostring(time.now() - before))
    t.ok(w.requests < 1500, "requests: " .. w.requests)
  end,

  ["of five readings of a long drain one looks at the executor, the others at one job"] = function(
    t
  )
    local w = open_world(2)
    w.model:fault("query", { "5" })
    local api = connect()
    local readings, looks = {}, api.jobs_on
    function api.jobs_on(...)
      readings[#readings + 1] = "executor"
      return looks(...)
    end
    local call = api._session.call
    function api._session.call(self, req)
      readings[#readings + 1] = req.op == "dremio.job" and "job" or nil
      return call(self, req)
    end
    api:wait_drained("dremio-executor-1", { within = "1h" })
    local first = table.concat(readings, " ", 1, 11)
    t.equal(first, "executor job job job job executor job job job job executor")
  end,

  ["a drain in vain names the jobs, users and since when"] = function(t)
    local w = open_world(2)
    w.model:fault("query", { "60" })
    local id = w.model:active_jobs()[1].id
    local err = t.fails("timeout", function()
      connect():wait_drained("dremio-executor-1", { within = "5m" })
    end)
    t.ok(
      err.msg:find("^nothing runs on dremio%-executor%-1: not within 5m: 1 running: job "),
      err.msg
    )
    t.ok(err.msg:find(id .. " of analyst since ", 1, true), err.msg)
    t.equal(err.seen.jobs, { id })
  end,

  ["a drain in vain names the jobs of its end, not those it has followed"] = function(t)
    local w = open_world(2)
    w.model:fault("query", { "60" })
    local began, sleep = time.now(), time.sleep
    local late
    function time.sleep(seconds)
      sleep(seconds)
      if not late and time.now() > began + 299 then
        w.model:fault("query", { "60" })
        late = list.map(w.model:active_jobs(), function(job)
          return job.id
        end)
      end
    end
    local err = t.fails("timeout", function()
      connect():wait_drained("dremio-executor-1", { within = "5m" })
    end)
    t.equal(#late, 2)
    table.sort(late)
    table.sort(err.seen.jobs)
    t.equal(err.seen.jobs, late)
    t.match(err.msg, "not within 5m: 2 running: job ")
  end,

  ["a wait that ends between good readings gives no advice about queries"] = function(t)
    open_world(2)
    local err = t.fails("timeout", function()
      connect():wait_drained("dremio-executor-1", { within = "6s", every = "9s" })
    end)
    t.equal({ err.hint, err.seen.text }, { nil, "idle" })
  end,

  ["a wait says what it sees when that changes, and looks soon again then"] = function(t)
    local said, slept, progress, sleep = {}, {}, effect.progress, time.sleep
    t.defer(function()
      effect.progress = progress
    end)
    function effect.progress(text)
      said[#said + 1] = text
    end
    function time.sleep(seconds)
      slept[#slept + 1] = seconds
      sleep(seconds)
    end
    local texts, at = { "a", "a", "a", "b", "b", "good" }, 0
    watch.watch({}, { what = "w", within = 600, readings = 1 }, function()
      at = at + 1
      return { good = texts[at] == "good", text = texts[at] }
    end)
    t.equal(said, { "w: a", "w: b" })
    t.equal(slept, { 1, 1.5, 2.25, 1, 1.5 })
  end,

  ["a query in between starts the readings again"] = function(t)
    local w = open_world(2)
    local seen = 0
    local api = connect()
    local look = api.jobs_on
    function api:jobs_on(name)
      seen = seen + 1
      if seen == 2 then
        w.model:fault("query", { "0.1" })
      end
      return look(self, name)
    end
    api:wait_drained("dremio-executor-1", { within = "5m" })
    t.ok(seen >= 5, "readings: " .. seen)
  end,

  ["a cancelled job leaves the executor idle"] = function(t)
    local w = open_world(2)
    w.model:fault("query", { "60" })
    local api = connect()
    local job = api:jobs_on("dremio-executor-1")[1]
    task.with_context({ key = "cancel", counts = {} }, function()
      api:cancel(job.id)
      api:cancel("20000000-0000-0000-0000-000000000000") -- unknown: gone already
    end)
    t.equal(api:jobs_on("dremio-executor-1"), {})
    t.equal(w.model.state.jobs[job.id].final, "CANCELED")
  end,
}

for name, fn in pairs(tests) do
  tests[name] = help.with_world(fn)
end

return tests
