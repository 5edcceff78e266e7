--- host:put and get over SFTP when things go wrong: servers that die, full disks, missing rights,
--- few channels, many at once, interrupted attempts.
local fs = require("prim.fs")
local hash = require("prim.hash")
local proc = require("prim.proc")
local rig = load(assert(fs.read("tests/lua/host_files_help.lua")), "@host_files_help.lua")()
local sys = require("prim.sys")
local task = require("plat.task")

local help, sh, step = rig.ssh, rig.ssh.sh, rig.step

local function sshd(t, lines, wrap)
  return help.server(t, help.keys(t, "host_ed25519", "user_ed25519"), lines, wrap)
end

local function at_once(n, fn)
  local jobs = {}
  for i = 1, n do
    jobs[i] = function()
      return fn(i)
    end
  end
  return task.all(jobs)
end

--- Makes a wrapper of sftp-server that runs a shell text in its place.
local function fake_server(t, script)
  local path = t.tmp() .. "/server"
  assert(fs.write(path, "#!/bin/sh\n" .. script, { mode = 493 }))
  return ("Subsystem sftp %s\n"):format(path)
end

local SERVER = "/usr/lib/openssh/sftp-server"

local function need_server(t)
  if not fs.stat(SERVER) then
    t.skip("no sftp-server: apt-get install openssh-sftp-server")
  end
end

local function resident()
  return tonumber(fs.read("/proc/self/status"):match("VmRSS:%s*(%d+)"))
end

--- Watches the memory of this process while a function runs: how many KiB it grew.
local function growth(fn)
  collectgarbage()
  local before, most, done = resident(), 0, false
  at_once(2, function(i)
    if i == 1 then
      fn()
      done = true
    end
    while i == 2 and not done do
      most = math.max(most, resident())
      task.sleep(0.01)
    end
  end)
  return most - before
end

return {
  ["fifty files at once to one host, and two opened at once"] = function(t)
    local server <close> = sshd(t)
    local host = rig.on(server)
    local dir = t.tmp()
    local contents = {}
    for i = 1, 50 do
      contents[i] = hash.random(40000):rep(i % 7 + 1) .. i
    end
    at_once(50, function(i)
      step(function()
        t.equal(host:put(dir .. "/f" .. i, contents[i]), true)
      end)
    end)
    for i = 1, 50 do
      t.ok(fs.read(dir .. "/f" .. i) == contents[i], "file " .. i .. " has its own content")
    end
    t.equal(#fs.list(dir), 50)
    at_once(50, function(i)
      t.ok(host:get(dir .. "/f" .. i) == contents[i], "file " .. i .. " is fetched right")
    end)
  end,

  ["large files both ways at constant memory"] = function(t)
    local server <close> = sshd(t)
    local host = rig.on(server)
    local dir = t.tmp()
    local mb = tonumber(sys.getenv("SFTP_MB")) or sys.getenv("ASAN_OPTIONS") and 20 or 80
    sh(("head -c %d000000 /dev/urandom >%s/big"):format(mb, dir))
    local grown = growth(function()
      step(function()
        t.equal(host:put(dir .. "/there", { from = dir .. "/big" }), true)
        t.equal(host:get(dir .. "/there", { to = dir .. "/back" }), true)
      end)
    end)
    sh(("cmp %s/big %s/there && cmp %s/big %s/back"):format(dir, dir, dir, dir))
    if not sys.getenv("ASAN_OPTIONS") then
      t.ok(grown < 12000, ("it grew by %d KiB"):format(grown))
    end
  end,

  ["a server that dies in the middle: the old content stays, and it is said"] = function(t)
    need_server(t)
    local dying = fake_server(t, "dd bs=1000 count=3000 2>/dev/null | " .. SERVER .. "\n")
    local server <close> = sshd(t, dying)
    local host = rig.on(server)
    local dir = t.tmp()
    assert(fs.write(dir .. "/f", "old\n"))
    local big = hash.random(65536):rep(100)
    local err = t.fails("ended", function()
      step(function()
        host:put(dir .. "/f", big)
      end)
    end)
    t.equal({ err.kind, err.target, err.outcome }, { "io", "host " .. host.name, "failed" })
    t.match(err.msg, "the SFTP server ended %(exit %d+%)")
    t.equal(fs.read(dir .. "/f"), "old\n")
  end,

  ["a connection that breaks in the middle: as if nothing had begun, and again"] = function(t)
    need_server(t)
    local killing =
      fake_server(t, "dd bs=1000 count=2000 2>/dev/null | " .. SERVER .. "; kill -9 $PPID\n")
    local server <close> = sshd(t, killing)
    local good <close> = sshd(t)
    local host = rig.on(server)
    local dir = t.tmp()
    assert(fs.write(dir .. "/f", "old\n"))
    local big = hash.random(65536):rep(100)
    local err = t.fails("connect", function()
      step(function()
        host:put(dir .. "/f", big)
      end)
    end)
    t.match(err.msg, "connection")
    t.equal(fs.read(dir .. "/f"), "old\n")
    t.equal(#fs.list(dir), 2, "what it had sent is still there")
    rig.reconnects(host, good)
    step(function()
      t.equal(host:put(dir .. "/f", big), true)
    end)
    t.ok(fs.read(dir .. "/f") == big, "the second attempt is whole")
    t.equal(#fs.list(dir), 1, "the first one's leftover is gone")
  end,

  ["what others left goes when it is old; what is new stays"] = function(t)
    local server <close> = sshd(t)
    local plain <close> = sshd(t, "Subsystem none\n")
    for _, host in ipairs({ rig.on(server), rig.on(plain), rig.here() }) do
      local dir = t.tmp()
      sh(("cd %s; touch .f.platrun-new .g.platrun-old .f.platrun-old"):format(dir))
      sh(("cd %s; touch -d '2 hours ago' .g.platrun-old .f.platrun-old"):format(dir))
      step(function()
        host:put(dir .. "/f", "x")
      end)
      t.equal(fs.list(dir), { ".f.platrun-new", ".g.platrun-old", "f" }, host.name)
    end
  end,

  ["no permission"] = function(t)
    if help.user ~= "root" then
      t.skip("it needs root, to log in as another user")
    end
    local server <close> = sshd(t)
    local dir = t.tmp()
    sh(("chmod 755 %s %s; chmod 644 %s/authorized_keys"):format(dir, server.dir, server.dir))
    sh("install -d -m 755 " .. dir .. "/root")
    local host = require("plat.host").new({ name = "nobody", address = "127.0.0.1", vars = {} })
    require("plat.ssh.pool").get({}, "nobody", function()
      local session = assert(help.connect(server))
      local ok, err = session:auth({
        method = "publickey",
        user = "nobody",
        key = help.key(server.dir, "user_ed25519"),
      })
      if not ok then
        t.skip("nobody cannot log in here: " .. err.msg)
      end
      return session
    end)
    local err = t.fails("io", function()
      step(function()
        host:put(dir .. "/root/f", "x")
      end)
    end)
    t.equal({ err.code, err.msg, err.outcome }, { 13, "permission denied", "failed" })
    t.fails("permission denied", function()
      host:get("/etc/shadow")
    end)
  end,

  ["a full disk: the old content stays, and it is said"] = function(t)
    if help.user ~= "root" or proc.run({ "unshare", "-m", "true" }).code ~= 0 then
      t.skip("it needs a mount namespace")
    end
    local dir = t.tmp()
    local wrap = "mount -t tmpfs -o size=1m none " .. dir .. " && echo old >" .. dir .. "/f"
    local server <close> = sshd(t, nil, wrap)
    local plain <close> = sshd(t, "Subsystem none\n", wrap)
    for kind, host in pairs({ sftp = rig.on(server), commands = rig.on(plain) }) do
      local err = t.fails("io", function()
        step(function()
          host:put(dir .. "/f", hash.random(65536):rep(50))
        end)
      end)
      t.match(err.msg, kind == "sftp" and "bytes are free there" or "No space left")
      t.equal(host:get(dir .. "/f"), "old\n", kind)
      t.equal(host:list(dir), { "f" }, kind .. ": nothing is left beside it")
    end
  end,

  ["servers whose SFTP is none: the same by commands"] = function(t)
    local dir = t.tmp()
    for _, script in ipairs({
      "echo 'This account is for files only.'; sleep 1",
      "exit 1",
      "printf '\\0\\0\\0\\5\\2\\0\\0\\0\\2'; sleep 1",
    }) do
      local server <close> = sshd(t, fake_server(t, script))
      local host = rig.on(server)
      step(function()
        t.equal(host:put(dir .. "/f", script), true, script)
      end)
      t.equal(fs.read(dir .. "/f"), script)
    end
  end,

  ["a server that allows one session at a time"] = function(t)
    local server <close> = sshd(t, "MaxSessions 1\n")
    local host = rig.on(server)
    local dir = t.tmp()
    at_once(8, function(i)
      step(function()
        host:put(dir .. "/f" .. i, "content " .. i)
      end)
      t.equal(host:read({ "cat", dir .. "/f" .. i }).stdout, "content " .. i)
    end)
  end,

  ["a server that has SFTP and nothing else"] = function(t)
    local server <close> = sshd(t, "ForceCommand internal-sftp\n")
    local host = rig.on(server)
    local path = t.tmp() .. "/f"
    step(function()
      t.equal(host:put(path, "one", { mode = "0640" }), true)
      t.equal(host:put(path, "one"), false)
      t.equal(host:put(path, "two", { backup = true }), true)
      local err = t.fails("refused", function()
        host:put(path, "three", { validate = "true %s" })
      end)
      t.match(err.msg, "runs no commands")
    end)
    t.equal(fs.read(path), "two")
  end,

  ["a cancel in the middle leaves nothing"] = function(t)
    local server <close> = sshd(t)
    local host = rig.on(server)
    local dir = t.tmp()
    sh(("head -c 200000000 /dev/zero >%s/big"):format(dir))
    local ok, err = pcall(task.timeout, 0.15, function()
      step(function()
        host:put(dir .. "/f", { from = dir .. "/big", timeout = 0.1 })
      end)
    end)
    t.equal(ok, false)
    t.equal(err.kind, "timeout")
    t.equal(fs.list(dir), { "big" })
    step(function()
      t.equal(host:put(dir .. "/f", "small"), true, "the session goes on")
    end)
  end,
}
