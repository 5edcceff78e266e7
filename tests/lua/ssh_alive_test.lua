--- prim.ssh: servers that fall silent are noticed, and those that only have nothing to say are not.
local fs = require("prim.fs")
local help = load(assert(require("prim.fs").read("tests/lua/ssh_help.lua")), "@ssh_help.lua")()
local proc = require("prim.proc")
local task = require("plat.task")
local time = require("prim.time")

--- A way to a server. After a line of input it passes on what the server says next, and resets.
local RESETS = [[
import os, select, socket, struct, sys
say = lambda text: os.write(1, text.encode())
listener = socket.create_server(("127.0.0.1", 0))
say("%d" % listener.getsockname()[1])
client = listener.accept()[0]
server = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
last = False
while True:
    ready = select.select([client, server, sys.stdin], [], [])[0]
    if sys.stdin in ready:
        sys.stdin.readline()
        last = True
        say("soon")
    for a, b in ((client, server), (server, client)):
        if a in ready:
            b.sendall(a.recv(65536))
            if last and a is server:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                client.close()
                sys.exit(sys.stdin.read())
]]

local function sshd(t)
  return help.server(t, help.keys(t, "host_ed25519", "user_ed25519"))
end

local function login(server, how)
  local opts = { alive_interval = 1, alive_count = 1 }
  for name, value in pairs(how or {}) do
    opts[name] = value
  end
  local session = assert(help.connect(server, opts))
  local key = help.key(server.dir, "user_ed25519")
  assert(session:auth({ method = "publickey", user = help.user, key = key }))
  return session
end

--- Returns the server's process of a session.
local function process(session)
  return assert(session:exec("echo $PPID")).stdout:gsub("%s+$", "")
end

local function stop(t, pid)
  help.sh("kill -STOP " .. pid)
  t.defer(function()
    help.sh("kill -KILL " .. pid .. " 2>/dev/null || :")
  end)
end

return {
  ["a server that falls silent: who waits hears of it, and who comes later"] = function(t)
    local server <close> = sshd(t)
    local session <close> = login(server)
    local idle <close> = login(server)
    local behind <close> = login(server, { via = login(server), alive_count = 0 })
    local pid = process(session)
    local running = task.spawn(function()
      return select(2, session:exec("sleep 60"))
    end)
    local waiting = task.spawn(function()
      return select(2, behind:exec("sleep 60"))
    end)
    stop(t, process(behind))
    stop(t, process(idle))
    stop(t, pid)
    local began = time.mono()
    local err = running:join()
    t.equal(err.kind, "connect")
    t.match(err.msg, "the connection to 127.0.0.1 was lost: it has not answered for 6 seconds")
    t.match(waiting:join().msg, "has not answered for 3 seconds")
    t.ok(time.mono() - began < 20, "it took long")
    for _ = 1, 300 do
      if idle:lost() then
        break
      end
      task.sleep(0.05)
    end
    t.match(idle:lost().msg, "has not answered")
  end,

  ["silent commands, idle sessions and slow readers are alive"] = function(t)
    local server <close> = sshd(t)
    local session <close> = login(server)
    local fresh <close> = login(server)
    local behind <close> = login(server, { via = fresh })
    local big <close> = assert(session:open("head -c 20000000 /dev/zero", { max_output = 5000 }))
    local jobs = task.spawn(function()
      return behind:exec("sleep 10; echo on")
    end)
    task.sleep(10)
    t.equal({ session:lost(), fresh:lost(), behind:lost() }, {})
    local n = 0
    for chunk in big.read, big do
      n = n + #chunk
    end
    t.equal(n, 20000000)
    t.equal(jobs:join().stdout, "on\n")
    t.equal(fresh:exec("echo on").stdout, "on\n")
    local unasked <close> = login(server, { alive_interval = 0 })
    t.equal(unasked:exec("echo on").stdout, "on\n")
  end,

  ["a connection that is reset right after its last words"] = function(t)
    local server <close> = sshd(t)
    local argv = { "python3", "-c", RESETS, tostring(server.port) }
    local way <close> = assert(proc.spawn(argv, { stdin = true }))
    local session <close> = login(
      { port = tonumber((way:read())), dir = server.dir },
      { alive_interval = 0 }
    )
    local began = server.dir .. "/began"
    local running = task.spawn(function()
      local command = ("touch %s; sleep 0.5; echo last; sleep 60"):format(began)
      return select(2, session:exec(command))
    end)
    while not fs.stat(began) do
      task.sleep(0.01)
    end
    t.ok(way:write("now\n"))
    t.equal(way:read(), "soon")
    -- nothing is received meanwhile, so that the words and the end are there at once
    local enough = time.mono() + 1
    while time.mono() < enough do
    end
    local err = running:join()
    t.match(err.msg, "the connection to 127.0.0.1 was lost")
    t.equal(err.stdout, "last\n")
  end,
}
