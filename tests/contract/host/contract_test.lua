--- Performs the cases on a model and on this machine and compares.

local effect = require("plat.effect")
local fs = require("prim.fs")
local hash = require("plat.hash")
local host = require("plat.host")
local lock = require("plat.lock.heartbeat_script")
local model = require("plat.sim.host")
local sys = require("prim.sys")
local time = require("prim.time")

local function here(path)
  return assert(load(assert(fs.read("tests/contract/host/" .. path)), "@" .. path))()
end

local help = assert(load(assert(fs.read("tests/lua/ssh_help.lua")), "@ssh_help.lua"))()

--- This machine, as a host of the inventory; in the other mount by a real sshd.
local machine =
  host.new({ name = "here", address = "here", vars = { ansible_connection = "local" } })
local by_ssh = sys.getenv("PLATRUN_CONTRACT") == "ssh"

--- Opens the door, and the way to this machine.
local function open(t)
  effect.open({ mode = "run" })
  t.defer(effect.close)
  if by_ssh then
    local dir = help.keys(t, "host_ed25519", "user_ed25519")
    local server = help.server(t, dir)
    t.defer(function()
      require("plat.ssh").forget(machine)
      server.process:close()
    end)
    local args = "-F none -o IdentityAgent=none -o UserKnownHostsFile=%s/known "
      .. "-o GlobalKnownHostsFile=none -o StrictHostKeyChecking=accept-new"
    machine = host.new({
      name = "here" .. server.port,
      address = "127.0.0.1",
      vars = {
        ansible_port = server.port,
        ansible_user = help.user,
        ansible_ssh_private_key_file = dir .. "/user_ed25519",
        ansible_ssh_common_args = args:format(dir),
      },
    })
  end
end

local ALL = {}
for code = 0, 255 do
  ALL[code + 1] = code
end

--- Returns what a real command says, one line.
local function ask(argv)
  return (machine:read(argv, { ok = ALL }).stdout:gsub("\n$", ""))
end

--- Makes a model of this machine, as far as cases ask for it, with an empty folder.
local function model_of(dir)
  local user = sys.user()
  local spec = {
    user = user,
    kernel = ask({ "uname", "-r" }),
    arch = ask({ "uname", "-m" }),
    cpus = math.tointeger(tonumber(ask({ "nproc" }))),
    files = { [dir .. "/"] = { mode = "0755", owner = user, group = ask({ "id", "-gn" }) } },
    packages = {},
    users = {},
  }
  for _, name in ipairs({ "coreutils", "bash" }) do
    spec.packages[name] = ask({ "dpkg-query", "-W", "-f", "${Version}", name })
  end
  if user ~= "root" then
    local uid = math.tointeger(tonumber(ask({ "id", "-u" })))
    spec.users[user] = { uid = uid, group = ask({ "id", "-gn" }) }
    spec.groups = { [ask({ "id", "-gn" })] = math.tointeger(tonumber(ask({ "id", "-g" }))) }
  end
  local name = ask({ "hostname" })
  local fleet = model.new({ now = time.real(), hosts = { [name] = spec } })
  return fleet, name
end

local function with_folder(dir, words)
  local out = {}
  for i, word in ipairs(words) do
    out[i] = word:gsub("@(%f[%z/])", function(rest)
      return dir .. rest
    end)
  end
  return out
end

--- Replaces what may differ, number by number.
local function shape(text)
  return (
    text
      :gsub("/dev/%S+", "DEVICE")
      :gsub("^(Filesystem.-\n)%S+", "%1DEVICE")
      :gsub("overlay", "DEVICE")
      :gsub("%f[%w]%x%x%x%x%x%x%x%x%-[%x%-]+", "UUID")
      :gsub("%a%a%a %a%a%a", "DAY")
      :gsub("[%d,]+", "N")
      :gsub(" +", " ")
  )
end

local function outputs(answer, step)
  local out = { code = answer.code, stdout = answer.stdout, stderr = answer.stderr }
  for _, name in ipairs(step.loose or {}) do
    out[name] = nil
  end
  if step.shape then
    out.stdout = shape(out.stdout)
  elseif step.random then
    out.stdout = out.stdout:gsub("%.%w+\n", ".RANDOM\n")
  end
  return out
end

local PROGRAM = [[find %s -printf '%%y %%m %%u:%%g %%P -> %%l\n']]

--- Returns what is in the folder: kinds, modes, owners, and digests of files.
local function real_tree(dir)
  local lines = {}
  for line in ask({ "sh", "-c", PROGRAM:format(dir) }):gmatch("[^\n]+") do
    local path = line:match("^f %S+ %S+ (.*) %-> $")
    local digest = path and hash.digest("sha256", fs.read(dir .. "/" .. path) or "?"):sub(1, 8)
      or ""
    lines[#lines + 1] = line:gsub("%.%w%w%w%w%w%w+ ", ".RANDOM ") .. digest
  end
  table.sort(lines)
  return lines
end

local LETTER = { file = "f", dir = "d", link = "l" }

local function model_tree(box, dir)
  local lines = {}
  for path, entry in pairs(box.files) do
    if entry and (path == dir or path:sub(1, #dir + 1) == dir .. "/") then
      local line = ("%s %o %s:%s %s -> %s"):format(
        LETTER[entry.type],
        entry.mode,
        entry.owner,
        entry.group,
        path:sub(#dir + 2),
        entry.to or ""
      )
      local digest = entry.type == "file" and hash.digest("sha256", entry.content):sub(1, 8) or ""
      lines[#lines + 1] = line:gsub("%.%w%w%w%w%w%w+ ", ".RANDOM ") .. digest
    end
  end
  table.sort(lines)
  return lines
end

--- Another user of the real machine, by its numbers.
local function as(user, argv)
  local uid, gid = ask({ "id", "-u", user }), ask({ "id", "-g", user })
  local words = { "setpriv", "--reuid=" .. uid, "--regid=" .. gid, "--clear-groups" }
  return table.move(argv, 1, #argv, #words + 1, words)
end

local counted = 0

local function play(t, steps)
  local is_root = sys.uid() == 0
  if steps.root and not is_root then
    t.skip("it needs root")
  end
  local dir = t.tmp() .. "/w"
  assert(fs.mkdir(dir, { mode = 493 }))
  assert(machine:read({ "chmod", "0755", dir, (dir:gsub("/w$", "")) }))
  local fleet, name = model_of(dir)
  for _, step in ipairs(steps) do
    step = step.argv and step or { argv = step }
    local argv = with_folder(dir, step.argv)
    local real = step.as and as(step.as, argv) or argv
    if not step.root or is_root then
      local want = machine:read(real, { stdin = step.stdin, ok = ALL })
      local call = { verb = "command", argv = argv, stdin = step.stdin }
      call.become = step.as and { user = step.as }
      local got = fleet:ask(name, call).value
      local about = table.concat(argv, " ") .. (step.as and " as " .. step.as or "")
      t.equal(outputs(got, step), outputs(want, step), about)
      counted = counted + 1
    end
  end
  t.equal(model_tree(fleet:host(name), dir), real_tree(dir), "what is left behind")
end

local tests = {}
for name, steps in pairs(here("cases.lua")) do
  tests[name] = function(t)
    open(t)
    play(t, steps)
  end
end

tests["the lock script, as a real shell performs it"] = function(t)
  open(t)
  local at = "/srv/lock"
  local dir = t.tmp()
  local fleet = model.new({ now = time.real(), hosts = { h = { files = { ["/srv/"] = {} } } } })
  local from = "none"
  local function both(op, state, token, stdin)
    local function words(path)
      return lock.argv(op, path, state, token)
    end
    local want = machine:read(words(dir .. "/lock"), { stdin = stdin, ok = ALL })
    fleet.now = math.max(fleet.now, tonumber(want.stdout:match("now (%d+)")))
    local call = { verb = "command", argv = words(at), stdin = stdin }
    local got = fleet:ask("h", call).value
    local function plain(answer)
      local text = answer.stdout:gsub("now %d+", "now"):gsub("%.%d%d%d%d%d%d+%.", ".T.")
      return { answer.code, text }
    end
    t.equal(plain(got), plain(want), op .. " " .. state)
    from = want.stdout:match("state (%S+)") or from
    return got.stdout:match("state (%S+)") or state
  end
  both("look", "", "")
  local state = both("take", "none", "aa", '{"id":"a"}\n')
  both("look", "", "aa")
  both("take", "none", "bb", '{"id":"b"}\n')
  t.equal(from:gsub("%d%d%d%d%d+", "T"), state:gsub("%d%d%d%d%d+", "T"))
end

tests["systemctl without a manager: what it says of unit files"] = function(t)
  open(t)
  if machine:read({ "sh", "-c", "command -v systemctl" }, { ok = ALL }).code ~= 0 then
    t.skip("no systemctl: apt-get install systemd")
  end
  local dir = t.tmp()
  for _, folder in ipairs({ "/lib/systemd/system", "/etc/systemd/system" }) do
    fs.mkdir(dir .. folder, { parents = true })
  end
  local unit = "[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n"
  fs.write(dir .. "/lib/systemd/system/app.service", unit)
  fs.write(dir .. "/lib/systemd/system/multi-user.target", "[Unit]\nDescription=x\n")
  local services = { app = { state = "inactive" } }
  local fleet = model.new({ now = 0, hosts = { h = { services = services } } })
  for _, words in ipairs({
    { "is-enabled", "app" },
    { "enable", "app" },
    { "enable", "app" },
    { "is-enabled", "app.service" },
    { "disable", "app" },
    { "disable", "app" },
    { "mask", "app" },
    { "is-enabled", "app" },
    { "unmask", "app" },
    { "is-enabled", "nosuch" },
    { "enable", "nosuch", loose = true }, -- without a manager it is told in other words
  }) do
    local real = { "systemctl", "--root=" .. dir, table.unpack(words) }
    local want = machine:read(real, { ok = ALL })
    local argv = { "systemctl", table.unpack(words) }
    local got = fleet:ask("h", { verb = "command", argv = argv }).value
    local function plain(answer)
      local text = answer.stderr:gsub(dir:gsub("%p", "%%%0"), ""):gsub("→", "->")
      return { answer.code, answer.stdout, text }
    end
    got, want = plain(got), plain(want)
    if words.loose then
      got[3], want[3] = nil, nil
    end
    t.equal(got, want, table.concat(words, " "))
  end
end

--- Not seen on a real systemd, since none runs here: systemctl(1), "Exit status", and the texts of
--- systemd 252. On a unit that runs, one that does not, one that failed and one that is not there.
local GOLDEN = {
  { "is-active", { 0, "active\n" }, { 3, "inactive\n" }, { 3, "failed\n" }, { 3, "inactive\n" } },
  { "is-failed", { 1, "active\n" }, { 1, "inactive\n" }, { 0, "failed\n" }, { 1, "inactive\n" } },
  { "status", { 0 }, { 3 }, { 3 }, { 4, "", "Unit none.service could not be found.\n" } },
  { "start", { 0, "" }, { 0, "" }, { 0, "" }, { 5, "" } },
  { "stop", { 0, "" }, { 0, "" }, { 0, "" }, { 5, "" } },
  { "restart", { 0, "" }, { 0, "" }, { 0, "" }, { 5, "" } },
}

tests["systemctl with a manager: from its documentation, not seen"] = function(t)
  for _, row in ipairs(GOLDEN) do
    for i, unit in ipairs({ "runs", "stands", "failed", "none" }) do
      local services = { runs = "active", stands = "inactive", failed = "failed" }
      local fleet = model.new({ now = 0, hosts = { h = { services = services } } })
      local argv = { "systemctl", row[1], unit }
      local got = fleet:ask("h", { verb = "command", argv = argv }).value
      local want = row[i + 1]
      t.equal(
        { got.code, want[2] and got.stdout, want[3] and got.stderr },
        want,
        row[1] .. " " .. unit
      )
    end
  end
end

tests["zz: how many answers were compared"] = function(t)
  t.ok(counted > 0, "none")
  require("plat.out").line(("# %d answers of real programs, no difference"):format(counted))
end

return tests
