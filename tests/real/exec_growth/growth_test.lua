--- What platrun itself holds, before and after: its descriptors and its resident memory. Run by
--- tests/real/exec_growth/run, which serves 300 hosts.

local fs = require("prim.fs")
local host = require("plat.host")
local ssh = require("plat.ssh")
local sys = require("prim.sys")
local task = require("plat.task")

local COMMANDS, CONNECTIONS, ROUNDS = 10000, 1500, 4
local AT_ONCE = 50
local MAY_GROW = 2 * 1024 -- KiB: what an allocator may take more for the same; 0.2 KiB a command
local MAY_GROW_SESSIONS = 6 * 1024 -- where 300 sessions come and go four times; 5 KiB each

--- Kills the server's process of the connection that this runs over.
local BREAK = [[
p=$$
while [ "$(cat /proc/$p/comm)" != sshd ]; do
  p=$(cut -d ' ' -f 4 /proc/$p/stat)
done
kill -9 $p
]]

local function make_hosts()
  local vars =
    { ansible_port = math.tointeger(sys.getenv("PORT")), ansible_user = sys.getenv("WHO") }
  local hosts = {}
  for address in assert(fs.read(sys.getenv("ADDRESSES"))):gmatch("%S+") do
    local name = "h" .. #hosts + 1
    hosts[#hosts + 1] = host.new({ name = name, address = address, vars = vars })
  end
  return hosts
end

--- Returns the number of descriptors and the resident KiB of this process.
local function held()
  for _ = 1, 2 do -- finalizers free in the first what the second collects
    collectgarbage()
    task.sleep(0.05)
  end
  local status = assert(fs.read("/proc/self/status"))
  return #fs.list("/proc/self/fd"), math.tointeger(status:match("VmRSS:%s*(%d+)"))
end

--- Does something n times after a first fifth that is not counted, and compares.
local function check_growth(t, n, what, may_grow, fn)
  fn((n + 4) // 5)
  local fds, memory = held()
  fn(n)
  local fds_after, memory_after = held()
  t.equal(fds_after, fds, what .. ": descriptors")
  local grown = memory_after - memory
  t.ok(grown <= may_grow, ("%s: %d KiB more, of %d KiB"):format(what, grown, memory))
end

local function numbers(n)
  local out = {}
  for i = 1, n do
    out[i] = i
  end
  return out
end

return {
  ["10,000 commands on one connection"] = function(t)
    local one = make_hosts()[1]
    local session = ssh.session(one)
    check_growth(t, COMMANDS, "commands", MAY_GROW, function(n)
      task.each(numbers(n), { limit = AT_ONCE }, function(i)
        local out = one:read({ "sh", "-c", "echo out; echo err >&2; exit " .. i % 3 }, {
          ok = { 0, 1, 2 },
        })
        if out.code ~= i % 3 or out.stdout ~= "out\n" or out.stderr ~= "err\n" then
          error(("command %d: exit %d, %q"):format(i, out.code, out.stdout))
        end
      end)
    end)
    t.equal(ssh.session(one), session, "it is still the first connection")
    session:close()
    ssh.forget(one)
  end,

  ["1,500 connections, one command each"] = function(t)
    local hosts = make_hosts()
    check_growth(t, CONNECTIONS, "connections", MAY_GROW, function(n)
      task.each(numbers(n), { limit = AT_ONCE }, function(i)
        local session = ssh.open(hosts[i % #hosts + 1])
        local out = assert(session:exec("echo " .. i))
        session:close()
        assert(out.stdout == i .. "\n", "the output of another command")
      end)
    end)
  end,

  ["300 hosts whose connections break, and are made anew"] = function(t)
    local hosts = make_hosts()
    local function round()
      task.each(hosts, { limit = AT_ONCE }, function(one)
        local out = one:read({ "echo", one.name })
        assert(out.stdout == one.name .. "\n", "the output of another host")
      end)
      task.each(hosts, { limit = AT_ONCE }, function(one)
        local out, err = try(one.read, one, { "sh", "-c", BREAK })
        assert(not out and err.kind == "connect", "the connection broke, and nobody was told")
      end)
    end
    check_growth(t, ROUNDS, "reconnects", MAY_GROW_SESSIONS, function(n)
      for _ = 1, n do
        round()
      end
    end)
  end,
}
