local effect = require("plat.effect")
local fs = require("plat.fs")
local prim = require("prim.fs")
local task = require("plat.task")
local time = require("prim.time")

--- Runs a function as a step does, and returns the changes that passed the door.
local function in_step(fn)
  local changes = {}
  effect.open({
    mode = "run",
    observer = {
      intent = function(change)
        changes[#changes + 1] = change
      end,
    },
  })
  local _ <close> = setmetatable({}, { __close = effect.close })
  task.with_context({ key = "step", counts = {} }, fn)
  return changes
end

local function octal(text)
  return tonumber(text, 8)
end

return {
  ["write, read, stat, list and remove"] = function(t)
    local dir = t.tmp()
    t.ok(prim.write(dir .. "/b", "one\0two", { mode = octal("640") }))
    t.ok(prim.write(dir .. "/a", ""))
    t.equal(prim.read(dir .. "/b"), "one\0two")
    local st = prim.stat(dir .. "/b")
    t.equal(st.type, "file")
    t.equal(st.size, 7)
    t.equal(st.mode, octal("640"))
    t.ok(math.abs(st.mtime - time.real()) < 60, "mtime")
    t.equal(prim.list(dir), { "a", "b" })
    t.ok(prim.remove(dir .. "/a"))
    t.equal(prim.list(dir), { "b" })
  end,

  ["a failure names the path and the reason"] = function(t)
    local value, err = prim.read(t.tmp() .. "/absent")
    t.equal(value, nil)
    t.equal(err.kind, "io")
    t.equal(err.code, 2)
    t.equal(err.op, "fs.read")
    t.ok(err.msg:find('/absent": no such file or directory', 1, true), err.msg)
    local _, big = prim.read("/proc/self/status", { max = 10 })
    t.equal(big.kind, "refused")
  end,

  ["append adds, atomic replaces, and keeps the mode"] = function(t)
    local path = t.tmp() .. "/file"
    t.ok(prim.write(path, "1", { mode = octal("600") }))
    t.ok(prim.write(path, "2", { append = true }))
    t.equal(prim.read(path), "12")
    t.ok(prim.write(path, "3"))
    t.equal(prim.read(path), "3")
    t.equal(prim.stat(path).mode, octal("600"))
    t.ok(prim.write(path, "4", { atomic = false }))
    t.equal(prim.read(path), "4")
  end,

  ["readers see the old or the new file, never a part"] = function(t)
    local path = t.tmp() .. "/file"
    local old, new = ("a"):rep(200000), ("b"):rep(300000)
    prim.write(path, old, { sync = false })
    local writing = true
    task.all({
      function()
        for i = 1, 40 do
          prim.write(path, i % 2 == 0 and old or new, { sync = false })
        end
        writing = false
      end,
      function()
        while writing do
          local text = prim.read(path)
          t.ok(text == old or text == new, "a torn file")
          task.sleep(0)
        end
      end,
    })
    t.equal(#prim.list(path:match("^(.*)/")), 1, "a temporary file stays")
  end,

  ["directories"] = function(t)
    local dir = t.tmp()
    local _, err = prim.mkdir(dir .. "/a/b/c")
    t.equal(err.code, 2)
    t.ok(prim.mkdir(dir .. "/a/b/c", { parents = true, mode = octal("700") }))
    t.equal(prim.stat(dir .. "/a/b/c").mode, octal("700"))
    t.ok(prim.rename(dir .. "/a", dir .. "/z"))
    t.equal(prim.realpath(dir .. "/z/./b/../b/c"), prim.realpath(dir) .. "/z/b/c")
    local _, full = prim.remove(dir .. "/z")
    t.equal(full.code, 39)
    t.ok(prim.remove(dir .. "/z", { recursive = true }))
    local made = prim.mkdtemp(dir .. "/run.")
    t.ok(made:find("/run%.%w%w%w%w%w%w$"), made)
    t.equal(prim.stat(made).mode, octal("700"))
    t.ok(prim.sync_dir(dir))
  end,

  ["an append log"] = function(t)
    local path = t.tmp() .. "/log"
    local log <close> = prim.open_append(path, { mode = octal("600") })
    t.ok(log:write("one\n"))
    t.ok(log:reserve(4096))
    t.equal(log:size(), 4)
    task.all({
      function()
        t.ok(log:sync())
      end,
      function()
        t.ok(log:write("two\n"))
        t.ok(log:sync())
      end,
    })
    t.equal(prim.read(path), "one\ntwo\n")
    t.ok(log:truncate(4))
    t.ok(log:write("2\n"))
    t.equal(prim.read(path), "one\n2\n")
    log:close()
    log:close()
    t.fails("attempt to use a closed file", function()
      log:write("x")
    end)
  end,

  ["a log may be closed while it is synced"] = function(t)
    local log = prim.open_append(t.tmp() .. "/log")
    log:write("x")
    local syncing = task.spawn(function()
      return { log:sync() }
    end)
    task.sleep(0)
    log:close()
    t.equal(syncing:join(), { true })
  end,

  ["a lock says who has it"] = function(t)
    local path = t.tmp() .. "/lock"
    local lock = prim.lock(path, { text = "run 17\n" })
    local second, err = prim.lock(path, { text = "run 18\n" })
    t.equal(second, nil)
    t.equal(err.kind, "refused")
    t.equal(err.held, "run 17")
    lock:close()
    local third <close> = prim.lock(path, { text = "run 19\n" })
    t.ok(third)
    t.equal(prim.read(path), "run 19\n")
  end,

  ["mistakes raise"] = function(t)
    t.fails("empty path", function()
      prim.read("")
    end)
    t.fails("zero byte", function()
      prim.stat("a\0b")
    end)
    t.fails("mode out of range", function()
      prim.mkdir("x", { mode = 8192 })
    end)
    t.fails("append cannot be atomic", function()
      prim.write("x", "", { append = true, atomic = true })
    end)
  end,

  ["plat.fs reads raise with the path, and nothing there is nil"] = function(t)
    local dir = t.tmp()
    local err = t.fails("io", function()
      fs.read(dir .. "/absent")
    end)
    t.equal(err.object, dir .. "/absent")
    t.equal(fs.stat(dir .. "/absent"), nil)
    t.equal(fs.exists(dir), true)
    t.equal(fs.realpath(dir .. "/."), fs.realpath(dir))
  end,

  ["plat.fs writes are changes, and only where something changes"] = function(t)
    local dir = t.tmp()
    local path = dir .. "/sub/file"
    local results = {}
    local function note(value)
      results[#results + 1] = value
    end
    local changes = in_step(function()
      note(fs.mkdir(dir .. "/sub"))
      note(fs.mkdir(dir .. "/sub"))
      note(fs.write(path, "text", { mode = "0640" }))
      note(fs.write(path, "text", { mode = "0640" }))
      note(fs.write(path, "text", { mode = "0600" }))
      note(fs.append(path, " more"))
      note(fs.rename(path, dir .. "/new"))
      note(fs.remove(dir .. "/sub", { recursive = true }))
      note(fs.remove(dir .. "/sub"))
    end)
    t.equal(results, { true, false, true, false, true, true, true, true, false })
    t.equal(fs.read(dir .. "/new"), "text more")
    t.equal(fs.stat(dir .. "/new").mode, octal("600"))
    t.equal(#changes, 6)
    t.equal(changes[2].text, "write 4 bytes to " .. path)
    t.equal(changes[2].recovery, "repeatable")
  end,

  ["plat.fs writes nothing outside a step"] = function(t)
    local path = t.tmp() .. "/file"
    t.fails("refused", function()
      fs.write(path, "x")
    end)
    t.equal(fs.exists(path), false)
    t.fails("not an octal mode", function()
      fs.write(path, "x", { mode = "rw" })
    end)
  end,
}
