--- The value of each kind of keyword. Each reader gets the arguments and returns the value and how
--- many arguments it took, or nil and what is wrong.

local expand = require("plat.ssh.config.expand")
local forward = require("plat.ssh.config.forward")
local jump = require("plat.ssh.config.jump")
local keywords = require("plat.ssh.config.keywords")
local words = require("plat.ssh.config.words")

local read = {}

--- A time of "none" sets nothing: a later one counts.
read.NONE = {}

local PORT_MAX = 65535

local function missing()
  return nil, "the value is missing"
end

local function text(args)
  if (args[1] or "") == "" then
    return missing()
  end
  return args[1], 1
end

read.string, read.path, read.algorithms = text, text, text

function read.choice(args, st)
  if (args[1] or "") == "" then
    return missing()
  end
  local value = st.keyword.choices[args[1]:lower()]
  if value == nil then
    return nil, ("unknown value %q"):format(args[1])
  end
  return value, 1
end

read.flag = read.choice

function read.time(args)
  local word = args[1] or ""
  local value = word == "none" and read.NONE or words.seconds(word)
  if not value then
    return nil, ("%q is no time, such as 90, 15m or 1h30m"):format(word)
  end
  return value, 1
end

function read.integer(args)
  local value = words.integer(args[1] or "")
  if not value then
    return nil, ("%q is no number"):format(args[1] or "")
  end
  return value, 1
end

function read.port(args)
  local value = words.integer(args[1] or "", PORT_MAX)
  if not value or value == 0 then
    return nil, ("%q is no port"):format(args[1] or "")
  end
  return value, 1
end

--- A list of words, in which "none" stands alone.
function read.words(args)
  for i, word in ipairs(args) do
    if word == "" then
      return nil, "an argument is empty"
    elseif word:lower() == "none" and #args > 1 then
      return nil, '"none" stands alone', i
    end
  end
  return args, #args
end

read.paths = read.words

function read.command(args, st)
  return st.rest:match("^[ \t\r\n=]*(.*)$"), #args
end

function read.jump(args, st)
  local written = st.rest:match("^[ \t\r\n=]*(.*)$")
  local hops, bad = jump.parse(written)
  if not hops then
    return nil, ("%q is no jump host, such as user@host:22"):format(bad)
  end
  return hops, #args
end

function read.agent(args, st)
  local value, n = text(args)
  if not value then
    return value, n
  end
  local _, problem = expand.environment(value, st.env)
  if problem then
    return nil, problem
  elseif value:find("^%$[^{]") and not value:find("^%$[%w_]+$") or value == "$" then
    return nil, ("%q is no variable of the environment"):format(value)
  end
  return value, 1
end

local FLAG = keywords.FLAG

--- ForwardAgent: yes, no or the path of a socket.
function read.agentflag(args, st)
  local flag = FLAG[(args[1] or ""):lower()]
  if flag ~= nil then
    return flag, 1
  end
  return read.agent(args, st)
end

function read.setenv(args)
  for _, word in ipairs(args) do
    if not word:find("=", 1, true) then
      return nil, ("%q is not NAME=VALUE"):format(word)
    end
  end
  return args, #args
end

function read.sendenv(args)
  for _, word in ipairs(args) do
    if word == "" or word:find("=", 1, true) then
      return nil, ("%q is no name of a variable"):format(word)
    end
  end
  return args, #args
end

local HASHES = { md5 = true, sha1 = true, sha256 = true, sha384 = true, sha512 = true }

function read.hash(args)
  local name = (args[1] or ""):lower()
  if not HASHES[name] then
    return nil, ("unknown digest %q"):format(args[1] or "")
  end
  return name, 1
end

--- A forwarding: one or two arguments, kept as `ssh -G` prints them.
function read.forward(args, st)
  if (args[1] or "") == "" then
    return missing()
  end
  local name = st.keyword.name
  local target = args[2] ~= "" and args[2] or nil
  if name == "dynamicforward" or (name == "remoteforward" and not target) then
    local value =
      forward.parse(args[1], { dynamic = true, remote = name == "remoteforward" }, st.env)
    if not value then
      return nil, "no such form of a forwarding"
    end
    return value, name == "dynamicforward" and 1 or 2
  elseif not target then
    return missing()
  end
  local both = args[1] .. ":" .. target
  local value = forward.parse(both, { remote = name == "remoteforward" }, st.env)
  if not value then
    return nil, "no such form of a forwarding"
  end
  return value, 2
end

function read.domains(args)
  local value, n = read.words(args)
  for _, word in ipairs(value and args or {}) do
    if not word:find("^%w[%w._-]*$") or word:find("..", 1, true) then
      return nil, ("%q is no domain"):format(word)
    end
  end
  return value, n
end

function read.cnames(args)
  for _, word in ipairs(args) do
    local lower = word:lower()
    if lower == "none" and #args > 1 then
      return nil, '"none" stands alone'
    elseif lower ~= "none" and word ~= "*" and not word:find(":.") then
      return nil, ("%q is not LIST:LIST"):format(word)
    end
  end
  return args, #args
end

local SCALES = { [""] = 1, B = 1, K = 1 << 10, M = 1 << 20, G = 1 << 30, T = 1 << 40 }

function read.rekey(args)
  local word = args[1] or ""
  local digits, unit = word:match("^(%d+)(%a?)%f[^%w]")
  local factor = digits and #digits < 10 and SCALES[unit:upper()]
  local bytes = word == "default" and 0 or factor and tonumber(digits) * factor
  if not bytes or (bytes ~= 0 and bytes < 16) then
    return nil, ("%q is no amount of data"):format(word)
  elseif args[2] and args[2] ~= "none" and not words.seconds(args[2]) then
    return nil, ("%q is no time"):format(args[2])
  end
  return args, math.min(#args, 2)
end

local LEVELS = {
  quiet = true,
  fatal = true,
  error = true,
  info = true,
  verbose = true,
  debug = true,
  debug1 = true,
  debug2 = true,
  debug3 = true,
}

function read.loglevel(args)
  if not LEVELS[(args[1] or ""):lower()] then
    return nil, ("unknown level %q"):format(args[1] or "")
  end
  return args[1], 1
end

function read.facility(args)
  local name = (args[1] or ""):lower()
  if
    not (
      name == "daemon"
      or name == "user"
      or name == "auth"
      or name == "authpriv"
      or name:find("^local[0-7]$")
    )
  then
    return nil, ("unknown facility %q"):format(args[1] or "")
  end
  return args[1], 1
end

local ADD = { yes = true, no = true, ["true"] = true, ["false"] = true, ask = true, confirm = true }

function read.addkeys(args)
  local word = (args[1] or ""):lower()
  local time = args[2] or not ADD[word] and args[1]
  if word == "" then
    return missing()
  elseif (args[2] and word ~= "confirm") or (time and not words.seconds(time)) then
    return nil, ("unknown value %q"):format(args[2] or args[1])
  end
  return table.concat(args, " ", 1, math.min(#args, 2)), math.min(#args, 2)
end

function read.persist(args)
  local word = args[1] or ""
  if
    not (word == "yes" or word == "no" or word == "true" or word == "false")
    and not words.seconds(word)
  then
    return nil, ("%q is neither yes, no nor a time"):format(word)
  end
  return word, 1
end

function read.escape(args)
  local word = args[1] or ""
  if not (word == "none" or #word == 1 or word:find("^%^[@-\127]$")) or word == "^\127" then
    return nil, ("%q is no escape character"):format(word)
  end
  return word, 1
end

local QOS = {
  lowdelay = true,
  throughput = true,
  reliability = true,
  none = true,
  le = true,
  ef = true,
  af11 = true,
  af12 = true,
  af13 = true,
  af21 = true,
  af22 = true,
  af23 = true,
  af31 = true,
  af32 = true,
  af33 = true,
  af41 = true,
  af42 = true,
  af43 = true,
}

function read.ipqos(args)
  for i = 1, math.max(1, math.min(#args, 2)) do
    local word = (args[i] or ""):lower()
    local number = math.tointeger(tonumber(word) or -1)
    if not (QOS[word] or word:find("^cs[0-7]$") or (number and number >= 0 and number <= 255)) then
      return nil, ("unknown service %q"):format(args[i] or "")
    end
  end
  return args, math.min(#args, 2)
end

function read.mask(args)
  local mode = (args[1] or ""):match("^0*([0-7]+)")
  if not mode or #mode > 3 then
    return nil, ("%q is no octal mask"):format(args[1] or "")
  end
  return args[1], 1
end

function read.tunneldevice(args)
  local word = args[1] or ""
  local left, right = word:match("^(%w+):?(%w*)$")
  for _, part in ipairs({ left or "", right ~= "" and right or "any" }) do
    if part ~= "any" and not words.integer(part) then
      return nil, ("%q is no pair of tunnel devices"):format(word)
    end
  end
  return word, 1
end

--- Unread: the names of hosts, files, and what is obsolete.
function read.any(args)
  return args, #args
end

function read.host(args)
  for _, word in ipairs(args) do
    if word == "" then
      return nil, "an argument is empty"
    end
  end
  return args, #args
end

read.include = read.host

return read
