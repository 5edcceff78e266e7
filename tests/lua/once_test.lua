--- plat.task.once: one task works, the others wait.
local fault = require("plat.fault")
local once = require("plat.task.once")
local task = require("plat.task")

local ABOUT = { op = "test" }

--- A result that is made by `make`, which may wait and fail.
local function shared(make)
  local gate, value, calls = once.new(), nil, 0
  return {
    get = function()
      return gate:get(ABOUT, function()
        return value
      end, function()
        calls = calls + 1
        value = make(calls)
      end)
    end,
    calls = function()
      return calls
    end,
    drop = function()
      value = nil
    end,
  }
end

local function at_once(n, fn)
  local jobs = {}
  for i = 1, n do
    jobs[i] = fn
  end
  return task.all(jobs)
end

return {
  ["one makes it, all get it"] = function(t)
    local it = shared(function(call)
      task.sleep(0.02)
      return "made " .. call
    end)
    t.equal(at_once(5, it.get), { "made 1", "made 1", "made 1", "made 1", "made 1" })
    t.equal({ it.get(), it.calls() }, { "made 1", 1 })
    it.drop()
    t.equal({ it.get(), it.calls() }, { "made 2", 2 }, "it is made again when it is gone")
  end,

  ["a failure is everybody's who waited, and nobody's later"] = function(t)
    local it = shared(function(call)
      task.sleep(0.02)
      if call == 1 then
        fault.raise("auth", { op = "log in" }, { msg = "wrong word" })
      end
      return "made"
    end)
    local said = at_once(4, function()
      local _, err = fault.try(it.get)
      return err.kind .. " " .. err.msg
    end)
    t.equal(said, { "auth wrong word", "auth wrong word", "auth wrong word", "auth wrong word" })
    t.equal({ it.calls(), it.get(), it.calls() }, { 1, "made", 2 })
  end,

  ["a bug in it is no hang"] = function(t)
    local it = shared(function()
      task.sleep(0.01)
      return nil + 1
    end)
    local said = at_once(3, function()
      return select(2, fault.try(it.get)).kind
    end)
    t.equal(said, { "bug", "bug", "bug" })
  end,

  ["who is cancelled or out of time takes nobody along"] = function(t)
    local it = shared(function(call)
      task.sleep(call <= 2 and 5 or 0.01)
      return "made " .. call
    end)
    local first = task.spawn(it.get)
    task.sleep(0.01)
    local second = task.spawn(function()
      return select(2, fault.try(task.timeout, 0.05, it.get)).kind
    end)
    task.sleep(0.01)
    local third = task.spawn(it.get)
    task.sleep(0.01)
    first:cancel()
    t.equal(second:join(), "timeout")
    t.equal({ third:join(), it.calls() }, { "made 3", 3 })
  end,
}
