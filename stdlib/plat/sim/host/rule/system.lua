--- Programs that tell about the host, its clock and its processes.

local live = require("plat.sim.host.live")
local time = require("plat.time")

local R = {}

local VERSION = "#1 SMP PREEMPT_DYNAMIC Debian 6.1.112-1 (2024-09-30)"

-- ---- names and numbers ----

function R.uname(cmd)
  local host = cmd.host
  local opts = cmd:options("asnrvmo")
  local fields = {
    { "s", "Linux" },
    { "n", (live.hostname(host):gsub("\n", "")) },
    { "r", host.kernel },
    { "v", VERSION },
    { "m", host.arch },
    { "o", "GNU/Linux" },
  }
  local words = {}
  for _, field in ipairs(fields) do
    local wanted = opts.a or opts[field[1]] or #opts.order == 0 and field[1] == "s"
    words[#words + 1] = wanted and field[2] or nil
  end
  cmd:say("%s\n", table.concat(words, " "))
end

function R.hostname(cmd)
  local long = { ["--short"] = "s", ["--fqdn"] = "f", ["--long"] = "f" }
  local opts, words = cmd:options("sfIi", long)
  if words[1] then
    cmd:unmodelled("to set it")
  end
  local short = live.hostname(cmd.host):gsub("\n", "")
  if opts.I or opts.i then
    cmd:say("%s%s\n", cmd.host.ip, opts.I and " " or "")
  elseif opts.f and cmd.host.domain then
    cmd:say("%s.%s\n", short, cmd.host.domain)
  else
    cmd:say("%s\n", short)
  end
end

function R.nproc(cmd)
  cmd:options("")
  cmd:say("%d\n", cmd.host.cpus)
end

local CONF = { PAGESIZE = 4096, PAGE_SIZE = 4096, CLK_TCK = 100, LONG_BIT = 64 }

function R.getconf(cmd)
  local name = cmd.argv[2] or ""
  local value = CONF[name]
  if name == "_NPROCESSORS_ONLN" or name == "_NPROCESSORS_CONF" then
    value = cmd.host.cpus
  end
  if not value then
    cmd:unmodelled(name)
  end
  cmd:say("%d\n", value)
end

function R.sync() end

-- ---- the clock ----

local function read_time(cmd, text)
  local seconds = text:match("^@(%-?%d+)$")
  if seconds then
    return math.tointeger(tonumber(seconds))
  end
  local ok, at = pcall(time.parse_rfc3339, text)
  return ok and at or cmd:unmodelled("the time " .. text)
end

function R.date(cmd)
  local opts, words = cmd:options("ud:", { ["--utc"] = "u", ["--date"] = "d" })
  local at = opts.d and read_time(cmd, opts.d) or cmd.host:now()
  local format = (words[1] or "+%a %b %e %H:%M:%S UTC %Y"):match("^%+(.*)$")
  if not format or words[2] then
    cmd:unmodelled("to set the clock")
  end
  format = format:gsub("%%(.)", function(letter)
    if letter == "s" then
      return ("%d"):format(at // 1)
    elseif letter == "N" then
      return ("%09d"):format(at % 1 * 1e9 // 1)
    elseif letter == "F" then
      return "%Y-%m-%d"
    elseif letter == "T" then
      return "%H:%M:%S"
    elseif letter == "e" then
      return ("%2d"):format(time.civil(at // 1).day)
    elseif letter == "Z" then
      return "UTC"
    elseif letter == "z" then
      return "+0000"
    elseif ("YmdHMSabABjyp%"):find(letter, 1, true) then
      return "%" .. letter
    end
    cmd:unmodelled("%" .. letter)
  end)
  cmd:say("%s\n", time.date("!" .. format, at // 1))
end

local function up_words(seconds)
  local days, hours, minutes = seconds // 86400, seconds % 86400 // 3600, seconds % 3600 // 60
  local text = days > 0 and ("%d day%s, "):format(days, days == 1 and "" or "s") or ""
  return text .. (hours > 0 and ("%2d:%02d"):format(hours, minutes) or ("%d min"):format(minutes))
end

function R.uptime(cmd)
  local opts = cmd:options("s", { ["--since"] = "s" })
  local host = cmd.host
  local skew = host.skew
  if opts.s then
    cmd:say("%s\n", time.date("!%Y-%m-%d %H:%M:%S", (host.booted + skew) // 1))
    return
  end
  cmd:say(
    " %s up %s,  0 users,  load average: 0.08, 0.03, 0.01\n",
    time.date("!%H:%M:%S", host:now() // 1),
    up_words((host.fleet.now - host.booted) // 1)
  )
end

function R.sleep(cmd)
  local seconds = tonumber(cmd.argv[2] or "")
  if not seconds or cmd.argv[3] then
    cmd:unmodelled("this time")
  end
  cmd.delay = seconds
end

-- ---- who ----

function R.whoami(cmd)
  cmd:say("%s\n", cmd.user)
end

function R.id(cmd)
  local opts, words = cmd:options("ugnGr")
  local host, who = cmd.host, words[1] or cmd.user
  local user = host.users[who]
  if not user then
    return cmd:complain("'%s': no such user", who)
  end
  local gid = host.groups[user.group]
  local groups, names, full =
    { tostring(gid) }, { user.group }, { ("%d(%s)"):format(gid, user.group) }
  for _, group in ipairs(user.groups or {}) do
    groups[#groups + 1], names[#names + 1] = tostring(host.groups[group]), group
    full[#full + 1] = ("%d(%s)"):format(host.groups[group], group)
  end
  if opts.u then
    cmd:say("%s\n", opts.n and who or tostring(user.uid))
  elseif opts.g then
    cmd:say("%s\n", opts.n and user.group or tostring(gid))
  elseif opts.G then
    cmd:say("%s\n", table.concat(opts.n and names or groups, " "))
  else
    local list = table.concat(full, ",")
    cmd:say("uid=%d(%s) gid=%d(%s) groups=%s\n", user.uid, who, gid, user.group, list)
  end
end

-- ---- the end ----

local function reboot(cmd)
  if cmd.user ~= "root" then
    return cmd:complain("Must be root.")
  end
  cmd.host.fleet:reboot(cmd.host)
end

function R.reboot(cmd)
  cmd:options("f")
  reboot(cmd)
end

function R.shutdown(cmd)
  local opts, words = cmd:options("rhP")
  if not opts.r or words[1] ~= "now" and words[1] ~= "+0" then
    cmd:unmodelled("anything but -r now")
  end
  reboot(cmd)
end

function R.logger(cmd)
  local opts, words = cmd:options("t:p:i", { ["--tag"] = "t" })
  local pid = cmd.host:spawn("logger", { user = cmd.user }).pid
  cmd.host:kill({ pid = pid })
  cmd.host:log(table.concat(words, " "), { ident = opts.t or cmd.user, pid = pid })
end

return R
