--- prim.ssh: input in pieces, subsystems, and connections through the server.
local fs = require("prim.fs")
local hash = require("prim.hash")
local help = load(assert(require("prim.fs").read("tests/lua/ssh_help.lua")), "@ssh_help.lua")()
local proc = require("prim.proc")
local sys = require("prim.sys")
local task = require("plat.task")

local sanitized = sys.getenv("ASAN_OPTIONS") ~= nil

local function sshd(t, lines)
  return help.server(t, help.keys(t, "host_ed25519", "user_ed25519"), lines)
end

local function resident()
  collectgarbage()
  return tonumber(fs.read("/proc/self/statm"):match("^%d+ (%d+)")) * 4
end

--- Reads all that comes on stdout.
local function rest(command)
  local parts = {}
  for chunk, which in command.read, command do
    assert(which == "stdout", chunk)
    parts[#parts + 1] = chunk
  end
  return table.concat(parts)
end

-- Answers each connection with the digest of what it got, once that has ended; when that begins
-- with "flood", 3 MB come first.
local SERVER = [[
import hashlib, os, socket, sys, threading
path = sys.argv[1]
s = socket.socket(socket.AF_UNIX if path else socket.AF_INET)
s.bind(path or ('127.0.0.1', 0)); s.listen(200)
print(path or s.getsockname()[1], flush=True)
def serve(c):
  h, first = hashlib.sha256(), True
  while True:
    b = c.recv(65536)
    if not b: break
    if first and b[:5] == b'flood': c.sendall(b'x' * 3000000)
    first = False
    h.update(b)
  c.sendall(h.hexdigest().encode()); c.close()
while True:
  threading.Thread(target=serve, args=(s.accept()[0],), daemon=True).start()
]]

local function echo(path)
  local process = assert(proc.spawn({ "python3", "-c", SERVER, path or "" }))
  local said = assert(process:read()):gsub("%s+$", "")
  return process, path or math.tointeger(tonumber(said))
end

return {
  ["input in pieces: 100 MB of bytes, right and at constant memory"] = function(t)
    local server <close> = sshd(t)
    local session <close> = help.login(server)
    local piece = hash.random(50000):rep(20)
    local n = sanitized and 20 or 100
    local file = t.tmp() .. "/piece"
    assert(fs.write(file, piece))
    local want = help.sh(("for i in $(seq %d); do cat %s; done | sha256sum"):format(n, file))
    local command <close> = assert(session:open("sha256sum", { input = true }))
    assert(command:write(piece))
    local before = resident()
    for _ = 2, n do
      assert(command:write(piece))
    end
    if not sanitized then
      t.ok(resident() - before < 6000, ("it grew by %d KiB"):format(resident() - before))
    end
    t.equal(command:status(), nil)
    command:finish()
    command:finish()
    t.equal(rest(command), want)
    t.equal(command:status(), { code = 0 })
    local mixed <close> = assert(session:open("cat", { stdin = "first, ", input = true }))
    t.equal(mixed:read(), "first, ")
    for _, word in ipairs({ "then ", "", "last" }) do
      assert(mixed:write(word))
      t.equal(word == "" and "" or mixed:read(), word)
    end
    mixed:finish()
    t.equal({ mixed:read(), mixed:status() }, { nil, { code = 0 } })
    t.match(select(2, pcall(mixed.write, mixed, "more")), "its input has ended")
  end,

  ["a writer waits for the server, and is told when nobody takes more"] = function(t)
    local server <close> = sshd(t)
    local session <close> = help.login(server)
    local big = ("x"):rep(8000000)
    local slow <close> = assert(session:open("sleep 30", { input = true }))
    local _, late = task.timeout(0.5, function()
      return slow:write(big)
    end)
    t.equal(late.kind, "timeout")
    t.equal(session:exec("echo meanwhile").stdout, "meanwhile\n")
    local _, broken = slow:write("more")
    t.equal({ broken.kind, broken.msg }, { "io", "an earlier piece was given up half sent" })
    slow:close()
    local short <close> = assert(session:open("head -c 10; exit 3", { input = true }))
    local _, err = short:write(big)
    t.equal({ err.kind, err.code }, { "io", 32 })
    t.equal({ short:read(), short:read(), short:status() }, { "xxxxxxxxxx", nil, { code = 3 } })
    local quiet <close> = assert(session:open("exec >&- 2>&-; cat >" .. server.dir .. "/in", {
      input = true,
    }))
    task.sleep(0.2)
    assert(quiet:write("after its output has ended"))
    quiet:finish()
    t.equal({ quiet:read(), quiet:status() }, { nil, { code = 0 } })
    t.equal(fs.read(server.dir .. "/in"), "after its output has ended")
    local closed = assert(session:open("sleep 30", { input = true }))
    local writer = task.spawn(function()
      return select(2, closed:write(big))
    end)
    task.sleep(0.1)
    closed:close()
    t.match(writer:join().msg, "closed by another task")
    local lost <close> = assert(session:open("sleep 0.2; kill -9 $PPID", { input = true }))
    local _, gone = lost:write(big)
    t.equal(gone.kind, "connect")
    local _, still = lost:write("x")
    t.equal(still.kind, "connect")
  end,

  ["uploads in pieces while keys are exchanged every megabyte, four at once"] = function(t)
    local server <close> = sshd(t, "RekeyLimit 1M\n")
    local session <close> = help.login(server)
    local piece = hash.random(65536)
    local want = hash.digest("sha256", piece:rep(128))
    task.each({ 1, 2, 3, 4 }, nil, function()
      local command <close> = assert(session:open("sha256sum", { input = true }))
      for _ = 1, 128 do
        assert(command:write(piece))
      end
      command:finish()
      t.equal(rest(command):match("^%x+"), want)
    end)
  end,

  ["5 MB on stderr while stdout is not read, and both at once"] = function(t)
    local server <close> = sshd(t)
    local session <close> = help.login(server)
    local command <close> = assert(session:open("head -c 5000000 /dev/zero >&2; echo end"))
    local n, last = 0, nil
    for chunk, which in command.read, command do
      n = n + (which == "stderr" and #chunk or 0)
      last = which == "stdout" and chunk or last
    end
    t.equal({ n, last, command:status() }, { 5000000, "end\n", { code = 0 } })
    local out = assert(session:exec("head -c 5000000 /dev/zero >&2; echo end"))
    t.equal({ #out.stderr, out.stdout }, { 5000000, "end\n" })
  end,

  ["a subsystem: it talks, it ends with its input, and an unknown one is refused"] = function(t)
    local server <close> = sshd(t)
    local session <close> = help.login(server)
    local sftp <close> = assert(session:subsystem("sftp"))
    assert(sftp:write("\0\0\0\5\1\0\0\0\3")) -- INIT, version 3
    t.equal((sftp:read()):sub(5, 9), "\2\0\0\0\3")
    sftp:finish()
    t.equal({ sftp:read(), sftp:status() }, { nil, { code = 0 } })
    local _, err = session:subsystem("telepathy")
    t.equal({ err.kind, err.msg }, { "refused", "the server has no such subsystem" })
    t.equal(session:exec("echo on").stdout, "on\n")
  end,

  ["connections to ports and unix sockets: both halves, many at once"] = function(t)
    local server <close> = sshd(t, "MaxSessions 1\n")
    local session <close> = help.login(server)
    local ports <close>, port = echo()
    local sockets <close>, path = echo(t.tmp() .. "/s")
    assert(ports and sockets)
    local running <close> = assert(session:open("sleep 30"))
    assert(running)
    local piece = hash.random(50000):rep(4)
    local function talk(i)
      local tcp = i % 2 == 0
      local channel <close> = assert(tcp and session:tcp("localhost", port) or session:unix(path))
      local flood = i % 3 == 0
      local first = flood and "flood" or "quiet"
      assert(channel:write(first))
      local writer = task.spawn(function()
        for _ = 1, 10 do
          assert(channel:write(piece))
        end
        channel:finish()
      end)
      local got = rest(channel)
      writer:join()
      t.equal(#got, (flood and 3000000 or 0) + 64)
      t.equal(got:sub(-64), hash.digest("sha256", first .. piece:rep(10)))
      t.equal({ channel:read(), channel:status() }, { nil, { code = 0 } })
    end
    for i = 1, 4 do
      talk(i)
    end
    local all = {}
    for i = 1, sanitized and 12 or 30 do
      all[i] = i
    end
    task.each(all, nil, talk)
  end,

  ["connections that the server cannot or will not make"] = function(t)
    local server <close> = sshd(t)
    local session <close> = help.login(server)
    local _, refused = session:tcp("127.0.0.1", 1)
    t.equal({ refused.kind, refused.code }, { "refused", 2 })
    t.match(refused.msg, "127.0.0.1 cannot connect to 127.0.0.1 port 1: Connection refused")
    local _, none = session:unix("/nowhere/at/all")
    t.match(none.msg, "cannot connect to /nowhere/at/all: .*no such socket")
    t.equal(session:exec("echo on").stdout, "on\n")
    local strict <close> = sshd(t, "AllowTcpForwarding no\nAllowStreamLocalForwarding no\n")
    local other <close> = help.login(strict)
    local _, no = other:tcp("127.0.0.1", strict.port)
    t.equal({ no.kind, no.code }, { "refused", 1 })
    t.match(no.msg, "127.0.0.1 does not forward to 127.0.0.1 port %d+: ")
    local _, neither = other:unix("/nowhere")
    t.match(neither.msg, "cannot connect to /nowhere: .*not forwarded")
    t.equal(other:exec("echo on").stdout, "on\n")
    local lost = assert(help.login(server))
    lost:close()
    t.match(select(2, pcall(lost.tcp, lost, "h", 1)), "closed session")
  end,
}
