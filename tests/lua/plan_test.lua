--- Plans: what they know, what they leave open, and what a run may do that was planned.
local compose = require("plat.k8s.compose")
local expect = require("plat.effect.expect")
local json = require("plat.json")
local list = require("plat.list")
local planner = require("plat.effect.plan")
local saved = require("plat.effect.saved")
local selector = require("plat.k8s.selector")
local stale = require("plat.effect.stale")
local task = require("plat.task")
local unknown = require("plat.effect.unknown")

local function new_plan()
  return planner.new(function() end, function() end)
end

local function change(step, object, more)
  return list.merge({
    key = step .. object,
    step = step,
    op = "x.set",
    target = "thing",
    object = object,
    text = "set " .. object,
    args = { n = 1 },
    recovery = "repeatable",
    predict = function()
      return { status = 200 }
    end,
  }, more or {})
end

--- Calls a function as a step's body; returns the fault that ended it.
local function body(plan, key, fn)
  plan:step({ key = key, title = key })
  local ok, err = pcall(task.with_context, { key = key }, fn)
  return not ok and err or nil
end

local function line(step, object, more)
  return list.merge({
    class = "will",
    sure = true,
    step = step,
    op = "x.set",
    target = "thing",
    object = object,
    text = "set " .. object,
    args = { n = 1 },
  }, more or {})
end

local function expecting(lines, more)
  return expect.new(list.merge({ lines = lines, kept = {}, open = {} }, more or {}))
end

return {
  ["an unknown value may be had, not looked into"] = function(t)
    local looks = 0
    local value = unknown.new(function()
      looks = looks + 1
      error("looked", 0)
    end)
    t.ok(unknown.is(value) and value ~= nil and value ~= 1)
    local ways = {
      function()
        return value.field
      end,
      function()
        return value()
      end,
      function()
        return #value
      end,
      function()
        return value .. ""
      end,
      function()
        return value + 1
      end,
      function()
        return value < 1
      end,
      function()
        return value == {}
      end,
      function()
        return tostring(value)
      end,
      function()
        return pairs(value)
      end,
      function()
        return list.map({ 1 }, function()
          return ipairs(value)(value, 0)
        end)
      end,
      function()
        return json.encode({ deep = { value } })
      end,
      function()
        value.field = 1
      end,
    }
    for i, way in ipairs(ways) do
      local ok, err = pcall(way)
      t.ok(not ok, "way " .. i)
      t.match(tostring(err.msg or err), "looked")
    end
    t.equal(looks, #ways)
  end,

  ["veiled fields end the body, the others stay"] = function(t)
    local meta = unknown.veil({ name = "x", uid = "u" }, { "uid" }, function(field)
      error("veiled " .. field, 0)
    end)
    t.equal(meta.name, "x")
    t.equal(meta.other, nil)
    t.equal(unknown.peek(meta, "uid"), "u")
    local ok, err = pcall(function()
      return meta.uid
    end)
    t.equal({ ok, err }, { false, "veiled uid" })
  end,

  ["behind an early end nothing is certain"] = function(t)
    local plan = new_plan()
    local err = body(plan, "first", function()
      plan:change(change("first", "a", { predict = false }))
    end)
    t.ok(err.plan_end)
    body(plan, "second", function()
      plan:change(change("second", "b"))
    end)
    t.equal(plan.lines[1].class, "opaque")
    t.equal(plan.lines[2].class, "maybe")
    t.equal(plan.open[1].step, "first")
    local count = plan:count()
    t.equal({ count.will, count.maybe, count.opaque, count.open }, { 0, 2, 1, 1 })
    t.equal(count.coverage, 0.0)
  end,

  ["outside of steps the whole plan ends"] = function(t)
    local plan = new_plan()
    local ok, err = pcall(plan.cut, plan, "why")
    t.ok(not ok and err.plan_stop and not err.plan_end)
    t.equal(err.kind, "cancelled")
  end,

  ["what rests on a guess is maybe, in its body and behind its value"] = function(t)
    local plan = new_plan()
    body(plan, "a", function()
      local guess = change("a", "x", { predict = false, planned = { ok = true } })
      t.equal(plan:change(guess), { ok = true })
      plan:change(change("a", "y"))
    end)
    body(plan, "b", function()
      plan:change(change("b", "z"))
    end)
    plan:returned("a")
    body(plan, "c", function()
      plan:change(change("c", "z"))
    end)
    local classes = list.map(plan.lines, function(one)
      return one.class
    end)
    t.equal(classes, { "opaque", "maybe", "will", "maybe" })
  end,

  ["an opaque change makes its target unknown, a bounded one its object"] = function(t)
    local plan = new_plan()
    body(plan, "a", function()
      plan:change(change("a", "x", {
        predict = function()
          return nil, true
        end,
      }))
    end)
    t.equal(plan.lines[1].class, "will")
    local function ends(object)
      return body(plan, "b", function()
        plan:before_read({ target = "thing", object = object })
      end) ~= nil
    end
    t.equal({ ends("x"), ends("y") }, { true, false })
    body(plan, "c", function()
      plan:change(change("c", "y", { predict = false, veiled = true }))
    end)
    t.equal({ ends("x"), ends("z") }, { true, true })
    plan:glance(plan.before_read, plan, { target = "thing", object = "z" })
  end,

  ["patches compose as the server does it"] = function(t)
    local object = json.decode('{"data":{"a":"1","b":"2"},"list":[1,2]}')
    local merged = compose.patched(object, { data = { a = json.null, c = "3" } }, "merge")
    t.equal(merged.data, { b = "2", c = "3" })
    t.equal(object.data, { a = "1", b = "2" }, "the object itself")
    local ops = json.decode([[ [{"op":"test","path":"/data/a","value":"1"},
      {"op":"add","path":"/list/-","value":3}, {"op":"remove","path":"/list/0"},
      {"op":"replace","path":"/data/a","value":"x"},
      {"op":"move","from":"/data/b","path":"/data/z"},
      {"op":"copy","from":"/data/z","path":"/data/y~1y"}] ]])
    local patched = compose.patched(object, ops, "json")
    t.equal(patched.list, { 2, 3 })
    t.equal(patched.data, { a = "x", z = "2", ["y/y"] = "2" })
    local wrong = json.decode('[{"op":"test","path":"/data/a","value":"9"}]')
    t.equal(compose.patched(object, wrong, "json"), nil)
    for _, path in ipairs({ "/list/-1", "/list/x", "/list/3", "/none/a" }) do
      local add = { { op = "add", path = path, value = 9 } }
      t.equal(compose.patched(object, add, "json"), nil, path)
    end
    t.ok(compose.patched(object, { data = { a = "5" } }, "strategic"))
    t.equal(compose.patched(object, { list = { 5 } }, "strategic"), nil)
    t.ok(compose.covers({ a = { b = 1, c = 2 } }, { a = { b = 5 } }))
    t.ok(not compose.covers({ a = { c = 2 } }, { a = { b = 5 } }))
  end,

  ["selectors"] = function(t)
    local labels = { app = "web", tier = "a" }
    local cases = {
      { nil, true },
      { "app=web", true },
      { "app==web,tier!=b", true },
      { "app=db", false },
      { "tier in (a, b)", true },
      { "tier notin (a,b)", false },
      { "app,!other", true },
      { "other", false },
      { "what is this?", nil },
    }
    for _, case in ipairs(cases) do
      t.equal(selector.labels(case[1], labels), case[2], tostring(case[1]))
    end
    local object = { metadata = { name = "x", namespace = "n" } }
    t.equal(selector.fields("metadata.name=x,metadata.namespace!=m", object), true)
    t.equal(selector.fields("metadata.name!=x", object), false)
    t.equal(selector.fields("status.phase=Running", object), nil)
  end,

  ["each change takes its line, in the order of its step"] = function(t)
    local e = expecting({ line("s", "a"), line("s", "b"), line("t", "c") })
    e:change(change("t", "c"))
    local err = t.fails("refused", e.change, e, change("s", "b"))
    t.match(err.msg, "not as planned: set b: it comes before what the plan has first")
    e:change(change("s", "a"))
    e:change(change("s", "b"))
    e:finish()
    t.fails("the plan does not have it", e.change, e, change("s", "b"))
  end,

  ["a later process of the run is held to what is left of the plan"] = function(t)
    local lines = { line("s", "a"), line("s", "b"), line("t", "c") }
    local function intent(n, step, object, outcome)
      local c = list.merge(change(step, object), { n = n, key = step .. object })
      return { intent = c, outcome = outcome and { outcome = outcome } }
    end
    local e = expecting(lines)
    e:resume({
      x = intent(9, "s", "b"), -- nobody knows what came of it
      y = intent(5, "s", "a", "done"),
      z = intent(7, "s", "b", "failed"),
    })
    e:change(list.merge(change("s", "b"), { key = "sb" })) -- settled by doing it again
    t.fails("the run did not set c", e.finish, e)
    t.fails("not as planned", e.change, e, list.merge(change("s", "a"), { key = "other" }))
    e:change(change("t", "c"))
    e:finish()
  end,

  ["tasks beside a body may come in any order, but not at one object"] = function(t)
    local beside = { beside = true }
    local e = expecting({
      line("s", "a", beside),
      line("s", "b", beside),
      line("s", "b", { beside = true, args = { n = 2 } }),
    })
    t.fails("not as planned", e.change, e, change("s", "b", { args = { n = 2 } }))
    e:change(change("s", "b"))
    e:change(change("s", "a"))
    e:change(change("s", "b", { args = { n = 2 } }))
    e:finish()
  end,

  ["other arguments are named; what is maybe may have them, or be left out"] = function(t)
    local e = expecting({ line("s", "a"), line("s", "b", { class = "maybe", sure = false }) })
    local other = { args = { n = 5 } }
    local err = t.fails("refused", e.change, e, change("s", "a", other))
    t.match(err.msg, "n is 5, and the plan has 1")
    e:change(change("s", "a"))
    e:finish()
    e:change(change("s", "b", other))
  end,

  ["a change that did not happen gives its line back; an undo needs none"] = function(t)
    local e = expecting({ line("s", "a") })
    local first = change("s", "a")
    e:change(first)
    e:failed(first)
    e:change(change("s", "a", { key = "again" }))
    e:change(change("undo:s|restore|1", "zzz"))
    e:finish()
    t.fails("refused", e.change, e, first)
  end,

  ["a change that was certain and is not made is told"] = function(t)
    local e = expecting({ line("s", "a"), line("s", "b", { class = "opaque", sure = false }) })
    local err = t.fails("failed", e.finish, e)
    t.match(err.msg, "the run did not set a")
  end,

  ["behind an early end nothing is allowed"] = function(t)
    local e = expecting({}, { open = { { step = "s", why = "of that" } } })
    local err = t.fails("refused", e.change, e, change("s", "a"))
    t.match(err.msg, "it ends early there %(of that%)")
  end,

  ["kept values are compared, then and now"] = function(t)
    local e = expecting({}, { kept = { { name = "before", value = { n = 3 } } } })
    e:keep("before", { n = 3 })
    local err = t.fails("refused", e.keep, e, "before", { n = 4 })
    t.match(err.msg, "^n: 3 when the plan was made, 4 now$")
    t.fails("the plan did not read it", e.keep, e, "other", 1)
  end,

  ["a wrong guess does not pass"] = function(t)
    local plan = new_plan()
    body(plan, "s", function()
      plan:change(change("s", "x", { predict = false, planned = 1 }))
      plan:change(change("s", "y"))
    end)
    local lines = list.map(plan.lines, function(one)
      return line("s", one.change.object, { class = one.class, sure = one.sure })
    end)
    local e = expecting(lines)
    e:change(change("s", "x"))
    t.fails("the plan does not have it", e.change, e, change("s", "z"))
  end,

  ["what has changed is told by the fact behind it"] = function(t)
    local function doc(before, n)
      local diff = { { path = "spec.replicas", before = before, after = n } }
      return saved.plain({
        args = { n = 1 },
        playbook = { sha256 = "p" },
        sandbox = true,
        inventory = { files = json.array({}) },
        kept = json.array({}),
        open = json.array({}),
        lines = { line("s", "web", { args = { n = n }, diff = diff }) },
      })
    end
    t.equal(stale.fact(doc(3, 5), doc(3, 5)), nil)
    t.equal(stale.fact(doc(3, 5), doc(4, 5)), "web spec.replicas: 3 when the plan was made, 4 now")
    t.match(stale.fact(doc(3, 5), doc(3, 6)), "^n of x.set web: 5 when")
    local less = doc(3, 5)
    less.lines = json.array({})
    t.match(stale.fact(doc(3, 5), less), "it would not set web now")
    t.match(stale.fact(less, doc(3, 5)), "it would also set web now")
  end,
}
