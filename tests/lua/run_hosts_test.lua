local effect = require("plat.effect")
local fault = require("plat.fault")
local fs = require("prim.fs")
local help = load(assert(fs.read("tests/lua/rollout_help.lua")), "@rollout_help.lua")()
local list = require("plat.list")
local report = require("plat.run.hosts.report")
local task = require("plat.task")
local time = require("plat.time")

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

local function last_of(noted, pattern)
  local found = 0
  for i, line in ipairs(noted) do
    found = line:find(pattern) and i or found
  end
  return found
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
  ["lockstep: all end a step before any begins the next"] = function(t)
    local r, seen = help.new()
    local note, noted = notes()
    local result = r:on(hosts(6), two_steps(r, note))
    t.ok(last_of(noted, "^end one") < first_of(noted, "^begin two"), table.concat(noted, "; "))
    t.equal(#result.ok, 6)
    t.equal(result.values.h3, "value of h3")
    t.ok(list.contains(seen.steps, "h2/one"), "the key carries the host")
  end,
  ["lockstep: who needs fewer steps waits for the next common one"] = function(t)
    local r = help.new()
    local note, noted = notes()
    r:on(hosts(3), function(host)
      if host.name ~= "h2" then
        r:step("install", function()
          work(host)
          note("installed " .. host.name)
        end)
      end
      r:step("restart", function()
        note("restart " .. host.name)
      end)
    end)
    t.ok(last_of(noted, "^installed") < at(noted, "restart h2"), table.concat(noted, "; "))
  end,
  ["lockstep: a host that ends early or drops out holds nobody up"] = function(t)
    local r = help.new()
    local result = task.timeout(5, function()
      return r:on(hosts(4), function(host)
        if host.name == "h1" then
          return
        elseif host.name == "h2" then
          task.sleep(0.01)
          unreachable(host)
        end
        r:step("a", function() end)
        r:step("b", function() end)
      end)
    end)
    t.equal(result.ok, { "h1", "h3", "h4" })
    t.equal(result.unreachable, { "h2" })
  end,
  ["lockstep: steps of loops and of functions, each at its place"] = function(t)
    local r = help.new()
    local note, noted = notes()
    local function deploy(host, name)
      r:step("deploy " .. name, function()
        note(name .. " " .. host.name)
      end)
    end
    r:on(hosts(2), function(host)
      for i = 1, host.name == "h1" and 3 or 1 do
        deploy(host, "part" .. i)
      end
      deploy(host, "last")
    end)
    t.ok(at(noted, "part3 h1") < at(noted, "last h2"), table.concat(noted, "; "))
  end,
  ["lockstep: a deadline around a step ends the wait for others"] = function(t)
    local r = help.new()
    local timed_out
    local result = r:on(hosts(2), function(host)
      if host.name == "h1" then
        local _, err = fault.try(task.timeout, 0.02, function()
          r:step("common", function() end)
        end)
        timed_out = err and err.kind
      else
        task.sleep(0.1)
        r:step("common", function() end)
      end
    end)
    t.equal(timed_out, "timeout")
    t.equal(#result.ok, 2)
  end,
  ["free: each host at its pace"] = function(t)
    local r = help.new()
    local note, noted = notes()
    r:on(hosts(3), { strategy = "free" }, function(host)
      r:step("one", function()
        task.sleep(host.name == "h3" and 0.1 or 0)
        note("end one " .. host.name)
      end)
      r:step("two", function()
        note("begin two " .. host.name)
      end)
    end)
    t.ok(at(noted, "begin two h1") < at(noted, "end one h3"), table.concat(noted, "; "))
  end,
  ["canary: the first come through before others begin"] = function(t)
    local r = help.new()
    local note, noted = notes()
    r:on(hosts(10), { canary = "20%" }, two_steps(r, note))
    t.ok(at(noted, "begin two h2") < at(noted, "begin one h3"), table.concat(noted, "; "))
    t.ok(at(noted, "begin one h2") < at(noted, "begin two h1"), "canaries go in lockstep")
  end,
  ["canary: one that fails, or is gone, protects the others"] = function(t)
    local r = help.new()
    local note, noted = notes()
    local err = t.fails("the canary did not come through: h1", function()
      r:on(hosts(4), { strategy = "canary" }, two_steps(r, note, "h1"))
    end)
    t.match(fault.text(err), "it broke")
    t.ok(not first_of(noted, "h2"), "nobody else was touched")
    r = help.new()
    t.fails("the canary did not come through: h1", function()
      r:on(hosts(4), { canary = 1 }, unreachable)
    end)
  end,
  ["at most so many at once, also in lockstep"] = function(t)
    for _, strategy in ipairs({ "lockstep", "free" }) do
      local r = help.new()
      local now, most = 0, 0
      r:on(hosts(9), { limit = 3, strategy = strategy }, function()
        for _ = 1, 2 do
          r:step("s", function()
            now = now + 1
            most = math.max(most, now)
            task.sleep(0.005)
            now = now - 1
          end)
        end
      end)
      t.equal({ strategy, most }, { strategy, 3 })
    end
  end,
  ["what is kept is kept for each host"] = function(t)
    local r = help.new()
    local result = r:on(hosts(3), function(host)
      return r:keep("name", function()
        return host.name
      end)
    end)
    t.equal(result.values, { h1 = "h1", h2 = "h2", h3 = "h3" })
  end,
  ["inside run:on a change still needs a step"] = function(t)
    effect.open({ mode = "run" })
    t.defer(effect.close)
    local r = help.new()
    t.fails("a change outside a step", function()
      r:on(hosts(1), { max_fail = 0 }, function()
        effect.remote({ target = "x", op = "x.y", change = {}, perform = function() end })
      end)
    end)
  end,
  ["the recap has a row for each host"] = function(t)
    local r, seen = help.new()
    r:on(hosts(2), function(host)
      r:step("one", function(step)
        step.changes = 1
      end)
      r:step("two", function()
        if host.name == "h2" then
          fault.raise("failed", nil, { msg = "it broke" })
        end
      end)
    end)
    report.recap(r)
    local rows = seen.events[#seen.events].event.hosts
    local want = { host = "h1", ok = 1, changed = 1, unreachable = 0, failed = 0, skipped = 0 }
    t.equal(rows[1], want)
    t.equal(rows[2], list.merge(want, { host = "h2", ok = 0, failed = 1 }))
  end,
  ["a plan tells equal hosts together"] = function(t)
    local r, seen = help.new({ planning = true })
    r:on(hosts(3), function(host)
      if host.name ~= "h2" then
        r:step("install", function() end)
      end
      r:step("restart", function() end)
    end)
    local told = {}
    for _, item in ipairs(seen.events) do
      if item.name == "plan_hosts" then
        told[#told + 1] = table.concat(item.event.hosts, ",")
      elseif item.name == "step_start" then
        told[#told + 1] = item.event.title
      end
    end
    t.equal(told, { "h1,h3", "install", "restart", "h2", "restart" })
  end,
  ["gather: values of hosts by name, of other things in order"] = function(t)
    local host = require("plat.host")
    local r = help.new()
    local named = list.map({ "a", "b" }, function(name)
      return host.new({ name = name, address = name, vars = { ansible_connection = "local" } })
    end)
    local values, told = r:gather(named, function(h)
      return h.name == "b" and unreachable(h) or h:read({ "echo", h.name }).stdout
    end)
    t.equal(values, { a = "a\n" })
    t.equal(told.unreachable, { "b" })
    t.equal(
      r:gather({ 1, 2 }, function(n)
        return n * 2
      end),
      { 2, 4 }
    )
  end,
  ["a thousand hosts and ten steps cost little"] = function(t)
    local r = help.new()
    local began = time.mono()
    r:on(hosts(1000), function()
      for i = 1, 10 do
        r:step("step " .. i, function()
          task.sleep(0)
        end)
      end
    end)
    local took = time.mono() - began
    t.ok(took < 5, ("it took %.1f s"):format(took))
  end,
}
