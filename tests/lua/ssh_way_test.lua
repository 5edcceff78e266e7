--- prim.ssh: sessions over a channel of another session, and over a program.
local fs = require("prim.fs")
local hash = require("prim.hash")
local help = load(assert(require("prim.fs").read("tests/lua/ssh_help.lua")), "@ssh_help.lua")()
local proc = require("prim.proc")
local ssh = require("prim.ssh")
local sys = require("prim.sys")
local task = require("plat.task")
local time = require("prim.time")

local sanitized = sys.getenv("ASAN_OPTIONS") ~= nil

local function keys(t)
  return help.keys(t, "host_ed25519", "user_ed25519")
end

local function login(server, how)
  local session, err = help.connect(server, how)
  if not session then
    return nil, err
  end
  local key = help.key(server.dir, "user_ed25519")
  assert(session:auth({ method = "publickey", user = help.user, key = key }))
  return session
end

--- Counts the logins in a server's log.
local function logins(server)
  return select(2, fs.read(server.log):gsub("Accepted publickey", ""))
end

local function range(n)
  local all = {}
  for i = 1, n do
    all[i] = i
  end
  return all
end

return {
  ["one jump and three: commands, much data both ways, rekeying, the end"] = function(t)
    local dir = keys(t)
    local bastion <close> = help.server(t, dir, "MaxSessions 1\nRekeyLimit 1M\n")
    local target <close> = help.server(t, dir, "RekeyLimit 1M\n")
    local first <close> = assert(login(bastion))
    local busy <close> = assert(first:open("read line; kill -9 $PPID", { input = true }))
    local second <close> = assert(login(target, { via = first }))
    t.equal(second:exec("echo here; exit 3"), { code = 3, stdout = "here\n", stderr = "" })
    local third <close> = assert(login(bastion, { via = second }))
    local fourth <close> = assert(login(target, { via = third }))
    local big = hash.random(65536):rep(sanitized and 32 or 160)
    local sum = hash.digest("sha256", big)
    for _, session in ipairs({ second, fourth }) do
      task.each({ 1, 2 }, nil, function()
        t.equal(assert(session:exec("sha256sum", { stdin = big })).stdout:match("^%x+"), sum)
        t.ok(assert(session:exec("cat", { stdin = big })).stdout == big, "cat gave something else")
      end)
    end
    t.equal(second:lost(), nil)
    third:close()
    local _, err = fourth:exec("true")
    t.equal(err.kind, "connect")
    t.match(err.msg, "127.0.0.1 through 127.0.0.1 was lost: the session was closed")
    t.equal(second:exec("echo on").stdout, "on\n")
    local running = task.spawn(function()
      return select(2, second:exec("sleep 60"))
    end)
    task.sleep(0.1)
    assert(busy:write("now\n"))
    local lost = running:join()
    t.equal(lost.kind, "connect")
    t.match(lost.msg, "the connection to 127.0.0.1 through 127.0.0.1 was lost: ")
    t.equal(second:lost().kind, "connect")
    local _, none = login(target, { via = first })
    t.equal(none.kind, "connect")
  end,

  ["fifty sessions through one: one login, no growth"] = function(t)
    local dir = keys(t)
    local bastion <close> = help.server(t, dir, "MaxSessions 1\n")
    local target <close> = help.server(t, dir)
    local first <close> = assert(login(bastion))
    local n = sanitized and 10 or 50
    local function round()
      task.each(range(n), nil, function(i)
        local session <close> = assert(login(target, { via = first }))
        for _ = 1, 3 do
          t.equal(assert(session:exec("echo " .. i)).stdout, i .. "\n")
        end
      end)
    end
    round()
    t.equal({ logins(bastion), logins(target) }, { 1, n })
    collectgarbage()
    local fds = #fs.list("/proc/self/fd")
    round()
    t.equal({ logins(bastion), logins(target) }, { 1, 2 * n })
    t.equal(#fs.list("/proc/self/fd"), fds)
  end,

  ["a host behind the bastion that does not answer costs its own deadline only"] = function(t)
    local dir = keys(t)
    local bastion <close> = help.server(t, dir)
    local target <close> = help.server(t, dir)
    local first <close> = assert(login(bastion))
    local began = time.mono()
    local slow = 0
    -- a full queue of connections: the kernel answers no SYN for it
    local full <close> = assert(proc.spawn({
      "python3",
      "-c",
      "import socket,time\ns=socket.socket();s.bind(('127.0.0.1',0));s.listen(0)\n"
        .. "cs=[]\nfor _ in range(4):\n c=socket.socket();c.setblocking(False)\n"
        .. " c.connect_ex(s.getsockname());cs.append(c)\n"
        .. "print(s.getsockname()[1],flush=True);time.sleep(60)",
    }))
    local dead = tonumber((full:read()))
    task.each(range(12), nil, function(i)
      if i <= 2 then
        local opts = { host = "127.0.0.1", port = dead, via = first, connect_timeout = 6 }
        local _, err = ssh.connect(opts)
        t.equal(err.kind, "timeout")
        t.match(err.msg, "no answer from 127.0.0.1 port %d+ through 127.0.0.1")
      else
        local session <close> = assert(login(target, { via = first, connect_timeout = 30 }))
        t.equal(session:exec("echo on").stdout, "on\n")
        slow = math.max(slow, time.mono() - began)
      end
    end)
    t.ok(slow < 5.5, ("the others waited %.1f s"):format(slow))
    t.equal(first:lost(), nil)
    local again <close> = assert(login(target, { via = first }))
    t.equal(again:exec("echo still").stdout, "still\n")
  end,

  ["what the bastion refuses is explained"] = function(t)
    local dir = keys(t)
    local strict <close> = help.server(t, dir, "AllowTcpForwarding no\n")
    local first <close> = assert(login(strict))
    local _, no = login(strict, { via = first })
    t.equal(no.kind, "connect")
    local want = "cannot connect to 127.0.0.1 through 127.0.0.1: 127.0.0.1 does not forward to "
    t.match(no.msg, want .. "127.0.0.1 port %d+: ")
    t.equal(first:exec("echo on").stdout, "on\n")
    local open <close> = help.server(t, dir)
    local second <close> = assert(login(open))
    local _, refused = ssh.connect({ host = "127.0.0.1", port = 1, via = second })
    t.match(refused.msg, "through 127.0.0.1: .* port 1: Connection refused")
    local fresh <close> = assert(help.connect(open))
    t.fails("not authenticated", function()
      local _, err = ssh.connect({ host = "127.0.0.1", port = 1, via = fresh })
      error(err.msg)
    end)
  end,

  ["over a program: it carries all, and ends with the session"] = function(t)
    local dir = keys(t)
    local server <close> = help.server(t, dir)
    local script = dir .. "/relay"
    assert(fs.write(
      script,
      [[
import os, socket, sys, threading
open(sys.argv[2], 'w').write(str(os.getpid()))
s = socket.create_connection(('127.0.0.1', int(sys.argv[1])))
def up():
  while True:
    b = os.read(0, 65536)
    if not b: break
    s.sendall(b)
  s.shutdown(1)
threading.Thread(target=up, daemon=True).start()
while True:
  b = s.recv(65536)
  if not b: break
  while b: b = b[os.write(1, b):]
]]
    ))
    local pid_file = dir .. "/pid"
    local command = ("exec python3 %s %d %s"):format(script, server.port, pid_file)
    local session = assert(login(server, { proxy = command }))
    local big = hash.random(65536):rep(64)
    t.ok(session:exec("cat", { stdin = big }).stdout == big, "cat gave something else")
    local alive = "/proc/" .. fs.read(pid_file)
    t.ok(fs.stat(alive))
    session:close()
    for _ = 1, 200 do
      if not fs.stat(alive) then
        break
      end
      task.sleep(0.02)
    end
    t.equal(fs.stat(alive), nil, "the program lives on")
    local lost <close> = assert(login(server, { proxy = command }))
    local running = task.spawn(function()
      return select(2, lost:exec("sleep 60"))
    end)
    task.sleep(0.1)
    help.sh("kill -9 " .. fs.read(pid_file))
    local err = running:join()
    t.equal(err.kind, "connect")
    t.match(err.msg, "the ProxyCommand of 127.0.0.1 was ended by signal 9: it said nothing")
  end,

  ["a program that fails: its status and its last words"] = function(t)
    local function fails(command, want)
      local opts = { host = "db1", proxy = command, handshake_timeout = 5 }
      local session, err = ssh.connect(opts)
      t.equal(session, nil)
      t.match(err.msg, want)
      return err
    end
    local err =
      fails("echo first >&2; echo no route to db1 >&2; exit 7", "status 7: no route to db1$")
    t.equal(err.kind, "connect")
    fails("exit 0", "the ProxyCommand of db1 ended with status 0: it said nothing")
    fails("exec /no/such/program", "status 127: .*/no/such/program")
    fails("head -c 3000000 /dev/zero | tr '\\0' x >&2; exit 1", "status 1: xxx")
    fails("exec >&- <&-; echo closed >&2; sleep 60", "closed its output: closed")
    t.equal(fails("echo hello; sleep 60", "key exchange came to no end").kind, "timeout")
    local _, late = task.timeout(0.3, function()
      return ssh.connect({ host = "db1", proxy = "sleep 60" })
    end)
    t.equal(late.kind, "timeout")
  end,
}
