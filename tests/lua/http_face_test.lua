local effect = require("plat.effect")
local fault = require("plat.fault")
local fs = require("prim.fs")
local http = require("plat.http")
local proc = require("prim.proc")
local retry = require("plat.retry")
local sys = require("prim.sys")
local task = require("plat.task")
local time = require("prim.time")

local fake = load(assert(fs.read("tests/fakes/http_fake.lua")), "@http_fake.lua")()

--- Runs a function as the body of a step.
local function in_step(fn)
  local step = { key = "test", counts = {} }
  return task.with_context(step, fn)
end

return {
  ["reading: text, JSON, query, token"] = function(t)
    local base = fake.serve(t)
    t.equal(http.get(base .. "/ok").body, "ok")
    local got = http.json(base .. "/echo", {
      query = { ["a b"] = "c/d", e = 1 },
      token = "t0ken",
      headers = { ["X-A"] = "1" },
    })
    t.equal(got.target, "/echo?a%20b=c%2Fd&e=1")
    t.equal({ got.headers.authorization, got.headers["x-a"] }, { "Bearer t0ken", "1" })
    local err = t.fails("parse", function()
      http.json(base .. "/ok")
    end)
    t.ok(fault.text(err):find(base .. "/ok", 1, true), fault.text(err))
  end,

  ["a status of 400 or more raises, with the server's words"] = function(t)
    local base = fake.serve(t)
    local err = t.fails("http", function()
      http.get(base .. "/status/404")
    end)
    t.equal({ err.code, err.detail, err.op }, { 404, "status 404", "http.get" })
    t.ok(fault.text(err):find("answered 404: status 404", 1, true), fault.text(err))
    t.equal(http.get(base .. "/status/404", { any_status = true }).status, 404)
    t.fails("connect", function()
      http.get("http://127.0.0.1:1/", { retry = false })
    end)
  end,

  ["options are checked"] = function(t)
    t.fails('did you mean "timeout"', function()
      http.get("http://127.0.0.1:1/", { timout = 1 })
    end)
    t.fails("one of body, json and form", function()
      http.post("http://127.0.0.1:1/", { body = "x", json = {} })
    end)
  end,

  ["a change belongs into a step, and is described"] = function(t)
    local base = fake.serve(t)
    t.fails("a change outside a step", function()
      http.post(base .. "/echo", { json = { a = 1 } })
    end)
    local resp = in_step(function()
      return http.post(base .. "/echo", { json = { a = 1 } })
    end)
    local got = resp:json()
    t.equal({ got.body, got.headers["content-type"] }, { '{"a":1}', "application/json" })
    got = in_step(function()
      return http.put(base .. "/echo", { form = { a = "b c", d = 1 } })
    end):json()
    t.equal(got.body, "a=b%20c&d=1")
    t.equal(got.headers["content-type"], "application/x-www-form-urlencoded")
    t.fails("http", function()
      in_step(function()
        http.delete(base .. "/status/409")
      end)
    end)
  end,

  ["reads are asked again, changes are not"] = function(t)
    local base = fake.serve(t)
    local three = { times = 3, delay = 0.05 }
    local before = fake.stats(base).requests
    t.fails("answered 503", function()
      http.get(base .. "/status/503", { retry = three })
    end)
    t.equal(fake.stats(base).requests - before - 1, 3)
    t.fails("answered 503", function()
      in_step(function()
        http.post(base .. "/status/503", { body = "x", retry = three })
      end)
    end)
    t.equal(fake.stats(base).requests - before - 1, 5)
    local began = time.mono()
    t.fails("answered 429", function()
      http.get(base .. "/status/429/ra", { retry = three })
    end)
    t.ok(time.mono() - began >= 1.9, "Retry-After is honoured")
  end,

  ["what may be sent again"] = function(t)
    local connect = fault.new("connect", {}, { msg = "connection refused", sent = false })
    local lost = fault.new("connect", {}, { msg = "lost", sent = true })
    local function should(outcome, method)
      return retry.should(retry.policy(), outcome, method, 0) ~= nil
    end
    local methods = { GET = true, HEAD = true, PUT = true, DELETE = true, POST = false }
    for method, want in pairs(methods) do
      t.equal(should({ status = 503, headers = {} }, method), want, method)
      t.equal(should(lost, method), want, method)
      t.equal(should(connect, method), true, method)
    end
    for _, status in ipairs({ 200, 301, 400, 401, 404, 409, 500, 501 }) do
      t.equal(should({ status = status, headers = {} }, "GET"), false, status)
    end
    for _, kind in ipairs({ "timeout", "auth", "http", "refused", "bug", "usage" }) do
      t.equal(should(fault.new(kind, {}, { msg = "x" }), "GET"), false, kind)
    end
    local unknown = fault.new("connect", {}, { msg = 'cannot resolve "x": no such name' })
    t.equal(should(unknown, "GET"), false)
  end,

  ["waits grow, stay bounded, and end"] = function(t)
    local policy = retry.policy({ retry = { times = 5, delay = 1, max_delay = 4, jitter = 0.5 } })
    local busy = { status = 503, headers = {} }
    for _, most in ipairs({ 1, 3, 4, 4 }) do
      local delay = retry.should(policy, busy, "GET", 0)
      t.ok(delay <= most and delay >= most / 2, delay)
    end
    t.equal(retry.should(policy, busy, "GET", 0), nil)
  end,

  ["Retry-After as seconds and as a date"] = function(t)
    t.equal(retry.retry_after("7", 0), 7)
    t.equal(retry.retry_after("Wed, 21 Oct 2015 07:28:10 GMT", 1445412480), 10)
    t.equal(retry.retry_after("Wed, 21 Oct 2015 07:28:00 GMT", 1445412490), 0)
    for _, bad in ipairs({ "", "soon", "-1", "1.5", "Wed, 21 Foo 2015 07:28:00 GMT" }) do
      t.equal(retry.retry_after(bad, 0), nil, bad)
    end
    local policy = retry.policy()
    local patient = { status = 429, headers = { ["retry-after"] = "20" } }
    t.equal(retry.should(policy, patient, "GET", 0), 20)
    patient.headers["retry-after"] = "3600"
    t.equal(retry.should(policy, patient, "GET", 0), nil, "nobody waits an hour")
  end,

  ["waiting for a state"] = function(t)
    local base = fake.serve(t)
    http.wait_for(base .. "/ok", { within = 5, every = 0.05 })
    local n = 0
    http.wait_for(base .. "/ok", { within = 5, every = 0.01, times = 3 }, function(resp)
      n = n + 1
      return n ~= 2 and resp.body == "ok", "flapping"
    end)
    t.equal(n, 5, "good, bad, and three good ones in a row")
    local err = t.fails("timeout", function()
      http.wait_for(base .. "/status/404", { within = 0.2, every = 0.05 })
    end)
    t.ok(fault.text(err):find("answered 404"), fault.text(err))
    t.fails("connection refused", function()
      http.wait_for("http://127.0.0.1:1/", {
        within = 0.2,
        every = 0.05,
        request = { retry = false },
      })
    end)
    t.equal(effect.planning(), false)
  end,

  ["the environment's proxies"] = function(t)
    local base = fake.serve(t)
    local dir = t.tmp()
    assert(fs.write(
      dir .. "/proxied_test.lua",
      [[
        local http = require("plat.http")
        local base = require("prim.sys").getenv("http_proxy")
        return {
          ["the proxy is asked, but not for what it may not be asked for"] = function(t)
            t.equal(http.json("http://far.test/x").target, "http://far.test/x")
            t.equal(http.json(base .. "/echo").target, "/echo")
            t.equal(http.json(base .. "/echo", { proxy = base }).target, base .. "/echo")
            t.fails("no such name", function()
              http.get("http://far.invalid/", { proxy = "" })
            end)
          end,
        }
      ]]
    ))
    local out = assert(proc.run({
      sys.getenv("PLATRUN") or "build/platrun",
      "test",
      dir .. "/proxied_test.lua",
    }, {
      env = { http_proxy = base, NO_PROXY = "x.test,127.0.0.0/8", HTTP_PROXY = "http://evil.test" },
      timeout = 10,
    }))
    t.equal(out.code, 0, out.stdout .. out.stderr)
  end,

  ["the plan's latch: only reads, for the rest of the process"] = function(t)
    local base = fake.serve(t)
    local dir = t.tmp()
    assert(fs.write(
      dir .. "/latched_test.lua",
      [[
        local http = require("prim.http")
        local base = require("prim.sys").getenv("BASE")
        return {
          ["latched"] = function(t)
            http.set_plan()
            http.set_plan(false)
            for _, method in ipairs({ "GET", "HEAD", "OPTIONS" }) do
              t.equal(assert(http.request({ url = base .. "/ok", method = method })).status, 200)
            end
            for _, method in ipairs({ "POST", "PUT", "PATCH", "DELETE", "get" }) do
              local resp, err = http.request({ url = base .. "/ok", method = method, body = "" })
              t.equal({ resp, err.kind }, { nil, "refused" })
            end
            local _, err = http.request({ url = base .. "/upgrade", upgrade = true })
            t.equal(err.kind, "refused")
            local opts = { url = base .. "/ok", method = "POST", declared_read = true }
            t.equal(assert(http.request(opts)).status, 200)
          end,
        }
      ]]
    ))
    local out = assert(proc.run({
      sys.getenv("PLATRUN") or "build/platrun",
      "test",
      dir .. "/latched_test.lua",
    }, { env = { BASE = base }, timeout = 10 }))
    t.equal(out.code, 0, out.stdout .. out.stderr)
  end,
}
