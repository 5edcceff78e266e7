--- What the SSH benchmarks share: the rig, runs in turn, medians, lines for tests/bench/run.

local M = { SOURCE = "tests/bench/ssh", BUILD = "build/bench/ssh" }

--- Runs a command of the shell and returns what it prints.
function M.output_of(fmt, ...)
  local cmd = fmt:format(...)
  local pipe = assert(io.popen(cmd))
  local text = pipe:read("a")
  assert(pipe:close(), "failed: " .. cmd)
  return text
end

function M.read(path)
  local file = io.open(path)
  local text = file and file:read("a")
  if file then
    file:close()
  end
  return text
end

function M.write(path, text)
  local file = assert(io.open(path, "w"))
  assert(file:write(text))
  assert(file:close())
end

--- Says something to who watches; lines for tests/bench/run go to stdout.
function M.say(fmt, ...)
  io.stderr:write("ssh: ", fmt:format(...), "\n")
end

--- Returns the median and the half width of its 95 % interval (McGill's notch).
function M.median(values)
  local sorted = table.move(values, 1, #values, 1, {})
  table.sort(sorted)
  local n = #sorted
  local spread = sorted[math.ceil(n * 0.75)] - sorted[math.ceil(n * 0.25)]
  local middle = (sorted[(n + 1) // 2] + sorted[n // 2 + 1]) / 2
  return middle, 1.57 * spread / math.sqrt(n)
end

--- Prints one result; `ours` and `peer` are texts.
function M.result(name, unit, budget, value, noise, ours, peer)
  print(
    ('{"name": "SSH: %s", "unit": "%s", "value": %.4f, '):format(name, unit, value)
      .. ('"noise": %.4f, "budget": %g, '):format(noise, budget)
      .. ('"ours": "%s", "peer": "%s"}'):format(ours, peer)
  )
end

local function milliseconds(values)
  return ("%.0f ms"):format(M.median(values) / 1000)
end

--- Prints the ratio of two series that were measured in turn; the peer's may be shorter.
function M.ratio(name, budget, ours, peer)
  local ratios = {}
  for i, value in ipairs(ours) do
    ratios[i] = value / peer[math.min(i, #peer)]
  end
  local value, noise = M.median(ratios)
  M.result(name, "x", budget, value, noise, milliseconds(ours), milliseconds(peer))
end

-- ---- the rig ----

---@class Rig
---@field dir string its folder: see tests/bench/ssh/rig
---@field port integer
---@field user string
local Rig = {}
Rig.__index = Rig

--- Starts the servers; they end with this program.
function M.rig(hosts)
  local dir = M.output_of("mktemp -d /tmp/platrun-bench.XXXXXX"):match("%S+")
  local pipe = assert(io.popen(("exec %s/rig %s %d"):format(M.SOURCE, dir, hosts), "w"))
  local text
  for _ = 1, 600 do
    text = M.read(dir .. "/ready")
    if text then
      break
    end
    os.execute("sleep 0.05")
  end
  assert(text, "the servers did not start")
  local port, user, pids = text:match("^(%d+) (%S+) (.-)\n")
  local self = { dir = dir, pipe = pipe, port = port, user = user, servers = {} }
  for pid in pids:gmatch("%d+") do
    table.insert(self.servers, pid)
  end
  return setmetatable(self, Rig)
end

function Rig:close()
  self.pipe:close()
  M.output_of("rm -rf %s", self.dir)
end

--- Lets everybody know the first n hosts only: a longer file costs some peers more than others.
function Rig:know(n)
  M.output_of("cp %s/known_hosts.%d %s/home/.ssh/known_hosts", self.dir, n, self.dir)
end

local function has_session(pid)
  return (M.read(("/proc/%s/task/%s/children"):format(pid, pid)) or ""):find("%d") ~= nil
end

--- Waits until the servers have ended what the last command left, so that the next does not pay.
function Rig:wait_quiet()
  for _ = 1, 400 do
    local busy = false
    for _, pid in ipairs(self.servers) do
      busy = busy or has_session(pid)
    end
    if not busy then
      return
    end
    os.execute("sleep 0.05")
  end
  error("sessions are left on the servers")
end

--- Runs a command line once; returns wall and CPU microseconds of its whole tree and the largest
--- resident size in KiB.
function Rig:run(name, cmd)
  self:wait_quiet()
  local log = self.dir .. "/log." .. name:gsub("%W", "_")
  local text = M.output_of("%s/tree %s %s", M.BUILD, log, cmd)
  local status, wall, cpu, rss = text:match("^(%d+) (%d+) (%d+) (%d+)")
  if status ~= "0" then
    error(("%s: status %s: %s\n%s"):format(name, status, cmd, (M.read(log) or ""):sub(-2000)))
  end
  return tonumber(wall), tonumber(cpu), tonumber(rss)
end

--- Runs commands in turn. Each is { name, command line, rounds = of this one if fewer }; one
--- without a command line is left out.
---@return table series by name: { wall = {us}, cpu = {us}, rss = {KiB} }
function Rig:measure(rounds, commands)
  local series = {}
  for round = 1, rounds do
    for _, command in ipairs(commands) do
      local name, cmd = command[1], command[2]
      if cmd and round <= (command.rounds or rounds) then
        local s = series[name] or { wall = {}, cpu = {}, rss = {} }
        series[name] = s
        s.wall[round], s.cpu[round], s.rss[round] = self:run(name, cmd)
      end
    end
  end
  return series
end

--- Shows series, one a line.
function M.show(title, hosts, commands, series)
  local head = { title, "wall s", "CPU s", "CPU ms/host", "RSS MB" }
  io.stderr:write(("\n%-34s %9s %9s %12s %9s\n"):format(table.unpack(head)))
  for _, command in ipairs(commands) do
    local s = series[command[1]]
    if s then
      local wall, cpu, rss = M.median(s.wall), M.median(s.cpu), M.median(s.rss)
      io.stderr:write(
        ("  %-32s %9.2f %9.3f %12.2f %9.1f\n"):format(
          command[1],
          wall / 1e6,
          cpu / 1e6,
          cpu / 1e3 / hosts,
          rss / 1024
        )
      )
    end
  end
end

return M
