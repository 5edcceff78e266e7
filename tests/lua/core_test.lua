local check = require("plat.check")
local fault = require("plat.fault")
local list = require("plat.list")

return {
  ["pairs goes through numbers, then strings, each in order"] = function(t)
    local keys = {}
    for k in pairs({ b = 1, [10] = 1, a = 1, [2] = 1, c = 1 }) do
      keys[#keys + 1] = k
    end
    t.equal(keys, { 2, 10, "a", "b", "c" })
  end,
  ["pairs refuses keys whose order would differ from process to process"] = function(t)
    t.fails("a key is a table", function()
      for _ in pairs({ [{}] = 1 }) do
        t.ok(false)
      end
    end)
  end,
  ["pairs leaves out what the loop removes"] = function(t)
    local seen, map = {}, { a = 1, b = 2, c = 3 }
    for k in pairs(map) do
      seen[#seen + 1] = k
      map.b = nil
    end
    t.equal(seen, { "a", "c" })
  end,
  ["tostring and format show no addresses"] = function(t)
    t.equal(tostring({}), "table")
    t.equal(("%s %s"):format({}, print), "table function")
    t.equal(
      ("%s"):format(fault.new("exit", { target = "host db-1" }, { msg = "x" })),
      "host db-1: x"
    )
  end,
  ["stray globals are errors"] = function(t)
    t.fails("undefined variable 'nope'", function()
      return nope -- luacheck: ignore
    end)
    t.fails("write `local other`", function()
      other = 1 -- luacheck: ignore
    end)
  end,
  ["the ways around the door are gone"] = function(t)
    t.equal(rawget(_G, "io"), nil)
    t.equal(rawget(_G, "dofile"), nil)
    t.equal(os.execute, nil)
    t.equal(package.loadlib, nil)
    t.equal(debug.sethook, nil)
    t.equal(load("\27Lua"), nil)
  end,
  ["list helpers"] = function(t)
    local nodes = { { name = "a", n = 3 }, { name = "b", n = 9 }, { name = "c", n = 9 } }
    t.equal(list.max(nodes, "n").name, "b")
    t.equal(list.min(nodes, "n").name, "a")
    t.equal(#list.where(nodes, { n = 9 }), 2)
    t.equal(list.find(nodes, { name = "c" }).n, 9)
    t.equal(
      list.map(list.sort_by(nodes, "name"), function(x)
        return x.name
      end),
      { "a", "b", "c" }
    )
    t.equal(list.get({ spec = { items = { { image = "x" } } } }, "spec.items.1.image"), "x")
    t.equal(list.get({}, "a.b"), nil)
    t.ok(list.deep_equal({ a = { 1, 2 } }, { a = { 1, 2 } }))
    t.ok(not list.deep_equal({ a = 1 }, { a = 1, b = 2 }))
    t.ok(not list.deep_equal({ a = 1, b = 2 }, { a = 1 }))
  end,
  ["durations"] = function(t)
    t.equal(check.duration("1h30m"), 5400.0)
    t.equal(check.duration("250ms"), 0.25)
    t.equal(check.duration("90"), 90)
    t.equal(check.duration(2.5), 2.5)
    for _, bad in ipairs({ "", "h", "5x", "1h 30m", "-3s", "10m5" }) do
      t.equal(check.duration(bad), nil, bad)
    end
  end,
  ["sizes"] = function(t)
    t.equal(check.bytes("16MB"), 16000000)
    t.equal(check.bytes("2Gi"), 2 << 30)
    t.equal(check.bytes("2GiB"), 2 << 30)
    t.equal(check.bytes(7), 7)
    t.equal(check.bytes("2 cups"), nil)
  end,
  ["suggestions: near words only"] = function(t)
    t.equal(check.suggest("executer", { "executors", "cluster" }), "executors")
    t.equal(check.suggest("drian", { "drain", "train" }), "drain")
    t.equal(check.suggest("xyzzy", { "drain" }), nil)
    local long = ("a"):rep(20000) -- its distance to another would take minutes
    t.equal(check.suggest(long .. "b", { long .. "c" }), nil)
  end,
  ["options are closed, typed, with defaults"] = function(t)
    local opts = check.options("x.y", {
      timeout = { type = "duration", default = "60s" },
      mode = { type = "enum", enum = { "fast", "slow" } },
      n = { type = "integer", min = 1, max = 3 },
    })
    t.equal(opts({ n = 2 }), { n = 2, timeout = 60.0 })
    t.fails('x.y: unknown option "tiemout" %(did you mean "timeout"%?%)', opts, { tiemout = 1 })
    t.fails('option "n": 4 is more than 3', opts, { n = 4 })
    t.fails('"fats" is none of fast, slow %(did you mean "fast"%?%)', opts, { mode = "fats" })
  end,
  ["a fault's text: target first, then op, object and cause, then the hint"] = function(t)
    local err = fault.new(
      "http",
      { target = "cluster prod", op = "k8s.scale", object = "sts a/b" },
      {
        msg = "403 Forbidden",
        cause = fault.new("auth", { op = "token" }, { msg = "expired" }),
        hint = "ask for the role",
      }
    )
    t.equal(
      fault.text(err),
      "cluster prod: k8s.scale sts a/b: 403 Forbidden\n"
        .. "  because: token: expired\n"
        .. "hint: ask for the role"
    )
  end,
  ["Lua's own errors become bugs with file and line"] = function(t)
    local err = t.fails("bug", function()
      local nothing = nil
      return nothing.field
    end)
    t.match(err.where, "core_test.lua:%d+$")
    t.match(err.msg, "index a nil value")
  end,
  ["modules are found by the beginning of their names"] = function(t)
    local sys = require("prim.sys")
    local all, found = sys.modules(), {}
    for i, name in ipairs(all) do
      t.ok(i == 1 or all[i - 1] < name, name)
      found[#found + 1] = name:match("^plat%.run%.verb%.(.*)$")
    end
    t.ok(#found > 5)
    t.equal(sys.modules("plat.run.verb."), found)
    t.equal(sys.modules(all[1])[1], "")
    t.equal(sys.modules(all[#all]), { "" })
    t.equal(sys.modules("a"), {})
    t.equal(sys.modules("plat.run.verbs"), {})
    t.equal(sys.modules("z"), {})
  end,
  ["a lazy module is loaded when it is first used"] = function(t)
    local count = 0
    package.preload["plat.made_up"] = function()
      count = count + 1
      return { one = 1 }
    end
    t.defer(function()
      package.preload["plat.made_up"], package.loaded["plat.made_up"] = nil, nil
    end)
    local lazy = require("plat.env").lazy("plat.made_up")
    t.equal(count, 0)
    t.equal({ lazy.one, lazy.one, lazy.two }, { 1, 1 })
    t.equal(count, 1)
  end,
  ["try returns nil and the fault"] = function(t)
    local value, err = try(fault.raise, "exit", nil, { msg = "no" })
    t.equal(value, nil)
    t.equal(err.kind, "exit")
    t.equal(
      try(function()
        return 5
      end),
      5
    )
  end,
}
