-- What goes on beside the batches of a rollout: invariants, and the leader that goes last.

local fault = require("plat.fault")
local fs = require("prim.fs")
local list = require("plat.list")
local task = require("plat.task")
local time = require("prim.time")
local help = load(assert(fs.read("tests/lua/rollout_help.lua")), "@rollout_help.lua")()

local function roll(r, opts)
  return r:rollout(list.merge({
    title = "restart",
    targets = { "a", "b", "c" },
    every = "1ms",
    readings = 1,
    within = "40ms",
    work = function() end,
  }, opts))
end

--- Answers that a check gives one after the other; the last one for ever.
local function answers(...)
  local all, n = { ... }, 0
  return function()
    n = n + 1
    local answer = all[math.min(n, #all)]
    if answer == "raise" then
      fault.raise("connect", { op = "http.get" }, { msg = "refused" })
    elseif answer == "hang" then
      task.sleep(100)
    end
    return answer, "5.1 %"
  end, function()
    return n
  end
end

--- Returns a role that can be read and given to another.
local function role(name)
  local held = { by = name }
  return held,
    function(target)
      return (type(target) == "table" and target.name or target) == held.by
    end
end

return {
  ["a breach cancels the batch within one reading, and cleanup runs"] = function(t)
    local r, seen = help.new()
    local cleaned, began = 0, time.mono()
    local err = t.fails("failed", roll, r, {
      batches = 3,
      invariant = { name = "errors below 2 %", every = "20ms", check = answers(true, true, false) },
      work = function(name, step)
        step:undo("back", { name = name })
        help.change(step)
        local _ <close> = setmetatable({}, {
          __close = function()
            cleaned = cleaned + 1
          end,
        })
        task.sleep(20)
      end,
    })
    t.ok(time.mono() - began < 2)
    t.equal(cleaned, 3)
    t.equal(err.msg, 'the invariant "errors below 2 %" is broken: 5.1 % (in batch 1 of 1)')
    t.equal(err.reason, "invariant")
    t.equal(err.detail, { "interrupted: a, b, c" })
    t.equal(seen.undone, { "c", "b", "a" })
  end,
  ["broken before it begins: nothing of the batch begins"] = function(t)
    local r, seen = help.new()
    local err = t.fails("failed", roll, r, {
      invariant = { { name = "x", check = answers(true, true, false) } },
    })
    t.match(err.msg, "in batch 2 of 3")
    t.equal(err.detail, { "done: a", "not begun: b, c" })
    t.equal(#seen.steps, 3)
  end,
  ["it is read once more at the end, so that quick work is seen too"] = function(t)
    local err = t.fails("failed", roll, (help.new()), {
      invariant = { name = "x", every = "1h", check = answers(true, false) },
    })
    t.match(err.msg, "in batch 1 of 3")
    t.equal(err.detail, { "done: a", "not begun: b, c" })
  end,
  ["it watches the gate and the pause too"] = function(t)
    local err = t.fails("failed", roll, (help.new()), {
      invariant = { name = "x", every = "5ms", check = answers(true, true, false) },
      pause = "1h",
    })
    t.match(err.msg, "in batch 1 of 3")
    err = t.fails("failed", roll, (help.new()), {
      invariant = { name = "x", every = "5ms", check = answers(true, true, false) },
      gate = function()
        return false
      end,
      within = "1h",
    })
    t.match(err.msg, "in batch 1 of 3")
  end,
  ["a reading that fails is a breach, or so many in a row"] = function(t)
    local check, count = answers(true, "raise")
    local err = t.fails("failed", roll, (help.new()), {
      invariant = { name = "x", every = "1ms", check = check },
    })
    t.match(err.msg, "it could not be read")
    t.equal(err.cause.kind, "connect")
    t.equal(count(), 2)
    check, count = answers(true, "raise", "raise", "raise")
    t.fails("could not be read", roll, (help.new()), {
      invariant = { name = "x", every = "1ms", tolerate = 3, check = check },
      work = function()
        task.sleep(20)
      end,
    })
    t.equal(count(), 4)
    roll(help.new(), {
      invariant = {
        name = "x",
        every = "1ms",
        tolerate = 2,
        check = answers("raise", true, "raise", true),
      },
    })
    t.fails("the reading did not end within", roll, (help.new()), {
      invariant = { name = "x", every = "1ms", timeout = "5ms", check = answers("hang") },
    })
    t.fails("is broken", roll, (help.new()), {
      invariant = { name = "x", tolerate = 9, check = answers("yes") }, -- not exactly true
    })
    t.fails("is broken", roll, (help.new()), {
      invariant = {
        { name = "w", check = answers(true) },
        {
          name = "x",
          check = function()
            return nil .. "a mistake"
          end,
        },
      },
    })
  end,
  ["the leader goes last, in a batch of its own, after the hook"] = function(t)
    local r, seen = help.new()
    local done = {}
    roll(r, {
      targets = { { name = "a" }, { name = "b" }, { name = "c" } },
      batches = 5,
      limit = 1,
      last = select(2, role("a")),
      before_last = function(item, step)
        done[#done + 1] = "switch " .. item.name
        t.ok(step.key)
      end,
      work = function(item)
        done[#done + 1] = item.name
      end,
    })
    t.equal(done, { "b", "c", "switch a", "a" })
    t.equal(seen.log, { "restart: 3 targets in 2 batches: 2, 1; a goes last" })
    local last = "restart: batch 2 of 2 (1 target)"
    t.equal(
      list.where(seen.steps, function(key)
        return key:sub(1, #last) == last
      end),
      { last, last .. "/restart: before a", last .. "/restart a" }
    )
    done = {}
    roll(help.new(), {
      last = "b",
      work = function(name)
        done[#done + 1] = name
      end,
    })
    t.equal(done, { "a", "c", "b" })
  end,
  ["a leader that has moved to a target that is done: no hook, and it is told"] = function(t)
    local r, seen = help.new()
    local done = {}
    local held, last = role("a")
    roll(r, {
      last = last,
      before_last = function()
        done[#done + 1] = "switch"
      end,
      work = function(name)
        done[#done + 1] = name
        held.by = "b"
      end,
    })
    t.equal(done, { "b", "c", "a" })
    t.match(help.text(seen), "b leads now and is done: a is one like the others")
  end,
  ["a leader that has moved to a target that is not begun changes places"] = function(t)
    local r, seen = help.new()
    local done = {}
    local held, last = role("a")
    roll(r, {
      last = last,
      before_last = function(name)
        done[#done + 1] = "switch " .. name
      end,
      work = function(name)
        done[#done + 1] = name
        held.by = "c"
      end,
    })
    t.equal(done, { "b", "a", "switch c", "c" })
    t.match(help.text(seen), "c leads now: it goes last, a goes in its place")
  end,
  ["nobody leads any more, nobody ever did, two do"] = function(t)
    local r, seen = help.new()
    local done = {}
    local held, last = role("a")
    local opts = {
      last = last,
      before_last = function()
        done[#done + 1] = "switch"
      end,
      work = function(name)
        done[#done + 1] = name
        held.by = "z"
      end,
    }
    roll(r, opts)
    t.equal(done, { "b", "c", "a" })
    t.match(help.text(seen), "a leads no longer, and no other target does")
    r, seen = help.new()
    done = {}
    roll(r, opts)
    t.equal(done, { "a", "b", "c" })
    t.match(help.text(seen), "no target goes last: none of them leads")
    r, seen = help.new()
    roll(r, list.merge(opts, { last = "z" }))
    t.match(help.text(seen), "no target goes last: z is not among them")
    local err = t.fails("refused", roll, (help.new()), {
      last = function(name)
        return name ~= "c"
      end,
    })
    t.match(err.msg, "more than one target claims to be the last one: a, b")
  end,
  ["a role that cannot be read stops it"] = function(t)
    local n = 0
    local err = t.fails("connect", roll, (help.new()), {
      last = function(name)
        n = n + 1
        if n > 3 then
          fault.raise("connect", { op = "http.get" }, { msg = "refused" })
        end
        return name == "a"
      end,
    })
    t.equal(err.msg, "refused")
  end,
}
