--- Runs that fail and are gone on with, in one process: the journal is all that the next one has.
--- What a kill leaves behind is for tests/crash.

local fault = require("plat.fault")
local fs = require("prim.fs")
local list = require("plat.list")
local memory = require("plat.run.memory")
local help = load(assert(require("prim.fs").read("tests/lua/resume_help.lua")), "@help")()

local scene, process, put, last = help.scene, help.process, help.put, help.last

--- A playbook that comes to its step, and to no change in it.
local IDLE = {
  run = function(r)
    r:step("x", function() end)
  end,
}

--- Leaves a run behind that was killed when it had noted a change, and no outcome.
local function crash(s, recovery)
  local playbook = {
    run = function(r)
      r:step("x", function()
        put("/a", "1", recovery)
      end)
    end,
  }
  help.killed(s, playbook, "intent")
end

--- Counts how often a run of `n` open steps that is resumed, fails and is undone looks through all
--- that was changed.
local function scans(t, n)
  local s = scene(t)
  local items = {}
  for i = 1, n do
    items[i] = "s" .. i
  end
  local playbook = {
    undo = {
      set = function(_, args)
        put(args.path, "old")
      end,
    },
    run = function(r)
      r:each("do", items, { limit = n }, function(name, step)
        step:undo("set", { path = "/" .. name })
        put("/" .. name, "new")
      end)
      fault.raise("failed", {}, { msg = "no" })
    end,
  }
  help.killed(s, playbook, "outcome")
  local count, read = 0, memory.read
  t.defer(function()
    memory.read = read
  end)
  memory.read = function(records)
    local m = read(records)
    for _, all in ipairs({ m.changes, m.touched, m.newest }) do
      setmetatable(all, {
        __pairs = function(self)
          count = count + 1
          local keys, i = list.keys(self), 0
          return function()
            i = i + 1
            return keys[i], self[keys[i]]
          end
        end,
      })
    end
    return m
  end
  t.equal(process(s, playbook).exit, 8)
  t.equal(#s.world.log, 2 * n - 1, "each is put back, and all but one made again")
  memory.read = read
  return count
end

return {
  ["a finished step is not entered again and gives its value"] = function(t)
    local s = scene(t)
    local entered, seen = 0, nil
    local playbook = {
      run = function(r)
        seen = r:step("one", { returns = true }, function()
          entered = entered + 1
          put("/a", "1")
          return { n = 7, list = { "x" } }
        end)
        r:step("two", function()
          if not s.again then
            fault.raise("failed", {}, { msg = "not yet" })
          end
          put("/b", "2")
        end)
      end,
    }
    local result = process(s, playbook)
    t.equal({ result.exit, result.word, result.resumable }, { 2, "failed", true })
    s.again = true
    result = process(s, playbook)
    t.equal(result.exit, 0)
    t.equal(entered, 1)
    t.equal(seen, { n = 7, list = { "x" } })
    t.equal(s.world.log, { "PUT /a 1", "PUT /b 2" })
  end,
  ["what was kept is not read again"] = function(t)
    local s = scene(t)
    local reads = 0
    local playbook = {
      run = function(r)
        local before = r:keep("before", function()
          reads = reads + 1
          return reads
        end)
        t.equal(before, 1)
        t.equal(
          r:keep("nothing", function()
            return nil
          end),
          nil
        )
        r:step("x", function()
          put("/a", "1")
          if reads == 1 and not s.again then
            fault.raise("failed", {}, { msg = "no" })
          end
        end)
      end,
    }
    process(s, playbook)
    s.again = true
    t.equal(process(s, playbook).exit, 0)
    t.equal(reads, 1)
  end,
  ["a body that is entered again gets the answers of its changes"] = function(t)
    local s = scene(t)
    local answers = {}
    local playbook = {
      run = function(r)
        r:step("x", function()
          answers[#answers + 1] = put("/a", "1").body
          if not s.again then
            fault.raise("failed", {}, { msg = "no" })
          end
          put("/b", answers[#answers])
        end)
      end,
    }
    process(s, playbook)
    s.again = true
    t.equal(process(s, playbook).exit, 0)
    t.equal(answers, { "answer to 1", "answer to 1" })
    t.equal(s.world.log, { "PUT /a 1", "PUT /b answer to 1" })
  end,
  ["a program that failed is run again, one that worked is not"] = function(t)
    local s = scene(t)
    s.world.has_localhost = true
    local dir = t.tmp()
    local proc = require("plat.proc")
    local playbook = {
      run = function(r)
        r:step("x", function()
          proc.run({ "sh", "-c", ("echo once >>%s/worked"):format(dir) })
          proc.run({ "sh", "-c", ("echo again >>%s/tried; test -e %s/ok"):format(dir, dir) })
        end)
      end,
    }
    t.equal(process(s, playbook).exit, 2)
    fs.write(dir .. "/ok", "")
    t.equal(process(s, playbook).exit, 0)
    t.equal(fs.read(dir .. "/worked"), "once\n")
    t.equal(fs.read(dir .. "/tried"), "again\nagain\n")
  end,
  ["creates and unless say that a program has run"] = function(t)
    local s = scene(t)
    s.world.has_localhost = true
    local dir = t.tmp()
    local proc = require("plat.proc")
    local skipped = {}
    local playbook = {
      run = function(r)
        r:step("x", function()
          local file = dir .. "/made"
          skipped[1] = proc.run({ "touch", file }, { creates = file }).skipped
          skipped[2] = proc.run({ "touch", file }, { creates = file }).skipped
          skipped[3] = proc.run({ "touch", file }, { unless = { "test", "-e", file } }).skipped
        end)
      end,
    }
    t.equal(process(s, playbook).exit, 0)
    t.equal(skipped, { [2] = true, [3] = true })
    t.equal(s.run.changes, 1)
  end,
  ["an open step that nothing leads to is for a person"] = function(t)
    local s = scene(t)
    local playbook = {
      run = function(r)
        if not s.again then
          r:step("gone", function()
            put("/a", "1")
            fault.raise("failed", {}, { msg = "no" })
          end)
        end
      end,
    }
    process(s, playbook)
    s.again = true
    local result = process(s, playbook)
    t.equal(result.exit, 3)
    t.match(fault.text(result.err), 'the step "gone" was begun')
    t.match(fault.text(result.err), "done: put 1 into /a")
    t.match(fault.text(result.err), '%-%-settle "gone"')
    result = process(s, playbook, { said = { closed = { "gone" }, redo = {} } })
    t.equal(result.exit, 0)
  end,
  ["a resumed run does not look through all its changes for each step"] = function(t)
    t.equal(scans(t, 40), scans(t, 4))
  end,
  ["nobody settles what a body does not come to any more"] = function(t)
    local s = scene(t)
    crash(s, "repeatable")
    t.equal(process(s, IDLE).exit, 0)
    local outcome = last(s, "outcome")
    t.equal({ outcome.outcome, outcome.settled }, { "superseded", nil })
  end,
  ["what nobody can tell is settled by a person, and says so"] = function(t)
    local s = scene(t)
    crash(s, "unknowable")
    t.equal(process(s, IDLE).exit, 3)
    t.equal(process(s, IDLE, { said = { closed = {}, redo = { "x" } } }).exit, 0)
    local outcome = last(s, "outcome")
    t.equal({ outcome.outcome, outcome.settled }, { "failed", "person" })
  end,
  ["who is asked when the body comes to it again has said so, not a probe"] = function(t)
    local s = scene(t)
    crash(s, "unknowable")
    local settle = require("plat.run.settle")
    local person = settle.person
    t.defer(function()
      settle.person = person
    end)
    settle.person = function()
      return "done"
    end
    local result = process(s, {
      run = function(r)
        r:step("x", function()
          put("/a", "1", "unknowable")
        end)
      end,
    })
    t.equal(result.exit, 0)
    local outcome = last(s, "outcome")
    t.equal({ outcome.outcome, outcome.settled }, { "done", "person" })
    t.equal(s.world.log, {})
  end,
  ["a failure that the playbook caught is told again"] = function(t)
    local s = scene(t)
    local kinds = {}
    local playbook = {
      run = function(r)
        local _, err = fault.try(function()
          r:step("may fail", function()
            put("/a", "1")
            fault.raise("failed", {}, { msg = "as planned" })
          end)
        end)
        kinds[#kinds + 1] = err.msg
        r:step("after", function()
          put("/b", "1")
          if not s.again then
            fault.raise("failed", {}, { msg = "no" })
          end
        end)
      end,
    }
    process(s, playbook)
    s.again = true
    t.equal(process(s, playbook).exit, 0)
    t.equal(kinds, { "as planned", "as planned" })
    t.equal(s.world.log, { "PUT /a 1", "PUT /b 1" })
  end,
}
