local guard = require("plat.guard")
local version = require("plat.guard.version")

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

return {
  ["versions are read and ordered"] = function(t)
    local order = {
      "9",
      "10.0.0-alpha.1",
      "10-rc1",
      "10-rc2",
      "10-rc2.1",
      "10-rc2.2",
      "10-rc2.10",
      "10-rc2.a",
      "10.0",
      "v10.0.1",
      "10.4",
      "24.3.0",
    }
    for i = 2, #order do
      local a, b = version.parse(order[i - 1]), version.parse(order[i])
      t.equal({ version.compare(a, b), version.compare(b, a) }, { -1, 1 }, order[i])
    end
    t.equal(version.compare(version.parse("10"), version.parse("10.0.0")), 0)
    t.equal(version.parse("1.2+b7").pre, nil)
    for _, bad in ipairs({ "", "x", "10.", "1..2", "latest", "1.2-", "1.x", "1 2", {}, -1 }) do
      t.equal(version.parse(bad), nil)
    end
    t.equal(version.parse(("9"):rep(40)), nil)
  end,
  ["version pair: rules, and the next legal step"] = function(t)
    local rules = version.rules({ "10.x -> 10.x", "10.x -> 11.x", "11.4.x -> 12.x", "12.1->13" })
    local function pair(from, to)
      return version.decide(from, to, rules, "PostgreSQL")
    end
    yes(t, pair("10.1", "10.2"))
    yes(t, pair("10.1", "11.0"))
    yes(t, pair("11.4.9", "12"))
    yes(t, pair("12.1.0", "13.0"))
    yes(t, pair("11.1", "v11.1.0"))
    no(t, "no rule allows 10.1 %-> 12.3", "^go to 11.4.x first: 10.1 %-> 11.4.x %-> 12.3$")(
      pair("10.1", "12.3")
    )
    no(t, "", "10.1 %-> 11.4.x %-> 12.1 %-> 13$")(pair("10.1", "13"))
    no(t, "no rule allows 10.1 %-> 14", "^from 10.1 it goes to 10.x, 11.x only$")(
      pair("10.1", "14")
    )
    no(t, "", "no rule leads away from 11.3")(pair("11.3", "11.4"))
    local mixed = version.rules({ "2.x -> 1.9", "2.x -> 2.5", "2.5 -> 3.x", "3.x -> 4.1.x" })
    no(t, "", "^go to 2.5 first: 2.1 %-> 2.5 %-> 3.2$")(version.decide("2.1", "3.2", mixed, "x"))
    no(t, "", "^go to 2.5 first: 2.1 %-> 2.5 %-> 3.x %-> 4.1.7$")(
      version.decide("2.1", "4.1.7", mixed, "x")
    )
    mixed = version.rules({ "2.x -> 1.x", "1.x -> 3.x" })
    no(t, "", "^from 2.1 it goes to 1.x only$")(version.decide("2.1", "3.2", mixed, "x"))
    mixed = version.rules({ "2.x -> 1.9", "1.9 -> 3.x" })
    no(t, "", "^from 2.1 it goes to 1.9 only$")(version.decide("2.1", "3.2", mixed, "x"))
    no(t, "10.2 %-> 10.1 is a downgrade of PostgreSQL", "restore")(pair("10.2", "10.1"))
    no(t, 'the present version of PostgreSQL, "latest", is none')(pair("latest", "10"))
    no(t, "the wanted version of PostgreSQL is not known")(pair("10", nil))
  end,
  ["version pair: a function decides, but never about a downgrade"] = function(t)
    local function all()
      return true
    end
    yes(t, guard.version_pair({ from = "1", to = all and "2", allowed = all }).check())
    no(t, "downgrade")(guard.version_pair({ from = "2", to = "1", allowed = all }).check())
  end,
}
