--- plat.host.supervise: commands that end with whoever asked for them, by every shell there is.
local fs = require("prim.fs")
local hash = require("prim.hash")
local help = load(assert(fs.read("tests/lua/ssh_help.lua")), "@ssh_help.lua")()
local proc = require("prim.proc")
local supervise = require("plat.host.supervise")
local task = require("plat.task")

local SHELLS = { "bash", "dash", "zsh", "mksh", "ksh93", "busybox ash", "fish", "tcsh" }

--- Returns the words that start a login shell, nil where it is not installed.
local function shell_of(name)
  local words = {}
  for word in name:gmatch("%S+") do
    words[#words + 1] = word
  end
  local found = proc.run({ "sh", "-c", "command -v " .. words[1] })
  return found.code == 0 and words or nil
end

--- Runs a text as a login shell would, with an input that stays open like a channel's, or none.
local function run(words, text, input, closed)
  local argv = { table.unpack(words) }
  table.insert(argv, "-c")
  table.insert(argv, text)
  local env = { SHELL = proc.run({ "sh", "-c", "command -v " .. words[1] }).stdout:gsub("\n", "") }
  local process <close> = assert(proc.spawn(argv, { stdin = true, env = env }))
  if input then
    process:write(input)
  end
  if closed then
    process:close_stdin()
  end
  local out = { stdout = "", stderr = "" }
  for chunk, which in process.read, process do
    out[which] = out[which] .. chunk
  end
  local status = process:wait()
  out.code, out.signal = status.code, status.signal
  return out
end

--- Returns the output of a marked command, and whether it began.
local function run_marked(words, text, opts, input)
  local parts = supervise.marked(text, opts or {})
  local command = ("exec sh -c %s sh %s"):format(parts.script, parts.word)
  local out = run(words, command, input)
  local began
  out.stderr, began = supervise.unmark(out.stderr, parts.token)
  return out, began ~= nil, parts
end

--- Counts living processes whose arguments end with a mark.
local function alive(mark)
  local n = 0
  for _, name in ipairs(fs.list("/proc")) do
    local line = name:find("^%d+$") and fs.read("/proc/" .. name .. "/cmdline")
    if line and line:sub(-#mark - 1) == mark .. "\0" and not line:find("%-c%z") then
      n = n + 1
    end
  end
  return n
end

local function wait_for(count, mark)
  for _ = 1, 400 do
    if alive(mark) == count then
      return true
    end
    task.sleep(0.05)
  end
  return false
end

local function new_mark()
  return ("600.%d"):format(string.unpack("<I4", hash.random(4)))
end

--- A shell names itself by the path that it was called by, and processes by their numbers.
local function same(out)
  out.stderr = out.stderr:gsub("/[%w/]+/(%w+: )", "%1"):gsub(": %d+: Terminated", ": Terminated")
  return out
end

local CASES = {
  "echo out; echo err >&2; exit 3",
  "kill -9 $$",
  "sh -c 'kill -TERM $$'; exit 5",
  "sh -c 'exit 143'",
  "cat; echo end",
  "no-such-command-of-ours",
  "trap 'echo bye; exit 9' TERM; kill $$; sleep 1",
  "echo \"it's\" a\\\\b ! '!x' %s",
  "true\n# a remark\nprintf '%s|' 'two\nlines' \"$((1 + 2))\"",
  "sleep 0.05 & wait; echo waited",
  "false | true; echo $?; cat <<E\nhere\nE",
  "echo $0 | sed 's,.*/,,'",
}

return {
  ["status, signal and output are those of the command alone"] = function(t)
    for _, name in ipairs({ "bash", "dash", "zsh", "mksh", "busybox ash" }) do
      local words = shell_of(name)
      for _, text in ipairs(words and CASES or {}) do
        local out, want = run(words, supervise.direct(text)), run(words, text, nil, true)
        t.equal(same(out), same(want), name .. ": " .. text)
      end
    end
  end,

  ["any login shell runs them, those that are no POSIX shells by sh"] = function(t)
    local asked = 0
    for _, name in ipairs(SHELLS) do
      local words = shell_of(name)
      local runs = (name == "fish" or name == "tcsh") and { "sh" } or words
      if name == "busybox ash" then -- which calls its own applet
        runs = { "busybox", "sh" }
      end
      for _, text in ipairs(words and CASES or {}) do
        local out, began = run_marked(words, text, { login = true })
        t.ok(began, name .. ": " .. text)
        local want = run(runs, text, nil, true)
        if words[1] ~= "busybox" or not text:find("no-such", 1, true) then
          t.equal(same(out), same(want), name .. ": " .. text)
        end
        asked = asked + 1
      end
    end
    t.ok(asked >= #CASES * 2, "bash and dash are everywhere")
  end,

  ["input arrives byte by byte, of every size"] = function(t)
    for _, size in ipairs({ 0, 1, 100, 32768, 32769, 1000000 }) do
      local data = hash.random(1000):rep(size // 1000 + 1):sub(1, size)
      for _, name in ipairs(SHELLS) do
        local words = shell_of(name)
        if words then
          local out, began = run_marked(words, "sha256sum; exit 4", { size = size }, data)
          t.equal({ out.stdout:match("^%x+"), out.code }, { hash.digest("sha256", data), 4 }, name)
          t.ok(began and out.stderr == "")
          out = run_marked(words, "exit 6", { size = size }, data)
          t.equal(out.code, 6, "nobody reads it")
        end
      end
    end
    t.equal(#proc.run({ "sh", "-c", "ls ${TMPDIR:-/tmp}/.platrun-* 2>/dev/null" }).stdout, 0)
  end,

  ["an input that was cut off is not taken for a whole one"] = function(t)
    local mark = t.tmp() .. "/ran"
    local parts = supervise.marked("cat >/dev/null; touch " .. mark, { size = 100000 })
    local command = ("exec sh -c %s sh %s"):format(parts.script, parts.word)
    local out = proc.run({ "sh", "-c", command }, { stdin = ("x"):rep(99999) })
    t.equal(out.code, 72)
    t.equal({ supervise.unmark(out.stderr, parts.token) }, { "", nil, "" })
    t.equal(fs.stat(mark), nil)
  end,

  ["a password that nobody wanted does not reach the command"] = function(t)
    local parts = supervise.marked("cat", { size = 4, skip = true })
    local command = ("exec sh -c %s sh %s"):format(parts.script, parts.word)
    local out = run({ "sh" }, command, "secret\n" .. parts.token .. "\ndata")
    t.equal(out.stdout, "data")
    t.match(out.stderr, "^" .. parts.token .. " [^\n]*\n$")
  end,

  ["a folder, variables and the change that it is"] = function(t)
    local text = supervise.compose('pwd; echo "$A|$B|${HOME-none}|$PLATRUN_EFFECT"; env', {
      cwd = "/usr/share",
      env = { A = "it's", B = "two\nlines", HOME = false },
      effect = "a step|it's|1",
    })
    local out = run({ "sh" }, supervise.direct(text))
    local want = "/usr/share\nit's|two\nlines|none|a step|it's|1\n"
    t.equal(out.stdout:sub(1, #want), want)
    t.match(out.stdout, "\nPLATRUN_EFFECT=a step|it's|1\n")
    out = run({ "sh" }, supervise.direct(supervise.compose("echo on", { cwd = "/no/such" })))
    t.equal(out.stdout, "", "not in another folder")
    t.ok(out.code ~= 0)
  end,

  ["over SSH: nothing of it is left when it is given up, whatever it does with TERM"] = function(t)
    local dir = help.keys(t, "host_ed25519", "user_ed25519")
    local server <close> = help.server(t, dir)
    local session <close> = help.login(server)
    local mark = new_mark()
    local tree = ("sleep %s & sleep %s & wait"):format(mark, mark)
    local stubborn = ("trap '' TERM; sh -c 'sleep %s' & (sleep %s) | sleep %s"):format(
      mark,
      mark,
      mark
    )
    local parts = supervise.marked(stubborn, {})
    local commands = {
      supervise.direct(tree),
      supervise.direct(stubborn),
      ("exec sh -c %s sh %s"):format(parts.script, parts.word),
    }
    task.each(commands, {}, function(command)
      local _, err = session:exec(command, { leash = true, timeout = 1 })
      t.equal(err.kind, "timeout")
    end)
    t.ok(wait_for(0, mark))
    t.equal(session:exec("echo on").stdout, "on\n", "the session lives on")
  end,

  ["over SSH: a lost connection ends it, and what it left behind on purpose lives"] = function(t)
    local dir = help.keys(t, "host_ed25519", "user_ed25519")
    local server <close> = help.server(t, dir)
    local session = help.login(server)
    local left, ended = new_mark(), new_mark()
    local text = ("nohup sleep %s >/dev/null 2>&1 & echo $!"):format(left)
    local out = session:exec(supervise.direct(text), { leash = true })
    local pid = out.stdout:match("%d+")
    t.ok(pid, out.stderr)
    local command = assert(session:open(supervise.direct("sleep " .. ended), { leash = true }))
    t.ok(wait_for(1, ended))
    session:close()
    t.ok(wait_for(0, ended))
    t.equal(alive(left), 1)
    proc.run({ "kill", pid })
    command:close()
  end,

  ["over SSH: no shell of ours outlives a command"] = function(t)
    local dir = help.keys(t, "host_ed25519", "user_ed25519")
    local server <close> = help.server(t, dir)
    local session <close> = help.login(server)
    local mark = new_mark()
    for _ = 1, 20 do
      local text = supervise.direct("exit 7 # " .. mark)
      t.equal(session:exec(text, { leash = true }).code, 7)
    end
    for _ = 1, 200 do
      local n = 0
      for _, name in ipairs(fs.list("/proc")) do
        local line = name:find("^%d+$") and fs.read("/proc/" .. name .. "/cmdline")
        n = n + (line and line:find(mark, 1, true) and 1 or 0)
      end
      if n == 0 then
        return
      end
      task.sleep(0.05)
    end
    t.ok(false, "leashes are left")
  end,
}
