--- What passes the door: addresses, fields, what housekeeping may do, deep unknown values.
local effect = require("plat.effect")
local fault = require("plat.fault")
local fs = require("prim.fs")
local hash = require("plat.hash")
local planner = require("plat.effect.plan")
local stale = require("plat.effect.stale")
local task = require("plat.task")
local unknown = require("plat.effect.unknown")
local wire = require("plat.effect.wire")

--- Opens the door onto a world that remembers what it was asked.
local function open(t, answer)
  local world = { asked = {}, has_localhost = true }
  function world:request(authority, req)
    table.insert(self.asked, { authority = authority, url = req.url })
    return answer or { status = 200, headers = {}, body = "" }
  end
  effect.open({ mode = "run", world = world })
  t.defer(function()
    effect.open({ mode = "run", world = false, plan = false })
  end)
  return world
end

local function get(url, more)
  local req = { method = "GET", url = url, target = "x", op = "x.get", retry = false }
  for key, value in pairs(more or {}) do
    req[key] = value
  end
  return effect.http(req)
end

return {
  ["an address is a host and a port, whatever else the URL has"] = function(t)
    local world = open(t)
    for url, authority in pairs({
      ["http://a"] = "a:80",
      ["https://a/b"] = "a:443",
      ["http://a:8080?q"] = "a:8080",
      ["https://user:pw@a/"] = "a:443",
      ["https://[::1]:6443/x"] = "[::1]:6443",
    }) do
      get(url)
      t.equal(world.asked[#world.asked].authority, authority, url)
    end
    local err = t.fails("usage", get, "/only/a/path")
    t.equal(err.msg, '"/only/a/path" is not a URL')
  end,

  ["a query goes behind the one that the URL has"] = function(t)
    local world = open(t)
    get("http://a/x", { query = { q = "a b" } })
    t.equal(world.asked[1].url, "http://a/x?q=a%20b")
    get("http://a/x?y=1", { query = { q = 2 } })
    t.equal(world.asked[2].url, "http://a/x?y=1&q=2")
    get("http://a/x")
    t.equal(world.asked[3].url, "http://a/x")
  end,

  ["a world may be slow, and slower than one waits"] = function(t)
    local slept, sleep = 0, task.sleep
    function task.sleep(seconds)
      slept = slept + seconds
    end
    t.defer(function()
      task.sleep = sleep
    end)
    open(t, { status = 200, headers = {}, body = "", delay = 3 })
    get("http://a/", { timeout = 5 })
    t.equal(slept, 3)
    local err = t.fails("timeout", get, "http://a/", { timeout = 2 })
    t.equal({ slept, err.msg, err.phase }, { 5, "no answer in 2 s", "http" })
    get("http://a/")
    t.equal(slept, 8)
  end,

  ["a playbook's own code is told where it called a program housekeeping"] = function(t)
    open(t)
    t.fails("effect_door_test.lua:%d+: only the standard library may call a program", function()
      effect.proc({ argv = { "true" }, housekeeping = "mine" })
    end)
    t.fails("effect_door_test.lua:%d+: only the standard library may call a command", function()
      effect.remote({ target = "host a", op = "x", housekeeping = "mine", here = true, call = {} })
    end)
  end,

  ["an unknown value is found deep inside of what is handed on"] = function(t)
    local value = unknown.new(function()
      error("looked", 0)
    end)
    local deep = { value }
    for _ = 1, 40 do
      deep = { x = deep }
    end
    t.fails("looked", unknown.refuse, deep)
    unknown.refuse({ a = { b = { "c" } } })
    local endless = {}
    endless.self = endless
    unknown.refuse(endless)
    unknown.refuse(nil)
  end,

  ["a field that is hidden may be peeked at, not read"] = function(t)
    local meta = unknown.veil({ name = "x", uid = "u" }, { "uid", "none" }, function(field)
      error("veiled " .. field, 0)
    end)
    t.equal({ unknown.peek(meta, "uid"), unknown.peek(meta, "name") }, { "u", "x" })
    t.equal({ unknown.peek(meta, "none"), unknown.peek(nil, "uid") }, {})
    t.fails("veiled none", function()
      return meta.none
    end)
    meta.uid = "mine"
    t.equal({ meta.uid, unknown.peek(meta, "uid") }, { "mine", "mine" })
  end,

  ["a plan of nothing is certain"] = function(t)
    local plan = planner.new(function() end, function() end)
    t.equal(plan:count(), { will = 0, maybe = 0, opaque = 0, coverage = 1.0 })
    task.with_context({ key = "s" }, plan.possible, plan, "why")
    t.equal(plan:count(), { will = 0, maybe = 1, opaque = 0, open = 1, coverage = 0.0 })
  end,

  ["a fault says of a request what it is about"] = function(t)
    t.equal(wire.about({ op = "a", target = "b", object = "c", url = "d" }), {
      op = "a",
      target = "b",
      object = "c",
    })
  end,

  ["a change that an earlier process did is answered for, whatever it was"] = function(t)
    local world = open(t)
    effect.open({
      mode = "run",
      world = world,
      observer = {
        recall = function()
          return {}
        end,
      },
    })
    local change = { text = "x", args = {}, recovery = "repeatable" }
    local answer = task.with_context({ key = "s", counts = {} }, get, "http://a/", {
      method = "PUT",
      change = change,
    })
    t.equal(answer, { status = 200, headers = {}, body = "", code = 0, stdout = "", stderr = "" })
    t.equal(world.asked, {})
  end,

  ["a server below a path of another one is known by its own paths"] = function(t)
    local world = open(t)
    local function read(base, url)
      get(url, { method = "POST", base = base, read = "a select reads tables and changes none" })
    end
    require("plat.dremio") -- it declares that
    read(nil, "http://a/api/v3/sql")
    read("http://a/dremio", "http://a/dremio/api/v3/sql")
    read("http://other", "http://a/api/v3/sql")
    t.equal(#world.asked, 3)
    t.fails("not declared as a read", read, nil, "http://a/dremio/api/v3/sql")
    t.fails("not declared as a read", read, "http://a/other", "http://a/dremio/api/v3/sql")
  end,

  ["what is asked in vain says how often"] = function(t)
    local sleep = task.sleep
    function task.sleep() end
    t.defer(function()
      task.sleep = sleep
    end)
    local world = open(t)
    function world.request()
      fault.raise("connect", {}, { msg = "connection refused", sent = false })
    end
    local err = t.fails("connect", get, "http://a/", { retry = { times = 2, delay = 1 } })
    t.equal(err.msg, "connection refused (asked 2 times)")
    t.equal(t.fails("connect", get, "http://a/").msg, "connection refused")
    err = t.fails("connect", get, "http://a/", { retry = { times = 1, delay = 1 } })
    t.equal(err.msg, "connection refused")
  end,

  ["a file that is refused in the sandbox is named"] = function(t)
    effect.open({
      mode = "run",
      world = {
        request = function() end,
      },
    })
    t.defer(function()
      effect.open({ mode = "run", world = false })
    end)
    local err = t.fails("refused", effect.file, { op = "fs.write", path = "/tmp/x" })
    t.equal({ err.object, err.target, err.op }, { "/tmp/x", "localhost", "fs.write" })
  end,

  ["a playbook is told where it declared what only the library may"] = function(t)
    local decl = { method = "PUT", path = "^/$", reason = "mine" }
    for _, name in ipairs({ "declare_read", "declare_housekeeping" }) do
      t.fails("effect_door_test.lua:%d+: only the standard library may declare", function()
        effect[name](decl)
      end)
    end
  end,

  ["headers with several values reach a world as they are"] = function(t)
    local world, seen = open(t), nil
    function world.request(_, _, req)
      seen = req.headers
      return { status = 200, headers = {}, body = "" }
    end
    get("http://a/", { headers = { One = "1", Two = { "a", "b" } } })
    t.equal(seen, { One = "1", Two = { "a", "b" } })
  end,

  ["the key of a change: step, operation, target, object, and which of equal ones"] = function(t)
    open(t)
    local keys = {}
    effect.open({
      mode = "run",
      world = false,
      observer = {
        recall = function(change)
          keys[#keys + 1] = change.key
          return {}
        end,
      },
    })
    task.with_context({ key = "s", counts = {} }, function()
      for _, n in ipairs({ 1, 1, 2 }) do
        local change = { text = "x", args = { n = n }, recovery = "repeatable" }
        get("http://a/", { method = "PUT", change = change, object = n == 2 and "o" or nil })
      end
    end)
    local digest = keys[1]:match("^s|x%.get|x|%-|(%x+)|1$")
    t.equal(#digest, 16)
    t.equal(keys[2], "s|x.get|x|-|" .. digest .. "|2")
    t.match(keys[3], "^s|x%.get|x|o|%x+|1$")
  end,

  ["a look that fails is no end of a plan, and its failure is handed on"] = function(t)
    local plan = planner.new(function() end, function() end)
    local err = t.fails("http", plan.glance, plan, function()
      fault.raise("http", {}, { msg = "no" })
    end)
    t.equal(err.msg, "no")
    t.equal({ plan:glance(select, 2, "a", nil, "c") }, { nil, "c" })
  end,

  ["an answer that a plan changes says so, another one does not"] = function(t)
    local plan = planner.new(function() end, function() end)
    plan:reached("x", function(read, resp)
      return read.object == "changed" and { body = "new" } or resp
    end)
    local real = { body = "old" }
    t.equal(plan:read({ target = "x", object = "other" }, real), { body = "old" })
    t.equal(plan:read({ target = "y", object = "changed" }, real).planned, nil)
    local seen = plan:read({ target = "x", object = "changed" }, real)
    t.equal({ seen, real }, { { body = "new", planned = true }, { body = "old" } })
  end,

  ["a plan is stale when the files that it was made of are others or gone"] = function(t)
    local dir = t.tmp()
    assert(fs.write(dir .. "/p.lua", "return 1"))
    assert(fs.write(dir .. "/inv.yaml", "x"))
    local saved = {
      made = { host = "ops-1" },
      playbook = { path = dir .. "/p.lua", sha256 = hash.digest("sha256", "return 1") },
      inventory = { files = { { path = dir .. "/inv.yaml" } } },
    }
    t.equal(stale.files(saved), nil)
    assert(fs.remove(dir .. "/inv.yaml"))
    local gone = "the inventory %s/inv.yaml is not here (the plan was made on ops-1)"
    t.equal(stale.files(saved), gone:format(dir))
    assert(fs.write(dir .. "/p.lua", "return 2"))
    local changed = "the playbook %s/p.lua has changed since the plan was made"
    t.equal(stale.files(saved), changed:format(dir))
    assert(fs.remove(dir .. "/p.lua"))
    t.match(stale.files(saved), "/p%.lua is not here %(the plan was made on ops%-1%)$")
  end,

  ["a plan is stale when the inventory is made of other files"] = function(t)
    local function file(path, sha256)
      return { path = path, sha256 = sha256 }
    end
    local saved = { inventory = { files = { file("/a", "1"), file("/b", "2") } } }
    local function differs(...)
      return stale.inventory(saved, { ... })
    end
    t.equal(differs(file("/b", "2"), file("/a", "1")), nil)
    local changed = "the inventory /b has changed since the plan was made"
    t.equal(differs(file("/a", "1"), file("/b", "3")), changed)
    local gone = "the plan was made with the inventory /b, which is not read now"
    t.equal(differs(file("/a", "1")), gone)
    local new = "the inventory has /c now, and had not when the plan was made"
    t.equal(differs(file("/a", "1"), file("/b", "2"), file("/c", "3")), new)
  end,
}
