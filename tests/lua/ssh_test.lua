--- prim.ssh against a real sshd: logging in, commands, and servers that misbehave.
local fs = require("prim.fs")
local hash = require("prim.hash")
local help = load(assert(require("prim.fs").read("tests/lua/ssh_help.lua")), "@ssh_help.lua")()
local proc = require("prim.proc")
local ssh = require("prim.ssh")
local sys = require("prim.sys")
local task = require("plat.task")
local time = require("prim.time")

--- Runs a function in tasks of their own, and waits for all of them.
local function at_once(n, fn)
  local jobs = {}
  for i = 1, n do
    jobs[i] = function()
      return fn(i)
    end
  end
  return task.all(jobs)
end

return {
  ["a command: its streams, its status, its signal"] = function(t)
    local dir = help.keys(t, "host_ed25519", "user_ed25519")
    local server <close> = help.server(t, dir)
    local session <close> = help.login(server)
    t.equal(session:exec("echo out; echo err >&2; exit 3"), {
      code = 3,
      stdout = "out\n",
      stderr = "err\n",
    })
    t.equal(session:exec("kill -9 $$"), {
      code = 128,
      signal = "SIGKILL",
      stdout = "",
      stderr = "",
    })
    t.equal(session:exec("exec >&- 2>&-; sleep 0.3; exit 7").code, 7, "silent, but not ended")
    t.equal(session:exec("cat", { stdin = "a\0b" }).stdout, "a\0b")
    t.equal(session:exec("cat").stdout, "", "without stdin it is empty")
    t.match(session:banner(), "^SSH%-2%.0%-OpenSSH")
  end,

  ["much output on both streams, much input, and their ceilings"] = function(t)
    local dir = help.keys(t, "host_ed25519", "user_ed25519")
    local server <close> = help.server(t, dir)
    local session <close> = help.login(server)
    local out = session:exec("head -c 5000000 /dev/zero >&2; head -c 3000000 /dev/zero; echo end")
    t.equal(#out.stderr, 5000000)
    t.equal(#out.stdout, 3000004)
    local big = hash.random(65536):rep(320)
    local sum = hash.digest("sha256", big)
    local words = session:exec("sha256sum", { stdin = big }).stdout
    t.equal(words:match("^%x+"), sum, "20 MiB of input")
    t.equal(session:exec("true", { stdin = big }).code, 0, "nobody reads the input")
    local _, err = session:exec("yes", { max_output = 100000 })
    t.equal(err.kind, "refused")
    t.match(err.msg, "more than 100000 bytes on stdout")
    t.ok(err.sent and #err.stdout <= 100000)
    t.equal(session:exec("echo on").stdout, "on\n", "the session lives on")
  end,

  ["more commands at once than channels, and than the server allows"] = function(t)
    local dir = help.keys(t, "host_ed25519", "user_ed25519")
    local server <close> = help.server(t, dir)
    local session <close> = help.login(server)
    at_once(30, function(i)
      local out = assert(session:exec("sleep 0.05; echo " .. i))
      t.equal(out.stdout, i .. "\n")
    end)
    local narrow <close> = help.server(t, dir, "MaxSessions 1\n")
    local second <close> = help.login(narrow)
    at_once(10, function(i)
      t.equal(assert(second:exec("echo " .. i)).stdout, i .. "\n", "MaxSessions 1")
    end)
    t.equal(session:exec("echo both").stdout, "both\n")
  end,

  ["every kind of key, from a file and from the agent"] = function(t)
    local names = { "user_ed25519", "user_ecdsa", "user_rsa" }
    local dir = help.keys(t, "host_ed25519", table.unpack(names))
    local server <close> = help.server(t, dir)
    local socket = dir .. "/agent"
    local agent <close> = assert(proc.spawn({ "ssh-agent", "-D", "-a", socket }))
    t.equal(agent:pid() > 0, true)
    while not fs.stat(socket) do
      task.sleep(0.01)
    end
    for _, name in ipairs(names) do
      help.sh(("ssh-add -q %s/%s"):format(dir, name), { env = { SSH_AUTH_SOCK = socket } })
      for _, sha256 in ipairs({ false, true }) do
        local session <close> = assert(help.connect(server))
        local key = help.key(dir, name)
        local ok = { method = "publickey", user = help.user, key = key, rsa_sha256 = sha256 }
        t.equal(assert(session:auth(ok)), true, name)
        t.equal(session:exec("echo in").stdout, "in\n")
      end
    end
    local held = assert(ssh.agent_keys(socket))
    t.equal(#held, 3)
    for i, one in ipairs(held) do
      t.equal(one.blob, help.key(dir, names[i]):blob(), "the public half is made as OpenSSH does")
      local session <close> = assert(help.connect(server))
      local opts = { method = "agent", user = help.user, agent = socket, blob = one.blob }
      t.equal(assert(session:auth(opts)), true, "agent " .. names[i])
      t.equal(session:exec("echo in").stdout, "in\n")
    end
    help.sh("ssh-add -q -D 2>/dev/null", { env = { SSH_AUTH_SOCK = socket } })
    local session <close> = assert(help.connect(server))
    local opts = { method = "agent", user = help.user, agent = socket, blob = held[1].blob }
    local _, err = session:auth(opts)
    t.equal({ err.kind, err.msg }, { "auth", "the agent does not sign with this key" })
    local _, gone = ssh.agent_keys(dir .. "/none")
    t.match(gone.msg, "no such file")
  end,

  ["encrypted keys, PEM, and what is no key"] = function(t)
    local dir = help.keys(t, "user_ed25519", "user_rsa", "user_ecdsa")
    for _, name in ipairs({ "user_ed25519", "user_rsa", "user_ecdsa" }) do
      local path = dir .. "/" .. name
      local plain = help.key(dir, name):blob()
      for _, cipher in ipairs({ "aes256-ctr", "aes256-cbc", "aes256-gcm@openssh.com" }) do
        help.sh(("ssh-keygen -q -p -a 3 -Z %s -P '' -N 'pass word' -f %s"):format(cipher, path))
        t.equal(help.key(dir, name, "pass word"):blob(), plain, name .. " " .. cipher)
        local _, none = ssh.key(fs.read(path))
        t.equal({ none.kind, none.msg }, { "auth", "the key is encrypted: no passphrase" })
        local _, wrong = ssh.key(fs.read(path), "pass")
        t.equal({ wrong.kind, wrong.msg }, { "auth", "wrong passphrase" })
        help.sh(("ssh-keygen -q -p -P 'pass word' -N '' -f %s"):format(path))
      end
      if name ~= "user_ed25519" then
        for _, form in ipairs({ "PEM", "PKCS8" }) do
          help.sh(("ssh-keygen -q -p -m %s -P '' -N secret1 -f %s"):format(form, path))
          t.equal(help.key(dir, name, "secret1"):blob(), plain, name .. " " .. form)
          local _, none = ssh.key(fs.read(path))
          t.equal(none.kind, "auth")
          help.sh(("ssh-keygen -q -p -m %s -P secret1 -N '' -f %s"):format(form, path))
          t.equal(help.key(dir, name):blob(), plain)
        end
      end
      help.sh(("ssh-keygen -q -p -P '' -N '' -f %s"):format(path))
    end
    local text = fs.read(dir .. "/user_rsa")
    for cut = 0, #text, 97 do
      local _, err = ssh.key(text:sub(1, cut))
      t.ok(err and err.kind == "parse", "cut at " .. cut)
    end
    local _, err = ssh.key("ssh-ed25519 AAAA")
    t.equal(err.kind, "parse")
  end,

  ["refused: a key, a password, and an attempt before the host key is trusted"] = function(t)
    local dir = help.keys(t, "host_ed25519", "user_ed25519", "other_ed25519")
    local server <close> = help.server(t, dir)
    local session <close> = assert(ssh.connect({ host = "127.0.0.1", port = server.port }))
    local opts = { method = "publickey", user = help.user, key = help.key(dir, "other_ed25519") }
    t.match(select(2, pcall(session.auth, session, opts)), "nobody has trusted the host key")
    t.equal(session:host_key(), help.key(dir, "host_ed25519"):blob())
    session:trust()
    t.match(select(2, pcall(session.exec, session, "true")), "not authenticated")
    local _, err = session:auth({ method = "none", user = help.user })
    t.equal({ err.kind, err.methods }, { "auth", "publickey,password,keyboard-interactive" })
    local _, no = session:auth(opts)
    t.equal({ no.kind, no.msg }, { "auth", "the server does not accept the key" })
    local _, word = session:auth({ method = "password", user = help.user, password = "wrong" })
    t.equal({ word.kind, word.msg }, { "auth", "the server does not accept the password" })
    opts.key = help.key(dir, "user_ed25519")
    t.equal(assert(session:auth(opts)), true, "another attempt on the same connection")
    t.equal(session:exec("echo in").stdout, "in\n")
  end,

  ["passwords, plain and by questions, against a shadow file of ours"] = function(t)
    if help.user ~= "root" or proc.run({ "unshare", "-m", "true" }).code ~= 0 then
      t.skip("it needs a mount namespace")
    end
    local dir = help.keys(t, "host_ed25519")
    local crypted = help.sh("openssl passwd -6 -salt abcdef 'right word'"):gsub("\n", "")
    help.sh(("grep -v '^root:' /etc/shadow >%s/shadow; chmod 600 %s/shadow"):format(dir, dir))
    assert(fs.write(dir .. "/shadow", "root:" .. crypted .. ":19000:0:99999:7:::\n", {
      append = true,
    }))
    assert(
      fs.write(
        dir .. "/pam",
        "auth required pam_unix.so nodelay\naccount required pam_unix.so\n"
          .. "session required pam_permit.so\n"
      )
    )
    local wrap = ("mount --bind %s/shadow /etc/shadow; mount --bind %s/pam /etc/pam.d/sshd"):format(
      dir,
      dir
    )
    local lines = "PasswordAuthentication yes\nKbdInteractiveAuthentication yes\n"
    local plain <close> = help.server(t, dir, lines, wrap)
    local pam <close> = help.server(t, dir, lines .. "UsePAM yes\n", wrap)
    for _, case in ipairs({
      { plain, "password" },
      { pam, "password" },
      { pam, "keyboard-interactive" },
    }) do
      for _, word in ipairs({ "wrong", "right word" }) do
        local session <close> = assert(help.connect(case[1]))
        local ok, err = session:auth({ method = case[2], user = "root", password = word })
        t.equal(ok or err.kind, word == "wrong" and "auth" or true, case[2] .. " " .. word)
        if ok then
          t.equal(session:exec("echo in").stdout, "in\n")
        end
      end
    end
  end,

  ["a lost connection is no success, and all of its commands hear of it"] = function(t)
    local dir = help.keys(t, "host_ed25519", "user_ed25519")
    local server <close> = help.server(t, dir)
    local session <close> = help.login(server)
    local lost = 0
    at_once(5, function(i)
      local out, err =
        session:exec(i == 5 and "sleep 0.3; kill -9 $PPID; sleep 1" or "echo begun; sleep 20")
      t.equal(out, nil)
      t.equal({ err.kind, err.sent }, { "connect", true })
      t.match(err.msg, "connection to 127.0.0.1 was lost")
      t.equal(err.stdout, i == 5 and "" or "begun\n")
      lost = lost + 1
    end)
    t.equal(lost, 5)
    local _, err = session:exec("true")
    t.equal({ err.kind, err.sent }, { "connect", false }, "it stays lost")
    local idle <close> = help.login(server)
    idle:exec("(sleep 0.2; kill -9 $PPID) >/dev/null 2>&1 &")
    task.sleep(0.6)
    local _, later = idle:exec("true")
    t.equal({ later.kind, later.sent }, { "connect", false }, "noticed while idle")
  end,

  ["timeouts and cancels close the channel, not the session"] = function(t)
    local dir = help.keys(t, "host_ed25519", "user_ed25519")
    local server <close> = help.server(t, dir)
    local session <close> = help.login(server)
    local _, err = session:exec("echo begun; sleep 5", { timeout = 0.3 })
    t.equal({ err.kind, err.op, err.stdout }, { "timeout", "ssh.exec", "begun\n" })
    for _ = 1, 20 do
      local first = task.race({
        function()
          return session:exec("cat; sleep 1", { stdin = ("x"):rep(3000000) })
        end,
        function()
          task.sleep(0.02)
          return "cancelled"
        end,
      })
      t.equal(first, "cancelled")
    end
    t.equal(session:exec("echo on").stdout, "on\n")
  end,

  ["a closed session ends its commands"] = function(t)
    local dir = help.keys(t, "host_ed25519", "user_ed25519")
    local server <close> = help.server(t, dir)
    local session = help.login(server)
    at_once(2, function(i)
      if i == 2 then
        task.sleep(0.2)
        session:close()
        return
      end
      local _, err = session:exec("sleep 20")
      t.match(err.msg, "the session was closed")
    end)
    t.match(select(2, pcall(session.exec, session, "true")), "closed session")
  end,

  ["rekeying every megabyte disturbs nobody"] = function(t)
    local dir = help.keys(t, "host_ed25519", "user_ed25519")
    local server <close> = help.server(t, dir, "RekeyLimit 1M\n")
    local session <close> = help.login(server)
    local big = hash.random(65536):rep(128)
    local sum = hash.digest("sha256", big)
    at_once(4, function()
      t.equal(session:exec("sha256sum", { stdin = big }).stdout:match("^%x+"), sum)
      t.ok(session:exec("cat", { stdin = big }).stdout == big, "cat gave something else")
    end)
  end,

  ["no server, a silent one, one that is none, and a name that is unknown"] = function(t)
    local script = "import socket,sys,time\ns=socket.socket();s.bind(('127.0.0.1',0));s.listen(5)\n"
      .. "print(s.getsockname()[1],flush=True)\n"
    local silent <close> = assert(proc.spawn({ "python3", "-c", script .. "time.sleep(60)" }))
    local port = tonumber((silent:read()))
    local began = time.mono()
    local _, err = ssh.connect({ host = "127.0.0.1", port = port, handshake_timeout = 0.3 })
    t.equal(err.kind, "timeout")
    t.match(err.msg, "^127.0.0.1 port %d+: connected, but no SSH server answers$")
    t.ok(time.mono() - began < 2)
    local other <close> = assert(proc.spawn({
      "python3",
      "-c",
      script .. "c=s.accept()[0];c.sendall(b'220 mail\\r\\n'*5);c.close();time.sleep(60)",
    }))
    local _, mail = ssh.connect({ host = "127.0.0.1", port = tonumber((other:read())) })
    t.equal(mail.kind, "connect")
    local _, refused = ssh.connect({ host = "127.0.0.1", port = 1 })
    t.equal(refused.kind, "connect")
    t.match(refused.msg, "cannot connect to 127.0.0.1 port 1: connection refused")
    local _, name = ssh.connect({ host = "no.such.name.invalid" })
    t.match(name.msg, "cannot resolve")
    local _, late = task.timeout(0.2, function()
      return ssh.connect({ host = "127.0.0.1", port = port })
    end)
    t.equal(late.kind, "timeout")
  end,

  ["a mismatch of algorithms is explained by name"] = function(t)
    local dir = help.keys(t, "host_ed25519")
    local server <close> = help.server(t, dir, "KexAlgorithms sntrup761x25519-sha512@openssh.com\n")
    local _, err = help.connect(server)
    t.equal(err.kind, "connect")
    t.match(
      err.msg,
      "no key exchange in common: the server has sntrup761x25519%-sha512@openssh.com"
    )
    local plain <close> = help.server(t, dir)
    local _, host = help.connect(plain, { host_keys = "ecdsa-sha2-nistp256" })
    t.match(
      host.msg,
      "no type of host key in common: the server has ssh%-ed25519; libssh2 %S+ has ecdsa"
    )
    local _, unknown = help.connect(plain, { host_keys = "ssh-future" })
    t.match(unknown.msg, "has none of these types of host keys: ssh%-future")
  end,

  ["thousands of commands over one session: no growth"] = function(t)
    local dir = help.keys(t, "host_ed25519", "user_ed25519")
    local server <close> = help.server(t, dir)
    local session <close> = help.login(server)
    local count = tonumber(sys.getenv("SSH_COMMANDS")) or 1000
    local function descriptors()
      return #fs.list("/proc/self/fd")
    end
    local function run(n)
      at_once(4, function()
        for _ = 1, n / 4 do
          local out = assert(session:exec("exit 5"))
          assert(out.code == 5 and out.stdout == "")
        end
      end)
    end
    local function memory()
      collectgarbage()
      return tonumber(fs.read("/proc/self/statm"):match("^%d+ (%d+)")) * 4
    end
    run(200)
    local fds, kib = descriptors(), memory()
    run(count)
    t.equal(descriptors(), fds)
    if not sys.getenv("ASAN_OPTIONS") then
      t.ok(memory() - kib < 2048, ("it grew by %d KiB"):format(memory() - kib))
    end
  end,
}
