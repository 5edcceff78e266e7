local fault = require("plat.fault")
local fs = require("prim.fs")
local help = load(assert(fs.read("tests/lua/rollout_help.lua")), "@rollout_help.lua")()
local list = require("plat.list")
local report = require("plat.run.hosts.report")
local task = require("plat.task")

local function hosts(n)
  local found = {}
  for i = 1, n do
    found[i] = { name = "h" .. i }
  end
  return found
end

local function unreachable(host)
  fault.raise("connect", { op = "ssh", target = "host " .. host.name }, { msg = "no route" })
end

--- Does nothing for some time, another one on each host.
local function work(host)
  task.sleep(0.002 * (tonumber(host.name:match("%d+")) * 7 % 5))
end

--- Returns a function that a host's steps note themselves with, and the notes.
local function notes()
  local noted = {}
  return function(text)
    noted[#noted + 1] = text
  end, noted
end

--- Returns where a text stands in a list.
local function at(noted, text)
  for i, line in ipairs(noted) do
    if line == text then
      return i
    end
  end
  error("not noted: " .. text .. " in " .. table.concat(noted, "; "))
end

local function first_of(noted, pattern)
  for i, line in ipairs(noted) do
    if line:find(pattern) then
      return i
    end
  end
end

--- Two steps, the second one fails on one host.
local function two_steps(r, note, bad)
  return function(host)
    r:step("one", function()
      note("begin one " .. host.name)
      work(host)
      note("end one " .. host.name)
    end)
    r:step("two", function()
      note("begin two " .. host.name)
      if host.name == bad then
        fault.raise("failed", nil, { msg = "it broke" })
      end
    end)
    return "value of " .. host.name
  end
end

return {
  ["a host that fails drops out, others go on"] = function(t)
    local r, seen = help.new()
    local note, noted = notes()
    local result = r:on(hosts(3), function(host)
      two_steps(r, note, "h2")(host)
      r:step("three", function()
        note("three " .. host.name)
      end)
    end)
    t.equal({ result.ok, result.failed }, { { "h1", "h3" }, { "h2" } })
    t.ok(at(noted, "three h1") and not first_of(noted, "three h2"))
    t.ok(list.find(seen.records, { type = "host", name = "h2", status = "failed" }))
    local again = r:on(hosts(3), function(host)
      note("again " .. host.name)
    end)
    t.equal(again.failed, { "h2" })
    t.ok(not first_of(noted, "again h2"), "it stays out for the rest of the run")
    local err = report.ending(r)
    t.equal({ err.exit, err.msg }, { 2, "1 of 3 hosts failed" })
    t.match(fault.text(err), 'h2: failed: step "two": it broke')
  end,
  ["max_fail: no further step begins anywhere, what runs ends"] = function(t)
    for _, max in ipairs({ 1, "40%" }) do -- of 4: rounded down, 1
      local r = help.new()
      local note, noted = notes()
      local err = t.fails("2 of 4 hosts failed, 1 may", function()
        r:on(hosts(4), { strategy = "free", max_fail = max }, function(host)
          r:step("one", function()
            if host.name == "h1" or host.name == "h2" then
              task.sleep(0.01)
              fault.raise("failed", nil, { msg = "it broke" })
            end
            task.sleep(0.03)
            note("end " .. host.name)
          end)
          r:step("two", function()
            note("two " .. host.name)
          end)
        end)
      end)
      t.ok(at(noted, "end h3") and at(noted, "end h4"))
      t.ok(not first_of(noted, "^two"), table.concat(noted, "; "))
      t.match(fault.text(err), "h1, h2: failed")
    end
  end,
  ["max_fail: nothing more than it is no failure of the run"] = function(t)
    local r = help.new()
    local result = r:on(hosts(4), { max_fail = 1 }, two_steps(r, function() end, "h1"))
    t.equal(result.failed, { "h1" })
  end,
  ["max_fail: those who wait in lockstep do not begin"] = function(t)
    local r = help.new()
    local note, noted = notes()
    t.fails("1 of 3 hosts failed, none may", function()
      r:on(hosts(3), { max_fail = 0 }, function(host)
        r:step("one", function()
          task.sleep(host.name == "h3" and 0.02 or 0)
          if host.name == "h3" then
            fault.raise("failed", nil, { msg = "it broke" })
          end
        end)
        r:step("two", function()
          note("two " .. host.name)
        end)
      end)
    end)
    t.equal(noted, {})
  end,
  ["unreachable hosts are data, or failures if asked"] = function(t)
    local r, seen = help.new()
    local function fn(host)
      return host.name == "h2" and unreachable(host) or "seen"
    end
    local result = r:on(hosts(3), fn)
    t.equal(result.unreachable, { "h2" })
    local err = report.ending(r)
    t.equal({ err.exit, err.msg }, { 4, "1 of 3 hosts is unreachable" })
    t.ok(list.find(seen.records, { type = "host", status = "unreachable" }))
    r = help.new()
    t.fails("1 of 3 hosts failed, none may", function()
      r:on(hosts(3), { unreachable = "fail", max_fail = 0 }, fn)
    end)
  end,
  ["a change whose answer was lost is a failure, and no unreachable host"] = function(t)
    local r = help.new()
    local result = r:on(hosts(2), function(host)
      if host.name == "h1" then
        fault.raise("connect", { target = "host h1" }, { msg = "lost", outcome = "unknown" })
      end
    end)
    t.equal({ result.failed, result.unreachable }, { { "h1" }, {} })
  end,
  ["no host left fails the run"] = function(t)
    local r = help.new()
    local err = t.fails("no host is left: 2 of 2 hosts are unreachable", function()
      r:on(hosts(2), unreachable)
    end)
    t.equal(require("plat.run.exit").of(err, 0), 4)
  end,
  ["mistakes of the playbook stop all"] = function(t)
    local r = help.new()
    t.fails("attempt to index", function()
      r:on(hosts(3), function(host)
        return host.nothing.x
      end)
    end)
    t.fails("h1 is named twice", function()
      r:on({ { name = "h1" }, { name = "h1" } }, function() end)
    end)
    t.fails("number 1 is not a host", function()
      r:on({ "h1" }, function() end)
    end)
    t.fails("it stands inside the work on h1", function()
      help.new():on(hosts(1), function()
        r:on(hosts(1), function() end)
      end)
    end)
    t.fails('unknown option "strateg"', function()
      r:on(hosts(1), { strateg = "free" }, function() end)
    end)
    t.fails('did you mean "lockstep"', function()
      r:on(hosts(1), { strategy = "lockstp" }, function() end)
    end)
    t.fails("is neither a number nor a share", function()
      r:on(hosts(1), { max_fail = "some" }, function() end)
    end)
    t.fails("it goes with strategy", function()
      r:on(hosts(1), { strategy = "free", canary = 1 }, function() end)
    end)
  end,
  ["a rule of the run stops all, a guard of a host is the host's"] = function(t)
    local r = help.new()
    t.fails("the lock is lost", function()
      r:on(hosts(2), function()
        fault.raise("refused", { op = "run:lock" }, { msg = "the lock is lost" })
      end)
    end)
    local result = r:on(hosts(2), function(host)
      r:guard("room", function()
        return host.name == "h1", "no room"
      end)
    end)
    t.equal({ result.ok, result.failed }, { { "h1" }, { "h2" } })
  end,
  ["a resumed run skips what a host has finished and tries failures again"] = function(t)
    local r, seen = help.new()
    r:on(hosts(3), two_steps(r, function() end, "h2"))
    local again, later = help.resumed(seen.records, nil, true)
    local note, noted = notes()
    local result = again:on(hosts(3), two_steps(again, note))
    t.equal(noted, { "begin two h2" })
    t.equal(#result.ok, 3)
    t.equal(later.steps, { "h2/two" })
    require("plat.run.settle").close_run(again)
  end,
  ["a failure that the playbook caught on a host is raised again"] = function(t)
    local function body(r, note)
      return function(host)
        local _, err = fault.try(r.step, r, "first", function()
          note("first " .. host.name)
          fault.raise("failed", nil, { msg = "not there" })
        end)
        r:step(err and "other way" or "this way", function()
          note("way " .. host.name)
        end)
      end
    end
    local r, seen = help.new()
    r:on(hosts(1), body(r, function() end))
    local again = help.resumed(seen.records)
    local note, noted = notes()
    again:on(hosts(1), body(again, note))
    t.equal(noted, {}, "nothing is entered again")
  end,
}
