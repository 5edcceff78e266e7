--- Programs that run others, and the one script of plat.* that is answered as a whole: the lock on
--- a host (plat.lock.heartbeat_script).

local host_words = require("plat.host")
local lock = require("plat.sim.host.lock")

local R = {}

local function rest_of(cmd, words)
  return { argv = words, text = host_words.quote(words), user = cmd.user }
end

function R.sh(cmd)
  local argv = cmd.argv
  if argv[2] == "-c" and lock.is_script(argv[3]) then
    return lock.perform(cmd)
  elseif argv[2] ~= "-c" or argv[4] then
    cmd:unmodelled("this: it is no shell")
  end
  return { argv = false, text = argv[3], user = cmd.user }
end

R.bash = R.sh

function R.env(cmd)
  local at = 2
  while (cmd.argv[at] or ""):find("^[%a_][%w_]*=") do
    at = at + 1
  end
  if not cmd.argv[at] or cmd.argv[at]:sub(1, 1) == "-" then
    cmd:unmodelled("this")
  end
  return rest_of(cmd, table.move(cmd.argv, at, #cmd.argv, 1, {}))
end

function R.sudo(cmd)
  local opts, words = cmd:options("nHu:E", { ["--non-interactive"] = "n", ["--user"] = "u" }, true)
  local as = opts.u or "root"
  if cmd.user ~= "root" and not (cmd.host.sudo and cmd.user == cmd.host.user) then
    return cmd:complain("a password is required")
  elseif not cmd.host.users[as] then
    return cmd:complain("unknown user: %s", as)
  elseif not words[1] then
    cmd:unmodelled("no command")
  end
  local instead = rest_of(cmd, words)
  instead.user = as
  return instead
end

function R.timeout(cmd)
  local _, words = cmd:options("", {}, true)
  return rest_of(cmd, table.move(words, 2, #words, 1, {}))
end

function R.nice(cmd)
  local _, words = cmd:options("n:", {}, true)
  return rest_of(cmd, words)
end

return R
