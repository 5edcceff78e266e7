--- SQL on Dremio: how a job is followed, which rows are read, what is told when it fails.
local fs = require("prim.fs")
local help = load(assert(fs.read("tests/lua/dremio_help.lua")), "@dremio_help.lua")()
local query = require("plat.dremio.query")
local time = require("plat.time")

--- A session whose jobs end by themselves after so many seconds, or stay in a state.
local function session(job)
  local made = { target = "dremio main", calls = {} }
  function made:call(req)
    made.calls[#made.calls + 1] = (req.method or "GET") .. " " .. req.path
    if req.path == "/api/v3/sql" then
      made.began = time.now()
      return { id = "j1" }
    elseif req.path:find("/results$") then
      return job.rows and job.rows(req.query) or { rowCount = 0, rows = {} }
    elseif req.path:find("/cancel$") then
      return {}
    end
    local ended = job.takes and time.now() >= made.began + job.takes
    return {
      jobState = ended and (job.ends or "COMPLETED") or job.state or "RUNNING",
      errorMessage = job.error,
      cancellationReason = job.reason,
    }
  end
  return made
end

--- Records how long the code sleeps; to be called inside a test with a clock that jumps.
local function sleeps()
  local list, sleep = {}, time.sleep
  function time.sleep(seconds)
    list[#list + 1] = seconds
    sleep(seconds)
  end
  return list
end

local tests = {
  ["looks at a job come rarer, and the last one at the deadline"] = function(t)
    local slept = sleeps()
    local one = session({ state = "QUEUED" })
    local err = t.fails("timeout", query.run, one, "select 1", 40)
    t.equal(slept, { 0.25, 0.25, 0.5, 1, 2, 4, 8, 10, 10, 4 })
    t.equal(err.msg, "is QUEUED after 40s")
    t.match(err.hint, "no executor is free")
    t.equal(one.calls[#one.calls], "POST /api/v3/job/j1/cancel")
    local two = session({ state = "RUNNING" })
    err = t.fails("timeout", query.run, two, "select 1", 0.1)
    t.equal({ err.msg, err.hint }, { "is RUNNING after 0.1s", nil })
    t.equal(slept[11], 0.1, "the first look is not later than the deadline")
    t.fails("timeout", query.run, session({}), "select 1", 36.25)
    t.equal(slept[#slept], 0.25, "a quarter of a second is left, and used")
  end,

  ["the first look comes when the last job had ended, then a little earlier each time"] = function(
    t
  )
    local one = session({ takes = 30 })
    query.run(one, "select 1", 60)
    local slept = sleeps()
    one.call = session({ takes = 0 }).call
    one.calls = {}
    for _ = 1, 3 do
      query.run(one, "select 1", 60)
    end
    t.equal(#slept, 3, "one look each")
    t.equal(slept[1], 2, "however long the last one took")
    t.ok(math.abs(slept[2] - 1.8) < 1e-9 and math.abs(slept[3] - 1.62) < 1e-9)
    for _ = 1, 40 do
      query.run(one, "select 1", 60)
    end
    t.equal(slept[#slept], 0.25)
    local two = session({ takes = 0.7 })
    query.run(two, "select 1", 60)
    query.run(two, "select 1", 60)
    t.equal(slept[#slept], 1, "the third look of the first job saw its end")
  end,

  ["a job that has ended is not cancelled, whatever became of it"] = function(t)
    for _, ends in ipairs({ "COMPLETED", "FAILED", "CANCELED", "INVALID_STATE" }) do
      local one = session({ takes = 0, ends = ends, error = "x" })
      pcall(query.run, one, "select 1", 60)
      for _, call in ipairs(one.calls) do
        t.ok(not call:find("cancel", 1, true), ends)
      end
    end
  end,

  ["why a job failed, and whether it is worth another try"] = function(t)
    local function failure(job)
      job.takes = 0
      return t.fails("http", query.run, session(job), "select 1", 60)
    end
    for _, kind in ipairs({ "PARSE", "VALIDATION", "PERMISSION", "FUNCTION", "PLAN" }) do
      t.equal(failure({ ends = "FAILED", error = kind .. " ERROR: no" }).code, 400, kind)
    end
    local err = failure({ ends = "FAILED", error = "RESOURCE ERROR: node lost", reason = "x" })
    t.equal({ err.code, err.msg }, { 500, "failed: RESOURCE ERROR: node lost" })
    t.equal({ err.object, err.target, err.reason }, { "job j1", "dremio main", "FAILED" })
    err = failure({ ends = "CANCELED", reason = "by bob", error = "x" })
    t.equal({ err.code, err.msg }, { 500, "canceled: by bob" })
    t.equal(failure({ ends = "INVALID_STATE" }).msg, "invalid_state: no reason given")
  end,

  ["rows are read until there are no more, and not without end"] = function(t)
    local function of(total, have)
      return function(page)
        local rows = {}
        for i = 1, math.min(page.limit, have - page.offset) do
          rows[i] = { n = page.offset + i }
        end
        return { rowCount = total, rows = rows }
      end
    end
    local function read(rows)
      local one = session({ takes = 0, rows = rows })
      local got, id = query.run(one, "select 1", 60)
      t.equal(id, "j1")
      return #got, got[#got] and got[#got].n, #one.calls - 2
    end
    t.equal({ read(of(0, 0)) }, { 0, nil, 1 })
    t.equal({ read(of(500, 500)) }, { 500, 500, 1 })
    t.equal({ read(of("501", 501)) }, { 501, 501, 2 })
    t.equal({ read(of(900, 700)) }, { 700, 700, 3 }, "fewer than were promised")
    t.equal({ read(of("many", 3)) }, { 3, 3, 1 })
    t.equal({ read(of(10 ^ 9, 10 ^ 9)) }, { 100000, 100000, 200 })
  end,

  ["what does not read is refused at the place of the call"] = function(t)
    help.open_world(1)
    local api = help.connect()
    local long = "delete from " .. ("t"):rep(80)
    local err = t.fails("dremio_query_test.lua:%d+: dremio.sql: only one statement", function()
      api:sql(long)
    end)
    t.match(tostring(err), "not: " .. long:sub(1, 60) .. "$")
    for _, good in ipairs({
      "(select 1)",
      "with x as (select 1) select * from x",
      "values (1)",
      "-- why\nselect ';' /* ; */;",
    }) do
      query.run(session({ takes = 0 }), good, 60)
    end
  end,

  ["behind a planned cancel nobody knows what runs"] = function(t)
    local overlay = query.after_cancel("j7")
    local resp = { status = 200 }
    local function look(url, sql)
      return (overlay({ url = "http://dremio:9047" .. url, body = sql }, resp))
    end
    t.equal(look("/api/v3/sql", "select * from sys.jobs"), nil)
    t.equal(look("/api/v3/sql", "select * from sys.fragments"), nil)
    t.equal(look("/api/v3/job/j7"), nil)
    t.equal(look("/api/v3/job/j8"), resp)
    t.equal(look("/api/v3/sql", "select * from sys.nodes"), resp)
    local _, why = overlay({ url = "http://dremio/api/v3/job/j7" }, resp)
    t.equal(why, "which a cancelled job is part of")
  end,
}

for title, fn in pairs(tests) do
  tests[title] = help.with_world(fn)
end
return tests
