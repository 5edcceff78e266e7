local fault = require("plat.fault")
local fs = require("prim.fs")
local rules = require("plat.tz.rule")
local time = require("plat.time")
local tz = require("plat.tz")

local function at(y, m, d, h, min)
  return { year = y, month = m, day = d, hour = h, min = min }
end

local function wall(t, zone)
  local c = tz.civil(t, zone)
  return ("%04d-%02d-%02d %02d:%02d %s"):format(c.year, c.month, c.day, c.hour, c.min, c.abbr)
end

return {
  ["days and dates are inverse over 800 years"] = function(t)
    for day = -150000, 150000, 37 do
      t.equal(tz.days(tz.date(day)), day)
    end
    t.equal({ tz.date(0) }, { 1970, 1, 1 })
    t.equal({ tz.date(tz.days(2024, 2, 29)) }, { 2024, 2, 29 })
    t.equal({ tz.date(tz.days(2024, 14, 1)) }, { 2025, 2, 1 }, "months over the year")
  end,

  ["Berlin changes its clock at 01:00 UTC"] = function(t)
    local spring = tz.unix(at(2026, 3, 29, 1, 0), "UTC")
    t.equal(wall(spring - 60, "Europe/Berlin"), "2026-03-29 01:59 CET")
    t.equal(wall(spring, "Europe/Berlin"), "2026-03-29 03:00 CEST")
    local autumn = tz.unix(at(2026, 10, 25, 1, 0), "UTC")
    t.equal(wall(autumn - 60, "Europe/Berlin"), "2026-10-25 02:59 CEST")
    t.equal(wall(autumn, "Europe/Berlin"), "2026-10-25 02:00 CET")
  end,

  ["a skipped local time is the moment of the jump"] = function(t)
    local unix, special = tz.unix(at(2026, 3, 29, 2, 30), "Europe/Berlin")
    t.equal({ unix, special }, { tz.unix(at(2026, 3, 29, 1, 0), "UTC"), "gap" })
  end,

  ["a local time that happens twice is its first time"] = function(t)
    local unix, special = tz.unix(at(2026, 10, 25, 2, 30), "Europe/Berlin")
    t.equal({ unix, special }, { tz.unix(at(2026, 10, 25, 0, 30), "UTC"), "overlap" })
  end,

  ["years after the table follow the rule of the footer"] = function(t)
    t.equal(wall(tz.unix(at(2090, 7, 1, 12, 0), "UTC"), "Europe/Berlin"), "2090-07-01 14:00 CEST")
    t.equal(
      wall(tz.unix(at(2090, 1, 1, 12, 0), "UTC"), "Australia/Sydney"),
      "2090-01-01 23:00 AEDT"
    )
  end,

  ["every minute around the changes goes there and back"] = function(t)
    for _, zone in ipairs({ "Europe/Berlin", "America/New_York", "Australia/Lord_Howe" }) do
      for _, month in ipairs({ 3, 4, 10, 11 }) do
        local from = tz.unix(at(2027, month, 1, 0, 0), "UTC")
        for unix = from, from + 31 * 86400, 1800 do
          local back, special = tz.unix(tz.civil(unix, zone), zone)
          t.ok(
            back == unix
              or special == "overlap" and back == unix - 3600
              or special == "overlap" and back == unix - 1800,
            zone .. " " .. unix
          )
        end
      end
    end
  end,

  ["POSIX rules in all their forms"] = function(t)
    local rule = rules.parse("<-03>3<-02>,M3.5.0/-2,M10.5.0/-1")
    t.equal(rule.std, { offset = -10800, dst = false, abbr = "-03" })
    t.equal(rule.dst.offset, -7200)
    t.equal(rule.from.time, -7200)
    t.equal(rules.parse("EST5EDT,J60/2:30,300").from, { day = 60, skip_leap = true, time = 9000 })
    t.equal(rules.parse("IST-5:30").std.offset, 19800)
    for _, bad in ipairs({
      "",
      "X",
      "CET",
      "CET-1CEST",
      "CET-1CEST,M3.5.0",
      "CET-1CEST,M3.5.0,M10.5.0x",
    }) do
      t.equal(rules.parse(bad), nil, bad)
    end
  end,

  ["damaged files are refused"] = function(t)
    local good = fs.read("/usr/share/zoneinfo/Europe/Berlin")
    t.ok(tz.parse(good))
    for size = 0, #good - 40, 13 do
      local zone, problem = tz.parse(good:sub(1, size))
      t.ok(not zone and problem or zone, "size " .. size)
    end
    t.equal({ tz.parse("TZif2" .. ("x"):rep(50)) }, { nil, "is cut short" })
    t.equal({ tz.parse("hello") }, { nil, "is not a TZif file" })
  end,

  ["unknown zones suggest, and no name leaves the folder"] = function(t)
    local err = t.fails("usage", function()
      tz.load("Europe/Berln")
    end)
    t.equal(err.msg, 'unknown time zone "Europe/Berln" (did you mean "Europe/Berlin"?)')
    for _, name in ipairs({ "../etc/passwd", "/etc/passwd", "", "Europe/", "a//b", "Europe" }) do
      t.ok(not fault.try(tz.load, name), name)
    end
  end,

  ["RFC 3339 there and back"] = function(t)
    t.equal(time.rfc3339(0), "1970-01-01T00:00:00Z")
    t.equal(time.rfc3339(1774746000, "Europe/Berlin"), "2026-03-29T03:00:00+02:00")
    t.equal(time.parse_rfc3339("2026-03-29T03:00:00+02:00"), 1774746000)
    t.equal(time.parse_rfc3339("2026-03-29T01:00:00.250Z"), 1774746000.25)
    for _, bad in ipairs({
      "2026-02-30T00:00:00Z",
      "2026-01-01T24:00:00Z",
      "2026-01-01T00:00:00",
      "x",
    }) do
      t.equal(time.parse_rfc3339(bad), nil, bad)
    end
  end,

  ["os.date and os.time speak UTC"] = function(t)
    t.equal(time.date("%Y-%m-%d %H:%M:%S", 1774746000), "2026-03-29 01:00:00")
    t.equal(time.date("!%c", 0), "Thu Jan 01 00:00:00 1970")
    t.equal(
      time.date("%F %T %j %a %A %b %B %y %% %D %R", 1774746061),
      "2026-03-29 01:01:01 088 Sun Sunday Mar March 26 % 03/29/26 01:01"
    )
    local c = time.date("*t", 1774746000)
    t.equal(
      { c.year, c.month, c.day, c.hour, c.wday, c.yday, c.isdst },
      { 2026, 3, 29, 1, 1, 88, false }
    )
    t.equal(time.from_civil({ year = 2026, month = 3, day = 29, hour = 1 }), 1774746000)
    t.equal(time.from_civil({ year = 2026, month = 3, day = 29 }), 1774746000 + 11 * 3600)
    t.fails("invalid conversion specifier '%%Q'", function()
      time.date("%Q", 0)
    end)
    t.fails("field 'day' is missing", function()
      time.from_civil({ year = 2026, month = 3 })
    end)
  end,

  ["lengths of time for people"] = function(t)
    local want = {
      [0] = "0s",
      [0.25] = "0.2s",
      [59] = "59s",
      [60] = "1m",
      [125] = "2m05s",
      [7500] = "2h05m",
      [90000] = "1d1h",
    }
    for seconds, text in pairs(want) do
      t.equal(time.human(seconds), text)
    end
  end,
}
