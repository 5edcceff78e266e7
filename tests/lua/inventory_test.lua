local builtin = require("plat.inventory.builtin")
local fs = require("prim.fs")
local inventory = require("plat.inventory")
local json = require("plat.json")
local list = require("plat.list")
local literal = require("plat.inventory.literal")
local names = require("plat.inventory.names")
local schedule = require("plat.schedule")
local yaml = require("plat.yaml")

local function put(path, text, mode)
  assert(fs.mkdir(path:match("^(.*)/"), { parents = true }))
  assert(fs.write(path, text, { mode = mode or 420 }))
  return path
end

--- Loads one file of the given text.
local function load_text(t, text, name)
  return inventory.load(put(t.tmp() .. "/" .. (name or "inv.yaml"), text))
end

local function host_names(inv, pattern)
  return list.map(inv:hosts(pattern), function(host)
    return host.name
  end)
end

local PLATFORM = [[
platrun:
  environment: test
  protected: true
  clusters:
    main:
      kubernetes: { kubeconfig: kube/config, context: prod }
      namespace: data-platform
  dremio:
    lake:
      url: https://dremio:9047
      password_file: ~/secret
      min: 3
      executors:
        tz: Europe/Berlin
        business: { days: mon-fri, from: "07:30", to: "20:00", executors: 6 }
        otherwise: 3
]]

local INI = [[
# a comment
lonely
[web]
web[01:03].example.com http_port=80 name='a b' debug=True
db-1:2222 ansible_host=10.0.0.1
[db]
db-[1:2]
[site:children]
web
db
[site:vars]
color = blue
http_port=90
]]

return {
  ["a cluster and its Dremio"] = function(t)
    local dir = t.tmp()
    local inv = inventory.load(put(dir .. "/p.yaml", PLATFORM), { chosen_by = "-i" })
    local cluster = inv:cluster()
    t.equal(cluster.name, "main")
    t.equal(cluster.namespace, "data-platform")
    t.equal(
      cluster.kubernetes,
      { kubeconfig = dir .. "/kube/config", context = "prod", name = "main" }
    )
    t.equal({ cluster.environment, cluster.protected }, { "test", true })
    t.equal(cluster.dremio.name, "lake")
    t.equal(cluster.dremio.statefulset, "dremio-executor")
    t.ok(cluster.dremio.password_file:find("^/.*/secret$"), cluster.dremio.password_file)
    t.equal(schedule.value(cluster.dremio.executors, 1774746000 + 86400 * 3 + 36000), 6)
    t.equal({ inv.chosen_by, inv.is_sandbox }, { "-i", false })
  end,

  ["which cluster is meant"] = function(t)
    local inv = load_text(t, "platrun: {clusters: {prod-a: {}, prod-b: {}}}\n")
    t.equal(inv:clusters(), { "prod-a", "prod-b" })
    t.fails("which cluster%? the inventory has prod%-a, prod%-b", function()
      inv:cluster()
    end)
    t.equal(inv:cluster("prod-b").name, "prod-b")
    local err = t.fails("usage", function()
      inv:cluster("prod-c")
    end)
    t.equal(err.msg, 'no cluster "prod-c" (did you mean "prod-a"?)')
    t.fails("names no cluster", function()
      load_text(t, "all: {hosts: {a: }}\n"):cluster()
    end)
  end,

  ["mistakes in the platrun key carry file and line"] = function(t)
    local cases = {
      {
        "platrun:\n  enviroment: x\n",
        2,
        'unknown key "enviroment" in platrun (did you mean "environment"?)',
      },
      {
        "platrun:\n  clusters:\n    a:\n      namspace: x\n",
        4,
        'unknown key "namspace" in a (did you mean "namespace"?)',
      },
      { "platrun: []\n", 1, '"platrun" must hold keys and values' },
      {
        "platrun:\n  clusters: [a]\n",
        2,
        '"clusters" must hold names, each with keys and values',
      },
      {
        "platrun:\n  dremio:\n    d:\n      url: host:9047\n",
        4,
        'url: "host:9047" is not a URL such as https://HOST:9047',
      },
      { "platrun:\n  protected: maybe\n", 2, 'protected: "maybe" is not true or false' },
      {
        "platrun:\n  clusters: { a: { kubernetes: { context: x } } }\n",
        2,
        "kubernetes: kubeconfig or server is required",
      },
      {
        "platrun:\n  dremio:\n    d:\n      url: http://x\n      min: -1\n",
        5,
        "min: -1 is less than 0",
      },
      {
        "platrun:\n  dremio:\n    d:\n      url: http://x\n      executors:\n"
          .. "        day:\n          from: 8\n          executors: 1\n        otherwise: 1\n",
        6,
        'executors: day: from: write the time in quotes, like "07:30"',
      },
    }
    for _, case in ipairs(cases) do
      local err = t.fails("parse", function()
        load_text(t, case[1])
      end)
      local line, msg = err.msg:match("inv.yaml:(%d+): (.*)$")
      t.equal({ tonumber(line), msg }, { case[2], case[3] })
    end
    t.fails("inv.yaml:1: dremio d: url is missing", function()
      load_text(t, "platrun: {clusters: {a: {}}, dremio: {d: {min: 1}}}\n")
    end)
    t.fails('no cluster "mian" %(did you mean "main"%?%)', function()
      load_text(t, "platrun: {clusters: {main: {}}, dremio: {d: {url: http://x, cluster: mian}}}\n")
    end)
  end,

  ["later files win field by field"] = function(t)
    local dir = t.tmp()
    local a = put(dir .. "/a.yaml", PLATFORM)
    local b = put(dir .. "/b.yaml", "platrun: {environment: b, dremio: {lake: {executors: 4}}}\n")
    local cluster = inventory.load({ a, b }):cluster()
    t.equal({ cluster.environment, cluster.dremio.executors, cluster.dremio.min }, { "b", 4, 3 })
    t.equal(inventory.load({ a, b }).path, a .. ", " .. b)
  end,

  ["the sandbox does not mix with what is real"] = function(t)
    local dir = t.tmp()
    local a = put(dir .. "/a.yaml", PLATFORM)
    local b = put(dir .. "/b.yaml", "platrun: {sandbox: true, clusters: {s: {}}}\n")
    t.equal(inventory.load(b).is_sandbox, true)
    t.fails("refused", function()
      inventory.load({ a, b })
    end)
  end,

  ["the built-in sandbox is the one of the repository"] = function(t)
    local text = assert(fs.read("inventory/sandbox/platform.yaml"))
    t.equal(yaml.decode_one(builtin), yaml.decode_one(text))
    local inv = inventory.sandbox()
    t.ok(inv.is_sandbox)
    t.equal(inv:cluster().dremio.url, "http://dremio.sandbox:9047")
    t.ok(
      inventory.sandbox({ inventory = { "inventory/sandbox" }, path = "platrun.conf" }).chosen_by,
      "platrun.conf"
    )
    t.equal(inventory.sandbox({ inventory = { "inventory/production" } }).path, "built in")
  end,

  ["every inventory of the repository loads"] = function(t)
    for _, name in ipairs({ "sandbox", "production", "staging", "development", "dr" }) do
      local inv = inventory.load("inventory/" .. name)
      t.equal(inv.environment, name)
      t.ok(inv:cluster().dremio, name)
      t.equal(inv.is_sandbox, name == "sandbox")
    end
    local production = inventory.load("inventory/production")
    t.equal(production:cluster().dremio.min, 3)
    t.equal(host_names(production, "postgres"), {
      "pg-1.data.example.com",
      "pg-2.data.example.com",
      "pg-3.data.example.com",
    })
  end,

  ["INI: ranges, ports, variables, groups of groups"] = function(t)
    local inv = load_text(t, INI, "hosts")
    t.equal(host_names(inv), {
      "lonely",
      "web01.example.com",
      "web02.example.com",
      "web03.example.com",
      "db-1",
      "db-2",
    })
    t.equal(host_names(inv, "ungrouped"), { "lonely" })
    t.equal(#host_names(inv, "site"), 5)
    local web = inv:hosts("web01*")[1]
    t.equal(web.vars, { http_port = 80, name = "a b", debug = true, color = "blue" })
    local db = inv:hosts("db-1")[1]
    t.equal({ db.address, db.vars.ansible_port, db.vars.http_port }, { "10.0.0.1", 2222, 90 })
    t.equal(inv:list().site, { children = { "web", "db" } })
  end,

  ["INI values are Python literals or text"] = function(t)
    for text, want in pairs({
      ["80"] = 80,
      ["-3"] = -3,
      ["1.50"] = 1.5,
      ["1e3"] = 1000.0,
      ["0x10"] = 16,
      ["007"] = "007",
      ["True"] = true,
      ["true"] = "true",
      ["None"] = json.null,
      ["'a b'"] = "a b",
      ["'it\\'s'"] = "it's",
      ["[1, 'two', [3,]]"] = { 1, "two", { 3 } },
      ["(1, 2)"] = { 1, 2 },
      ["{'a': 1, 'b': {}}"] = { a = 1, b = {} },
      ["[1, 2"] = "[1, 2",
      ["[1 2]"] = "[1 2]",
      ["1.2.3.4"] = "1.2.3.4",
      ["'open"] = "'open",
      [("["):rep(60)] = ("["):rep(60),
      [""] = "",
    }) do
      t.equal(literal.read(text), want, text)
    end
  end,

  ["hosts and groups keep the order of the file"] = function(t)
    local inv = load_text(
      t,
      "zoo:\n  hosts:\n    z2:\n    a1: {x: 1}\n    'm:1': {}\nant:\n  hosts: {q: {}, b: {}}\n"
    )
    t.equal(host_names(inv), { "z2", "a1", "m", "q", "b" })
    t.equal(inv:list().all.children, { "ungrouped", "zoo", "ant" })
  end,

  ["group_vars win over the variables of groups in the inventory"] = function(t)
    local dir = t.tmp()
    put(dir .. "/inv.yml", "web: {hosts: {w1: {c: 4}}, vars: {a: 1, b: 1, c: 1}}\n")
    put(dir .. "/group_vars/all.yml", "a: 2\nc: 2\n")
    put(dir .. "/host_vars/w1.yml", "c: 3\n")
    t.equal(inventory.load(dir):hosts("w1")[1].vars, { a = 2, b = 1, c = 3 })
  end,

  ["YAML: nested groups, the nearer variable wins"] = function(t)
    local inv = load_text(
      t,
      [[
all:
  vars: { a: 1, b: 1, c: 1, d: 1 }
  children:
    outer:
      vars: { b: 2, c: 2, d: 2 }
      children:
        inner:
          vars: { c: 3, d: 3 }
          hosts:
            h[1:2]: { d: 4 }
]]
    )
    t.equal(inv:hosts("h1")[1].vars, { a = 1, b = 2, c = 3, d = 4 })
    t.equal(inv:groups(), { "all", "inner", "outer", "ungrouped" })
    local err = t.fails("parse", function()
      load_text(t, "web:\n  hosts: {a: }\n  childen: {}\n")
    end)
    t.ok(
      err.msg:find(
        'inv.yaml:3: unknown key "childen" in group web (did you mean "children"?)',
        1,
        true
      )
    )
    t.fails("its own ancestor", function()
      load_text(t, "a: {children: {b: {children: {a: }}}}\n")
    end)
  end,

  ["a directory with group_vars and host_vars"] = function(t)
    local dir = t.tmp()
    put(dir .. "/10-hosts", "[web]\nw1 x=1\n")
    put(dir .. "/20-platform.yml", PLATFORM)
    put(dir .. "/README.md", "[broken\n")
    put(dir .. "/group_vars/all.yml", "x: 0\ny: 0\nz: 0\n")
    put(dir .. "/group_vars/web/a.yml", "y: 1\nz: 1\n")
    put(dir .. "/host_vars/w1.yml", "z: 2\n")
    local inv = inventory.load(dir .. "/")
    t.equal(inv:hosts("w1")[1].vars, { x = 1, y = 1, z = 2 })
    t.equal(inv:clusters(), { "main" })
  end,

  ["patterns"] = function(t)
    local inv = load_text(t, INI, "hosts")
    t.equal(host_names(inv, "web:db:!db-2"), {
      "web01.example.com",
      "web02.example.com",
      "web03.example.com",
      "db-1",
    })
    t.equal(host_names(inv, "web:&db"), { "db-1" })
    t.equal(host_names(inv, "all,!site"), { "lonely" })
    t.equal(host_names(inv, "web[0]"), { "web01.example.com" })
    t.equal(host_names(inv, "web[-1]"), { "db-1" })
    t.equal(host_names(inv, "web[0:1]"), { "web01.example.com", "web02.example.com" })
    t.equal(host_names(inv, "db-?"), { "db-1", "db-2" })
    local err = t.fails("usage", function()
      inv:hosts("wbe")
    end)
    t.equal(err.msg, 'no host or group matches "wbe" (did you mean "web"?)')
  end,

  ["ranges"] = function(t)
    t.equal(names.expand("a[08:10]b"), { "a08b", "a09b", "a10b" })
    t.equal(names.expand("[a:c][1:2]"), { "a1", "a2", "b1", "b2", "c1", "c2" })
    t.equal(names.expand("n[1:7:3]"), { "n1", "n4", "n7" })
    for _, bad in ipairs({ "a[1-2]", "a[3:1]", "a[01:100]", "a[1:99999999]", "a[]", "a[1:2:0]" }) do
      local found, problem = names.expand(bad)
      t.ok(not found and problem, bad)
    end
  end,

  ["a list of hosts"] = function(t)
    t.equal(host_names(inventory.load("web-1,web-2,")), { "web-1", "web-2" })
  end,

  ["files that everybody may write, or that are not there"] = function(t)
    local path = put(t.tmp() .. "/inv.yaml", "all: {}\n", 438)
    t.fails("refused", function()
      inventory.load(path)
    end)
    local err = t.fails("usage", function()
      inventory.load("inventory/prodution")
    end)
    t.ok(err.msg:find('did you mean "production"?', 1, true), err.msg)
    local hidden = put(t.tmp() .. "/script", "#!/bin/sh\n")
    t.fails("script:1: a program that is not executable", function()
      inventory.load(hidden)
    end)
  end,

  ["INI mistakes carry file and line"] = function(t)
    for text, want in pairs({
      ["[web:kids]\n"] = 'hosts:1: [web:kids]: expected "children" or "vars" after the colon',
      ["a\nb x\n"] = 'hosts:2: expected KEY=VALUE, got "x"',
      ["a x='1\n"] = "hosts:1: a quote is not closed",
      ["[a:children]\nb\n[b:children]\na\n"] = 'hosts:4: group "a" would be its own ancestor',
    }) do
      local err = t.fails("parse", function()
        load_text(t, text, "hosts")
      end)
      t.ok(err.msg:find(want, 1, true), err.msg)
    end
  end,
}
