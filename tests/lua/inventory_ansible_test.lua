-- What Ansible's inventories can do, by literal tables; tests/real/inventory asks Ansible itself.
local fs = require("prim.fs")
local inventory = require("plat.inventory")
local json = require("plat.json")
local list = require("plat.list")
local literal = require("plat.inventory.literal")
local names = require("plat.inventory.names")
local pattern = require("plat.inventory.pattern")
local program = require("plat.inventory.program")
local regex = require("plat.inventory.regex")
local password = require("plat.ansible_vault.password")
local secret = require("plat.secret")

local function put(path, text, mode)
  assert(fs.mkdir(path:match("^(.*)/"), { parents = true }))
  assert(fs.write(path, text, { mode = mode or 420 }))
  return path
end

local function load_text(t, text, name)
  return inventory.load(put(t.tmp() .. "/" .. (name or "hosts"), text))
end

local FLAT = "[web]\nweb[1:4]\n[db]\ndb[1:2]\n[both]\nweb2\ndb1\n[none]\n"

local function vars_of(inv, host)
  return inv:hosts(host)[1].vars
end

--- What `encrypt_string` made of "hunter-two" with the password "sesame".
local VAULT = [[
$ANSIBLE_VAULT;1.1;AES256
64383435656465366362316564383737383963316537646639373463353365373632343139653637
3137333665613331363532346464623332343838373633610a343832316266396430313536316436
63373464393533306362333236356431666433336436613863333761633662643365623930646461
3264316235363030390a653435306433633064376139306234353737373666303262623735656361
3462
]]

--- The same, of a whole file: db_password, port, nested, ansible_user, alias.
local VAULT_FILE = [[
$ANSIBLE_VAULT;1.1;AES256
65633632626330316264646566633635313730336630303866376361363538643230393837393731
6162643265303430616634613565643435336135643965640a383039343030663831623761343463
38616464336434343131353661326364303162633135333737643239306561376665613139303335
6631303932646564360a386630666661313339396364323335623939316465333361613033323665
31613135646366376136356133333439373430356461383063366161323036653566373261386463
63346633396537383034386264626133336434303932663163323538346334303831646634623536
63653230666337623565343062363037626266363762373264363432326566646234633131633663
34633665623438313762653566383061336661376639626464623933383331646336666137623637
38363837393366633064386134373338653831353934613865616364643832373634616161393465
3033393664613063393363323033373838653862656135393263
]]

--- Writes an inventory with one host and its variables; returns its path and its folder.
local function with_host_vars(t, text)
  local dir = t.tmp()
  put(dir .. "/host_vars/h.yml", text)
  return put(dir .. "/hosts", "h\n"), dir
end

--- Calls a function while the password is known.
local function with_password(fn)
  local find = password.find
  password.find = function() -- luacheck: ignore
    return { "sesame" }
  end
  local ok, err = pcall(fn)
  password.find = find -- luacheck: ignore
  assert(ok, err)
end

return {
  ["addresses and ports"] = function(t)
    for text, want in pairs({
      ["a"] = { "a" },
      ["a:22"] = { "a", 22 },
      ["a[1:2].b:22"] = { "a[1:2].b", 22 },
      ["[::1]:22"] = { "::1", 22 },
      ["::1"] = { "::1" },
      ["fe80::1:22"] = { "fe80::1:22" },
      ["2001:db8:0:0:0:0:0:1"] = { "2001:db8:0:0:0:0:0:1" },
      ["a-:22"] = {},
      ["a:b"] = {},
      ["a[1-2]"] = {},
      ["*"] = {},
    }) do
      t.equal({ names.address(text) }, want, text)
    end
    t.equal({ names.hosts("a[1:2]:22") }, { { "a1", "a2" }, 22 })
    t.equal(names.expand("[:2]x"), { "0x", "1x", "2x" })
    t.equal(names.expand("[y:B]"), { "y", "z", "A", "B" })
  end,

  ["words of a pattern"] = function(t)
    for text, want in pairs({
      ["a:b:!c"] = { "a", "b", "!c" },
      ["a, b ,&c"] = { "a", "b", "&c" },
      ["a[0:2]:b"] = { "a[0:2]", "b" },
      ["a:22"] = { "a:22" },
      ["a b"] = { "a", "b" },
      ["a,b:c"] = { "a", "b:c" },
      ["fe80::1"] = { "fe80::1" },
    }) do
      t.equal(pattern.split(text), want, text)
    end
  end,

  ["what patterns select, in order"] = function(t)
    local inv = load_text(t, FLAT)
    for text, want in pairs({
      ["db:web[0]"] = { "db1", "db2", "web1" },
      ["web:&both"] = { "web2" },
      ["!web"] = { "db1", "db2" },
      ["web:!both:&web[0:2]"] = { "web1", "web3" },
      ["web[-1]"] = { "web4" },
      ["web[2:]"] = { "web3", "web4" },
      ["web[!12]"] = { "web3", "web4" },
      ["~(web|db)1"] = { "web1", "db1" },
      ["none"] = {},
      ["localhost"] = { "localhost" },
    }) do
      t.equal(inv:names(text), want, text)
    end
    for text, want in pairs({
      ["web9"] = 'no host or group matches "web9" (did you mean "web"?)',
      ["web:!dv"] = 'no host or group matches "dv" (did you mean "db"?)',
      ["web[4]"] = '"web[4]": there are only 4 hosts',
      ["~(web"] = 'the regular expression "(web" is not understood: a ( is not closed',
      [" "] = "the pattern is empty",
    }) do
      t.equal(
        t.fails("usage", function()
          inv:names(text)
        end).msg,
        want
      )
    end
  end,

  ["a limit"] = function(t)
    local dir = t.tmp()
    put(dir .. "/hosts", FLAT)
    put(dir .. "/limit", "web1\n\n db* \n!db2\n")
    local inv = inventory.load(dir .. "/hosts", { limit = "@" .. dir .. "/limit,web4" })
    t.equal(inv:names("web:db"), { "web1", "web4", "db1" })
    t.equal(inv:names("db", { unlimited = true }), { "db1", "db2" })
    t.equal(inv.limit, "web1,db*,!db2,web4")
    t.equal(inv:list().db, { hosts = { "db1" } })
    t.fails('no host or group matches "wbe" %(did you mean "web"%?%)', function()
      inventory.load(dir .. "/hosts", { limit = "wbe" })
    end)
    t.fails("limit @.*/nothing", function()
      inventory.load(dir .. "/hosts", { limit = "@" .. dir .. "/nothing" })
    end)
  end,

  ["regular expressions"] = function(t)
    for _, case in ipairs({
      { "web", "web1", true },
      { "eb", "web1", false },
      { "web$", "web1", false },
      { "^web\\d+$", "web12", true },
      { "w[a-e]{2}\\d", "web1", true },
      { "[^w]", "web", false },
      { "(a|ab)(c|bcd)$", "abcd", true },
      { "a*?b", "aaab", true },
      { "(a*)*b", "aaac", false },
      { "x{2,3}$", "xxxx", false },
      { "(?:a|b)\\.c", "b.c", true },
      { "a{", "a{", true },
      { "web\\b", "web-1", true },
      { "", "x", true },
    }) do
      local match = assert(regex.compile(case[1]))
      t.equal(match(case[2]), case[3], case[1])
    end
    for text, want in pairs({
      ["(?=a)"] = "of %(%?",
      ["(a)\\1"] = "\\1 is not understood",
      ["a)"] = "a %) has no",
      ["[a"] = "a %[ is not closed",
      ["[b-a]"] = "a range in",
      ["a**"] = "a repetition of a repetition",
      ["+a"] = "nothing stands before",
      ["a{3,2}"] = "out of range",
    }) do
      local match, problem = regex.compile(text)
      t.ok(not match and problem:find(want), text .. ": " .. tostring(problem))
    end
    local slow = assert(regex.compile("(a|a|a)*(a|a|a)*$"))
    local found, problem = slow(("a"):rep(60) .. "b")
    t.equal({ found, problem }, { nil, "it takes too long to match" })
  end,

  ["literals of Python"] = function(t)
    for text, want in pairs({
      ["80,443"] = { 80, 443 },
      ["(1)"] = 1,
      ["(1,)"] = { 1 },
      ["1_000"] = 1000,
      ["0o17"] = 15,
      ["'a' 'b'"] = "ab",
      ["r'\\n'"] = "\\n",
      ["'\\x41\\u00e4'"] = "Aä",
      ["5 # five"] = 5,
      ["- 5"] = -5,
      ["1__0"] = "1__0",
      ["1+2"] = "1+2",
      ["10.0.0.1"] = "10.0.0.1",
      ["{1: 2, None: 3}"] = { ["1"] = 2, null = 3 },
      ["1.5e-3"] = 0.0015,
      ["True,"] = { true },
      ["Truely"] = "Truely",
    }) do
      t.equal(literal.read(text), want, text)
    end
  end,

  ["priorities, and which files win"] = function(t)
    local dir = t.tmp()
    put(
      dir .. "/one/hosts",
      "[a]\nh\n[b]\nh\n[a:vars]\nansible_group_priority=9\nx=a\n[b:vars]\nx=b\n"
    )
    put(dir .. "/one/group_vars/a.yml", "y: one-a\n")
    put(dir .. "/two/hosts", "[b]\ni\n")
    put(dir .. "/two/group_vars/b.yml", "y: two-b\nz: two-b\n")
    put(dir .. "/play/group_vars/all.yml", "z: play-all\np: play\n")
    local inv = inventory.load({ dir .. "/one/hosts", dir .. "/two/hosts" }, {
      playbook_dir = dir .. "/play",
    })
    t.equal(vars_of(inv, "h"), { x = "a", y = "two-b", z = "two-b", p = "play" })
    local export = inv:list({ export = true })
    t.equal(export.a.vars, { ansible_group_priority = 9, x = "a", y = "one-a" })
    t.fails("hosts:2: ansible_group_priority", function()
      load_text(t, "[g:vars]\nansible_group_priority=x\n[g]\n")
    end)
  end,

  ["a variable alone is filled in"] = function(t)
    local inv = load_text(
      t,
      "g:\n  hosts:\n    h.x.org:\n      a: 1\n      b: '{{ a }}'\n"
        .. "      c: ['{{ b }}', '{{inventory_hostname_short}}']\n"
        .. "      d: '{{ a | int }}'\n      e: '{{ nope }}'\n      f: '{{ g }}'\n"
        .. "      g: '{{ f }}'\n      u: !unsafe '{{ a }}'\n",
      "h.yml"
    )
    local vars = vars_of(inv, "all")
    t.equal({ vars.a, vars.b, vars.c, vars.u }, { 1, 1, { 1, "h" }, "{{ a }}" })
    t.equal(inv:list()._meta.hostvars["h.x.org"].d, "{{ a | int }}")
    for key, want in pairs({
      d = 'h.yml:7: d: "{{ a | int }}" is a Jinja template; only a variable alone is filled in',
      e = "h.yml:8: e: there is no variable nope",
      f = "h.yml:9: f: the variable is made of itself",
    }) do
      local err = t.fails("parse", function()
        return vars[key]
      end)
      t.ok(err.msg:find(want, 1, true), err.msg)
    end
    t.fails("is a Jinja template", function()
      for _ in pairs(vars) do
        t.ok(true)
      end
    end)
  end,

  ["encrypted values are secrets when they are read"] = function(t)
    local path, dir = with_host_vars(
      t,
      "p: !vault |\n  " .. VAULT:gsub("\n(.)", "\n  %1") .. "q: '{{ p }}'\nl: [!vault abc]\n"
    )
    local inv = inventory.load(path)
    local vars = vars_of(inv, "h")
    t.fails("auth", function()
      return vars.p
    end)
    with_password(function()
      t.ok(secret.is(vars.p) and vars.p:equal("hunter-two"))
      t.ok(vars.q:equal("hunter-two"))
      t.equal(vars.p:reference(), ("ansible:%s/host_vars/h.yml#p"):format(dir))
    end)
    t.equal(inv:list()._meta.hostvars.h.l, { { __ansible_vault = "abc" } })
  end,

  ["files that are encrypted as a whole"] = function(t)
    local path = with_host_vars(t, VAULT_FILE)
    t.fails("auth", function()
      inventory.load(path)
    end)
    with_password(function()
      local inv = inventory.load(path)
      local vars = vars_of(inv, "h")
      t.ok(vars.db_password:equal("s3cr3t-value") and vars.port:equal("5432"))
      t.ok(vars.nested.token:equal("abcdefghij"))
      t.ok(vars.alias:equal("s3cr3t-value"))
      t.equal({ vars.nested["true"], vars.ansible_user }, { true, "deploy" })
      t.ok(not json.encode(inv:list(), { secrets = "reference" }):find("s3cr3t", 1, true))
    end)
  end,

  ["programs"] = function(t)
    local dir = t.tmp()
    local path = put(
      dir .. "/inv",
      "#!/bin/sh\necho said >&2\n[ $1 = --list ] && "
        .. 'echo \'{"z": ["b"], "a": {"hosts": ["b", "c"], "vars": {"v": 1}}}\' && exit\n'
        .. 'echo "{\\"me\\": \\"$2\\"}"\n',
      493
    )
    local inv = inventory.load(path)
    t.equal(inv:list().all.children, { "ungrouped", "z", "a" })
    t.equal(vars_of(inv, "c"), { v = 1, me = "c" })
    for text, want in pairs({
      ["exit 3"] = "exit",
      ["echo [1]"] = "is not a JSON object",
      ['echo \'{"g": {"hosts": {}, "vars": [1]}}\''] = "group g: vars is not a JSON object",
      ['echo \'{"g": {"children": ["g"]}}\''] = "its own ancestor",
    }) do
      t.fails(want, function()
        inventory.load(put(dir .. "/bad", "#!/bin/sh\n" .. text .. "\n", 493))
      end)
    end
    t.fails("timeout", function()
      inventory.load(put(dir .. "/slow", "#!/bin/sh\nsleep 60\n", 493), { timeout = 0.2 })
    end)
    t.equal(program.fields('{"b": {"x": [1, {"y": "}"}]}, "a\\"{": "c", "\\u00e4": 1}'), {
      "b",
      'a"{',
      "ä",
    })
    local sandbox = put(dir .. "/s.yml", "platrun: {sandbox: true}\n")
    local mark = put(dir .. "/mark", "#!/bin/sh\ntouch " .. dir .. "/ran\n", 493)
    t.fails("the inventory is of the sandbox", function()
      inventory.load({ mark, sandbox })
    end)
    t.equal(inventory.sandbox({ inventory = { mark } }).path, "built in")
    t.ok(not fs.stat(dir .. "/ran"))
  end,

  ["mistakes in INI carry file and line"] = function(t)
    for text, want in pairs({
      ["[a:children]\nb\n"] = "hosts:2: [a:children]: there is no group [b]",
      ["\n[a:vars]\nb=1\n"] = "hosts:2: [a:vars]: there is no group [a]",
      ["[g]\na[1-3]\n"] = 'hosts:2: "[1-3]" is not a range',
      ["[g]\na:\n"] = 'hosts:2: "a:": a port is missing',
      ["[a b]\n"] = "hosts:1: a group stands in brackets",
      ["a b\\\n"] = "hosts:1: a backslash ends the line",
    }) do
      local err = t.fails("parse", function()
        load_text(t, text)
      end)
      t.ok(err.msg:find(want, 1, true), err.msg)
    end
  end,

  ["the order of YAML is the order of the file"] = function(t)
    local inv = load_text(
      t,
      "x: {hosts: {b: , a: }}\nall: {children: {z: {hosts: {a: }}, y: }}\n"
        .. "<<: {w: {hosts: {q: }}}\n",
      "h.yml"
    )
    t.equal(inv:list().all.children, { "ungrouped", "z", "y", "w", "x" })
    t.equal(inv:names("x"), { "b", "a" })
    local err = t.fails("parse", function()
      load_text(t, "a: {hosts: {x: }}\nb:\n  hosts:\n    y: 5\n", "h.yml")
    end)
    t.ok(err.msg:find('h.yml:4: "y" must hold keys and values', 1, true), err.msg)
    t.fails("h.toml:1: TOML", function()
      load_text(t, "[x]\n", "h.toml")
    end)
    t.equal(list.keys(inv.tree.groups_by_name), { "all", "ungrouped", "w", "x", "y", "z" })
  end,
}
