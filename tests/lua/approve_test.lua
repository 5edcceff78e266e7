--- run:confirm, run:approve, run:notify without a terminal, and who may approve.
local approval = require("plat.runs.approval")
local clock = require("prim.time")
local fault = require("plat.fault")
local run_module = require("plat.run")
local who = require("plat.runs.who")

--- A run whose journal is a list; `records` are what an earlier process left.
local function new(opts)
  opts = opts or {}
  local records = opts.records or {}
  local events, latest = {}, {}
  for i, record in ipairs(records) do
    record.n = i
  end
  local journal = { records = {}, commit = function() end }
  function journal.append(_, record)
    table.insert(records, record)
    record.n, record.t = #records, clock.real()
  end
  for _, record in ipairs(records) do
    if record.name then
      latest[record.type] = latest[record.type] or {}
      latest[record.type][record.name] = record
    end
  end
  local run = run_module.new({
    name = "test",
    args = {},
    playbook = { risk = opts.risk or "disruptive", path = "/tmp/test.lua" },
    options = opts.options or {},
    planning = opts.planning,
    journal = not opts.unrecorded and journal or nil,
    inventory = opts.inventory or function()
      fault.raise("usage", nil, { msg = "none is chosen" })
    end,
    reporter = {
      emit = function(_, name, e)
        table.insert(events, ("%s %s"):format(name, tostring(e.status)))
      end,
    },
  })
  function run.recall(self, kind, name)
    local mine = self.latest[kind .. "|" .. name]
    return mine or (latest[kind] or {})[name]
  end
  run.id = "20260714-030000-test-0000"
  return run, events, records
end

local function of_type(records, kind)
  local found = {}
  for _, record in ipairs(records) do
    if record.type == kind then
      found[#found + 1] = record
    end
  end
  return found
end

local function person(user, sudo_user, login_uid, host)
  return { user = user, sudo_user = sudo_user, login_uid = login_uid, host = host or "ops-1" }
end

return {
  ["who: one person behind one account or several, in doubt the same"] = function(t)
    for _, case in ipairs({
      { true, person("alice"), person("alice") },
      { false, person("alice"), person("bob") },
      { true, person("root", "alice"), person("alice") },
      { true, person("root", "alice"), person("deploy", "alice") },
      { false, person("root", "alice"), person("root", "bob") },
      { true, person("root", "alice"), person("root") }, -- anybody who is root
      { false, person("alice"), person("root") },
      { true, person("root", "bob", 1000), person("root", "alice", 1000) }, -- a forged SUDO_USER
      { false, person("root", nil, 1000), person("root", nil, 1001) },
      { true, person("root", nil, 1000, "a"), person("root", nil, 1001, "b") },
    }) do
      t.equal(who.same(case[2], case[3]), case[1], who.text(case[2]) .. ", " .. who.text(case[3]))
      t.equal(who.same(case[3], case[2]), case[1])
    end
    t.equal(who.text(person("root", "alice")), "alice (as root) on ops-1")
    t.equal(who.here().user, require("prim.sys").user())
  end,

  ["approval: four eyes, and the lists of playbook and inventory"] = function(t)
    local starters = approval.starters({
      { type = "run", user = "alice", host = "ops-1" },
      { type = "request", name = "x", asked_by = person("deploy", "carol") },
      { type = "resume", user = "bob" },
      { type = "request", name = "y", asked_by = person("bob") },
    })
    t.equal(#starters, 2, "who resumes is no starter")
    local by_sudo = approval.starters({
      { type = "run", user = "root", host = "ops-1" },
      { type = "request", name = "x", asked_by = person("root", "alice") },
    })
    t.equal(by_sudo, { person("root", "alice") }, "the request knows who is behind the account")
    local function problem(request, approver)
      return approval.problem(request, approver, starters)
    end
    t.match(problem({ not_starter = true }, person("alice")), "started the run may not approve")
    t.match(problem({ not_starter = true }, person("root", "carol")), "may not approve it: carol")
    t.equal(problem({ not_starter = true }, person("bob")), nil)
    t.equal(problem({}, person("alice")), nil)
    t.match(problem({ by = { "dora" } }, person("bob")), "bob is none .* the playbook names: dora")
    t.equal(problem({ by = { "dora", "bob" } }, person("bob")), nil)
    local both = { by = { "bob" }, approvers = { "dora" } }
    t.match(problem(both, person("bob")), "whom the inventory names: dora")
    t.equal(problem({ by = { "@root" } }, person("root")), nil)
    t.match(problem({ by = { "@daemon" } }, person("root")), "root is none")
    t.fails("groups of no%-such%-user are unknown", function()
      problem({ by = { "@root" } }, person("no-such-user"))
    end)
  end,

  ["inventory: approvals of the environment and of a cluster"] = function(t)
    local inventory = require("plat.inventory")
    local path = t.tmp() .. "/p.yaml"
    local function load(text)
      require("prim.fs").write(path, text, { mode = 420 })
      return inventory.load(path)
    end
    local inv = load([[
platrun:
  approvals: {four_eyes: true, approvers: [alice, "@dba"]}
  clusters:
    main: {namespace: x}
    lab: {approvals: {four_eyes: false}}
]])
    t.equal(inv:cluster("main").approvals, { four_eyes = true, approvers = { "alice", "@dba" } })
    t.equal(inv:cluster("lab").approvals.four_eyes, false)
    local own = load("platrun: {clusters: {a: {}, b: {approvals: {four_eyes: true}}}}\n")
    t.equal(own:cluster("a").approvals.four_eyes, false)
    t.equal(
      own:approvals().four_eyes,
      true,
      "which cluster it is about is not known: the strictest"
    )
    t.fails('p.yaml:1: unknown key "for_eyes"', load, "platrun: {approvals: {for_eyes: true}}\n")
    t.fails("neither a user nor a @group", load, "platrun: {approvals: {approvers: ['a b']}}\n")
  end,

  ["approval: what a run waits for"] = function(t)
    local ask = { type = "request", name = "a", n = 2 }
    t.equal(approval.waiting({}), nil)
    t.equal(approval.waiting({ ask }), { request = ask })
    local yes = { type = "approval", name = "a", granted = true, n = 3 }
    t.equal(approval.waiting({ ask, yes }).decision, yes)
    local used = { type = "approval", name = "a", granted = true, used = true, n = 4 }
    t.equal(approval.waiting({ ask, yes, used }), nil)
    local again = { type = "request", name = "a", n = 5 }
    t.equal(approval.waiting({ ask, yes, again }), { request = again })
    local question = { type = "approval", name = "a", granted = true, confirm = true, n = 6 }
    t.equal(approval.waiting({ ask, question }).decision, nil, "a confirmation approves nothing")
  end,

  ["approve: asks, stops with 3, goes on once granted, and needs no second grant"] = function(t)
    local run, events, records = new()
    local err = t.fails("refused", run.approve, run, "promote", { text = "promote db-2" })
    t.equal({ err.exit, err.suspend }, { 3, true })
    t.match(err.hint, "platrun approve 20260714%-030000%-test%-0000")
    local request = of_type(records, "request")[1]
    t.equal(
      { request.name, request.text, request.not_starter },
      { "promote", "promote db-2", false }
    )
    t.ok(math.abs(request.expires_at - clock.real() - 86400) < 5)
    t.equal(events, { "approval asked" })

    local waiting, told = new({ records = records })
    t.fails("waits for an approval", waiting.approve, waiting, "promote")
    t.equal(told, { "approval waiting" })
    t.equal(#of_type(records, "request"), 1, "it is not asked twice")

    table.insert(records, { type = "approval", name = "promote", granted = true, user = "bob" })
    local going = new({ records = records })
    local guards = 0
    going:guard("quorum", function()
      guards = guards + 1
      return true
    end)
    going:approve("promote")
    t.equal(guards, 2, "the guards hold again after the wait")
    t.equal(records[#records].used, true)

    request.expires_at = clock.real() - 1
    new({ records = records }):approve("promote") -- it was used in time
  end,

  ["approve: a guard that no longer holds refuses after the wait"] = function(t)
    local run, _, records = new({
      records = {
        { type = "request", name = "x", expires_at = clock.real() + 60 },
        { type = "approval", name = "x", granted = true, user = "bob" },
      },
    })
    local ok = true
    run:guard("quorum", function()
      return ok, "2 of 3"
    end)
    ok = false
    t.fails("2 of 3", run.approve, run, "x")
    t.equal(#of_type(records, "approval"), 1, "the grant is not used up")
  end,

  ["approve: what expired is asked for anew, granted or not"] = function(t)
    for _, granted in ipairs({ true, false }) do
      local records = { { type = "request", name = "x", expires_at = clock.real() - 1 } }
      if granted then
        table.insert(records, { type = "approval", name = "x", granted = true, user = "bob" })
      end
      local run, events = new({ records = records })
      local err = t.fails("refused", run.approve, run, "x", { expires = "1h" })
      t.equal(err.exit, 3)
      t.equal(#of_type(records, "request"), 2)
      t.equal(events, { "approval expired", "approval asked" })
    end
  end,

  ["approve: a rejection refuses, and the engine undoes"] = function(t)
    local run = new({
      records = {
        { type = "request", name = "x", expires_at = clock.real() + 60 },
        { type = "approval", name = "x", granted = false, user = "bob", reason = "not on friday" },
      },
    })
    local err = t.fails("refused", run.approve, run, "x")
    t.match(err.msg, "rejected by bob: not on friday")
    t.equal({ err.exit, err.suspend }, {})
  end,

  ["approve: a confirmation of that name is no approval"] = function(t)
    local run, _, records = new({ options = { yes = true } })
    run:confirm("promote")
    t.fails("waits for an approval", run.approve, run, "promote")
    t.fails("waits for an approval", run.approve, run, "confirm: promote")
    t.equal(#of_type(records, "request"), 2)
  end,

  ["approve: the inventory's rules are in the request; a plan lists"] = function(t)
    local inventory = {
      approvals = function()
        return { four_eyes = true, approvers = { "@dba" } }
      end,
    }
    local run, _, records = new({
      inventory = function()
        return inventory
      end,
    })
    t.fails("refused", run.approve, run, "x", { by = { "alice" }, not_starter = false })
    local request = of_type(records, "request")[1]
    t.equal(request.not_starter, true, "a playbook cannot lift four eyes")
    t.equal({ request.by, request.approvers }, { { "alice" }, { "@dba" } })

    local planned, events = new({ planning = true })
    planned:approve("x")
    planned:confirm("x?")
    planned:notify("x!")
    t.equal(events, { "approval planned", "confirm planned", "notify planned" })
    local hand = new({ unrecorded = true })
    t.fails("not recorded", hand.approve, hand, "x")
    t.fails("unknown option", run.approve, run, "x", { bye = 1 })
    t.fails("usage", run.approve, run, "")
  end,

  ["confirm: flags answer, each as far as it reaches"] = function(t)
    for _, case in ipairs({
      { "routine", {}, nil, "-y" },
      { "disruptive", { yes = true }, "-y" },
      { "destructive", { yes = true }, nil, "--yes-destructive" },
      { "destructive", { yes_destructive = true }, "--yes-destructive" },
      { "destructive", { cron = true }, nil, "--yes-destructive" },
    }) do
      local risk, options, how, missing = table.unpack(case, 1, 4)
      local run, _, records = new({ options = options })
      if how then
        run:confirm("go?", { risk = risk })
        t.equal(records[1].how, how)
        t.equal(records[1].granted, true)
      else
        options.cron = true -- the test may have a terminal
        local err = t.fails("refused", run.confirm, run, "go?", { risk = risk })
        t.match(err.hint, "^" .. missing:gsub("%-", "%%-") .. " answers")
        t.equal(err.exit, nil)
        t.equal(records, {})
      end
    end
    local run = new({ risk = "destructive", options = { yes = true, cron = true } })
    t.fails("%-y does not cover", run.confirm, run, "the playbook's risk counts")
  end,

  ["confirm: what was answered counts for a resumed run; a no does not"] = function(t)
    local options = { cron = true }
    local given = { type = "approval", name = "confirm: go?", confirm = true, user = "alice" }
    given.granted = true
    local run, events = new({ records = { given }, options = options })
    run:confirm("go?", { risk = "destructive" })
    t.equal(events, { "confirm granted" })
    given.granted = false
    local again = new({ records = { given }, options = options })
    t.fails("refused", again.confirm, again, "go?")
    t.fails("usage", run.confirm, run, "")
    t.fails("is none of", run.confirm, run, "x", { risk = "deadly" })
  end,

  ["notify: nobody to tell is said and recorded, and fails nothing"] = function(t)
    local conf = t.tmp() .. "/platrun.conf"
    require("prim.fs").write(conf, "", { mode = 420 })
    local run, events, records = new({ options = { config = conf } })
    run:notify("hello")
    t.equal(events, { "notify skipped" })
    t.match(records[1].notify.skipped, "neither notify: nor notify_url:")
    run:notify("quiet", { quiet = true })
    t.equal(#records, 1)
    local bad, told = new({ options = { config = "/nonexistent/platrun.conf" } })
    bad:notify("hello")
    t.equal(told, { "notify failed" })
    t.fails("is none of", run.notify, run, "x", { level = "loud" })
  end,

  ["notify: a program gets JSON; one that fails is warned of; a resumed run is silent"] = function(
    t
  )
    local fs = require("prim.fs")
    local json = require("plat.json")
    local dir = t.tmp()
    local conf = dir .. "/platrun.conf"
    fs.write(conf, ("notify: [sh, -c, 'cat > %s/got']\n"):format(dir), { mode = 420 })
    local run, events, records = new({ options = { config = conf } })
    run:notify("drained", { level = "warning" })
    t.equal(events, { "notify sent" })
    local got = json.decode(fs.read(dir .. "/got"))
    t.equal({ got.text, got.level, got.playbook }, { "drained", "warning", "test" })

    local later, told = new({ options = { config = conf } })
    later.journal.records = records
    later:notify("drained", { level = "warning" })
    t.equal(told, { "notify skipped" })

    fs.write(conf, "notify: [sh, -c, 'echo no such channel >&2; exit 3']\n", { mode = 420 })
    local failing, seen, kept = new({ options = { config = conf } })
    failing:notify("drained")
    t.equal(seen, { "notify failed" })
    t.match(kept[1].notify.failed, "exit 3: no such channel")
  end,

  ["notify: a webhook gets the same by POST"] = function(t)
    local fs = require("prim.fs")
    local conf = t.tmp() .. "/platrun.conf"
    local seen = {}
    local status = 200
    local server = require("plat.httpd").serve(function(req)
      seen[#seen + 1] = { req.method, req.path, require("plat.json").decode(req.body).text }
      return { status = status, headers = {}, body = "" }
    end, { host = "127.0.0.1", port = 0 })
    t.defer(function()
      server:close()
    end)
    fs.write(
      conf,
      ("notify_url: http://127.0.0.1:%d/hook/s3-cr3t\n"):format(server:port()),
      { mode = 420 }
    )
    local run, events = new({ options = { config = conf } })
    run:notify("drained")
    t.equal(events, { "notify sent" })
    t.equal(seen, { { "POST", "/hook/s3-cr3t", "drained" } })
    status = 500
    local failing, told, kept = new({ options = { config = conf } })
    failing:notify("again")
    t.equal(told, { "notify failed" })
    t.match(kept[1].notify.failed, "answered 500")
    t.ok(not kept[1].notify.failed:find("cr3t", 1, true), "the path of a webhook is a secret")
  end,
}
