local schedule = require("plat.schedule")
local tz = require("plat.tz")

local ZONE = "Europe/Berlin"
local OFFICE = {
  tz = ZONE,
  business = { days = "mon-fri", from = "07:30", to = "20:00", executors = 6 },
  otherwise = 2,
}

local BAD_DAY = 'business: days: "mon-fry" is not a day or a range of days '
  .. "(mon tue wed thu fri sat sun)"

local function berlin(y, m, d, h, min)
  return (tz.unix({ year = y, month = m, day = d, hour = h, min = min }, ZONE))
end

--- Counts the changes from one instant to another by next_change().
local function changes(spec, from, to)
  local list = {}
  local at, value = schedule.next_change(spec, from)
  while at and at < to do
    list[#list + 1] = { at, value }
    at, value = schedule.next_change(spec, at)
  end
  return list
end

return {
  ["a number is the same at all times"] = function(t)
    t.equal({ schedule.value(4, 0) }, { 4, "otherwise" })
    t.equal(schedule.next_change(4, 0), nil)
  end,

  ["office hours begin and end to the second"] = function(t)
    local seven = berlin(2026, 11, 23, 7, 30) -- a Monday
    t.equal({ schedule.value(OFFICE, seven - 1) }, { 2, "otherwise" })
    t.equal({ schedule.value(OFFICE, seven) }, { 6, "business" })
    t.equal(schedule.value(OFFICE, berlin(2026, 11, 23, 20, 0) - 1), 6)
    t.equal(schedule.value(OFFICE, berlin(2026, 11, 23, 20, 0)), 2)
    t.equal(schedule.value(OFFICE, berlin(2026, 11, 22, 12, 0)), 2, "Sunday")
  end,

  ["the next change passes over the weekend"] = function(t)
    local friday = berlin(2026, 11, 20, 20, 0)
    t.equal({ schedule.next_change(OFFICE, friday) }, { berlin(2026, 11, 23, 7, 30), 6 })
    t.equal({ schedule.next_change(OFFICE, friday - 1) }, { friday, 2 })
  end,

  ["a night window belongs to the day it begins on"] = function(t)
    local spec = {
      tz = ZONE,
      load = { days = "fri", from = "22:00", to = "04:00", executors = 9 },
      otherwise = 3,
    }
    t.equal(schedule.value(spec, berlin(2026, 11, 20, 23, 0)), 9)
    t.equal(schedule.value(spec, berlin(2026, 11, 21, 3, 59)), 9, "Saturday morning")
    t.equal(schedule.value(spec, berlin(2026, 11, 21, 4, 0)), 3)
    t.equal(schedule.value(spec, berlin(2026, 11, 20, 3, 0)), 3, "Friday morning")
  end,

  ["of two windows the larger number holds"] = function(t)
    local spec = {
      day = { from = "06:00", to = "18:00", executors = 4 },
      month_end = { days = { "tue", "sat-mon" }, from = "10:00", to = "11:00", executors = 8 },
      low = { from = "09:00", to = "12:00", executors = 1 },
      otherwise = 2,
    }
    local tuesday = tz.unix({ year = 2026, month = 11, day = 24 }, "UTC")
    t.equal(schedule.value(spec, tuesday + 9.5 * 3600), 4)
    t.equal({ schedule.value(spec, tuesday + 10.5 * 3600) }, { 8, "month_end" })
    t.equal(schedule.value(spec, tuesday + 86400 + 10.5 * 3600), 4, "not on Wednesday")
  end,

  ["no window begins on a holiday"] = function(t)
    local spec = {
      tz = ZONE,
      business = OFFICE.business,
      holidays = { "2026-12-25" },
      otherwise = 2,
    }
    t.equal(schedule.value(spec, berlin(2026, 12, 25, 12, 0)), 2, "a Friday")
    t.equal(schedule.value(spec, berlin(2026, 12, 24, 12, 0)), 6)
    t.equal(schedule.next_change(spec, berlin(2026, 12, 24, 20, 0)), berlin(2026, 12, 28, 7, 30))
  end,

  ["no window begins or ends twice when the clock changes"] = function(t)
    local spec = {
      tz = ZONE,
      night = { from = "02:30", to = "02:45", executors = 9 },
      morning = { from = "02:45", to = "06:00", executors = 5 },
      otherwise = 2,
    }
    local spring, autumn = berlin(2026, 3, 29, 0, 0), berlin(2026, 10, 25, 0, 0)
    t.equal(#changes(spec, autumn, autumn + 25 * 3600), 3)
    t.equal(changes(spec, spring, spring + 23 * 3600), {
      { berlin(2026, 3, 29, 3, 0), 5 }, -- 02:30 to 02:45 does not exist on this day
      { berlin(2026, 3, 29, 6, 0), 2 },
    })
    t.equal(#changes(OFFICE, spring - 86400 * 6, spring + 86400 * 8), 20)
    local monday = berlin(2026, 3, 30, 7, 30)
    t.equal(schedule.next_change(OFFICE, berlin(2026, 3, 27, 20, 0)), monday)
    t.equal(monday - berlin(2026, 3, 27, 7, 30), 3 * 86400 - 3600)
  end,

  ["24:00 and whole days"] = function(t)
    local spec = { all = { days = "sat,sun", executors = 1 }, otherwise = 5 }
    local saturday = tz.unix({ year = 2026, month = 11, day = 21 }, "UTC")
    t.equal({ schedule.next_change(spec, saturday - 60) }, { saturday, 1 })
    t.equal({ schedule.next_change(spec, saturday) }, { saturday + 2 * 86400, 5 })
    local evening = { late = { from = "22:00", to = "24:00", executors = 1 }, otherwise = 5 }
    t.equal(schedule.value(evening, saturday + 86399), 1)
    t.equal(schedule.value(evening, saturday + 86400), 5)
  end,

  ["a schedule that never changes has no next change"] = function(t)
    t.equal(schedule.next_change({ all = { executors = 5 }, otherwise = 5 }, 0), nil)
  end,

  ["wrong specs say what is wrong"] = function(t)
    local function problem(window, rest)
      local spec = { business = window, otherwise = 2 }
      for key, value in pairs(rest or {}) do
        spec[key] = value
      end
      return schedule.problem(spec)
    end
    t.equal(problem({ executors = 1 }), nil)
    local cases = {
      ['business: unknown key "form" (did you mean "from"?)'] = {
        { executors = 1, form = "08:00" },
      },
      ["business: executors: expected a number that is not negative, got nil"] = { {} },
      ['business: to: write the time in quotes, like "07:30"'] = { { executors = 1, to = 1200 } },
      ['business: from: "25:00" is not a time of day, like "07:30"'] = {
        { executors = 1, from = "25:00" },
      },
      [BAD_DAY] = {
        { executors = 1, days = "mon-fry" },
      },
      ["business: from, to: the window is empty; leave both out for whole days"] = {
        { executors = 1, from = "08:00", to = "08:00" },
      },
      ['tz: unknown time zone "Europe/Berln" (did you mean "Europe/Berlin"?)'] = {
        { executors = 1 },
        { tz = "Europe/Berln" },
      },
      ['unknown key "holiday" (did you mean "holidays"?)'] = { { executors = 1 }, { holiday = 1 } },
      ['holidays: "2026-02-30" is not a date, like "2026-12-25"'] = {
        { executors = 1 },
        { holidays = { "2026-02-30" } },
      },
      ['otherwise: expected a number that is not negative, got "two"'] = {
        { executors = 1 },
        { otherwise = "two" },
      },
    }
    for text, case in pairs(cases) do
      t.equal(problem(case[1], case[2]), text)
    end
    t.equal(schedule.problem(-1), "executors: expected a number that is not negative, got -1")
    t.equal(schedule.problem({ otherwise = 2 }), "no window is given; a plain number would do")
    t.fails("usage", function()
      schedule.value("six", 0)
    end)
  end,

  ["the number may have another name"] = function(t)
    local spec = { day = { from = "08:00", to = "18:00", replicas = 4 }, otherwise = 1 }
    t.equal(schedule.value(spec, 12 * 3600, "replicas"), 4)
    t.ok(schedule.problem(spec):find('unknown key "replicas"', 1, true))
  end,
}
