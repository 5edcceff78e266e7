local effect = require("plat.effect")
local fault = require("plat.fault")
local fs = require("prim.fs")
local prim = require("prim.proc")
local proc = require("plat.proc")
local task = require("plat.task")
local time = require("prim.time")

local function sh(script, opts)
  return prim.run({ "sh", "-c", script }, opts)
end

--- Returns whether a process is there and not a zombie.
local function lives(pid)
  local status = fs.read(("/proc/%d/status"):format(pid))
  return status ~= nil and not status:find("State:%s*Z")
end

--- Waits until `fn()` holds.
local function soon(t, fn, what)
  for _ = 1, 200 do
    if fn() then
      return
    end
    task.sleep(0.02)
  end
  t.ok(false, what)
end

return {
  ["run keeps the streams apart and tells code from signal"] = function(t)
    t.equal(sh("echo out; echo err >&2; exit 3"), { code = 3, stdout = "out\n", stderr = "err\n" })
    t.equal(sh("kill -9 $$"), { code = 137, signal = "SIGKILL", stdout = "", stderr = "" })
  end,

  ["stdin is sent whole, and a program need not read it"] = function(t)
    local big = ("0123456789"):rep(300000)
    t.ok(prim.run({ "cat" }, { stdin = big }).stdout == big, "cat gave something else")
    t.equal(prim.run({ "true" }, { stdin = big }).code, 0)
    t.equal(prim.run({ "cat" }).stdout, "", "without stdin it is empty")
  end,

  ["a program that cannot start says why"] = function(t)
    local out, err = prim.run({ "no-such-program" }, { env = { PATH = "/a:/b" } })
    t.equal(out, nil)
    t.equal(err.code, 2)
    t.equal(err.msg, 'no program "no-such-program" in PATH /a:/b')
    local _, denied = prim.run({ "/etc/passwd" })
    t.equal(denied.code, 13)
    local _, nowhere = prim.run({ "true" }, { cwd = "/no-such-directory" })
    t.equal(nowhere.msg, 'cannot go to "/no-such-directory": no such file or directory')
  end,

  ["the environment is added to, cut or empty"] = function(t)
    t.equal(sh("echo ${HOME-unset} $B", { env = { HOME = false, B = "b" } }).stdout, "unset b\n")
    local out = prim.run({ "/usr/bin/env" }, { clear_env = true, env = { A = "1" } })
    t.equal(out.stdout, "A=1\n")
  end,

  ["children get no descriptors but their three, and no ignored signals"] = function(t)
    local dir = t.tmp()
    t.equal(prim.run({ "ls", "/proc/self/fd" }, { cwd = dir }).stdout, "0\n1\n2\n3\n")
    local status = prim.run({ "cat", "/proc/self/status" }).stdout
    -- glibc's posix_spawn, which make uses, ignores its own signals 32 and 33 for ever
    local ignored = tonumber(status:match("SigIgn:%s*(%x+)"), 16)
    t.equal(ignored & ~0x180000000, 0, "ignored signals")
    t.equal(status:match("SigBlk:%s*(%x+)"), "0000000000000000")
  end,

  ["a timeout ends the group with SIGTERM and keeps what was said"] = function(t)
    local began = time.mono()
    local out, err = sh("echo before; sleep 100 & sleep 100", { timeout = 0.2, grace = 20 })
    t.equal(out, nil)
    t.equal(err.kind, "timeout")
    t.equal(err.stdout, "before\n")
    t.ok(time.mono() - began < 10, "it waited for the grace")
  end,

  ["who ignores SIGTERM is killed after the grace, children too"] = function(t)
    local _, err = sh(
      "trap '' TERM; (trap '' TERM; exec sleep 100) & echo $! $$; wait; sleep 100",
      { timeout = 0.2, grace = 0.2 }
    )
    t.equal(err.kind, "timeout")
    local child, leader = err.stdout:match("(%d+) (%d+)")
    t.ok(not lives(tonumber(leader)), "the leader lives")
    soon(t, function()
      return not lives(tonumber(child))
    end, "the child lives")
  end,

  ["what goes on in the background does not hold the caller"] = function(t)
    local began = time.mono()
    t.equal(sh("sleep 20 & echo done").stdout, "done\n")
    t.ok(time.mono() - began < 10)
  end,

  ["more output than the ceiling is refused and ends the program"] = function(t)
    local out, err = prim.run({ "yes" }, { max_output = 100000 })
    t.equal(out, nil)
    t.equal(err.kind, "refused")
    t.equal(err.msg, "more than 100000 bytes on stdout")
  end,

  ["a cancel ends the program"] = function(t)
    local path = t.tmp() .. "/pid"
    local handle = task.spawn(sh, ("echo $$ > %s; exec sleep 100"):format(path))
    local pid
    soon(t, function()
      pid = tonumber(fs.read(path) or "")
      return pid
    end, "it did not start")
    t.ok(lives(pid))
    handle:cancel()
    soon(t, function()
      return not lives(pid)
    end, "it lives")
  end,

  ["spawn is a conversation"] = function(t)
    local cat <close> = prim.spawn({ "cat" }, { stdin = true })
    for i = 1, 3 do
      t.ok(cat:write("line " .. i))
      local text, which = cat:read()
      t.equal(text, "line " .. i)
      t.equal(which, "stdout")
    end
    cat:close_stdin()
    t.equal(cat:read(), nil)
    t.equal(cat:wait(), { code = 0 })
    local _, err = cat:kill()
    t.equal(err.msg, "the program has ended")
  end,

  ["nobody reads: the program waits; nobody takes: the writer waits"] = function(t)
    local zeros <close> = prim.spawn({ "head", "-c", "3000000", "/dev/zero" })
    local slow <close> = prim.spawn({ "sh", "-c", "sleep 0.2; cat >/dev/null" }, { stdin = true })
    local began, n = time.mono(), 0
    t.ok(slow:write(("x"):rep(1000000)))
    t.ok(time.mono() - began > 0.1, "the writer did not wait")
    for chunk in zeros.read, zeros do
      t.ok(#chunk <= 256 * 1024, "more than the read-ahead was kept")
      n = n + #chunk
    end
    t.equal(n, 3000000)
  end,

  ["signals go by name or number"] = function(t)
    local sleep <close> = prim.spawn({ "sleep", "100" })
    t.ok(sleep:kill("INT"))
    t.equal(sleep:wait(), { code = 130, signal = "SIGINT" })
    t.fails("no such signal", function()
      sleep:kill("NONSENSE")
    end)
  end,

  ["closing a process wakes who reads it, and ends it"] = function(t)
    local sleep = prim.spawn({ "sleep", "100" })
    local pid = sleep:pid()
    local reader = task.spawn(sleep.read, sleep)
    task.sleep(0.02)
    sleep:close()
    sleep:close()
    t.fails("attempt to use a closed process", function()
      reader:join()
    end)
    soon(t, function()
      return not lives(pid)
    end, "it lives")
  end,

  ["a hundred programs leave no descriptor behind"] = function(t)
    local function descriptors()
      return #fs.list("/proc/self/fd")
    end
    prim.run({ "true" })
    local before, items = nil, {}
    for i = 1, 100 do
      items[i] = tostring(i)
    end
    soon(t, function()
      local now = descriptors()
      local same = before == now
      before = now
      return same
    end, "descriptors do not settle")
    local outs = task.each(items, { limit = 20 }, function(word)
      prim.run({ "no-such-program" })
      return prim.run({ "echo", word }).stdout
    end)
    t.equal(outs[100], "100\n")
    soon(t, function()
      return descriptors() <= before
    end, "descriptors leak")
  end,

  ["mistakes raise"] = function(t)
    local function bad(pattern, ...)
      local args = table.pack(...)
      t.fails(pattern, function()
        prim.run(table.unpack(args, 1, args.n))
      end)
    end
    bad("the program is missing", {})
    bad("string expected, got number", { "echo", 1 })
    bad("zero byte", { "a\0b" })
    bad("bad environment name", { "a" }, { env = { ["a=b"] = "" } })
    bad("bad option 'timeout'", { "a" }, { timeout = "1s" })
  end,

  ["proc.read judges the exit code"] = function(t)
    t.equal(proc.read({ "echo", "hi" }).stdout, "hi\n")
    local err = t.fails("exit", function()
      proc.read({ "sh", "-c", "echo first >&2; echo 'it broke' >&2; exit 4" })
    end)
    t.equal(err.code, 4)
    t.equal(err.msg, "exit 4: it broke")
    t.equal(err.detail.stderr, "first\nit broke\n")
    t.equal(proc.read({ "sh", "-c", "exit 4" }, { ok = { 0, 4 } }).code, 4)
    t.fails("did you mean", function()
      proc.read({ "true" }, { time_out = 1 })
    end)
  end,

  ["proc.run inside a step is a change that says what it does"] = function(t)
    local told = {}
    effect.open({
      mode = "run",
      observer = {
        intent = function(change)
          told[#told + 1] = change
        end,
        outcome = function(_, outcome)
          told[#told + 1] = outcome
        end,
      },
    })
    local _ <close> = setmetatable({}, { __close = effect.close })
    task.with_context({ key = "step", counts = {} }, function()
      t.equal(proc.run({ "echo", "it's" }).stdout, "it's\n")
      t.fails("exit", function()
        proc.run({ "false" }, { text = "try the impossible", recovery = "repeatable" })
      end)
    end)
    t.equal(told[1].text, [[run echo 'it'\''s']])
    t.equal(told[1].recovery, "unknowable")
    t.equal(told[1].args, { argv = { "echo", "it's" } })
    t.equal(told[2], "done")
    t.equal(told[3].text, "try the impossible")
    t.equal(told[3].recovery, "repeatable")
  end,

  ["proc.run outside a step is refused"] = function(t)
    local path = t.tmp() .. "/made"
    local err = t.fails("refused", function()
      proc.run({ "touch", path })
    end)
    t.ok(fault.is(err))
    t.equal(fs.stat(path), nil)
  end,
}
