local dremio = require("plat.dremio")
local fault = require("plat.fault")
local list = require("plat.list")
local time = require("plat.time")
local help =
  load(assert(require("prim.fs").read("tests/lua/dremio_help.lua")), "@dremio_help.lua")()

local connect, names, open_world = help.connect, help.names, help.open_world

local tests = {
  ["the status needs no session"] = function(t)
    local w = open_world(1)
    local api = connect({ password = "wrong" })
    t.equal({ api:status() }, { true, "OK" })
    w.up = false
    t.equal({ api:status() }, { false, "MASTER_DOWN" })
  end,

  ["wrong credentials are an auth fault without the password"] = function(t)
    open_world(1)
    local err = t.fails("auth", function()
      connect({ password = "s3cr3t-word" }):executors()
    end)
    local text = fault.text(err)
    t.match(text, '^dremio main: dremio.login: user "platrun" is refused: HTTP 401')
    t.match(text, "hint: check user and password of dremio main in the inventory")
    t.ok(not text:find("s3cr3t", 1, true))
  end,

  ["a server that is no coordinator is told apart from one that is down"] = function(t)
    local w = open_world(1)
    local api = connect()
    local page = { status = 200, headers = {}, body = "<html><title>Sign\n in</title></html>" }
    w.answers["server_status"] = page
    local err = t.fails("parse", api.status, api)
    t.match(
      err.msg,
      '^200: this is not a Dremio coordinator: it answered with a web page %("Sign in'
    )
    t.match(err.hint, "check url of dremio main in the inventory")
    w.answers["server_status"] = { status = 503, headers = {}, body = "<html>" }
    t.equal({ api:status() }, { false, "HTTP 503: it answered with a web page" })
    local long = "<title>" .. ("x"):rep(90) .. "</title>"
    w.answers["server_status"] = { status = 404, headers = {}, body = long }
    t.match(t.fails("parse", api.status, api).msg, 'a web page %("' .. ("x"):rep(80) .. '"%)$')
    w.answers["/sql$"] = { status = 200, headers = {}, body = '{"hello": 1}' }
    t.match(t.fails("parse", api.executors, api).msg, 'answered with {"hello": 1}$')
    w.answers["login$"] = page
    t.match(t.fails("parse", connect().login, connect()).msg, "not a Dremio coordinator")
  end,

  ["an expired session is opened again, once"] = function(t)
    local w = open_world(2)
    local api = connect()
    t.equal(#api:executors(), 2)
    w.model:expire_tokens()
    t.equal(#api:executors(), 2)
    w.answers["^GET /api/v3/job"] = { status = 401, headers = {}, body = "" }
    w.requests = 0
    t.fails("auth", function()
      api:executors()
    end)
    t.ok(w.requests <= 6, "no endless logins: " .. w.requests)
  end,

  ["a password file that others can read is refused"] = function(t)
    local path = t.tmp() .. "/password"
    local prim = require("prim.fs")
    assert(prim.write(path, "platrun-sandbox\n", { mode = 420 })) -- 0644
    open_world(1)
    local api = connect({ password_file = path })
    api._session._conf.password = nil
    local err = t.fails("refused", function()
      api:login()
    end)
    t.ok(err.msg:find("mode 0644", 1, true), err.msg)
    t.equal(err.hint, "chmod 600 " .. path)
    assert(prim.remove(path))
    assert(prim.write(path, "platrun-sandbox\n", { mode = 384 })) -- 0600
    api:login()
  end,

  ["executors come in the order of their ordinals"] = function(t)
    open_world(12)
    local nodes = connect():executors()
    t.equal(nodes[1].name, "dremio-executor-0")
    t.equal(nodes[11].name, "dremio-executor-10")
    t.equal(
      nodes[11].hostname,
      "dremio-executor-10.dremio-cluster-pod.data-platform.svc.cluster.local"
    )
    t.equal(list.keys(connect():versions()), { "26.0.5" })
  end,

  ["rows come in pages of 500"] = function(t)
    local w = open_world(1101)
    t.equal(#connect():executors(), 1101)
    w.requests = 0
    local rows = connect():sql("select name from sys.nodes")
    t.equal(#rows, 1102)
    local seen = {}
    for _, row in ipairs(rows) do
      seen[row.name] = true
    end
    t.equal(#list.keys(seen), 1102, "each once")
  end,

  ["only reading statements are taken"] = function(t)
    open_world(1)
    local api = connect()
    for _, sql in ipairs({
      "drop table x",
      "/* select */ delete from x",
      "select 1; drop table x",
      "-- select\ninsert into x values (1)",
      "",
    }) do
      t.fails("only one statement that reads", function()
        api:sql(sql)
      end)
    end
    t.equal(#api:sql("  SELECT ';' as x;  "), 1)
  end,

  ["a failed query carries Dremio's message"] = function(t)
    open_world(1)
    local err = t.fails("http", function()
      connect():sql("select nothing from sys.nodes")
    end)
    t.equal(err.reason, "FAILED")
    t.ok(err.msg:find("Column 'nothing' not found", 1, true), err.msg)
  end,

  ["a query that nobody waits for is cancelled"] = function(t)
    local w = open_world(0)
    local err = t.fails("timeout", function()
      connect():sql("select 1", { timeout = "20s" })
    end)
    t.ok(err.msg:find("is QUEUED after 20s", 1, true), err.msg)
    t.equal(#w.model:active_jobs(), 0)
  end,

  ["the first look at a job comes when the last one had ended"] = function(t)
    local w = open_world(2)
    local api = connect()
    api:executors()
    local before = w.requests
    for _ = 1, 10 do
      api:executors()
    end
    t.ok(w.requests - before <= 10 * 3 + 3, "requests: " .. w.requests - before)
  end,

  ["waiting for executors tells which one is missing"] = function(t)
    local w = open_world(2)
    local want = { "dremio-executor-0", "dremio-executor-1", "dremio-executor-2" }
    local err = t.fails("timeout", function()
      connect():wait_executors(want, { within = "1m" })
    end)
    t.ok(err.msg:find("2 of 3, missing: dremio-executor-2", 1, true), err.msg)
    t.ok(err.hint:find("45678", 1, true))
    w.pods[3] = { name = "dremio-executor-2", ready = true, since = time.now() + 30 }
    local before = time.now()
    t.equal(names(connect():wait_executors(want, { within = "2m" })), want)
    t.ok(time.now() - before > 40, "not before it has registered and three readings agree")
    local stays = t.fails("timeout", function()
      connect():wait_gone("dremio-executor-2", { within = "1m" })
    end)
    t.match(stays.msg, "^dremio%-executor%-2 has left: not within 1m: still known, ")
    w.pods[3].deleting = true
    connect():wait_gone("dremio-executor-2", { within = "1m" })
  end,

  ["an executor that lingers is listed, and once when it is back"] = function(t)
    local w = open_world(2)
    local api = connect()
    local both = { "dremio-executor-0", "dremio-executor-1" }
    t.equal(names(api:executors()), both)
    w.model:fault("lingers", { 600 })
    local gone = table.remove(w.pods)
    t.equal(names(api:executors()), both, "it lingers")
    w.pods[2] = gone
    t.equal(names(api:executors()), both)
    table.remove(w.pods)
    t.equal(names(api:executors()), both)
    time.sleep(601)
    t.equal(names(api:executors()), { "dremio-executor-0" }, "given up")
  end,

  ["a coordinator that is away for a while is waited for"] = function(t)
    local w = open_world(2)
    local api = connect()
    api:login()
    local calls = 0
    local up = w.model.coordinator
    w.model.coordinator = function()
      calls = calls + 1
      return calls > 10 and up()
    end
    t.equal(#api:wait_executors(2, { within = "10m" }), 2)
    api:wait_up({ within = "1m" })
    w.up = false
    local err = t.fails("timeout", function()
      api:wait_up({ within = "1m" })
    end)
    t.ok(err.msg:find("MASTER_DOWN", 1, true), err.msg)
  end,

  ["a reading that fails with the executor that leaves is made again"] = function(t)
    local w = open_world(3)
    local api = connect()
    api:login()
    local sleep = time.sleep
    function time.sleep(seconds) -- the executor goes while the query runs
      w.pods[3] = nil
      w.model:advance(time.now() + 0.2)
      sleep(seconds)
    end
    local err = t.fails("http", function()
      api:fragments()
    end)
    t.ok(err.msg:find("lost connectivity", 1, true), err.msg)
    t.equal(err.code, 500)
    w.pods[3] = { name = "dremio-executor-2", ready = true }
    sleep(20)
    api:fragments()
    w.pods[3] = { name = "dremio-executor-2", ready = true }
    sleep(20)
    api:wait_drained("dremio-executor-0", { within = "2m" })
  end,

  ["the smoke query"] = function(t)
    local w = open_world(1)
    t.ok(connect():smoke() > 0)
    w.pods = {}
    t.fails("timeout", function()
      connect():smoke()
    end)
  end,

  ["the number an inventory asks for"] = function(t)
    t.equal(dremio.planned_executors({}), nil)
    t.equal({ dremio.planned_executors({ executors = 4 }) }, { 4, "otherwise" })
    local spec = { day = { from = "08:00", to = "18:00", executors = 4 }, otherwise = 1 }
    t.equal({ dremio.planned_executors({ executors = spec }, 9 * 3600) }, { 4, "day" })
  end,
}

for title, fn in pairs(tests) do
  tests[title] = help.with_world(fn)
end
return tests
