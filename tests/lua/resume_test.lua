--- Runs that fail and are gone on with, in one process: the journal is all that the next one has.
--- What a kill leaves behind is for tests/crash.

local effect = require("plat.effect")
local fault = require("plat.fault")
local files = require("plat.journal.files")
local fs = require("prim.fs")
local journal = require("plat.journal")
local list = require("plat.list")
local memory = require("plat.run.memory")
local run = require("plat.run")
local task = require("plat.task")

--- A world of one server that keeps what was sent to it.
local function new_world()
  local world = { log = {}, values = {} }
  function world:request(_, req)
    local path = req.url:match("^http://[^/]+(.*)$")
    if req.method == "GET" then
      local value = self.values[path]
      return { status = value and 200 or 404, headers = {}, body = value or "" }
    end
    table.insert(self.log, req.method .. " " .. path .. " " .. (req.body or ""))
    self.values[path] = req.body
    return { status = 200, headers = {}, body = "answer to " .. req.body }
  end
  return world
end

local function get(path)
  return effect.http({
    method = "GET",
    url = "http://thing" .. path,
    target = "thing",
    op = "thing.get",
    object = path,
    retry = false,
  })
end

local function put(path, value, recovery, probe)
  return effect.http({
    method = "PUT",
    url = "http://thing" .. path,
    body = value,
    target = "thing",
    op = "thing.put",
    object = path,
    retry = false,
    change = {
      text = ("put %s into %s"):format(value, path),
      args = { value = value },
      recovery = recovery or "repeatable",
      probe = probe,
    },
  })
end

local function scene(t)
  local dir = t.tmp()
  local old = files.dir
  files.dir = function()
    return dir .. "/runs"
  end
  t.defer(function()
    files.dir = old
    effect.close()
  end)
  return { world = new_world(), events = {}, t = t }
end

--- Runs a playbook as one process does; returns its result.
local function process(s, playbook, opts)
  local j = s.id and journal.open(s.id, { sync = false })
    or journal.new(function()
      return { playbook = { name = "test" } }
    end, { name = "test", sync = false })
  local m = j.records and memory.read(j.records)
  local r = run.new(list.merge({
    name = "test",
    args = {},
    playbook = playbook,
    journal = j,
    memory = m,
    reporter = {
      emit = function(_, name, e)
        table.insert(s.events, { name = name, e = e })
      end,
    },
  }, opts or {}))
  s.id, s.run = j.id, r
  effect.open({ mode = "run", world = s.world, observer = r:observer() })
  if opts and opts.said then
    require("plat.run.byhand").apply(r, opts.said)
  end
  local ok, err = xpcall(function()
    if m and m.undoing then
      require("plat.run.ending").go_on_undoing(r)
    end
    playbook.run(r)
    require("plat.run.settle").close_run(r)
  end, fault.from_handler)
  local result = require("plat.run.ending").finish(r, not ok and err or nil)
  j:close()
  return result
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
  ["compensations: newest first, exit 8, and nothing to resume"] = function(t)
    local s = scene(t)
    local playbook
    playbook = {
      undo = {
        set = function(_, args)
          put(args.path, args.value)
        end,
      },
      run = function(r)
        for _, name in ipairs({ "a", "b" }) do
          r:step("set " .. name, function(step)
            step:undo("set", { path = "/" .. name, value = "old" })
            put("/" .. name, "new")
          end)
        end
        fault.raise("failed", {}, { msg = "no" })
      end,
    }
    local result = process(s, playbook)
    t.equal({ result.exit, result.word, result.resumable }, { 8, "compensated", false })
    t.equal(s.world.log, { "PUT /a new", "PUT /b new", "PUT /b old", "PUT /a old" })
  end,
  ["an undo that raises: exit 9, the rest waits, a resume goes on"] = function(t)
    local s = scene(t)
    local playbook
    playbook = {
      undo = {
        set = function(_, args)
          if args.path == "/b" and not s.again then
            fault.raise("failed", {}, { msg = "the undo fails" })
          end
          put(args.path, args.value)
        end,
      },
      run = function(r)
        for _, name in ipairs({ "a", "b", "c" }) do
          r:step("set " .. name, function(step)
            step:undo("set", { path = "/" .. name, value = "old" })
            put("/" .. name, "new")
          end)
        end
        fault.raise("failed", {}, { msg = "no" })
      end,
    }
    local result = process(s, playbook)
    t.equal({ result.exit, result.resumable }, { 9, true })
    t.equal(result.undone.left, 2)
    s.again = true
    result = process(s, playbook)
    t.equal(result.exit, 8)
    t.equal(
      s.world.log,
      { "PUT /a new", "PUT /b new", "PUT /c new", "PUT /c old", "PUT /b old", "PUT /a old" }
    )
  end,
  ["nothing is undone beyond a point of no return, and what is kept stays"] = function(t)
    local s = scene(t)
    local function set(r, name, opts)
      r:step("set " .. name, opts or {}, function(step)
        step:undo("set", { path = "/" .. name, value = "old" })
        put("/" .. name, "new")
      end)
    end
    local playbook = {
      undo = {
        set = function(_, args)
          put(args.path, args.value)
        end,
      },
      run = function(r)
        set(r, "a")
        r:step("leap", { no_return = true }, function()
          put("/leap", "1")
        end)
        set(r, "b")
        set(r, "c", { keep = true })
        set(r, "d")
        fault.raise("failed", {}, { msg = "no" })
      end,
    }
    local result = process(s, playbook)
    t.equal(result.exit, 2)
    t.equal(result.undone.no_return, "leap")
    t.equal({ table.unpack(s.world.log, 6) }, { "PUT /d old", "PUT /b old" })
  end,
  ["a step without compensation: 2, and it is named"] = function(t)
    local s = scene(t)
    local playbook = {
      undo = {
        set = function(_, args)
          put(args.path, args.value)
        end,
      },
      run = function(r)
        r:step("outer", function(step)
          step:undo("set", { path = "/a", value = "old" })
          r:step("inner", function()
            put("/a", "new")
          end)
        end)
        r:step("bare", function()
          put("/b", "new")
        end)
        fault.raise("failed", {}, { msg = "no" })
      end,
    }
    local result = process(s, playbook)
    t.equal(result.exit, 2)
    t.equal(result.undone.uncovered, { "bare" })
  end,
  ["an unknown outcome stops the undo, and a resume asks"] = function(t)
    local s = scene(t)
    local playbook = {
      undo = {
        set = function(_, args)
          put(args.path, args.value)
        end,
      },
      run = function(r)
        r:step("set", function(step)
          step:undo("set", { path = "/a", value = "old" })
          put("/a", "new")
          if not s.again then
            local request = s.world.request
            function s.world:request(...)
              s.world.request = request
              fault.raise("timeout", {}, { msg = "no answer", phase = "response" })
            end
          end
          put("/b", "1", "unknowable")
        end)
      end,
    }
    local result = process(s, playbook)
    t.equal(result.exit, 2)
    t.match(result.undone.skipped, "the state is unknown: put 1 into /b")
    t.equal(s.world.log, { "PUT /a new" })
    s.again = true
    result = process(s, playbook)
    t.equal(result.exit, 3)
    t.match(fault.text(result.err), "nobody can tell whether this happened")
    result = process(s, playbook, { said = { closed = {}, redo = { "set" } } })
    t.equal(result.exit, 0)
    t.equal(s.world.log, { "PUT /a new", "PUT /b 1" })
  end,
  ["a probed change whose answer is lost is looked up at once"] = function(t)
    local s = scene(t)
    local playbook = {
      run = function(r)
        r:step("x", function()
          local request = s.world.request
          function s.world:request(...)
            s.world.request = request
            request(self, ...)
            fault.raise("connect", {}, { msg = "reset", sent = true })
          end
          put("/a", "1", "probed", function()
            return get("/a").status == 200
          end)
        end)
      end,
    }
    t.equal(process(s, playbook).exit, 0)
    t.equal(s.world.log, { "PUT /a 1" })
  end,
  ["an undo that names nothing is refused before the effect"] = function(t)
    local s = scene(t)
    local playbook = {
      undo = { restore = function() end },
      run = function(r)
        r:step("x", function(step)
          step:undo("restor", {})
          put("/a", "1")
        end)
      end,
    }
    local result = process(s, playbook)
    t.equal(result.exit, 64)
    t.match(fault.text(result.err), 'did you mean "restore"')
    t.equal(s.world.log, {})
  end,
  ["guards: passed before a change of ours; a made one is checked again"] = function(t)
    local s = scene(t)
    local asked = { plain = 0, made = 0 }
    local playbook = {
      run = function(r)
        r:guard("plain", function()
          asked.plain = asked.plain + 1
          return true
        end)
        r:guard({
          name = "made",
          again = true,
          check = function()
            asked.made = asked.made + 1
            return not s.refuse, "it does not hold any more"
          end,
        })
        r:step("a", function()
          put("/a", "1")
        end)
        r:step("leap", { no_return = true }, function()
          if not s.again then
            fault.raise("failed", {}, { msg = "no" })
          end
        end)
      end,
    }
    t.equal(process(s, playbook).exit, 2)
    t.equal(asked, { plain = 1, made = 2 })
    s.again = true
    t.equal(process(s, playbook).exit, 0)
    t.equal(asked, { plain = 1, made = 4 })
  end,
  ["a guard that falls before the point of no return stops there"] = function(t)
    local s = scene(t)
    local ok = true
    local playbook = {
      run = function(r)
        r:guard({
          name = "quorum",
          again = true,
          check = function()
            return ok, "2 of 3 are up"
          end,
        })
        ok = false
        r:step("leap", { no_return = true }, function()
          put("/a", "1")
        end)
      end,
    }
    local result = process(s, playbook)
    t.equal(result.exit, 6)
    t.equal(s.world.log, {})
  end,
  ["many tasks record at once, each change once"] = function(t)
    local s = scene(t)
    local playbook = {
      run = function(r)
        r:each("set", { "a", "b", "c", "d" }, { limit = 4 }, function(name)
          put("/" .. name, "1")
          task.sleep(0)
          if name == "c" and not s.again then
            fault.raise("failed", {}, { msg = "no" })
          end
        end)
      end,
    }
    t.equal(process(s, playbook).exit, 2)
    s.again = true
    t.equal(process(s, playbook).exit, 0)
    t.equal(#s.world.log, 4)
  end,
}
