--- Run under slow_resolver.c by tests/lua/http_resolver_test.lua.
local fs = require("prim.fs")
local http = require("prim.http")
local task = require("plat.task")
local time = require("prim.time")

local fake = load(assert(fs.read("tests/fakes/http_fake.lua")), "@http_fake.lua")()

return {
  ["a name that is not resolved holds up nobody, and is abandoned"] = function(t)
    local base = fake.serve(t)
    local fast, other = base:gsub("127.0.0.1", "fast.test"), base:gsub("127.0.0.1", "other.test")
    local began = time.mono()
    local got = task.all({
      function()
        local _, err = http.request({ url = "http://slow.test/", connect_timeout = 0.3 })
        return ("%s %s"):format(err.kind, err.msg)
      end,
      function()
        local _, err = http.request({ url = fast, proxy = "http://slow.test:8080", timeout = 0.3 })
        return err.kind
      end,
      function()
        task.sleep(0.05)
        return assert(http.request({ url = fast .. "/ok" })).body
      end,
      function()
        return assert(http.request({ url = other .. "/ok" })).body
      end,
    })
    t.equal(got, {
      "timeout no connection to slow.test:80 in 0.3 s (name not resolved)",
      "timeout",
      "ok",
      "ok",
    })
    for _ = 1, 3 do
      assert(http.request({ url = fast .. "/idle/0" })) -- a new connection each time
      task.sleep(0.05)
    end
    local dotted = base:gsub("127.0.0.1", "fast.test.")
    t.equal(assert(http.request({ url = dotted .. "/ok" })).body, "ok")
    t.equal(assert(http.request({ url = fast:gsub("fast", "FAST") .. "/ok" })).body, "ok")
    local stuck = task.spawn(function()
      http.request({ url = "http://slow.test/" })
    end)
    task.sleep(0.05)
    stuck:cancel()
    t.ok(time.mono() - began < 2, "nothing waited for the slow name")
  end,
}
