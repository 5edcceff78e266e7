local json = require("plat.json")
local list = require("plat.list")
local sim = require("plat.sim.dremio")

local DOMAIN = ".dremio-cluster-pod.data-platform.svc.cluster.local"

--- A cluster of `n` executors whose pods and clock the test moves.
local function cluster(n, opts)
  local world = { now = 1000000, pods = {}, ready = true }
  for i = 0, n - 1 do
    world.pods[#world.pods + 1] =
      { name = "dremio-executor-" .. i, ip = "10.1.0." .. i, ready = true }
  end
  local functions = {
    now = function()
      return world.now
    end,
    executors = function()
      return world.pods
    end,
    coordinator = function()
      return world.ready
    end,
  }
  world.functions = functions
  world.model = sim.new(list.merge(functions, opts))
  world.now = world.now + 60 -- everybody is registered
  return world
end

local function call(world, method, path, body, query)
  local response = world.model:handle({
    method = method,
    path = path,
    query = query or {},
    headers = { authorization = world.token },
    body = body and json.encode(body),
  })
  local value = response.body ~= "" and response.headers["content-type"] == "application/json"
  return response.status, value and json.decode(response.body) or response.body
end

local function login(world)
  local _, value =
    call(world, "POST", "/apiv2/login", { userName = "platrun", password = "platrun-sandbox" })
  world.token = "_dremio" .. value.token
  return value
end

local function submit(world, sql)
  local _, value = call(world, "POST", "/api/v3/sql", { sql = sql })
  return value.id
end

local function rows(world, sql)
  local id = submit(world, sql)
  world.now = world.now + 2
  local status, value =
    call(world, "GET", "/api/v3/job/" .. id .. "/results", nil, { limit = "500" })
  assert(status == 200, json.encode(value))
  return value.rows
end

return {
  ["the status says whether the coordinator is up"] = function(t)
    local w = cluster(1)
    t.equal({ call(w, "GET", "/apiv2/server_status") }, { 200, "OK" })
    w.ready = false
    t.equal({ call(w, "GET", "/apiv2/server_status") }, { 503, "MASTER_DOWN" })
    t.equal((call(w, "POST", "/apiv2/login", {})), 503)
  end,

  ["a call without a session is refused, and a session ends"] = function(t)
    local w = cluster(1)
    t.equal((call(w, "POST", "/api/v3/sql", { sql = "select 1" })), 401)
    t.equal((call(w, "POST", "/apiv2/login", { userName = "platrun", password = "wrong" })), 401)
    local session = login(w)
    t.equal((call(w, "POST", "/api/v3/sql", { sql = "select 1" })), 200)
    w.now = session.expires / 1000
    t.equal((call(w, "POST", "/api/v3/sql", { sql = "select 1" })), 401)
    login(w)
    t.equal((call(w, "DELETE", "/apiv2/login")), 204)
    t.equal((call(w, "GET", "/apiv2/system/nodes")), 401)
  end,

  ["a job walks through its states on the clock"] = function(t)
    local w = cluster(1)
    login(w)
    local id = submit(w, "select 1")
    local seen = {}
    for _ = 1, 100 do
      local _, job = call(w, "GET", "/api/v3/job/" .. id)
      if seen[#seen] ~= job.jobState then
        seen[#seen + 1] = job.jobState
      end
      if job.jobState ~= "COMPLETED" then
        t.equal((call(w, "GET", "/api/v3/job/" .. id .. "/results")), 400)
      end
      w.now = w.now + 0.01
    end
    t.equal(seen, {
      "PENDING",
      "METADATA_RETRIEVAL",
      "PLANNING",
      "EXECUTION_PLANNING",
      "RUNNING",
      "COMPLETED",
    })
    local _, result = call(w, "GET", "/api/v3/job/" .. id .. "/results")
    t.equal({ result.rowCount, result.rows[1]["EXPR$0"] }, { 1, 1 })
  end,

  ["what Dremio refuses is refused"] = function(t)
    local w = cluster(1)
    login(w)
    t.equal((call(w, "GET", "/api/v3/job/none")), 404)
    t.equal((call(w, "GET", "/api/v3/nothing")), 404)
    t.equal((call(w, "POST", "/api/v3/sql", { text = "select 1" })), 400)
    local id = submit(w, "select 1")
    w.now = w.now + 5
    t.equal((call(w, "GET", "/api/v3/job/" .. id .. "/results", nil, { limit = "501" })), 400)
    t.equal((call(w, "GET", "/api/v3/job/" .. id .. "/results", nil, { offset = "-1" })), 400)
    t.equal((call(w, "DELETE", "/api/v3/job/" .. id)), 405)
    for sql, message in pairs({
      ["drop table x"] = "PARSE ERROR: Failure parsing the query.",
      ["select x from sys.nodes"] = "VALIDATION ERROR: Column 'x' not found in any table",
      ["select * from lake.orders"] = "VALIDATION ERROR: Object 'lake.orders' not found",
    }) do
      local _, job = call(w, "GET", "/api/v3/job/" .. submit(w, sql))
      t.equal({ job.jobState, job.errorMessage }, { "FAILED", message })
    end
  end,

  ["pages of a result"] = function(t)
    local w = cluster(7)
    login(w)
    local id = submit(w, "select name from sys.nodes where is_executor = true order by name")
    w.now = w.now + 2
    local _, page =
      call(w, "GET", "/api/v3/job/" .. id .. "/results", nil, { offset = "5", limit = "5" })
    t.equal(page.rowCount, 7)
    t.equal(page.rows, { { name = "dremio-executor-5" }, { name = "dremio-executor-6" } })
  end,

  ["an executor appears seconds after its pod and leaves with it"] = function(t)
    local w = cluster(2)
    login(w)
    local count = "select count(*) as n from sys.nodes where is_executor"
    t.equal(rows(w, count)[1].n, 2)
    w.pods[3] = { name = "dremio-executor-2", ready = false }
    t.equal(rows(w, count)[1].n, 2)
    w.pods[3].ready = true
    t.equal(rows(w, count)[1].n, 2)
    t.ok(w.model:next_event() > w.now)
    w.now = w.now + 10
    t.equal(rows(w, count)[1].n, 3)
    t.equal(
      rows(w, "select hostname from sys.nodes where name like '%-2'")[1].hostname,
      "dremio-executor-2" .. DOMAIN
    )
    w.pods[3].deleting = true
    t.equal(rows(w, count)[1].n, 2)
    local _, info = call(w, "GET", "/apiv2/system/cluster-resource-info")
    t.equal(info.executorCount, 2)
  end,

  ["a query fails with the executor it runs on"] = function(t)
    local w = cluster(3)
    login(w)
    t.ok(w.model:fault("query", { "20" }):find("runs on dremio-executor-2", 1, true))
    local sql =
      "select queryId, hostname from sys.fragments where hostname like 'dremio-executor-2.%'"
    local found = rows(w, sql)
    t.equal(#found, 2, "the long query and the one that looks")
    local id = rows(w, "select job_id from sys.jobs where user_name = 'analyst'")[1].job_id
    w.pods[3] = nil
    local _, job = call(w, "GET", "/api/v3/job/" .. id)
    t.equal(job.jobState, "FAILED")
    t.ok(job.errorMessage:find("dremio-executor-2", 1, true))
  end,

  ["a query ends by itself or is cancelled"] = function(t)
    local w = cluster(2)
    login(w)
    w.model:fault("query", { "1", "dremio-executor-0" })
    w.model:fault("query", { "60", "dremio-executor-0" })
    local active = "select job_id from sys.jobs where user_name = 'analyst'"
    t.equal(#rows(w, active), 2)
    w.now = w.now + 60
    local left = rows(w, active)
    t.equal(#left, 1)
    t.equal((call(w, "POST", "/api/v3/job/" .. left[1].job_id .. "/cancel")), 204)
    t.equal(#rows(w, active), 0)
    local _, job = call(w, "GET", "/api/v3/job/" .. left[1].job_id)
    t.equal(
      { job.jobState, job.cancellationReason },
      { "CANCELED", "Query cancelled by user 'platrun'" }
    )
  end,

  ["faults that cannot be made say so"] = function(t)
    local w = cluster(1)
    t.ok(w.model:fault("query:0.5:dremio-executor-0"))
    t.equal(
      { w.model:fault("query", { "5", "dremio-executor-9" }) },
      { nil, "no executor dremio-executor-9" }
    )
    t.equal({ w.model:fault("quarry", { "5" }) }, {
      nil,
      'unknown fault "quarry": there are lingers, query',
    })
    t.equal({ cluster(0).model:fault("query", { "5" }) }, { nil, "no executor is registered" })
  end,

  ["a query waits for the first executor"] = function(t)
    local w = cluster(0)
    login(w)
    local id = submit(w, "select 1")
    w.now = w.now + 30
    local _, job = call(w, "GET", "/api/v3/job/" .. id)
    t.equal(job.jobState, "QUEUED")
    w.pods[1] = { name = "dremio-executor-0", ready = true }
    call(w, "GET", "/apiv2/server_status")
    w.now = w.now + 20
    call(w, "GET", "/apiv2/server_status")
    w.now = w.now + 1
    _, job = call(w, "GET", "/api/v3/job/" .. id)
    t.equal(job.jobState, "COMPLETED")
  end,

  ["the state goes into a dump and comes back"] = function(t)
    local w = cluster(3, { background = 5 })
    login(w)
    w.model:fault("query", { "20" })
    w.now = w.now + 100
    rows(w, "select 1")
    local copy = sim.restore(json.decode(json.encode(w.model:dump())), w.functions)
    local sql = "select job_id, status, query from sys.jobs_recent"
    local before = rows(w, sql)
    w.now = w.now - 2
    w.model = copy
    t.equal(rows(w, sql), before)
  end,

  ["metrics count jobs"] = function(t)
    local w = cluster(1)
    w.model:fault("query", { "20" })
    local status, text = call(w, "GET", "/metrics")
    t.equal(status, 200)
    t.ok(text:find("\njobs_active 1\n", 1, true), text)
  end,

  ["selects over rows"] = function(t)
    local query, sql = require("plat.sim.dremio.query"), require("plat.sim.dremio.sql")
    local data = {
      { a = 1, b = "x", c = true },
      { a = 2, b = "y", c = false },
      { a = 3, b = "x_%", c = true },
      { a = 4, c = false },
    }
    local function run(text)
      return (query.run(assert(sql.parse(text)), { "a", "b", "c" }, data))
    end
    t.equal(run("select A as n from t where c and not b = 'x'"), { { n = 3 } })
    t.equal(run("select a from t where b in ('y', 'z') or a >= 4"), { { a = 2 }, { a = 4 } })
    t.equal(run("select a from t where b is null"), { { a = 4 } })
    t.equal(run("select a from t where b like 'x%' order by a desc"), { { a = 3 }, { a = 1 } })
    t.equal(run("select c, count(*) as n, max(a) as top from t group by c"), {
      { c = true, n = 2, top = 3 },
      { c = false, n = 2, top = 4 },
    })
    t.equal(run("select count(*) from t where a > 9"), { { ["EXPR$0"] = 0 } })
    t.equal(#run("select * from t limit 2"), 2)
    for _, bad in ipairs({
      "select",
      "select from t",
      "select a from",
      "select a from t where",
      "#",
      "select a, from t",
      "select a from t limit",
      "select 'x from t",
    }) do
      t.equal(sql.parse(bad), nil, bad)
    end
  end,
}
