local fault = require("plat.fault")
local prim = require("prim.task")
local task = require("plat.task")
local time = require("prim.time")

local function slow(value, seconds)
  return function()
    task.sleep(seconds or 0.01)
    return value
  end
end

return {
  ["all returns results in order"] = function(t)
    t.equal(task.all({ slow("a", 0.02), slow("b", 0), slow("c", 0.01) }), { "a", "b", "c" })
    t.equal(task.all({}), {})
  end,
  ["all raises the first error and cancels the rest"] = function(t)
    local ended
    local began = time.mono()
    t.fails("boom", function()
      task.all({
        function()
          task.sleep(0.01)
          error("boom")
        end,
        function()
          local _, err = xpcall(task.sleep, fault.from_handler, 20)
          ended = err.kind
          error(err, 0)
        end,
      })
    end)
    t.equal(ended, "cancelled")
    t.ok(time.mono() - began < 10)
  end,
  ["each keeps the limit and the order"] = function(t)
    local now, most = 0, 0
    local got = task.each({ 1, 2, 3, 4, 5, 6 }, { limit = 2 }, function(i)
      now = now + 1
      most = math.max(most, now)
      task.sleep(0.001 * (7 - i))
      now = now - 1
      return i * i
    end)
    t.equal(got, { 1, 4, 9, 16, 25, 36 })
    t.equal(most, 2)
  end,
  ["each with collect returns faults as data"] = function(t)
    local got = task.each({ 1, 2 }, { collect = true }, function(i)
      if i == 1 then
        fault.raise("exit", nil, { msg = "no" })
      end
      return i
    end)
    t.equal(got[1].kind, "exit")
    t.equal(got[2], 2)
  end,
  ["race takes the first and cancels the others"] = function(t)
    local value, index = task.race({ slow("late", 20), slow("early", 0.005) })
    t.equal(value, "early")
    t.equal(index, 2)
  end,
  ["timeout raises at the wait and names what took too long"] = function(t)
    local err = t.fails("timeout", function()
      task.timeout(0.02, function()
        task.sleep(20)
      end, "draining db-2")
    end)
    t.match(err.msg, "draining db%-2 did not end within 0s?")
  end,
  ["deadlines nest: the earliest counts"] = function(t)
    local err = t.fails("timeout", function()
      task.timeout(0.02, function()
        task.timeout(30, function()
          task.sleep(20)
        end, "inner")
      end, "outer")
    end)
    t.match(err.msg, "outer")
  end,
  ["a deadline reaches the children of a group"] = function(t)
    t.fails("timeout", function()
      task.timeout(0.02, function()
        task.all({ slow(1, 20), slow(2, 20) })
      end)
    end)
  end,
  ["retry tries again, and never after a deadline"] = function(t)
    local n = 0
    local got = task.retry({ times = 3, delay = 0.001 }, function(attempt)
      n = n + 1
      if attempt < 3 then
        fault.raise("connect", nil, { msg = "refused" })
      end
      return "in"
    end)
    t.equal(got, "in")
    t.equal(n, 3)
    n = 0
    t.fails("timeout", function()
      task.timeout(0.01, function()
        task.retry({ times = 50, delay = 0.001 }, function()
          n = n + 1
          task.sleep(5)
        end)
      end)
    end)
    t.equal(n, 1)
  end,
  ["retry and try let a cancel pass"] = function(t)
    local tries, passed = 0, false
    local handle = task.spawn(function()
      task.retry({ times = 9, delay = 0 }, function()
        tries = tries + 1
        fault.try(task.sleep, 20)
        passed = true
      end)
    end)
    task.sleep(0.005)
    handle:cancel()
    t.equal(tries, 1)
    t.equal(passed, false)
  end,
  ["a cancelled task raises at every later wait, but not under a shield"] = function(t)
    local log = {}
    local handle = task.spawn(function()
      local cleanup <close> = setmetatable({}, {
        __close = function()
          log[#log + 1] = pcall(task.sleep, 0) and "waited" or "raised"
          task.shield(5, function()
            task.sleep(0.005)
            log[#log + 1] = "cleaned"
          end)
        end,
      })
      task.sleep(20)
      return cleanup
    end)
    task.sleep(0.005)
    handle:cancel()
    t.equal(log, { "raised", "cleaned" })
  end,
  ["waiting where Lua cannot wait is refused, with the reason"] = function(t)
    t.fails("string.gsub", function()
      return (("x"):gsub("x", function()
        task.sleep(0)
      end))
    end)
    t.fails("coroutine.wrap", function()
      coroutine.wrap(function()
        task.sleep(0)
      end)()
    end)
    t.fails("coroutine.yield outside", function()
      coroutine.yield()
    end)
  end,
  ["a gate wakes its waiter and stays open until then"] = function(t)
    local gate = prim.gate()
    gate:open()
    t.equal(gate:wait(), true)
    local ok, err = gate:wait(0.005)
    t.equal(ok, nil)
    t.equal(err.kind, "timeout")
    local handle = task.spawn(function()
      return gate:wait()
    end)
    task.sleep(0.001)
    gate:open()
    t.equal(handle:join(), true)
  end,
  ["a group waits for the spawned and cancels the daemons"] = function(t)
    local log = {}
    task.group(function(g)
      g:daemon(function()
        local _, err = xpcall(task.sleep, fault.from_handler, 20)
        log[#log + 1] = "daemon " .. err.kind
        error(err, 0)
      end)
      g:spawn(function()
        task.sleep(0.01)
        log[#log + 1] = "worker"
      end)
    end)
    t.equal(log, { "worker", "daemon cancelled" })
  end,
  ["an error in a daemon ends the group"] = function(t)
    t.fails("breach", function()
      task.group(function(g)
        g:daemon(function()
          task.sleep(0.005)
          error("breach")
        end)
        task.sleep(20)
      end)
    end)
  end,
  ["a deadline on the virtual clock is recognised in spite of rounding"] = function(t)
    for i = 1, 40 do
      local err = t.fails("timeout", function()
        task.timeout(0.001 + i / 7000, function()
          task.sleep(20)
        end, "it")
      end)
      t.ok(err.deadline, "the deadline of the scope")
    end
  end,
  ["seconds as text"] = function(t)
    t.equal(task.show_seconds(5400), "1h30m")
    t.equal(task.show_seconds(90), "1m30s")
    t.equal(task.show_seconds(2.54), "2.5s")
  end,
}
