--- prim.ssh: whatever waits is cancelled at many moments, and sessions are lost at many moments.
local fs = require("prim.fs")
local help = load(assert(require("prim.fs").read("tests/lua/ssh_help.lua")), "@ssh_help.lua")()
local proc = require("prim.proc")
local ssh = require("prim.ssh")
local task = require("plat.task")

-- Answers each connection with what it got.
local ECHO = [[
import socket, sys, threading
s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(200); print('up', flush=True)
def serve(c):
  try:
    while True:
      b = c.recv(65536)
      if not b: break
      c.sendall(b)
  except OSError: pass
  c.close()
while True: threading.Thread(target=serve, args=(s.accept()[0],), daemon=True).start()
]]

local PIECE = ("x"):rep(300000)

local function login(server, how)
  local session, err = help.connect(server, how)
  if not session then
    return nil, err
  end
  local key = help.key(server.dir, "user_ed25519")
  local ok, why = session:auth({ method = "publickey", user = help.user, key = key })
  return ok and session, why
end

--- What may be cancelled; each works with a session that is logged in.
local WORKS = {
  exec = function(session)
    return session:exec("head -c 300000", { stdin = PIECE })
  end,
  stream = function(session)
    local command <close> = session:open("cat", { input = true })
    return command and command:write(PIECE) and command:read() and command:write(PIECE)
  end,
  subsystem = function(session)
    local sftp <close> = session:subsystem("sftp")
    return sftp and sftp:write("\0\0\0\5\1\0\0\0\3") and sftp:read()
  end,
  unix = function(session, _, path)
    local connection <close> = session:unix(path)
    return connection and connection:write(PIECE) and connection:read()
  end,
  via = function(session, server)
    local behind <close> = login(server, { via = session })
    return behind and behind:exec("head -c 300000", { stdin = PIECE })
  end,
  forward = function(session, _, path)
    local dir = assert(fs.mkdtemp("/tmp/platrun-test-"))
    local _ <close> = setmetatable({}, {
      __close = function()
        task.shield(5, fs.remove, dir, { recursive = true })
      end,
    })
    local way <close> = session:forward({ unix = path, listen = dir .. "/s" })
    return way
      and proc.run({
        "python3",
        "-c",
        "import socket,sys\nc=socket.socket(socket.AF_UNIX);c.connect(sys.argv[1])\n"
          .. "c.sendall(b'y'*100000);c.shutdown(1)\nwhile c.recv(65536): pass",
        dir .. "/s",
      })
  end,
}

local function setup(t)
  local server = help.server(t, help.keys(t, "host_ed25519", "user_ed25519"))
  local path = t.tmp() .. "/echo"
  local echo = assert(proc.spawn({ "python3", "-c", ECHO, path }))
  assert(echo:read())
  t.defer(function()
    echo:close()
    server.process:close()
  end)
  return server, path
end

--- Cancelled at many moments, it leaves the session whole.
local function cancelled(t, work)
  local server, path = setup(t)
  local session <close> = assert(login(server))
  for i = 0, 11 do
    local running = task.spawn(function()
      work(session, server, path)
    end)
    task.sleep(i * i * 0.0007)
    running:cancel("enough")
    t.equal(session:lost(), nil)
  end
  t.ok(work(session, server, path), "it does not work any more")
  t.equal(session:exec("echo on").stdout, "on\n")
end

--- When the connection is lost, at many moments, all are woken.
local function lost(t, work)
  local server, path = setup(t)
  for i = 1, 4 do
    local session <close> = assert(login(server))
    local pid = session:exec("echo $PPID").stdout:gsub("%s+$", "")
    local running = {}
    for n = 1, 3 do
      running[n] = task.spawn(function()
        work(session, server, path)
      end)
    end
    task.sleep(i * i * 0.005)
    help.sh("kill -9 " .. pid)
    for _, one in ipairs(running) do
      one:join()
    end
    local _, err = session:exec("true")
    t.equal(err.kind, "connect")
  end
end

--- When another task closes the session, too.
local function closed(t, work)
  local server, path = setup(t)
  for i = 1, 4 do
    local session = assert(login(server))
    local running = task.spawn(function()
      work(session, server, path)
    end)
    task.sleep(i * i * 0.005)
    session:close()
    local ok, err = pcall(running.join, running)
    t.ok(ok or tostring(err.msg):find("closed", 1, true), err)
  end
end

local tests = {
  ["a connection that is given up while it is made through another session"] = function(t)
    local server = setup(t)
    local first <close> = assert(login(server))
    for i = 0, 9 do
      local made = {}
      for n = 1, 4 do
        made[n] = task.spawn(function()
          local session = ssh.connect({ host = "127.0.0.1", port = server.port, via = first })
          if session then
            session:close()
          end
        end)
      end
      task.sleep(i * 0.001)
      for _, one in ipairs(made) do
        one:cancel("enough")
      end
    end
    t.equal(first:lost(), nil)
    local last <close> = assert(login(server, { via = first }))
    t.equal(last:exec("echo on").stdout, "on\n")
  end,
}

for name, work in pairs(WORKS) do
  for what, test in pairs({ cancelled = cancelled, lost = lost, closed = closed }) do
    tests[("%s: %s"):format(name, what)] = function(t)
      test(t, work)
    end
  end
end

return tests
