local fault = require("plat.fault")
local run = require("plat.run")
local task = require("plat.task")

local function new(opts)
  local events = {}
  opts = opts or {}
  opts.name, opts.args = "test", {}
  opts.reporter = {
    emit = function(_, name, e)
      table.insert(
        events,
        name .. " " .. tostring(e.title or e.text or "") .. (e.status and " " .. e.status or "")
      )
    end,
  }
  return run.new(opts), events
end

return {
  ["a guard that is not exactly true refuses"] = function(t)
    local r = new()
    r:guard("fine", function()
      return true
    end)
    for _, value in ipairs({ false, "yes", 1 }) do
      local err = t.fails("refused", function()
        r:guard("quorum", function()
          return value, "2 of 3 are up"
        end)
      end)
      t.equal(err.msg, "2 of 3 are up")
    end
  end,
  ["a guard that cannot be evaluated refuses and names the cause"] = function(t)
    local err = t.fails("refused", function()
      new():guard("backup age", function()
        fault.raise("connect", { op = "http.get" }, { msg = "refused by 10.0.0.1" })
      end)
    end)
    t.match(fault.text(err), "could not be evaluated")
    t.match(fault.text(err), "because: http.get: refused by 10.0.0.1")
  end,
  ["an overridden guard lets pass and is told"] = function(t)
    local r, events = new({ overrides = { min = "ticket 12" } })
    r:guard("min", function()
      return false, "below 3"
    end)
    t.equal(events, { "guard min overridden" })
  end,
  ["steps nest, titles may repeat, keys differ"] = function(t)
    local keys = {}
    local r = new()
    r:step("a", function(outer)
      keys[#keys + 1] = outer.key
      r:step("b", function(inner)
        keys[#keys + 1] = inner.key
      end)
    end)
    r:step("a", function(again)
      keys[#keys + 1] = again.key
    end)
    t.equal(keys, { "a", "a/b", "a#2" })
  end,
  ["two steps of one title at once are an error"] = function(t)
    local r = new()
    t.fails("run at the same time", function()
      task.all({
        function()
          r:step("x", function()
            task.sleep(0.01)
          end)
        end,
        function()
          r:step("x", function() end)
        end,
      })
    end)
  end,
  ["a step gives its value back only when it says so"] = function(t)
    local r = new()
    t.fails("returns a value, and its options do not say so", function()
      r:step("silent", function()
        return 1
      end)
    end)
    t.equal(
      r:step("telling", { returns = true }, function()
        return { n = 1 }
      end),
      { n = 1 }
    )
    t.fails("not plain data", function()
      r:step("closure", { returns = true }, function()
        return print
      end)
    end)
  end,
  ["a failing step names itself, and its deadline counts"] = function(t)
    local r = new()
    local err = t.fails("timeout", function()
      r:step("drain", { timeout = "20ms" }, function()
        task.sleep(10)
      end)
    end)
    t.equal(err.step, "drain")
    t.match(err.msg, "the step did not end within")
  end,
  ["each needs names and keeps the limit"] = function(t)
    local r, events = new()
    local seen = {}
    r:each("restart", { { name = "db-1" }, { name = "db-2" } }, function(item)
      seen[#seen + 1] = item.name
    end)
    t.equal(seen, { "db-1", "db-2" })
    t.equal(events[1], "step_start restart db-1")
    t.fails("item 1 has no name", function()
      r:each("restart", { {} }, function() end)
    end)
  end,
  ["prove wants good readings one after the other"] = function(t)
    local r = new()
    local answers, n = { false, true, false, true, true, true }, 0
    r:prove("stable", { within = "5s", every = "1ms", readings = 3 }, function()
      n = n + 1
      return answers[n], "reading " .. n
    end)
    t.equal(n, 6)
    local err = t.fails("failed", function()
      r:prove("never", { within = "20ms", every = "5ms" }, function()
        return false, "4 of 5 ready"
      end)
    end)
    t.match(err.msg, "4 of 5 ready")
    t.fails("exit", function()
      r:prove("broken", { within = "5s", every = "1ms" }, function()
        fault.raise("exit", nil, { msg = "no" })
      end)
    end)
  end,
  ["keep reads once"] = function(t)
    local r, n = new(), 0
    for _ = 1, 3 do
      t.equal(
        r:keep("before", function()
          n = n + 1
          return n
        end),
        1
      )
    end
    t.equal(n, 1)
  end,
  ["unknown options are caught with a suggestion"] = function(t)
    t.fails('unknown option "time_out" %(did you mean "timeout"%?%)', function()
      new():step("x", { time_out = 3 }, function() end)
    end)
  end,
}
