--- prim.ssh: servers that fall silent are noticed, and those that only have nothing to say are not.
local help = load(assert(require("prim.fs").read("tests/lua/ssh_help.lua")), "@ssh_help.lua")()
local task = require("plat.task")
local time = require("prim.time")

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
}
