local effect = require("plat.effect")
local fault = require("plat.fault")
local fs = require("plat.fs")
local http = require("plat.http")
local inventory = require("plat.inventory")
local json = require("plat.json")
local out = require("plat.out")
local proc = require("plat.proc")
local raw = require("prim.fs")
local resolve = require("plat.secret.resolve")
local secret = require("plat.secret")
local task = require("plat.task")

local fake = load(assert(raw.read("tests/fakes/http_fake.lua")), "@http_fake.lua")()

local VALUE = 'p@ss w/rd "1"'

local function in_step(fn)
  return task.with_context({ key = "test", counts = {} }, fn)
end

--- Runs a function in plan mode; returns the lines of the plan.
local function planned(t, fn)
  local plan = require("plat.effect.plan").new(function() end, function() end)
  effect.open({ mode = "plan", plan = plan, world = { has_localhost = true } })
  t.defer(effect.close)
  return fn()
end

--- Returns a run that knows nothing but an inventory.
local function new_run(inv)
  return require("plat.run").new({
    name = "test",
    args = {},
    inventory = function()
      return inv
    end,
    reporter = { emit = function() end },
  })
end

--- Has a source of its own answer for "test:...", for one test.
local function with_source(t, read)
  local sys = require("prim.sys")
  local modules = sys.modules
  sys.modules = function(prefix)
    local names = modules(prefix)
    if prefix == "plat.secret.source." then
      names[#names + 1] = "test"
    end
    return names
  end
  package.loaded["plat.secret.source.test"] = { read = read }
  t.defer(function()
    sys.modules = modules
    package.loaded["plat.secret.source.test"] = nil
  end)
end

return {
  ["HTTP: headers, bodies, queries, forms"] = function(t)
    local base = fake.serve(t)
    local s = secret.new(VALUE, "test:one")
    local got = http.json(base .. "/echo", {
      query = { key = s, ["a%b"] = "%" },
      token = s:base64(),
      headers = { ["X-Key"] = s, ["X-Both"] = { s, "plain" } },
    })
    t.equal(got.target, "/echo?a%25b=%25&key=p%40ss%20w%2Frd%20%221%22")
    t.equal(got.headers.authorization, "Bearer cEBzcyB3L3JkICIxIg==")
    t.equal(got.headers["x-key"], VALUE)
    local function post(opts)
      return in_step(function()
        return http.post(base .. "/echo", opts):json().body
      end)
    end
    t.equal(post({ body = s }), VALUE)
    t.equal(post({ json = { s } }), '["p@ss w/rd \\"1\\""]')
    t.equal(post({ form = { p = s, ["1%"] = "%s" } }), "1%25=%25s&p=p%40ss%20w%2Frd%20%221%22")
    t.equal(post({ form = { a = "%", b = 1 } }), "a=%25&b=1")
  end,

  ["HTTP: messages are cut after they are redacted"] = function(t)
    local base = fake.serve(t)
    local s = secret.new(("long-secret-"):rep(30), "test:long")
    local err = t.fails("http", function()
      in_step(function()
        http.post(base .. "/status/500", { body = s, query = { q = s }, retry = false })
      end)
    end)
    t.equal(fault.text(err):find("long-secret", 1, true), nil)
    t.equal(out.excerpt("a " .. ("long-secret-"):rep(30) .. " b", 20), "a *** b")
  end,

  ["HTTP: what is recorded of a change has references"] = function(t)
    local base = fake.serve(t)
    local s = secret.new(VALUE, "test:one")
    local seen
    effect.open({
      mode = "run",
      observer = {
        intent = function(change)
          seen = json.encode(require("plat.effect.change").data(change), { secrets = "reference" })
        end,
      },
    })
    t.defer(effect.close)
    in_step(function()
      http.post(
        base .. "/echo",
        { json = { password = s }, query = { key = s }, headers = { A = s } }
      )
    end)
    t.match(seen, '"body":{"%$secret":{"json":{"password":{"%$secret":"test:one"}}}}')
    t.equal(seen:find("p@ss", 1, true), nil)
  end,

  ["programs: standard input and environment, never arguments"] = function(t)
    local s = secret.new(VALUE, "test:one")
    t.equal(
      proc.read({ "sh", "-c", 'cat; printf %s "$PW"' }, { stdin = s, env = { PW = s } }).stdout,
      VALUE:rep(2)
    )
    local argv = { "echo", s }
    t.fails("can be read by everybody", proc.read, argv)
    t.fails("by stdin, env or a file", proc.run, argv)
    t.fails("can be read by everybody", require("prim.proc").run, argv)
    planned(t, function()
      t.fails("can be read by everybody", function()
        in_step(function()
          proc.run(argv)
        end)
      end)
    end)
    t.fails(
      "zero byte",
      proc.read,
      { "true" },
      { env = { PW = secret.new("abc\0defg", "test:nul") } }
    )
  end,

  ["files: for the owner alone, and only when something differs"] = function(t)
    local path = t.tmp() .. "/pw"
    local s = secret.new(VALUE, "test:one")
    local function write(content, opts)
      return in_step(function()
        return fs.write(path, content, opts)
      end)
    end
    t.equal(write(s), true)
    t.equal({ raw.read(path), raw.stat(path).mode }, { VALUE, tonumber("600", 8) })
    t.equal(write(s), false)
    t.equal(write(s, { mode = "0640" }), true)
    t.equal(raw.stat(path).mode, tonumber("640", 8))
    t.equal(write(s:format("%s\n")), true)
    t.equal(raw.read(path), VALUE .. "\n")
    in_step(function()
      fs.append(path .. "2", s)
    end)
    t.equal({ raw.read(path .. "2"), raw.stat(path .. "2").mode }, { VALUE, tonumber("600", 8) })
  end,

  ["memory is not dumped once there is a secret"] = function(t)
    secret.new(VALUE, "test:one")
    t.match(raw.read("/proc/self/limits"), "Max core file size%s+0%s+0%s")
    t.equal(proc.read({ "sh", "-c", "ulimit -c; true" }).stdout, "0\n")
  end,

  ["a reference finds its source"] = function(t)
    local calls = 0
    with_source(t, function(rest, ctx)
      calls = calls + 1
      t.equal(ctx.run.name, "test")
      task.sleep(0.01)
      return "value of " .. rest
    end)
    local run = new_run()
    local all = task.each({ 1, 2, 3 }, { limit = 3 }, function()
      return run:secret("test:one")
    end)
    t.ok(all[1]:equal("value of one") and all[2]:equal(all[1]) and all[3]:equal(all[1]))
    t.equal(calls, 1)
    t.equal(run:secret("test:one"):reference(), "test:one")
    t.equal(calls, 1)
    run:secret("test:two")
    t.equal(calls, 2)
  end,

  ["an unknown source is a mistake with a suggestion"] = function(t)
    with_source(t, function() end)
    local err = t.fails("usage", resolve.read, "tset:x", {})
    t.match(fault.text(err), 'no source "tset" %(did you mean "test"%?%)')
    t.fails("a reference is expected", function()
      new_run():secret({})
    end)
  end,

  ["a source that fails says which, never what"] = function(t)
    local raising
    with_source(t, function()
      error(raising, 0)
    end)
    local run = new_run()
    for kind, want in pairs({ refused = "auth", exit = "io", parse = "io", usage = "usage" }) do
      raising = fault.new(kind, { op = "secret" }, { msg = "why", detail = "CONTENT", code = 5 })
      raising.cause = fault.new("io", nil, { msg = "because", detail = "CONTENT" })
      local err = t.fails(want, run.secret, run, "test:one")
      t.match(fault.text(err), "secret test:one: why")
      t.equal(fault.text(err):find("CONTENT"), nil)
    end
    raising = nil
    with_source(t, function()
      return ""
    end)
    t.fails("it is empty", run.secret, run, "test:one")
    with_source(t, function()
      return "12345"
    end)
    t.fails("short = true", run.secret, run, "test:one")
    t.ok(run:secret("test:one", { short = true }):equal("12345"))
  end,

  ["names of the inventory"] = function(t)
    local dir = t.tmp()
    raw.write(dir .. "/pw", "from a file\n", { mode = tonumber("600", 8) })
    raw.write(dir .. "/a.yaml", "platrun:\n  secrets:\n    db: file:pw\n    other: env:NO\n")
    raw.write(dir .. "/b.yaml", "platrun:\n  secrets:\n    other: env:YES\n")
    local inv = inventory.load({ dir .. "/a.yaml", dir .. "/b.yaml" })
    t.equal(inv.services.secrets, { db = "file:" .. dir .. "/pw", other = "env:YES" })
    local run = new_run(inv)
    local s = run:secret("db")
    t.ok(s:equal("from a file"))
    t.equal(s:reference(), "db")
    local err = t.fails("usage", run.secret, run, "dbb")
    t.match(fault.text(err), 'did you mean "db"')
    t.fails("names no secrets", function()
      new_run(inventory.load("h1,")):secret("db")
    end)
    raw.write(dir .. "/c.yaml", "platrun:\n  secrets:\n    db: plain\n")
    t.fails("c%.yaml:3: db: a reference SCHEME:REST", inventory.load, dir .. "/c.yaml")
    raw.write(dir .. "/d.yaml", "platrun:\n  secrets: [a]\n")
    t.fails("must hold names", inventory.load, dir .. "/d.yaml")
  end,
}
