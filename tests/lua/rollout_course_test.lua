-- The course of a rollout: steps, gate, invariants, budget, leader, undo, plan.

local fault = require("plat.fault")
local fs = require("prim.fs")
local list = require("plat.list")
local task = require("plat.task")
local time = require("prim.time")
local help = load(assert(fs.read("tests/lua/rollout_help.lua")), "@rollout_help.lua")()

local function broken(name)
  fault.raise("failed", { op = "test" }, { msg = name .. " is broken" })
end

--- Work that notes its order, and fails for some.
local function worker(done, bad)
  return function(item, step)
    local name = type(item) == "table" and item.name or item
    step:undo("back", { name = name })
    help.change(step)
    if bad and bad[name] then
      broken(name)
    end
    done[#done + 1] = name
  end
end

local QUICK = { every = "1ms", readings = 1, within = "40ms" }
local FIVE = { "a", "b", "c", "d", "e" }

local function roll(r, opts)
  return r:rollout(list.merge({ title = "restart", targets = FIVE }, QUICK, opts))
end

return {
  ["steps of batches and targets, one after the other"] = function(t)
    local r, seen = help.new()
    local done = {}
    local result = roll(r, { work = worker(done), batches = { 1, "40%" }, noun = "host" })
    t.equal(done, FIVE)
    t.equal(result, { done = FIVE, failed = {} })
    t.equal(seen.steps, {
      "restart: batch 1 of 3 (1 host)",
      "restart: batch 1 of 3 (1 host)/restart a",
      "restart: batch 2 of 3 (2 hosts)",
      "restart: batch 2 of 3 (2 hosts)/restart b",
      "restart: batch 2 of 3 (2 hosts)/restart c",
      "restart: batch 3 of 3 (2 hosts)",
      "restart: batch 3 of 3 (2 hosts)/restart d",
      "restart: batch 3 of 3 (2 hosts)/restart e",
    })
    t.equal(seen.log, { "restart: 5 hosts in 3 batches: 1, 2, 2" })
    t.equal(#r.undo, 0, "a finished batch stays")
    roll(r, { work = worker(done), targets = { "z" } })
    t.equal(seen.steps[9], "restart (2): batch 1 of 1 (1 target)", "a second one of that title")
  end,
  ["as many at once as the batch has, or the limit, or --forks"] = function(t)
    local function most(opts, forks)
      local r = help.new({ forks = forks })
      local now, top = 0, 0
      roll(
        r,
        list.merge({
          batches = 4,
          work = function()
            now = now + 1
            top = math.max(top, now)
            task.sleep(0.002)
            now = now - 1
          end,
        }, opts)
      )
      return top
    end
    t.equal(most({}), 4)
    t.equal(most({ limit = 2 }), 2)
    t.equal(most({}, 3), 3)
  end,
  ["nothing to roll out"] = function(t)
    local r, seen = help.new()
    t.equal(roll(r, { targets = {}, work = broken }), { done = {}, failed = {} })
    t.equal(seen.log, { "restart: nothing to roll out" })
    t.equal(seen.steps, {})
  end,
  ["what is said wrongly is a usage error that names it"] = function(t)
    local table_of = {
      { { btches = 1 }, 'unknown option "btches" %(did you mean "batches"%?%)' },
      { { batches = "ten" }, 'option "batches": "ten" is neither' },
      { { order = "random" }, 'option "order"' },
      { { undo = "some" }, 'option "undo": "some" is none of batch, all, none' },
      { { budget = { totl = 1 } }, 'option "budget": unknown field "totl"' },
      { { last = 3 }, 'option "last": a name or a function' },
      { { before_last = broken }, 'option "before_last": it goes with' },
      { { pause = "soon" }, 'option "pause": "soon" is not a duration' },
      { { invariant = { name = "x" } }, 'invariant: option "check" is required' },
      { { invariant = { { nme = "x" } } }, 'invariant: unknown option "nme"' },
      { { targets = { "a", "b", "a" } }, 'two targets are named "a"' },
      { { targets = { { id = 1 } } }, "number 1 has no name" },
    }
    for _, case in ipairs(table_of) do
      local r, seen = help.new()
      local err = t.fails("usage", roll, r, list.merge({ work = broken }, case[1]))
      t.match(err.msg, case[2])
      t.equal(seen.steps, {})
    end
    t.match(t.fails("usage", roll, (help.new()), {}).msg, 'option "work" is required')
  end,
  ["targets are named by a field or a function"] = function(t)
    local done = {}
    local targets = { { id = 7 }, { id = 8 } }
    for _, key in ipairs({
      "id",
      function(item)
        return item.id
      end,
    }) do
      local r, seen = help.new()
      roll(r, {
        targets = targets,
        key = key,
        work = function(item)
          done[#done + 1] = item.id
        end,
      })
      t.match(seen.steps[2], "/restart 7$")
    end
    t.equal(done, { 7, 8, 7, 8 })
  end,
  ["the first failure stops it, and the error says where everything stands"] = function(t)
    local r, seen = help.new()
    local done = {}
    local err = t.fails("failed", roll, r, {
      work = worker(done, { c = true }),
      batches = { 1, 2 },
      limit = 1,
    })
    t.equal(err.msg, "1 of 2 failed in batch 2 of 3, none allowed: c")
    t.equal(err.detail, { "done: a", "failed: c", "undone: b", "not begun: d, e" })
    t.equal(err.cause.msg, "c is broken")
    t.match(err.hint, "run the playbook again")
    t.equal(done, { "a", "b" })
    t.equal(seen.undone, { "c", "b" }, "newest first, and batch 1 stays")
    t.equal(#r.undo, 0)
  end,
  ["undo: none keeps all, all leaves it to the run"] = function(t)
    local r, seen = help.new()
    t.fails("failed", roll, r, { work = worker({}, { b = true }), undo = "none" })
    t.equal({ seen.undone, #r.undo }, { {}, 0 })
    r, seen = help.new()
    t.fails("failed", roll, r, { work = worker({}, { b = true }), undo = "all" })
    t.equal({ seen.undone, #r.undo }, { {}, 2 })
    r, seen = help.new({ options = { no_undo = true } })
    t.fails("failed", roll, r, { work = worker({}, { b = true }) })
    t.equal({ seen.undone, #r.undo }, { {}, 1 })
    t.match(help.text(seen), "batch 2 of 5 is not undone: %-%-no%-undo")
  end,
  ["what was recorded before the rollout is not its own"] = function(t)
    local r, seen = help.new()
    r:step("prepare", function(step)
      step:undo("back", { name = "before" })
      help.change(step)
    end)
    t.fails("failed", roll, r, { work = worker({}, { b = true }) })
    t.equal(seen.undone, { "b" })
    t.equal(r.undo[1].args.name, "before")
    t.equal(#r.undo, 1)
  end,
  ["an undo that fails is told, and stays"] = function(t)
    local r, seen = help.new()
    seen.undo_fails = true
    local err = t.fails("failed", roll, r, { work = worker({}, { b = true }) })
    t.match(err.detail[#err.detail], "the undo of batch 2 of 5 failed: .*undo of b failed")
    t.equal(#r.undo, 1)
  end,
  ["failures inside the budget: undone, told, counted"] = function(t)
    local r, seen = help.new()
    local done, shut = {}, nil
    local result = roll(r, {
      work = worker(done, { b = true, d = true }),
      batches = 2,
      budget = { batch = 1, total = 2 },
      gate = function(batch)
        shut = shut or batch
        return true
      end,
    })
    t.equal(result, { done = { "a", "c", "e" }, failed = { "b", "d" } })
    t.equal(shut.failed, { "b" })
    t.equal(shut.names, { "a", "b" })
    t.equal(seen.undone, { "b", "d" }, "their own undo, and nobody else's")
    t.match(
      help.text(seen),
      "1 of 2 failed in batch 1 of 3, which is inside the budget: b: test: b is"
    )
    t.match(help.text(seen), "3 done, 2 failed: b, d")
    t.equal(#seen.failed, 2, "their steps have failed")
  end,
  ["one failure too many, in a batch and in all"] = function(t)
    local err = t.fails("failed", roll, (help.new()), {
      work = worker({}, { a = true, b = true }),
      batches = 3,
      limit = 1,
      budget = { batch = 1 },
    })
    t.equal(err.msg, "2 of 3 failed in batch 1 of 2, 1 allowed: b")
    err = t.fails("failed", roll, (help.new()), {
      work = worker({}, { a = true, c = true }),
      budget = { total = 1 },
    })
    t.equal(err.msg, "1 of 1 failed in batch 3 of 5, 2 in all, 1 allowed in all: c")
  end,
  ["no budget forgives a mistake in the playbook or a refusal"] = function(t)
    local nothing = {}
    t.fails("bug", roll, (help.new()), {
      budget = { batch = "100%" },
      work = function()
        return nothing.here.there
      end,
    })
    local r = help.new()
    t.fails("refused", roll, r, {
      budget = { batch = "100%" },
      work = function()
        r:guard("quorum", function()
          return false, "2 of 3"
        end)
      end,
    })
  end,
  ["a gate that stays shut"] = function(t)
    local r, seen = help.new()
    local err = t.fails("failed", roll, r, {
      work = worker({}),
      batches = { 1, 2 },
      gate = function(batch)
        return batch.number < 2, "4 of 5 ready"
      end,
    })
    t.match(err.msg, "^the gate after batch 2 of 3 stays shut: not true within .*: 4 of 5 ready$")
    t.equal(err.reason, "gate")
    t.equal(err.detail, { "done: a", "undone: b, c", "not begun: d, e" })
    t.equal(seen.undone, { "c", "b" })
  end,
  ["a timeout of a target is a failure of that target"] = function(t)
    local r = help.new()
    local result = roll(r, {
      timeout = "20ms",
      budget = { batch = 1 },
      targets = { "a", "b" },
      work = function(name)
        task.sleep(name == "a" and 10 or 0)
      end,
    })
    t.equal(result.failed, { "a" })
  end,
  ["a deadline around the rollout is no failure of a target"] = function(t)
    local r, seen = help.new()
    local err = t.fails("timeout", function()
      task.timeout(0.03, function()
        roll(r, {
          budget = { batch = "100%" },
          work = function()
            task.sleep(10)
          end,
        })
      end, "the run")
    end)
    t.ok(err.deadline)
    t.equal(#seen.steps, 2, "the next batch does not begin")
  end,
  ["pauses between batches, not after the last"] = function(t)
    local asked = {}
    roll(help.new(), {
      targets = { "a", "b", "c" },
      work = worker({}),
      pause = function(batch)
        asked[#asked + 1] = batch.number
        return batch.number == 1 and "1ms" or nil
      end,
    })
    t.equal(asked, { 1, 2 })
    local at = time.mono()
    roll(help.new(), { targets = { "a", "b" }, work = worker({}), pause = "30ms" })
    local slept = time.mono() - at
    t.ok(slept >= 0.03 and slept < 1, "slept " .. slept)
  end,
  ["a plan lists batches, gates and what is watched, and waits for nothing"] = function(t)
    local r, seen = help.new({ planning = true })
    local entered = {}
    roll(r, {
      targets = { "a", "b", "c" },
      batches = { 1, 2 },
      pause = "1h",
      gate = broken,
      last = function(name)
        return name == "a"
      end,
      before_last = function(name)
        entered[#entered + 1] = "switch " .. name
      end,
      invariant = { name = "errors below 2 %", check = broken },
      work = worker(entered),
    })
    t.equal(entered, { "b", "c", "switch a", "a" })
    local lines = {}
    for _, e in ipairs(seen.events) do
      if e.name:find("^plan_") then
        lines[#lines + 1] = e.name .. " " .. (e.event.title or e.event.text)
      end
    end
    t.equal(lines, {
      "plan_watch errors below 2 %",
      "plan_prove restart: gate after batch 1 of 3",
      "plan_prove restart: gate after batch 2 of 3",
      "plan_prove restart: gate after batch 3 of 3",
    })
    t.equal(seen.steps[#seen.steps - 1], "restart: batch 3 of 3 (1 target)/restart: before a")
  end,
}
