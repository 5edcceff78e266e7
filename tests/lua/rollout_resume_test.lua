-- Rollouts over several processes: killed after each record, resumed, tried again.

local fault = require("plat.fault")
local fs = require("prim.fs")
local list = require("plat.list")
local help = load(assert(fs.read("tests/lua/rollout_help.lua")), "@rollout_help.lua")()

--- A rollout of five with one failure inside the budget; notes what was worked on.
local function forgiving(done)
  return {
    title = "restart",
    targets = { "a", "b", "c", "d", "e" },
    batches = 2,
    limit = 1,
    last = "a",
    before_last = function()
      done[#done + 1] = "hook"
    end,
    budget = { total = 1 },
    gate = function(batch)
      done[#done + 1] = "gate " .. batch.number
      return true
    end,
    readings = 1,
    work = function(name, step)
      step:undo("back", { name = name })
      help.change(step)
      done[#done + 1] = name
      if name == "c" then
        fault.raise("failed", { op = "test" }, { msg = "c is broken" })
      end
    end,
  }
end

--- Returns whether a step of this title has ended well in the first records.
local function ended(records, count, title)
  for i = 1, count do
    local r = records[i]
    if r.type == "step_end" and r.key:match("[^/]*$") == title and r.status == "ok" then
      return true
    end
  end
  return false
end

local function failure_known(records, count)
  for i = 1, count do
    local value = records[i].type == "keep" and records[i].value
    if type(value) == "table" and value.failures and value.failures.c then
      return true
    end
  end
  return false
end

--- A rollout whose second batch fails, in a run that lives on or goes on.
local function failing(done, bad)
  return {
    title = "restart",
    targets = { "a", "b", "c", "d" },
    batches = { 1, 3 },
    limit = 1,
    work = function(name, step)
      if name ~= "c" then -- has nothing to undo
        step:undo("back", { name = name })
        help.change(step)
      end
      done[#done + 1] = name
      if bad[name] then
        fault.raise("failed", { op = "test" }, { msg = name .. " is broken" })
      end
    end,
  }
end

return {
  ["killed after each record: what is done is not done again, failures count"] = function(t)
    local whole = {}
    local r, seen = help.new()
    local result = r:rollout(forgiving(whole))
    t.equal(result, { done = { "b", "d", "e", "a" }, failed = { "c" } })
    t.equal(whole, { "b", "c", "gate 1", "d", "e", "gate 2", "hook", "a", "gate 3" })
    local records = seen.records
    t.ok(#records > 30, "records: " .. #records)
    for k = 0, #records do
      local done = {}
      local again, saw = help.resumed(records, k)
      t.equal(again:rollout(forgiving(done)), result, "killed after record " .. k)
      for _, name in ipairs({ "a", "b", "d", "e" }) do
        local first = not ended(records, k, "restart " .. name)
        t.equal(list.contains(done, name), first, ("%s after record %d"):format(name, k))
      end
      t.equal(
        list.contains(done, "c"),
        not failure_known(records, k),
        ("c after record %d"):format(k)
      )
      t.equal(#again.undo, 0, "after record " .. k)
      for _, record in ipairs(saw.records) do
        local undone = record.type == "undo_end" and record.status == "ok"
        t.ok(not undone or record.id:find("/restart c|"), "undone after record " .. k)
      end
    end
  end,
  ["resumed between two batches: the gate of the finished one is asked again"] = function(t)
    local r, seen = help.new()
    r:rollout(forgiving({}))
    local at
    for i, record in ipairs(seen.records) do
      if record.type == "step_end" and record.key:find("batch 1 of 3[^/]*$") then
        at = i
      end
    end
    local done = {}
    help.resumed(seen.records, at):rollout(forgiving(done))
    t.equal(done, { "gate 1", "d", "e", "gate 2", "hook", "a", "gate 3" })
  end,
  ["a batch that was undone is done again when the run is resumed"] = function(t)
    local done = {}
    local r, seen = help.new()
    t.fails("1 of 3 failed", r.rollout, r, failing(done, { d = true }))
    t.equal(done, { "a", "b", "c", "d" })
    t.equal(seen.undone, { "d", "b" })
    local again, saw = help.resumed(seen.records, nil, true)
    done = {}
    t.equal(again:rollout(failing(done, {})).done, { "a", "b", "c", "d" })
    t.equal(done, { "b", "d" }, "c was not undone")
    t.match(table.concat(saw.steps, "\n"), "/restart b %(attempt 2%)\n")
    t.ok(#saw.records > 0)
    t.equal(#again.undo, 0)
  end,
  ["a failure that has nothing to undo is tried again beside what was undone"] = function(t)
    local r, seen = help.new()
    t.fails("1 of 3 failed", r.rollout, r, failing({}, { c = true }))
    t.equal(seen.undone, { "b" })
    for _ = 1, 2 do
      local done = {}
      r, seen = help.resumed(seen.records, nil, true)
      t.fails("1 of 3 failed", r.rollout, r, failing(done, { c = true }))
      t.equal(done, { "b", "c" })
    end
    local done = {}
    r = help.resumed(seen.records, nil, true)
    r:rollout(failing(done, {}))
    t.equal(done, { "b", "c", "d" })
  end,
  ["it may fail again, and again"] = function(t)
    local r, seen = help.new()
    t.fails("failed", r.rollout, r, failing({}, { d = true }))
    for n = 2, 4 do
      r, seen = help.resumed(seen.records, nil, true)
      local done = {}
      t.fails("1 of 3 failed in batch 2 of 2", r.rollout, r, failing(done, { d = true }))
      t.equal(done, { "b", "d" }, "attempt " .. n)
      t.equal(seen.undone, { "d", "b" }, "attempt " .. n)
    end
    r, seen = help.resumed(seen.records, nil, true)
    r:rollout(failing({}, {}))
    t.match(table.concat(seen.steps, "\n"), "/restart d %(attempt 5%)$")
  end,
  ["undo = none: resumed, the failed one is tried again, and nothing else"] = function(t)
    local function keeping(done, bad)
      return list.merge(failing(done, bad), { undo = "none" })
    end
    local r, seen = help.new()
    t.fails("failed", r.rollout, r, keeping({}, { d = true }))
    local done = {}
    r = help.resumed(seen.records, nil, true)
    r:rollout(keeping(done, {}))
    t.equal(done, { "d" })
  end,
  ["failures inside the budget are tried again after a stop, not after a kill"] = function(t)
    local function two(done, bad)
      return list.merge(failing(done, bad), { budget = { batch = 1 } })
    end
    local r, seen = help.new()
    t.fails("2 of 3 failed", r.rollout, r, two({}, { b = true, d = true }))
    local done = {}
    help.resumed(seen.records, nil, true):rollout(two(done, {}))
    t.equal(done, { "b", "d" })
  end,
  ["killed in the undo of a batch: it is finished, and the failure stays"] = function(t)
    local r, seen = help.new()
    local first = t.fails("failed", r.rollout, r, failing({}, { d = true }))
    local from
    for i, record in ipairs(seen.records) do
      local value = record.type == "keep" and record.value
      if type(value) == "table" and value.stopped then
        from = i
      end
    end
    t.ok(#seen.records - from >= 6, "records of the undo")
    for k = from, #seen.records do
      local done = {}
      local again, saw = help.resumed(seen.records, k)
      local err = t.fails("failed", again.rollout, again, failing(done, {}))
      t.equal(err.msg, first.msg, "after record " .. k)
      t.equal(done, {}, "nothing is worked on")
      t.equal(#again.undo, 0, "after record " .. k)
      local over = {}
      for i = 1, k do
        local record = seen.records[i]
        over[record.type == "undo_end" and record.id or ""] = true
      end
      for _, name in ipairs({ "b", "d" }) do
        local id = ("restart: batch 2 of 2 (3 targets)/restart %s|back|1"):format(name)
        t.equal(list.contains(saw.undone, name) and over[id] or false, false, name .. " once")
      end
    end
  end,
  ["targets that are none any more, or are new"] = function(t)
    local r, seen = help.new()
    local done = {}
    local function fewer(opts, names)
      return list.merge(opts, { targets = names })
    end
    r:rollout(failing(done, {}))
    local begun
    for i, record in ipairs(seen.records) do
      if record.type == "step" and record.key:find("/restart c$") then
        begun = i
      end
    end
    local again = help.resumed(seen.records, begun)
    local err = t.fails("refused", again.rollout, again, fewer(failing({}, {}), { "d", "z" }))
    t.match(err.msg, "c was begun in batch 2 of 2, and is no target any more")
    t.match(err.hint, "run:keep")
    local saw
    again, saw = help.resumed(seen.records, begun - 1)
    done = {}
    again:rollout(fewer(failing(done, {}), { "d", "z" }))
    t.equal(done, { "d" })
    t.match(help.text(saw), "c is no target any more: nothing to do")
    t.match(help.text(saw), "z is no target of this run")
  end,
}
