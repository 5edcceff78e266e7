--- Runs that fail and are undone, stopped by guards, or left for a person to settle.

local fault = require("plat.fault")
local help = load(assert(require("prim.fs").read("tests/lua/resume_help.lua")), "@help")()
local task = require("plat.task")

local scene, process, put, get = help.scene, help.process, help.put, help.get

--- Compensations that put a value back.
local SET = {
  set = function(_, args)
    put(args.path, args.value)
  end,
}

return {
  ["compensations: newest first, exit 8, and nothing to resume"] = function(t)
    local s = scene(t)
    local playbook
    playbook = {
      undo = SET,
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
      undo = SET,
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
  ["past a point of no return all stays, when the run is resumed as well"] = function(t)
    local s = scene(t)
    local playbook = {
      undo = SET,
      run = function(r)
        r:step("set a", function(step)
          step:undo("set", { path = "/a", value = "old" })
          put("/a", "new")
        end)
        r:step("leap", { no_return = true }, function()
          put("/leap", "1")
        end)
        fault.raise("failed", {}, { msg = "no" })
      end,
    }
    t.equal(process(s, playbook).exit, 2)
    t.equal(process(s, playbook).exit, 2)
    t.equal(s.world.log, { "PUT /a new", "PUT /leap 1" })
  end,
  ["a step without compensation: 2, and it is named"] = function(t)
    local s = scene(t)
    local playbook = {
      undo = SET,
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
      undo = SET,
      run = function(r)
        r:step("set", function(step)
          step:undo("set", { path = "/a", value = "old" })
          put("/a", "new")
          if not s.again then
            local request = s.world.request
            function s.world:request()
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
  ["what was refused has nothing to undo, what came after it has"] = function(t)
    local s = scene(t)
    local playbook = {
      undo = SET,
      run = function(r)
        r:step("one", function(step)
          step:undo("set", { path = "/one", value = "old" })
          put("/one", "new")
        end)
        r:step("two", function(step)
          step:undo("set", { path = "/two", value = "old" })
          function s.world.request()
            s.world.request = nil
            return { status = 409, headers = {}, body = "it is there" }
          end
          local resp = put("/two", "new")
          r:must(resp.status == 200, "it was refused")
        end)
      end,
    }
    local request = s.world.request
    setmetatable(s.world, { __index = { request = request } })
    local result = process(s, playbook)
    t.equal(result.exit, 8)
    t.equal(result.undone.count, 1)
    t.equal(s.world.log, { "PUT /one new", "PUT /one old" })
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
  ["cancelled while the intent is written: it surely did not happen"] = function(t)
    local s = scene(t)
    local playbook = {
      run = function(r)
        function r.sync()
          fault.raise("cancelled", {}, { msg = "stopped" })
        end
        r:step("set", function()
          put("/a", "1", "unknowable")
        end)
      end,
    }
    local result = process(s, playbook)
    t.equal({ result.exit, s.run.changes, s.world.log }, { 2, 0, {} })
    playbook.run = function(r)
      r:step("set", function()
        put("/a", "1", "unknowable")
      end)
    end
    result = process(s, playbook)
    t.equal({ result.exit, s.world.log }, { 0, { "PUT /a 1" } })
  end,
}
