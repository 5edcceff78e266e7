local effect = require("plat.effect")
local fault = require("plat.fault")
local host = require("plat.host")
local json = require("plat.json")
local lock = require("plat.lock.heartbeat")
local sim = require("plat.sim.host")
local task = require("plat.task")

local NOW = 1700000000

local function fleet_of(hosts, rules)
  return sim.new({ now = NOW, hosts = hosts, rules = rules })
end

--- Returns a function that runs a command on a host and returns its answer.
local function runner(fleet, name, user)
  return function(argv, stdin)
    local call = { verb = "command", argv = argv, stdin = stdin }
    call.become = user and { user = user }
    local answer = fleet:ask(name, call)
    return answer.value, answer.delay
  end
end

--- Opens a world of hosts behind the door, and returns a host of it as playbooks have it.
local function behind_door(t, fleet)
  effect.open({
    mode = "run",
    world = {
      remote = function(_, target, call)
        local name = target:match("^host (.*)$")
        return sim.deliver(name, call, fleet:ask(name, call))
      end,
    },
  })
  t.defer(effect.close)
  return function(name)
    return host.new({ name = name, address = name, vars = {} })
  end
end

--- A fleet as another process finds it: through JSON.
local function again(fleet, opts)
  return sim.restore(json.decode(json.encode(fleet:dump()), { name = "dump" }), opts)
end

return {
  ["what the world says of a host is there, and readable"] = function(t)
    local fleet = fleet_of({
      db1 = {
        files = {
          ["/etc/app/x.conf"] = "a=1\n",
          ["/srv/key"] = { content = "k", mode = "0600", owner = "app" },
          ["/srv/now"] = { to = "key" },
          ["/srv/big"] = { size = "1GB" },
        },
        users = { app = { uid = 500, groups = { "adm" } } },
        services = { app = { state = "failed" }, web = "active" },
        packages = { nginx = "1.22" },
      },
    })
    local db1 = fleet:host("db1")
    t.equal(db1.files["/etc/app/x.conf"].content, "a=1\n")
    t.equal({ db1.services.app.state, db1.services.web.state }, { "failed", "active" })
    t.equal(db1.packages.nginx, "1.22")
    local run = runner(fleet, "db1")
    t.equal(run({ "stat", "-c", "%a %U:%G %F", "/srv/key" }).stdout, "600 app:app regular file\n")
    t.equal(run({ "cat", "/srv/now" }).stdout, "k")
    t.equal(run({ "id", "app" }).stdout, "uid=500(app) gid=500(app) groups=500(app),4(adm)\n")
    t.fails("has a size and no content", run, { "cat", "/srv/big" })
    t.equal(fleet:ask("db2", { verb = "command", argv = { "true" } }), nil)
  end,
  ["a spec that says nonsense is refused with what there is"] = function(t)
    local function make(spec)
      fleet_of({ h = spec }):host("h")
    end
    t.fails('unknown option "service" %(did you mean "services"%?%)', make, { service = {} })
    t.fails('services x: no state "up"', make, { services = { x = "up" } })
    t.fails('services x: no key "stat"', make, { services = { x = { stat = "active" } } })
    t.fails('mode "888" is not octal', make, { files = { ["/x"] = { mode = "888" } } })
    t.fails("an absolute path", make, { files = { x = "" } })
  end,
  ["modes and owners count, and root is above them"] = function(t)
    local fleet = fleet_of({
      h = {
        users = { eve = {}, bob = { groups = { "team" } } },
        files = {
          ["/srv/s"] = { content = "secret", mode = "0640", owner = "root", group = "team" },
          ["/srv/d/"] = { mode = "0700", owner = "bob" },
          ["/srv/d/x"] = "x",
        },
      },
    })
    local root, eve, bob = runner(fleet, "h"), runner(fleet, "h", "eve"), runner(fleet, "h", "bob")
    t.equal(root({ "cat", "/srv/s" }).stdout, "secret")
    t.equal(bob({ "cat", "/srv/s" }).stdout, "secret")
    t.equal(eve({ "cat", "/srv/s" }).stderr, "cat: /srv/s: Permission denied\n")
    t.equal(eve({ "cat", "/srv/d/x" }).stderr, "cat: /srv/d/x: Permission denied\n")
    t.equal(eve({ "touch", "/srv/new" }).code, 1)
    t.equal(eve({ "touch", "/tmp/mine" }).code, 0)
    t.equal(
      bob({ "rm", "/tmp/mine" }).stderr,
      "rm: cannot remove '/tmp/mine': Operation not permitted\n"
    )
    t.equal(root({ "rm", "/tmp/mine" }).code, 0)
    t.equal(bob({ "systemctl", "stop", "cron" }).code, 1)
  end,
  ["a disk is full when it is, and removing gives room back"] = function(t)
    local fleet = fleet_of({ h = { disks = { ["/data"] = "1KB" }, files = { ["/data/"] = {} } } })
    local run = runner(fleet, "h")
    local full = run({ "tee", "/data/x" }, ("x"):rep(2000))
    t.equal({ full.code, full.stderr }, { 1, "tee: /data/x: No space left on device\n" })
    t.equal(#fleet:host("h").files["/data/x"].content, 1000)
    run({ "rm", "/data/x" })
    t.equal(run({ "tee", "/data/x" }, ("x"):rep(900)).code, 0)
    t.match(run({ "df", "-P", "-B1", "/data/x" }).stdout, "1000%s+900%s+100%s+90%% /data\n$")
  end,
  ["services start and stop on the clock, and say so"] = function(t)
    local fleet = fleet_of({
      h = {
        services = {
          db = { start = 5, stop = 2 },
          bad = { state = "inactive", enabled = true, fails = "no licence" },
        },
      },
    })
    local run = runner(fleet, "h")
    local answer, seconds = run({ "systemctl", "restart", "db" })
    t.equal({ answer.code, seconds }, { 0, 7 })
    t.equal(run({ "systemctl", "is-active", "db" }).stdout, "deactivating\n")
    fleet:advance(NOW + 3)
    t.equal(
      run({ "systemctl", "is-active", "db" }),
      { code = 3, stdout = "activating\n", stderr = "" }
    )
    fleet:advance(NOW + 8)
    t.equal(run({ "systemctl", "is-active", "db" }), { code = 0, stdout = "active\n", stderr = "" })
    local bad = run({ "systemctl", "start", "bad" })
    t.match(bad.stderr, "^Job for bad.service failed because the control process exited")
    t.match(run({ "journalctl", "-u", "bad", "-o", "cat" }).stdout, "no licence\n")
    t.equal(fleet:host("h").services.bad.state, "failed")
    run({ "kill", "-9", tostring(fleet:host("h").services.db.pid) })
    t.equal(fleet:host("h").services.db.result, "signal")
    t.equal(run({ "systemctl", "start", "nope" }).code, 5)
  end,
  ["a reboot: down, another boot id, what is enabled runs, /tmp is empty"] = function(t)
    local fleet = fleet_of({
      h = { boot = "20s", files = { ["/tmp/x"] = "" }, services = { a = { enabled = false } } },
    })
    local run = runner(fleet, "h")
    local before = fleet:ask("h", { verb = "boot_id" }).value
    t.match(before, "^%x+%-%x+%-4%x+%-a%x+%-%x+$")
    t.equal(fleet:ask("h", { verb = "reboot" }).value, true)
    local lost = fleet:ask("h", { verb = "command", argv = { "true" } }).lost
    t.equal({ lost.kind, lost.sent }, { "connect" })
    t.equal(fleet:next_event(), NOW + 20)
    fleet:advance(NOW + 60)
    t.ok(fleet:ask("h", { verb = "boot_id" }).value ~= before)
    t.equal(run({ "test", "-e", "/tmp/x" }).code, 1)
    t.equal(run({ "systemctl", "is-active", "a", "cron" }).stdout, "inactive\nactive\n")
    t.match(run({ "cat", "/proc/uptime" }).stdout, "^40%.00 ")
  end,
  ["rules of the world come first: words, texts, functions that change the host"] = function(t)
    local fleet = fleet_of({ h = { rules = { { { "uptime" }, "never\n" } } } }, {
      { { "pg_ctl", "promote", "..." }, "promoted\n" },
      { { "psql", "-c", "*" }, { code = 2, stderr = "no\n", takes = 3 } },
      {
        "^echo (%w+) | base64$",
        function(h, match)
          h:write("/tmp/seen", match[1] .. match.user)
          return 7
        end,
      },
    })
    local run = runner(fleet, "h")
    t.equal(run({ "uptime" }).stdout, "never\n")
    t.equal(run({ "pg_ctl", "promote", "-D", "/x" }).stdout, "promoted\n")
    local answer, seconds = run({ "psql", "-c", "select 1" })
    t.equal({ answer, seconds }, { { code = 2, stdout = "", stderr = "no\n" }, 3 })
    local said = fleet:ask("h", { verb = "command", text = "echo hi | base64" }).value
    t.equal(said.code, 7)
    t.equal(fleet:host("h").files["/tmp/seen"].content, "hiroot")
  end,
  ["what nothing knows fails loudly, with the line that adds it"] = function(t)
    local fleet = fleet_of({ h = {} })
    local run = runner(fleet, "h")
    local err = t.fails("refused", run, { "pg_ctl", "promote" })
    t.match(err.hint, 'rules = { { { "pg_ctl", "promote" }, { code = 0, stdout = "" } } }')
    err = t.fails("refused", run, { "ls", "-l", "/" })
    t.match(err.msg, "the simulated ls does not know the option %-l")
    err = t.fails("refused", fleet.ask, fleet, "h", { verb = "command", text = "cat /x | wc -l" })
    t.match(err.msg, "no shell")
    t.match(err.hint, [["%^cat /x | wc %%%-l"]])
    t.equal(fleet:ask("h", { verb = "command", text = "cat '/proc/uptime'" }).value.code, 0)
  end,
  ["a fleet goes on in another process as if nothing had been"] = function(t)
    local hosts = { h = { services = { db = { start = 5 } }, boot = "9s" }, g = {} }
    local fleet = fleet_of(hosts)
    local run = runner(fleet, "h")
    run({ "tee", "/tmp/bytes" }, "\0\xff\1")
    run({ "rm", "/etc/os-release" })
    run({ "systemctl", "restart", "db" })
    fleet:fault("slow", { host = "h", seconds = 2 })
    fleet:ask("g", { verb = "reboot" })
    local other = again(fleet, { hosts = hosts })
    t.equal(other:dump(), fleet:dump())
    t.equal(other:next_event(), NOW + 5)
    other:advance(NOW + 60)
    fleet:advance(NOW + 60)
    t.equal(other:dump(), fleet:dump())
    local answer, seconds = runner(other, "h")({ "cat", "/tmp/bytes" })
    t.equal({ answer.stdout, seconds }, { "\0\xff\1", 2 })
    t.equal(runner(other, "h")({ "test", "-e", "/etc/os-release" }).code, 1)
  end,
  ["faults of hosts, each with its kind"] = function(t)
    local fleet = fleet_of({ h = {} })
    local h = behind_door(t, fleet)("h")
    local function touch(path)
      return fault.try(h.read, h, { "touch", path })
    end
    local function there(path)
      return fleet:host("h").files[path] ~= nil
    end
    fleet:fault("unreachable", { host = "h", seconds = 10 })
    local _, err = touch("/a")
    t.equal({ err.kind, err.phase, err.sent, there("/a") }, { "connect", "connect", nil, false })
    fleet:advance(NOW + 10)
    fleet:fault("lost-before", { host = "h" })
    _, err = touch("/a")
    t.equal({ err.kind, err.sent, there("/a") }, { "connect", true, false })
    fleet:fault("lost-after", { host = "h" })
    _, err = touch("/a")
    t.equal({ err.kind, err.sent, there("/a") }, { "connect", true, true })
    fleet:fault("denied", { host = "h" })
    _, err = touch("/b")
    t.equal({ err.kind, there("/b") }, { "auth", false })
    fleet:fault("disk-full", { host = "h" })
    t.fails("No space left", h.read, h, { "tee", "/c" }, { stdin = "c" })
    fleet:fault("skew", { host = "h", seconds = 3600 })
    t.equal(h:read({ "date", "+%s" }).stdout, ("%d\n"):format(NOW + 10 + 3600))
    fleet:calm()
    t.equal(h:read({ "date", "+%s" }).stdout, ("%d\n"):format(NOW + 10))
    t.equal(h:read({ "tee", "/c" }, { stdin = "c" }).stdout, "c")
    fleet:fault("reboot", { host = "h" })
    _, err = touch("/d")
    t.equal({ err.kind, there("/d"), fleet:host("h").up_at ~= nil }, { "connect", true, true })
    t.fails('no fault "slwo" of hosts', fleet.fault, fleet, "slwo", { host = "h" })
  end,
  ["the lock of a run, on a simulated host"] = function(t)
    local fleet = fleet_of({ h = {} })
    fleet.now = require("plat.time").now()
    local h = behind_door(t, fleet)("h")
    local a, b = lock.new(h, "db", { duration = 60 }), lock.new(h, "db", { duration = 60 })
    local me = { id = "desk:a", run = "a", host = "desk", user = "eve", playbook = "test" }
    t.equal(a:take(me, 0), nil)
    t.fails("held by run a on desk by eve", b.take, b, { id = "desk:b", run = "b" }, 0)
    a:renew()
    a:release()
    t.equal(b:take({ id = "desk:b", run = "b", host = "desk", user = "x", playbook = "y" }, 0), nil)
    t.match(b:holder(), "run b on desk")
    fleet.now = fleet.now + 1000
    t.equal(a:take(me, 0), "taken over")
    t.fails("the lock is lost: it is held by run a", b.renew, b)
  end,
  ["1,000 hosts with 20 operations each: linear work, little memory"] = function(t)
    local function play(count)
      local hosts = {}
      for i = 1, count do
        hosts["h" .. i] = { services = { db = { start = 1 } } }
      end
      local fleet = fleet_of(hosts)
      for op = 1, 10 do
        for i = 1, count do
          local run = runner(fleet, "h" .. i)
          run({ "tee", "/srv/" .. op }, ("line %d\n"):format(op):rep(20))
          run({ "cat", "/srv/" .. op })
        end
        fleet:advance(NOW + op)
        task.sleep(0)
      end
      return fleet
    end
    local small = play(100).steps
    collectgarbage()
    local before = collectgarbage("count")
    local fleet = play(1000)
    collectgarbage()
    local used = (collectgarbage("count") - before) / 1024
    t.equal(#fleet:names(), 1000)
    t.ok(
      fleet.steps <= small * 10 * 1.05,
      ("%d steps, and %d of a tenth"):format(fleet.steps, small)
    )
    t.ok(used < 200, ("%.0f MB"):format(used))
  end,
}
