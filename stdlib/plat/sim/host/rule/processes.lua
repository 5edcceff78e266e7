--- Programs that list processes and send them signals.

local units = require("plat.sim.host.units")

local R = {}

local PS = {
  pid = function(p)
    return tostring(p.pid)
  end,
  ppid = function(p)
    return tostring(p.ppid)
  end,
  user = function(p)
    return p.user
  end,
  comm = function(p)
    local program = p.command:match("^(%S+)") or ""
    return ((program:match("([^/]+)$") or program):gsub(":$", ""):sub(1, 15))
  end,
  args = function(p)
    return p.command
  end,
  etimes = function(p, host)
    return ("%d"):format((host.fleet.now - p.since) // 1)
  end,
}
PS.cmd, PS.command, PS.uname = PS.args, PS.args, PS.user

local HEAD = { pid = "PID", ppid = "PPID", user = "USER", comm = "COMMAND", args = "COMMAND" }
HEAD.cmd, HEAD.command, HEAD.etimes, HEAD.uname = "CMD", "COMMAND", "ELAPSED", "USER"

local function read_columns(cmd, text)
  local columns, headed = {}, false
  for word in text:gmatch("[^,%s]+") do
    local name, equals, head = word:match("^([^=]+)(=?)(.*)$")
    if not PS[name] or head ~= "" then
      cmd:unmodelled("the column " .. word)
    end
    columns[#columns + 1] = name
    headed = headed or equals == ""
  end
  return columns, headed
end

local TO_THE_RIGHT = { pid = true, ppid = true, etimes = true }

local function say_columns(cmd, rows, columns)
  local width = {}
  for _, row in ipairs(rows) do
    for i, cell in ipairs(row) do
      local least = ({ pid = 7, ppid = 7, user = 8, uname = 8, etimes = 7, comm = 15 })[columns[i]]
        or 0
      width[i] = math.max(width[i] or least, #cell)
    end
  end
  for _, row in ipairs(rows) do
    local out = {}
    for i, cell in ipairs(row) do
      local pad = (" "):rep(width[i] - #cell)
      out[i] = TO_THE_RIGHT[columns[i]] and pad .. cell or i < #row and cell .. pad or cell
    end
    cmd:say(table.concat(out, " ") .. "\n")
  end
end

function R.ps(cmd)
  local opts =
    cmd:options("eAo:p:C:", { ["--pid"] = "p", ["--format"] = "o", ["--no-headers"] = "h" })
  if not opts.o then
    cmd:unmodelled("its own columns: say -o COLUMNS")
  end
  local columns, headed = read_columns(cmd, opts.o)
  local rows, found = {}, false
  if headed then
    rows[1] = {}
    for i, name in ipairs(columns) do
      rows[1][i] = HEAD[name]
    end
  end
  for _, process in ipairs(cmd.host.processes) do
    local chosen = opts.e or opts.A
    chosen = chosen or opts.p and ("," .. opts.p .. ","):find("," .. process.pid .. ",", 1, true)
    chosen = chosen or opts.C and PS.comm(process) == opts.C
    if chosen then
      found = true
      local row = {}
      for i, name in ipairs(columns) do
        row[i] = PS[name](process, cmd.host)
      end
      rows[#rows + 1] = row
    end
  end
  say_columns(cmd, rows, columns)
  cmd.code = found and 0 or 1
end

local function matching(cmd, opts, pattern)
  if pattern:find("[%[%]%*%.\\%+%?|(){}]") then
    cmd:unmodelled("the pattern " .. pattern)
  end
  local start, bare, stop = pattern:match("^(%^?)(.-)(%$?)$")
  if opts.x then
    start, stop = "^", "$"
  end
  local lua = start .. bare:gsub("%p", "%%%0") .. stop
  local found = {}
  for _, process in ipairs(cmd.host.processes) do
    local text = opts.f and process.command or PS.comm(process)
    if text:find(lua) and (not opts.u or process.user == opts.u) then
      found[#found + 1] = process
    end
  end
  return found
end

function R.pgrep(cmd)
  local opts, words = cmd:options("fxu:c", { ["--full"] = "f", ["--exact"] = "x" })
  local found = matching(cmd, opts, words[1] or "")
  if opts.c then
    cmd:say("%d\n", #found)
  else
    for _, process in ipairs(found) do
      cmd:say("%d\n", process.pid)
    end
  end
  cmd.code = found[1] and 0 or 1
end

local DEADLY = { TERM = true, KILL = true, INT = true, QUIT = true, HUP = true }
local NUMBERS = { ["9"] = "KILL", ["15"] = "TERM", ["2"] = "INT", ["3"] = "QUIT", ["1"] = "HUP" }

--- Sends a signal: what deals with HUP stays, the others end; a service's end is systemd's matter.
local function send(cmd, process, signal)
  local host = cmd.host
  if cmd.user ~= "root" and cmd.user ~= process.user then
    return "EPERM"
  elseif signal == "0" or process.pid == 1 or (process.unit and signal == "HUP") then
    return nil
  end
  local unit = process.unit and host.services[process.unit]
  if unit and unit.pid == process.pid and signal == "KILL" then
    units.crash(host, unit, signal)
  elseif unit and unit.pid == process.pid then
    units.stop(host, unit)
  else
    host:kill({ pid = process.pid })
  end
end

local function read_signal(cmd, words)
  local first = words[1] or ""
  local signal = first:match("^%-(%w+)$")
  if first == "-s" then
    signal = words[2]
    table.remove(words, 1)
  end
  if not signal then
    return "TERM"
  end
  table.remove(words, 1)
  signal = NUMBERS[signal] or signal:gsub("^SIG", "")
  if signal ~= "0" and not DEADLY[signal] then
    cmd:unmodelled("the signal " .. signal)
  end
  return signal
end

function R.kill(cmd)
  local words = table.move(cmd.argv, 2, #cmd.argv, 1, {})
  local signal = read_signal(cmd, words)
  for _, pid in ipairs(words) do
    local found
    for _, process in ipairs(cmd.host.processes) do
      found = process.pid == tonumber(pid) and process or found
    end
    local err = found and send(cmd, found, signal)
    if not found then
      cmd:complain("(%s) - No such process", pid)
    elseif err then
      cmd:complain("(%s) - Operation not permitted", pid)
    end
  end
end

function R.pkill(cmd)
  local signal = "TERM"
  local words = { cmd.argv[1] }
  for i = 2, #cmd.argv do
    local given = cmd.argv[i]:match("^%-(%u[%u%d]+)$") or cmd.argv[i]:match("^%-(%d+)$")
    signal = given and (NUMBERS[given] or given:gsub("^SIG", "")) or signal
    words[#words + 1] = not given and cmd.argv[i] or nil
  end
  cmd.argv = words
  local opts, patterns = cmd:options("fxu:")
  local found = matching(cmd, opts, patterns[1] or "")
  for _, process in ipairs(found) do
    if send(cmd, process, signal) then
      cmd:complain("killing pid %d failed: Operation not permitted", process.pid)
    end
  end
  cmd.code = found[1] and cmd.code or 1
end

return R
