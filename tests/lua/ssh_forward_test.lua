--- prim.ssh and plat.ssh.forward: sockets here that lead to sockets behind a server.
local forward = require("plat.ssh.forward")
local fs = require("prim.fs")
local hash = require("prim.hash")
local help = load(assert(require("prim.fs").read("tests/lua/ssh_help.lua")), "@ssh_help.lua")()
local http = require("prim.http")
local proc = require("prim.proc")
local sys = require("prim.sys")
local task = require("plat.task")

local sanitized = sys.getenv("ASAN_OPTIONS") ~= nil
local ABOUT = { op = "ssh", target = "host db1" }

-- HTTP/1.1 on a unix socket, or a port: /size/N gives N bytes, a POST the digest of what it got.
local SERVER = [[
import hashlib, http.server, os, socketserver, sys, time
class Handler(http.server.BaseHTTPRequestHandler):
  protocol_version = 'HTTP/1.1'
  def address_string(self): return 'x'
  def log_message(self, *a): pass
  def answer(self, body):
    self.send_response(200); self.send_header('Content-Length', str(len(body)))
    self.end_headers(); self.wfile.write(body)
  def do_GET(self):
    if self.path == '/slow': time.sleep(60)
    self.answer(b'x' * int(self.path.rsplit('/', 1)[1]))
  def do_POST(self):
    left, h = int(self.headers['Content-Length']), hashlib.sha256()
    while left:
      b = self.rfile.read(min(left, 65536)); left -= len(b); h.update(b)
    self.answer(h.hexdigest().encode())
base = socketserver.UnixStreamServer if sys.argv[1] else socketserver.TCPServer
class Server(socketserver.ThreadingMixIn, base):
  daemon_threads = True
  request_queue_size = 300
s = Server(sys.argv[1] or ('127.0.0.1', 0), Handler)
print(sys.argv[1] or s.server_address[1], flush=True)
s.serve_forever()
]]

local function serve(path)
  local process = assert(proc.spawn({ "python3", "-c", SERVER, path or "" }))
  local said = assert(process:read()):gsub("%s+$", "")
  return process, path or math.tointeger(tonumber(said))
end

local function setup(t, lines)
  local dir = help.keys(t, "host_ed25519", "user_ed25519")
  local server = help.server(t, dir, lines)
  t.defer(function()
    server.process:close()
  end)
  return server, help.login(server)
end

local function range(n)
  local all = {}
  for i = 1, n do
    all[i] = i
  end
  return all
end

return {
  ["an HTTP server on a unix socket behind a host: many at once, much both ways"] = function(t)
    local server, session <close> = setup(t, "MaxSessions 1\n")
    assert(server)
    local process <close>, path = serve(t.tmp() .. "/docker.sock")
    assert(process)
    local body = hash.random(65536):rep(sanitized and 16 or 64)
    local sum = hash.digest("sha256", body)
    local here
    do
      local way <close> = forward.open(ABOUT, session, { unix = path })
      here = way.path
      t.equal({ way.port, fs.stat(here).mode & 511 }, { nil, 384 })
      t.equal(fs.stat(here:match("(.*)/")).mode & 511, 448)
      task.each(range(sanitized and 10 or 40), nil, function(i)
        local opts = { url = "http://localhost/size/" .. i * 50000, unix_socket = here }
        t.equal(#assert(http.request(opts)).body, i * 50000)
        opts = { url = "http://localhost/", unix_socket = here, method = "POST", body = body }
        t.equal(assert(http.request(opts)).body, sum)
      end)
      t.equal(way:problem(), nil)
    end
    t.equal(fs.stat(here:match("(.*)/")), nil, "the folder is still there")
  end,

  ["a port there by a port here; halves end alone; who goes away is noticed"] = function(t)
    local server, session <close> = setup(t)
    local process <close>, port = serve()
    assert(process)
    local fds = #fs.list("/proc/self/fd")
    local way <close> = forward.open(ABOUT, session, {
      host = "localhost",
      port = port,
      listen = "tcp",
    })
    t.ok(way.port > 0 and not way.path)
    local url = ("http://127.0.0.1:%d"):format(way.port)
    t.equal(#assert(http.request({ url = url .. "/size/3000000" })).body, 3000000)
    local script = "import socket,sys\nc=socket.create_connection(('127.0.0.1',%d))\n"
      .. "c.sendall(b'GET /size/7 HTTP/1.0\\r\\n\\r\\n');c.shutdown(1)\n"
      .. "d=b''\nwhile True:\n b=c.recv(9999)\n if not b: break\n d+=b\nprint(d[-7:].decode())"
    local out = assert(proc.run({ "python3", "-c", script:format(way.port) }))
    t.equal(out.stdout, "xxxxxxx\n")
    for _ = 1, 5 do
      local _, late = task.timeout(0.1, function()
        return http.request({ url = url .. "/slow" })
      end)
      t.equal(late.kind, "timeout")
    end
    local _, refused = http.request({ url = url .. "/size/10000000", max_body = 1000 })
    t.ok(refused, "it came")
    way:close()
    way:close()
    local _, gone = http.request({ url = url .. "/size/1" })
    t.equal(gone.kind, "connect")
    for _ = 1, 200 do
      if #fs.list("/proc/self/fd") <= fds + 2 then -- what HTTP keeps for later
        break
      end
      task.sleep(0.02)
    end
    t.ok(#fs.list("/proc/self/fd") <= fds + 2, "descriptors are left")
    t.equal(session:exec("echo on").stdout, "on\n")
    t.equal(select(2, fs.read(server.log):gsub("Accepted publickey", "")), 1)
  end,

  ["a socket that is not there, a server that forbids it, a session that is lost"] = function(t)
    local server, session <close> = setup(t)
    assert(server)
    local err = t.fails("cannot connect to /nowhere: ", function()
      forward.open(ABOUT, session, { unix = "/nowhere" })
    end)
    t.equal({ err.kind, err.target, err.phase }, { "refused", "host db1", "forward" })
    local strict, other <close> = setup(t, "AllowTcpForwarding no\n")
    assert(strict)
    t.fails("does not forward to 127.0.0.1 port 1: ", function()
      forward.open(ABOUT, other, { host = "127.0.0.1", port = 1 })
    end)
    t.fails("either unix or host", function()
      session:forward({ unix = "/a", host = "b", port = 1 })
    end)
    local process, path = serve(t.tmp() .. "/s")
    local way <close> = forward.open(ABOUT, session, { unix = path })
    process:kill("KILL")
    process:wait()
    local _, none = http.request({ url = "http://localhost/size/1", unix_socket = way.path })
    t.ok(none, "it came")
    t.match(way:problem().msg, "cannot connect to ")
    local again <close>, same = serve(t.tmp() .. "/s")
    assert(again)
    local second <close> = forward.open(ABOUT, session, { unix = same })
    local slow = task.spawn(function()
      return select(2, http.request({ url = "http://h/slow", unix_socket = second.path }))
    end)
    task.sleep(0.2)
    session:exec("kill -9 $PPID")
    t.ok(slow:join(), "an answer came")
    t.match(second:problem().msg, "was lost")
    local _, late = http.request({ url = "http://localhost/size/1", unix_socket = second.path })
    t.equal(late.kind, "connect")
    local third, closed = setup(t)
    local last = assert(closed:forward({ unix = same, listen = third.dir .. "/f" }))
    closed:close()
    t.equal(fs.stat(third.dir .. "/f"), nil)
    last:close()
  end,
}
