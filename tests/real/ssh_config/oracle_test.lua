-- platrun against `ssh -G`: see tests/real/ssh_config/run.
local config = require("plat.ssh.config")
local fault = require("plat.fault")
local fs = require("prim.fs")
local keywords = require("plat.ssh.config.keywords")
local list = require("plat.list")
local pattern = require("plat.ssh.pattern")
local proc = require("prim.proc")
local sys = require("prim.sys")

local DIR = assert(sys.getenv("SSH_CONFIG_SCRATCH"))
local COUNT = tonumber(sys.getenv("SSH_CONFIG_COUNT") or 400)
local SEED = tonumber(sys.getenv("SSH_CONFIG_SEED") or 5)

local function sister(name)
  return load(assert(fs.read("tests/real/ssh_config/" .. name)), "@" .. name)()
end

local function run(argv)
  local out = fault.must({ op = argv[1] }, proc.run(argv, { timeout = 20 }))
  return out.code, out.stdout, out.stderr
end

--- Returns what `ssh -G` prints, lists by keyword; nil and its message where it refuses.
local function ask(path, case)
  local argv = { "ssh", "-G", "-F", path }
  for _, arg in ipairs(case.args or {}) do
    argv[#argv + 1] = arg
  end
  argv[#argv + 1] = "--"
  argv[#argv + 1] = case.host
  local code, stdout, stderr = run(argv)
  if code ~= 0 then
    return nil, stderr
  end
  local said = {}
  for key, value in stdout:gmatch("(%S+) ?([^\n]*)\n") do
    key = key:lower()
    said[key] = said[key] or {}
    table.insert(said[key], value)
  end
  return said
end

local DEFAULT = ask("none", { host = "x" })
local ALL = {}
for name, what in pairs({
  ciphers = "cipher",
  macs = "mac",
  kexalgorithms = "kex",
  hostkeyalgorithms = "HostKeyAlgorithms",
  pubkeyacceptedalgorithms = "PubkeyAcceptedAlgorithms",
  casignaturealgorithms = "sig",
}) do
  local _, stdout = run({ "ssh", "-Q", what })
  ALL[name] = stdout:gsub("%s+$", ""):gsub("\n", ",")
end

--- The list that OpenSSH makes of "+x", "-x", "^x" and patterns, as it does for `ssh -G`.
local function assemble(name, value)
  local default = DEFAULT[name][1]
  local sign = value and value:match("^[-+^]")
  local bare = sign and value:sub(2) or value
  local out, seen = {}, {}
  local function put(names)
    for one in names:gmatch("[^,]+") do
      for algorithm in (one:find("[*?]") and ALL[name] or one):gmatch("[^,]+") do
        if not seen[algorithm] and pattern.matches(algorithm, one) then
          seen[algorithm], out[#out + 1] = true, algorithm
        end
      end
    end
  end
  if not value then
    return default
  elseif sign == "-" then
    for algorithm in default:gmatch("[^,]+") do
      if pattern.list(algorithm, bare) == 0 then
        out[#out + 1] = algorithm
      end
    end
  else
    put(sign == "+" and default or bare)
    put(sign == "+" and bare or sign == "^" and default or "")
  end
  return table.concat(out, ",")
end

local function words(value)
  if value == true or value == "true" then
    return "yes"
  elseif value == false or value == "false" then
    return "no"
  end
  return tostring(value)
end

local function jump(hops)
  local texts = list.map(hops, function(hop)
    return hop.text
  end)
  local last = hops[#hops]
  local host = (last.host:find(":") or last.host:find("^[%d.]*$")) and ("[%s]"):format(last.host)
    or last.host
  texts[#texts] = (last.user and last.user .. "@" or "")
    .. host
    .. (last.port and ":" .. last.port or "")
  return table.concat(texts, ",")
end

--- Our settings as the lines that `ssh -G` would print, by keyword.
local function lines_of(ours)
  local out = {}
  for name, keyword in pairs(keywords.BY_NAME) do
    local value = ours[keyword.name]
    if keyword.kind == "algorithms" and keyword.use == "used" and keyword.name == name then
      out[name] = { assemble(name, value) }
    elseif keyword.use == "used" and keyword.kind ~= "any" and type(value) ~= "table" then
      out[name] = value ~= nil and { words(value) } or nil
    end
  end
  out.fingerprinthash = { ours.fingerprinthash:upper() }
  out.connecttimeout = { words(ours.connecttimeout or "none") }
  for _, name in ipairs({
    "setenv",
    "sendenv",
    "identityfile",
    "certificatefile",
    "localforward",
    "remoteforward",
    "dynamicforward",
  }) do
    out[name] = ours[name][1] and ours[name] or nil
  end
  for _, name in ipairs({ "userknownhostsfile", "globalknownhostsfile" }) do
    local paths = table.concat(ours[name], " ")
    out[name] = { paths == "" and "none" or paths }
  end
  out.proxyjump = ours.proxyjump and { jump(ours.proxyjump) } or nil
  return out
end

--- Replaces ~ and tokens in what `ssh -G` prints as it was written.
local function expanded(text, tokens)
  text = text:gsub("^~/*", tokens.d .. "/"):gsub("%${([%w_]+)}", sys.getenv)
  return (
    text:gsub("%%(.)", function(letter)
      return letter == "%" and "%" or tokens[letter]
    end)
  )
end

-- `ssh -G` prints these before their tokens are replaced.
local AS_WRITTEN = { "identityfile", "certificatefile", "proxycommand" }

local function expand_theirs(said, tokens)
  for _, name in ipairs(AS_WRITTEN) do
    local out = {}
    for _, text in ipairs(said[name] or {}) do
      if text:lower() ~= "none" then
        out[#out + 1] = expanded(text, tokens)
      end
    end
    said[name] = out[1] and out or nil
  end
  for _, values in pairs(said) do
    values[1] = values[1] and words(values[1])
  end
end

local function write_files(case, number)
  local dir = ("%s/%d"):format(DIR, number)
  assert(fs.mkdir(dir))
  local name, mode, parts = "config", 384, { [1] = "" }
  local function flush()
    assert(fs.write(dir .. "/" .. name, table.concat(parts), { mode = mode, sync = false }))
  end
  for line in case.text:gsub("%$D", dir):gmatch("[^\n]*\n?") do
    local other, octal = line:match("^@(%S+) ?(%d*)\n$")
    if other then
      flush()
      name, mode, parts = other, octal ~= "" and tonumber(octal, 8) or 420, {}
    else
      parts[#parts + 1] = line
    end
  end
  flush()
  return dir .. "/config"
end

local function arguments(case)
  local ours = { options = {} }
  local args, i = case.args or {}, 1
  while i <= #args do
    if args[i] == "-l" then
      ours.user, i = args[i + 1], i + 1
    elseif args[i] == "-p" then
      ours.port, i = tonumber(args[i + 1]), i + 1
    else
      table.insert(ours.options, (args[i]:gsub("^%-o", "")))
    end
    i = i + 1
  end
  return ours
end

-- What differs on purpose: docs/SSH.md, "Differences".
local COMPARED = {}
for name, keyword in pairs(keywords.BY_NAME) do
  if
    keyword.name == name
    and keyword.kind ~= "any"
    and (keyword.use == "used" or keyword.kind == "forward")
  then
    COMPARED[name] = true
  end
end
for _, name in ipairs({ "include", "match", "ignoreunknown" }) do
  COMPARED[name] = nil -- not printed, or as it is written
end

local seen = {} -- keywords that were compared with another value than their default
local accepted = 0

local function check(case, number)
  local path = write_files(case, number)
  local said, message = ask(path, case)
  case.ours = arguments(case)
  local ours
  local _, problem = fault.try(function()
    local cfg = config.load({
      path = path,
      exec = function(command)
        return run({ "/bin/sh", "-c", command }) == 0
      end,
    })
    ours = cfg:lookup(case.host, case.ours)
  end)
  if problem and problem.kind == "bug" then
    return "a bug: " .. fault.text(problem, 3)
  elseif problem and said then
    if problem.msg:find("is no jump host", 1, true) then
      return nil -- ours refuses names that a shell would take apart: docs/SSH.md
    end
    return "we refuse: " .. fault.text(problem)
  elseif not problem and not said then
    return "ssh refuses: " .. message
  elseif problem then
    local place = problem.msg:find(":%d+:") or problem.kind == "refused"
    return not place and "no place: " .. problem.msg or nil
  end
  local mine = lines_of(ours)
  expand_theirs(said, ours.host_tokens)
  for name in pairs(COMPARED) do
    if not list.deep_equal(mine[name], said[name]) then
      return ("%s: ours %s, theirs %s"):format(
        name,
        table.concat(mine[name] or { "nothing" }, "|"),
        table.concat(said[name] or { "nothing" }, "|")
      )
    elseif not list.deep_equal(said[name], DEFAULT[name]) then
      seen[name] = true
    end
  end
  accepted = accepted + 1
end

local function check_all(t, cases, start)
  local wrong = {}
  for i, case in ipairs(cases) do
    local difference = check(case, start + i)
    if difference then
      wrong[#wrong + 1] = ("case %d, host %s:\n%s=> %s"):format(i, case.host, case.text, difference)
    end
  end
  print(("# %d cases, %d of them accepted by both"):format(#cases, accepted))
  accepted = 0
  t.equal(table.concat(wrong, "\n\n"), "")
end

return {
  ["cases by hand"] = function(t)
    local cases = sister("cases.lua")
    t.ok(#cases >= 150)
    check_all(t, cases, 0)
    t.equal(list.keys(seen), list.keys(COMPARED)) -- each, with another value than its default
  end,

  ["cases by chance"] = function(t)
    check_all(t, sister("chance.lua")(SEED, COUNT), 10000)
  end,

  ["mutated cases"] = function(t)
    check_all(t, sister("mutate.lua")(SEED, COUNT, sister("cases.lua")), 100000)
  end,
}
