local counter = require("plat.guard.counter")
local fault = require("plat.fault")
local fs = require("prim.fs")
local guard = require("plat.guard")
local inventory = require("plat.inventory")
local playbook = require("plat.playbook")
local time = require("plat.time")
local tz = require("plat.tz")
local calendar = require("plat.guard.calendar")
local window = require("plat.guard.window")

local ZONE = "Europe/Berlin"

local function yes(t, ok, reason)
  t.equal({ ok, reason }, { true })
end

local function no(t, want, want_hint)
  return function(ok, reason, hint)
    t.equal(ok, false)
    t.match(reason, want)
    if want_hint then
      t.match(hint, want_hint)
    end
  end
end

local function berlin(month, day, hour, min, sec)
  local civil = { year = 2026, month = month, day = day, hour = hour, min = min or 0 }
  return tz.unix(civil, ZONE) + (sec or 0)
end

--- Nights of working days in Berlin, frozen over Christmas. 2026-12-17 is a Thursday.
local function nights(more)
  local spec = {
    windows = { { days = "Mon-Fri", from = "22:00", to = "04:00" } },
    zone = ZONE,
    freeze = { { from = "2026-12-18", to = "2027-01-04", reason = "year end" } },
  }
  for key, value in pairs(more or {}) do
    spec[key] = value
  end
  return assert(calendar.new(spec))
end

local NIGHTS = [[
  change_window:
    tz: Europe/Berlin
    needs: 45m
    nights: { days: mon-fri, from: "22:00", to: "04:00" }
  freeze:
    - { from: "2026-12-18", to: "2027-01-04", reason: year end }
    - { from: 2026-12-01, to: 2026-12-02, risk: destructive }
]]

--- Loads an inventory with these lines below `platrun:`.
local function load(t, lines)
  local path = t.tmp() .. "/inv.yaml"
  assert(fs.write(path, "platrun:\n" .. lines, { mode = 420 }))
  return inventory.load(path)
end

--- A run that writes down what it was asked.
local function fake_run(inv, opts)
  local seen = {}
  local run = {
    planning = opts and opts.planning or false,
    inventory = function()
      return inv
    end,
    guard = function(_, g)
      seen[#seen + 1] = "guard " .. g.name
    end,
    confirm = function(_, text, how)
      seen[#seen + 1] = ("confirm %s: %s, %s"):format(how.name or "-", how.risk, text)
    end,
    reporter = {
      emit = function(_, name, e)
        seen[#seen + 1] = ("%s %s %s"):format(name, e.title, e.status)
      end,
    },
  }
  return run, seen
end

local function demanded(t, lines, risk, opts)
  local run, seen = fake_run(load(t, lines), opts)
  local declared = { risk = risk, summary = "Do it" }
  guard.preflight(run, declared, opts)
  guard.preflight(run, declared, opts)
  return seen, run
end

return {
  ["change window: inside, at both ends, outside"] = function(t)
    local cal = nights()
    yes(t, window.decide(cal, berlin(11, 23, 22), 0))
    yes(t, window.decide(cal, berlin(11, 24, 3, 59, 59), 0))
    no(
      t,
      "^it is Mon 2026%-11%-23 21:59 CET: outside the change window$",
      "^the next change window begins Mon 2026%-11%-23 22:00 CET %(in 1s%)$"
    )(window.decide(cal, berlin(11, 23, 21, 59, 59), 0))
    no(t, "Tue 2026%-11%-24 04:00 CET", "in 18h")(window.decide(cal, berlin(11, 24, 4), 0))
    no(t, "Sat", "Mon 2026%-11%-30 22:00")(window.decide(cal, berlin(11, 28, 5), 0))
    yes(t, window.decide(cal, berlin(11, 28, 3), 0)) -- Friday's night
  end,
  ["change window: enough of it must be left"] = function(t)
    local cal = nights()
    yes(t, window.decide(cal, berlin(11, 24, 3, 15), 2700))
    no(
      t,
      "44m59s of the change window are left, 45m are needed",
      "the next window of at least 45m begins Tue 2026%-11%-24 22:00"
    )(window.decide(cal, berlin(11, 24, 3, 15, 1), 2700))
    no(t, "are left", "window of at least 6h begins Tue 2026%-11%-24 22:00")(
      window.decide(cal, berlin(11, 24, 3), 6 * 3600)
    )
    no(t, "are left", "no window of at least 7h is within sight")(
      window.decide(cal, berlin(11, 24, 3), 7 * 3600)
    )
    local always = nights({ windows = { { days = "daily" } } })
    yes(t, window.decide(always, berlin(3, 1, 3), 9e6))
  end,
  ["change window: a freeze closes it, and the hint looks beyond"] = function(t)
    local cal = nights()
    no(
      t,
      "^changes are frozen until Tue 2027%-01%-05 00:00 CET: year end$",
      "^the next change window begins Tue 2027%-01%-05 00:00 CET"
    )(window.decide(cal, berlin(12, 18, 0), 0))
    yes(t, window.decide(cal, berlin(12, 17, 23, 59, 59), 0))
    no(t, "15m of the change window are left, 45m are needed")(
      window.decide(cal, berlin(12, 17, 23, 45), 2700)
    )
    local hours = { freeze = { { from = "2026-11-23 23:00", to = "2026-11-24 01:30" } } }
    no(t, "frozen until Tue 2026%-11%-24 01:30 CET$", "01:30 CET %(in 2h30m%)")(
      window.decide(nights(hours), berlin(11, 23, 23), 0)
    )
    local only = assert(calendar.new({ freeze = { { from = "2026-05-01", to = "2026-05-01" } } }))
    local ok, _, hint = window.decide(only, 1777593600, 0) -- 2026-05-01 00:00 UTC
    t.equal({ ok, hint }, { false })
    yes(t, window.decide(only, 1777680000, 0))
    yes(t, window.decide(only, 1777593599, 0))
  end,
  ["change window: holidays, and the changes of the clock"] = function(t)
    no(t, "outside")(window.decide(nights({ holidays = { "2026-11-23" } }), berlin(11, 23, 23), 0))
    local sundays = nights({ windows = { { days = "sun", from = "02:30", to = "03:30" } } })
    local jump = berlin(3, 29, 3) -- 02:30 is skipped
    no(t, "outside")(window.decide(sundays, jump - 1, 0))
    yes(t, window.decide(sundays, jump, 1800))
    no(t, "30m of")(window.decide(sundays, jump, 1801))
  end,
  ["change window: asked again it needs less"] = function(t)
    local real, now = time.now, 1790000000
    t.defer(function()
      time.now = real
    end)
    time.now = function()
      return now
    end
    local soon = time.date("%Y-%m-%d %H:%M", now + 3600)
    local cal = assert(calendar.new({ freeze = { { from = soon, to = "2100-01-01" } } }))
    local left = calendar.closes(cal, now) - now
    local g = window.of(cal, { needs = left })
    yes(t, g.check())
    now = now + 600
    yes(t, g.check())
    no(t, "are needed")(window.of(cal, { needs = left }).check())
  end,
  ["change window: wrong options are told"] = function(t)
    for want, opts in pairs({
      ['option "windows": windows or freeze is needed'] = {},
      ['option "windows": no window is given'] = { windows = {} },
      ['window 1: days: "mon%-fry" is not a day'] = { windows = { { days = "mon-fry" } } },
      ['window 1: unknown key "form" %(did you mean "from"'] = { windows = { { form = "1:00" } } },
      ['from: "25:00" is not a time of day'] = { windows = { { from = "25:00" } } },
      ['option "zone": unknown time zone "Europe/Berlon"'] = {
        windows = { {} },
        zone = "Europe/Berlon",
      },
      ['option "freeze": from: "soon" is not a date'] = { freeze = { { from = "soon" } } },
      ['to: "2026%-02%-30" is not a date'] = {
        freeze = { { from = "2026-02-01", to = "2026-02-30" } },
      },
      ['to: "2026%-01%-01" is not after "2026%-01%-02"'] = {
        freeze = { { from = "2026-01-02", to = "2026-01-01" } },
      },
      ['freeze: unknown key "why"'] = { freeze = { { why = "x" } } },
      ['to: "2026%-02%-01 24:01" is not a date'] = {
        freeze = { { from = "2026-01-02", to = "2026-02-01 24:01" } },
      },
      ['to: "2026%-02%-01 12:60" is not a date'] = {
        freeze = { { from = "2026-01-02", to = "2026-02-01 12:60" } },
      },
      ['to: "2026%-02%-01Z" is not a date'] = {
        freeze = { { from = "2026-01-02", to = "2026-02-01Z" } },
      },
      ["a list of"] = { freeze = { from = "2026-01-02" } },
      ['option "needs"'] = { windows = { {} }, needs = "long" },
    }) do
      local err = t.fails("usage", guard.change_window, opts)
      t.match(fault.text(err), want)
    end
  end,

  ["an inventory says when it may be changed"] = function(t)
    local function at(risk, now)
      local services = load(t, NIGHTS).services
      local cal, needs = require("plat.inventory.policy").calendar(services, risk)
      return window.decide(cal, now, needs)
    end
    yes(t, at("destructive", berlin(11, 23, 22)))
    no(t, "outside")(at("destructive", berlin(11, 23, 12)))
    yes(t, at("disruptive", berlin(11, 23, 12))) -- only what is destructive needs the window
    no(t, "frozen until Tue 2027%-01%-05 00:00 CET: year end")(at("disruptive", berlin(12, 18, 22)))
    yes(t, at("disruptive", berlin(12, 1, 22)))
    no(t, "frozen until Thu 2026%-12%-03 00:00 CET")(at("destructive", berlin(12, 1, 22)))
    no(t, "30m of the change window are left, 45m")(at("destructive", berlin(11, 24, 3, 30)))
  end,
  ["the example in inventory/production is right"] = function(t)
    local text = assert(fs.read("inventory/production/platform.yaml"))
    local block = text:match("(\n  # change_window:.-\n)  # approvals:")
    local services = load(t, (block:gsub("\n  # ", "\n  "):gsub("%s+# [^\n]*", ""))).services
    t.equal({ services.change_window.needs, #services.freeze }, { "45m", 2 })
  end,
  ["an inventory's window and freeze are checked, with the line"] = function(t)
    for want, lines in pairs({
      ["inv.yaml:2: change_window: no window is given"] = "  change_window: {}\n",
      ["inv.yaml:4: change_window: nights: days:"] = "  change_window:\n    needs: 1h\n"
        .. "    nights: {days: someday}\n",
      ["change_window: nights: from: write the time in quotes"] = "  change_window:\n"
        .. "    nights: {from: 22:00}\n",
      ['inv.yaml:3: change_window: needs: "long"'] = "  change_window:\n    needs: long\n",
      ['risk: "safe" is none of disruptive, destructive'] = "  change_window: {risk: safe}\n",
      ['inv.yaml:2: change_window: tz: unknown time zone "Mars"'] = "  change_window: "
        .. "{tz: Mars, n: {days: mon}}\n",
      ['unknown key "need" %(did you mean "needs"'] = "  change_window: {need: 45m}\n",
      ["inv.yaml:2: freeze: expected a list"] = "  freeze: {from: 2026-12-18}\n",
      ['inv.yaml:3: freeze: to: "null" is not a date'] = "  freeze:\n"
        .. "    - {to: , from: 2026-12-18}\n",
      ['freeze: unknown key "until"'] = "  freeze: [{until: 2026-12-18}]\n",
    }) do
      t.match(fault.text(t.fails("parse", load, t, lines)), want)
    end
  end,
  ["production is protected unless it says otherwise"] = function(t)
    t.equal(load(t, "  environment: Production\n").protected, true)
    t.equal(load(t, "  environment: production\n  protected: false\n").protected, false)
    t.equal(load(t, "  environment: staging\n").protected, false)
    t.equal(inventory.sandbox().protected, false)
  end,
  ["preflight: what each risk has to pass"] = function(t)
    local production = "  environment: production\n"
    t.equal(demanded(t, production .. NIGHTS, "safe"), {})
    t.equal(demanded(t, production, "disruptive"), {
      "confirm production: disruptive, Do it (disruptive) on production",
    })
    t.equal(demanded(t, production .. NIGHTS, "destructive"), {
      "guard change-window",
      "guard protected",
      "confirm production: destructive, Do it (destructive) on production",
    })
    t.equal(demanded(t, "  environment: staging\n", "destructive"), {})
    t.equal(demanded(t, "  environment: staging\n" .. NIGHTS, "disruptive"), {
      "guard change-window", -- the freeze
    })
    t.equal(demanded(t, "  sandbox: true\n  environment: sandbox\n", "destructive"), {})
    t.equal(#demanded(t, "  sandbox: true\n  protected: true\n", "destructive"), 2)
  end,
  ["preflight: the question may wait for the first change"] = function(t)
    local seen, run = demanded(t, "  environment: production\n", "disruptive", { ask = false })
    t.equal(seen, {})
    guard.ask(run, { risk = "disruptive", summary = "Do it" })
    guard.ask(run, { risk = "disruptive", summary = "Do it" })
    t.equal(#seen, 1)
  end,
  ["preflight: a plan lists and refuses nothing"] = function(t)
    local seen = demanded(t, "  environment: prod\n", "destructive", { planning = true })
    t.equal(seen, {
      "plan_guard protected refused",
      "confirm prod: destructive, Do it (destructive) on prod",
    })
  end,
  ["protected: destructive risk needs a window, and some things are never for it"] = function(t)
    local cluster = { environment = "production", protected = true }
    no(t, "production is protected and declares no change window", "change_window")(
      guard.protected({ cluster = cluster }).check()
    )
    yes(t, guard.protected({ cluster = cluster, window = true }).check())
    yes(t, guard.protected({ cluster = cluster, risk = "disruptive" }).check())
    no(t, "not made for it", "-i")(
      guard.protected({ cluster = cluster, risk = "safe", forbid = true }).check()
    )
    yes(t, guard.protected({ cluster = { protected = false }, forbid = true }).check())
    no(t, "nobody knows")(guard.protected({ cluster = {} }).check())
    t.fails('option "risk"', guard.protected, { cluster = cluster, risk = "high" })
  end,

  ["counter: refuses before the limit is passed, and counts each thing once"] = function(t)
    local c = guard.counter({ hosts = "50%", clusters = 1, deletions = 2 }, { all = { hosts = 4 } })
    for _, target in ipairs({ "host a", "host b", "host a", "cluster x", "localhost" }) do
      c:touch(target)
    end
    local err = t.fails("refused", c.touch, c, "host c")
    t.equal(err.msg, "host c would be host 3 that is touched, at most 2 (50 %) may be")
    t.match(err.hint, "%-%-override blast%-radius %-%-reason TEXT")
    t.fails("cluster y would be cluster 2", c.touch, c, "cluster y")
    local change = { op = "k8s.delete", target = "cluster x", object = "pod web/a" }
    c:change(change)
    c:change(change)
    c:change({ op = "k8s.scale", target = "cluster x", object = "pod web/b" })
    c:delete("cluster x: pod web/b")
    change.object = "pod web/c"
    t.fails("pod web/c would be object 3 that is deleted, at most 2", c.change, c, change)
    t.equal(c.count, { hosts = 2, clusters = 1, deletions = 2 })
  end,
  ["counter: what is not limited passes, what is not known refuses"] = function(t)
    local c = guard.counter({ deletions = 0 })
    c:touch("host a")
    t.fails("at most 0 may be", c.delete, c, "x")
    c = guard.counter({ hosts = "25%" })
    t.fails("nobody knows how many hosts there are: 25 %% of them", c.touch, c, "host a")
    c = guard.counter({ hosts = "25%" }, { all = { hosts = 0 } })
    t.fails("nobody knows how many hosts", c.touch, c, "host a")
    c = guard.counter({ hosts = "25%" }, {
      all = {
        hosts = function()
          return 1
        end,
      },
    })
    c:touch("host a") -- one is always allowed
    t.fails("at most 1", c.touch, c, "host b")
  end,
  ["counter: an override lets pass and is told once"] = function(t)
    local told = {}
    local c = guard.counter({ deletions = 1 }, {
      override = "ticket 12",
      on_override = function(reason, why)
        told[#told + 1] = why .. ": " .. reason
      end,
    })
    for _, name in ipairs({ "a", "b", "c" }) do
      c:delete(name)
    end
    t.equal(told, { "ticket 12: b would be object 2 that is deleted, at most 1 may be" })
  end,
  ["counter: a resumed run goes on counting"] = function(t)
    local c = guard.counter({ deletions = 1 })
    local before = { { op = "k8s.delete", target = "cluster x", object = "a" } }
    before[2] = { op = "k8s.delete", target = "cluster x", object = "b" }
    c:load(before) -- more than allowed: what has happened is not refused
    c:change(before[1]) -- settled again
    t.equal(c.count.deletions, 2)
    t.fails("object 3", c.delete, c, "c")
  end,
  ["a playbook declares limits"] = function(t)
    local path = t.tmp() .. "/x.lua"
    local function declare(limits)
      local text = 'return { summary = "x", risk = "safe",\nlimits = %s, run = function() end }'
      assert(fs.write(path, text:format(limits), { mode = 420 }))
      return playbook.load(path)
    end
    t.equal(declare('{ hosts = "25%", deletions = 10 }').limits, { hosts = "25%", deletions = 10 })
    for want, limits in pairs({
      ['x.lua:2: field "limits": write limits ='] = "{}",
      ['unknown limit "host" %(did you mean "hosts"%?%)'] = "{ host = 1 }",
      ['hosts: a number or a share such as "25%%" is needed'] = '{ hosts = "some" }',
      ["deletions: a number is needed"] = '{ deletions = "5%" }',
      ["clusters: a number"] = "{ clusters = -1 }",
    }) do
      t.match(fault.text(t.fails("parse", declare, limits)), want)
    end
    t.equal(counter.problem(7), 'write limits = { hosts = "25%", deletions = 10 }')
    t.fails("usage", guard.counter, { hosts = 1.5 })
  end,
}
