local effect = require("plat.effect")
local fault = require("plat.fault")
local plan = require("plat.effect.plan")
local run = require("plat.run")
local task = require("plat.task")

--- A world of one service that counts: GET / reads, PUT / sets.
local function counter_world(value)
  local world = { value = value or 0, log = {} }
  function world:request(authority, req)
    if authority ~= "counter.sandbox:80" then
      return nil, "it knows counter.sandbox"
    end
    table.insert(self.log, req.method)
    if req.method == "PUT" then
      self.value = tonumber(req.body)
    end
    return { status = 200, headers = {}, body = tostring(self.value), delay = self.delay }
  end
  return world
end

local function get()
  return tonumber(effect.http({
    method = "GET",
    url = "http://counter.sandbox/",
    target = "counter",
    op = "counter.get",
    object = "value",
    retry = false,
  }).body)
end

local function put(value, predict, recovery, probe)
  return effect.http({
    method = "PUT",
    url = "http://counter.sandbox/",
    body = tostring(value),
    target = "counter",
    op = "counter.set",
    object = "value",
    retry = false,
    change = {
      text = "set to " .. value,
      args = { value = value },
      recovery = recovery or "repeatable",
      probe = probe,
      predict = predict and function()
        return { status = 200, headers = {}, body = tostring(value) }
      end,
      overlay = predict and function(_, resp)
        return { status = resp.status, headers = resp.headers, body = tostring(value) }
      end,
    },
  })
end

local function recorder()
  local reporter = { events = {} }
  function reporter:emit(name, e)
    table.insert(self.events, { name = name, e = e })
  end
  function reporter:count(name)
    local n = 0
    for _, event in ipairs(self.events) do
      n = n + (event.name == name and 1 or 0)
    end
    return n
  end
  return reporter
end

local function last_outcome(reporter)
  local last
  for _, event in ipairs(reporter.events) do
    last = event.name == "outcome" and event.e.outcome or last
  end
  return last
end

--- Runs a function as a playbook on the world.
local function play(t, world, fn, planning)
  local reporter = recorder()
  local r = run.new({ name = "test", args = {}, reporter = reporter, planning = planning })
  local p = planning and plan.new(function() end, function() end) or nil
  effect.open({
    mode = planning and "plan" or "run",
    plan = p,
    world = world,
    observer = r:observer(),
  })
  t.defer(effect.close)
  local ok, err = xpcall(fn, fault.from_handler, r)
  return ok, err, reporter, p
end

return {
  ["a change outside a step is refused and never sent"] = function(t)
    local world = counter_world()
    local ok, err = play(t, world, function()
      put(1)
    end)
    t.equal(ok, false)
    t.equal(err.kind, "refused")
    t.match(err.msg, "outside a step")
    t.equal(world.log, {})
  end,
  ["a change inside a step is performed and told"] = function(t)
    local world = counter_world()
    local ok, _, reporter = play(t, world, function(r)
      r:step("set", function()
        put(1)
      end)
    end)
    t.ok(ok)
    t.equal(world.value, 1)
    t.equal(reporter:count("change"), 1)
    t.equal(reporter:count("outcome"), 1)
  end,
  ["a POST without a description is a bug, an undeclared read too"] = function(t)
    play(t, counter_world(), function() end)
    t.fails("without a description", function()
      effect.http({ method = "POST", url = "http://counter.sandbox/", target = "c", op = "x" })
    end)
    t.fails("not declared as a read", function()
      effect.http({
        method = "POST",
        url = "http://counter.sandbox/",
        target = "counter",
        op = "x",
        read = "hm",
      })
    end)
  end,
  ["only the standard library declares what is housekeeping"] = function(t)
    local world = counter_world()
    play(t, world, function() end)
    t.fails("not declared as housekeeping", function()
      effect.http({
        method = "PUT",
        url = "http://counter.sandbox/",
        target = "counter",
        op = "x",
        housekeeping = "my own",
      })
    end)
    t.fails("only the standard library", function()
      effect.declare_housekeeping({ method = "PUT", path = "^/$", reason = "my own" })
    end)
    t.equal(world.log, {})
  end,
  ["a target that no world owns is refused in the sandbox"] = function(t)
    play(t, counter_world(), function() end)
    local err = t.fails("refused", function()
      effect.http({
        method = "GET",
        url = "https://prod.example.com/",
        target = "prod",
        op = "get",
        retry = false,
      })
    end)
    t.match(err.msg, "prod.example.com:443 is not part of the sandbox")
  end,
  ["a playbook can neither declare reads nor reach the primitives"] = function(t)
    t.fails("only the standard library may declare", function()
      effect.declare_read({ method = "POST", path = "/", reason = "because" })
    end)
    local path = t.tmp() .. "/sly.lua"
    local file = require("prim.fs")
    file.write(path, 'local http = require("prim.http") return http')
    t.fails("a playbook requires plat.%* only", function()
      require("plat.playbook").load(path)
    end)
  end,
  ["in the sandbox nothing runs and nothing is written on this machine"] = function(t)
    local dir = t.tmp()
    play(t, counter_world(), function() end)
    t.fails("this machine is not part of the sandbox", function()
      require("plat.proc").read({ "touch", dir .. "/a" })
    end)
    local ok, err = play(t, counter_world(), function(r)
      r:step("write", function()
        require("plat.fs").write(dir .. "/b", "x")
      end)
    end)
    t.equal(ok, false)
    t.equal(err.kind, "refused")
    t.equal(require("prim.fs").list(dir), {})
  end,
  ["plan mode lists a change, sends nothing, and predicts later reads"] = function(t)
    local world = counter_world(3)
    local seen
    local ok, _, _, p = play(t, world, function(r)
      r:step("set", function()
        put(5, true)
        seen = get()
      end)
    end, true)
    t.ok(ok)
    t.equal(world.value, 3)
    t.equal(world.log, { "GET" })
    t.equal(seen, 5)
    t.equal(p:count(), { will = 1, maybe = 0, opaque = 0, coverage = 1.0 })
  end,
  ["plan mode ends the body at a change that nothing predicts"] = function(t)
    local world, after, next_step = counter_world(3), false, false
    local ok, _, reporter, p = play(t, world, function(r)
      r:step("set", function()
        fault.try(put, 5) -- try does not swallow the end of the body
        after = true
      end)
      r:step("next", function()
        next_step = true
      end)
    end, true)
    t.ok(ok)
    t.equal(after, false)
    t.equal(next_step, true)
    t.equal(p:count().opaque, 1)
    t.match(reporter.events[2].e.ended_early, "depends on the outcome of: set to 5")
  end,
  ["plan mode does not answer a read that an opaque change made unknown"] = function(t)
    local answered = false
    play(t, counter_world(3), function(r)
      r:step("first", function()
        put(5)
      end)
      r:step("second", function()
        get()
        answered = true
      end)
    end, true)
    t.equal(answered, false)
  end,
  ["equal changes in a step get different keys, equal runs the same"] = function(t)
    local function keys()
      local _, _, reporter = play(t, counter_world(), function(r)
        r:step("set", function()
          put(1)
          put(1)
          put(2)
        end)
      end)
      local out = {}
      for _, event in ipairs(reporter.events) do
        if event.name == "change" then
          out[#out + 1] = event.e.key
        end
      end
      return out
    end
    local first = keys()
    t.equal(#first, 3)
    t.ok(first[1] ~= first[2] and first[2] ~= first[3])
    t.equal(keys(), first)
  end,
  ["a change that the server refuses does not count as one"] = function(t)
    local world = counter_world()
    function world.request()
      return { status = 403, headers = {}, body = "no" }
    end
    local _, _, reporter = play(t, world, function(r)
      r:step("set", function()
        put(1)
      end)
      t.equal(r.changes, 0)
    end)
    t.equal(reporter.events[#reporter.events].e.status, "ok")
    t.equal(reporter.events[#reporter.events].e.changed, false)
  end,
  ["a cancel waits for the change in flight"] = function(t)
    local world = counter_world()
    world.delay = 0.05
    local outcome
    local handle = task.spawn(function()
      local _, _, reporter = play(t, world, function(r)
        r:step("set", function()
          put(1)
        end)
      end)
      for _, event in ipairs(reporter.events) do
        if event.name == "outcome" then
          outcome = event.e.outcome
        end
      end
    end)
    task.sleep(0.01)
    handle:cancel()
    t.equal(outcome, "done")
  end,
  ["a deadline with an unknowable change in flight leaves its outcome unknown"] = function(t)
    local world = counter_world()
    world.delay = 5
    local engine
    local _, err, reporter = play(t, world, function(r)
      engine = r
      r:step("set", { timeout = 0.02 }, function()
        put(1, false, "unknowable")
      end)
    end)
    t.equal(err.kind, "timeout")
    t.equal(#engine.unsettled, 1)
    t.equal(last_outcome(reporter), "unknown")
  end,
  ["a repeatable change whose answer is lost is done again at once"] = function(t)
    local world = counter_world()
    local real, asked = world.request, 0
    function world:request(...)
      asked = asked + 1
      if asked == 1 then
        real(self, ...)
        fault.raise("connect", {}, { msg = "reset by peer", sent = true })
      elseif asked == 2 then
        return { status = 503, headers = {}, body = "" }
      end
      return real(self, ...)
    end
    local result, err, reporter = play(t, world, function(r)
      r:step("set", function()
        put(1)
      end)
    end)
    t.equal(err, nil, result)
    t.equal(asked, 3)
    t.equal(world.value, 1)
    t.equal(last_outcome(reporter), "done")
  end,
  ["what was lost may have happened although its repetition cannot be sent"] = function(t)
    local world = counter_world()
    local real, asked = world.request, 0
    function world:request(...)
      asked = asked + 1
      if asked == 1 then
        real(self, ...)
        fault.raise("connect", {}, { msg = "reset by peer", sent = true })
      end
      fault.raise("connect", {}, { msg = "connection refused", sent = false })
    end
    local engine
    local _, err, reporter = play(t, world, function(r)
      engine = r
      r:step("set", function()
        put(1)
      end)
    end)
    t.equal(err.kind, "connect")
    t.equal(#engine.unsettled, 1)
    t.equal(last_outcome(reporter), "unknown")
    t.equal(engine.changes, 1)
  end,
  ["a repetition that is refused as stale: who can look does, else nobody knows"] = function(t)
    for _, case in ipairs({ { "done", true }, { "failed", false }, { "unknown", nil } }) do
      local world = counter_world()
      local asked = 0
      function world.request()
        asked = asked + 1
        if asked == 1 then
          fault.raise("connect", {}, { msg = "reset by peer", sent = true })
        end
        return { status = 409, headers = {}, body = "" }
      end
      local engine
      local _, _, reporter = play(t, world, function(r)
        engine = r
        r:step("set", function()
          put(1, nil, nil, case[2] ~= nil and function()
            return case[2]
          end or nil)
        end)
      end)
      t.equal(last_outcome(reporter), case[1])
      t.equal(#engine.unsettled, case[1] == "unknown" and 1 or 0, case[1])
      t.equal(asked, 2)
    end
  end,
  ["a program that changes something carries the key of its change"] = function(t)
    local echoed
    local ok, _, reporter = play(t, false, function(r)
      r:step("run", function()
        local opts = { env = { MINE = "kept" } }
        echoed = require("plat.proc").run({ "sh", "-c", "echo $MINE $PLATRUN_EFFECT" }, opts).stdout
      end)
    end)
    t.ok(ok)
    for _, event in ipairs(reporter.events) do
      if event.name == "change" then
        t.equal(echoed, ("kept %s\n"):format(event.e.key))
      end
    end
    t.equal(reporter:count("change"), 1)
  end,
}
