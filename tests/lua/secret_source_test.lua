local effect = require("plat.effect")
local fault = require("plat.fault")
local fs = require("prim.fs")
local hash = require("plat.hash")
local json = require("plat.json")
local list = require("plat.list")
local pick = require("plat.secret.pick").pick
local proc = require("plat.proc")
local sys = require("prim.sys")

local stub = load(assert(fs.read("tests/lua/k8s_stub.lua")), "@k8s_stub.lua")()

-- Made for this test by ansible-vault of ansible-core 2.18; the password is "correct horse".
local INLINE = [[
token: !vault |
    $ANSIBLE_VAULT;1.2;AES256;dev
    36643937303661326534356339306561343738386339303730636433306130356262346532396162
    3336626661663037643961663130386265326430316266380a373036333433646665376339643837
    30613864656637623031613663636532333137653337396561626436303837353334363735396238
    3762353637643731660a626331623565396336646262663833396362393332663137393730346438
    3433
open: in clear text
]]
local WHOLE = [[
$ANSIBLE_VAULT;1.1;AES256
31346137613762353432393739633334666639373933313136363435653165623738373936623739
3335316466393131336537303534656662303461323934320a363532393135323661663261336233
38303865663539383265316234333736363332396237646461376236346432323837633039616239
3638376430353538300a623861663734376131313964306138306331633363393433356264376135
33616532323433616639613664313632396161663936643566613238333935323938303737646561
39323433363761336135346439613864383436366232663232396463643337316463346464663966
61613662333630353132656438363636313238376532373062363435356262326130656464613765
65626562363833303332316533663833646634643637666261613337356130393130346439643762
34613964343663376266623932663534386238306366623036663433663632633366
]]

--- Reads a reference.
local function read(ref, ctx)
  local scheme, rest = ref:match("^(%w+):(.*)$")
  return require("plat.secret.source." .. scheme).read(rest, ctx or {})
end

--- Reads what must fail; returns the text of the error, which names the reference, but no content.
local function refusal(t, kind, ref, ctx)
  local err = t.fails(kind, read, ref, ctx)
  t.equal(err.object, ref)
  t.ok(not fault.text(err, 3):find("s3cr3t", 1, true), fault.text(err, 3))
  t.ok(not json.encode({ err.detail or "" }):find("s3cr3t", 1, true), "in detail")
  return fault.text(err)
end

local function write(path, text, mode)
  fault.must({}, fs.write(path, text, { mode = mode or 384 })) -- 0600
  return path
end

--- Replaces variables of the environment; false removes one.
local function with_env(t, vars)
  local real = sys.getenv
  t.defer(function()
    sys.getenv = real
  end)
  function sys.getenv(name) -- luacheck: ignore
    if vars[name] ~= nil then
      return vars[name] or nil
    end
    return real(name)
  end
  return vars
end

--- Programs that sources start are searched in this folder only.
local function with_path(t, dir)
  local real = proc.read
  t.defer(function()
    proc.read = real
  end)
  function proc.read(argv, opts) -- luacheck: ignore
    return real(argv, list.merge(opts, { env = { PATH = dir } }))
  end
end

return {
  ["file: the content without one newline at its end"] = function(t)
    local dir = t.tmp()
    t.equal(read("file:" .. write(dir .. "/a", "pass word\n")), "pass word")
    t.equal(read("file:" .. write(dir .. "/b", "two\n\n")), "two\n")
    t.equal(read("file:" .. write(dir .. "/c", "dos\r\n")), "dos")
    t.equal(read("file:" .. write(dir .. "/d", "\0\255", 256)), "\0\255") -- 0400
    with_env(t, {})
    local home = sys.home
    t.defer(function()
      sys.home = home
    end)
    function sys.home() -- luacheck: ignore
      return dir
    end
    t.equal(read("file:~/a"), "pass word")
  end,

  ["file: rights of others, a missing one, a folder, too much"] = function(t)
    local dir = t.tmp()
    local path = write(dir .. "/a", "s3cr3t", 416) -- 0640
    local text = refusal(t, "refused", "file:" .. path)
    t.match(text, "others can use the file .*/a %(mode 0640%)\nhint: chmod 600 ")
    for _, mode in ipairs({ 420, 388, 385, 386, 392, 400, 511 }) do
      fs.remove(path)
      refusal(t, "refused", "file:" .. write(path, "s3cr3t", mode))
    end
    t.match(refusal(t, "io", "file:" .. dir .. "/none"), "no such file.*hint: check the path")
    t.match(refusal(t, "io", "file:" .. dir), "is a directory, not a file")
    t.match(refusal(t, "io", "file:/dev/null"), "is a char, not a file")
    t.match(refusal(t, "parse", "file:" .. write(dir .. "/e", "\n")), "the file .*/e is empty")
    refusal(t, "usage", "file:")
    local big = write(dir .. "/big", ("s3cr3t!!"):rep(131073))
    refusal(t, "refused", "file:" .. big)
  end,

  ["file: a foreign owner is refused, root is not"] = function(t)
    local dir = t.tmp()
    local path = write(dir .. "/a", "s3cr3t")
    local uid, stat = sys.uid, fs.stat
    t.defer(function()
      sys.uid, fs.stat = uid, stat
    end)
    local owner = 0
    function fs.stat(p, opts) -- luacheck: ignore
      local info, err = stat(p, opts)
      if info then
        info.uid = owner
      end
      return info, err
    end
    function sys.uid() -- luacheck: ignore
      return 1000
    end
    t.equal(read("file:" .. path), "s3cr3t")
    owner = 1001
    t.match(refusal(t, "refused", "file:" .. path), "belongs to user id 1001, neither to")
  end,

  ["env: a variable as it is, or what to do"] = function(t)
    with_env(t, { DB_PASSWORD = " s3cr3t\n", EMPTY = "" })
    t.equal(read("env:DB_PASSWORD"), " s3cr3t\n")
    t.match(refusal(t, "io", "env:EMPTY"), "$EMPTY is empty")
    t.match(refusal(t, "io", "env:NO_SUCH_NAME"), "$NO_SUCH_NAME is not set\nhint: cron")
    for _, name in ipairs({ "", "A-B", "1A", "A B", "A=B", "$A" }) do
      t.match(refusal(t, "usage", "env:" .. name), "is not the name of a variable")
    end
  end,

  ["credential: what systemd loaded, with its group bits"] = function(t)
    local dir = t.tmp()
    local vars = with_env(t, { CREDENTIALS_DIRECTORY = dir })
    write(dir .. "/db", "s3cr3t\n", 288) -- 0440: an ACL of systemd shows as group
    t.equal(read("credential:db"), "s3cr3t")
    t.equal(read("file:" .. dir .. "/db"), "s3cr3t")
    t.match(refusal(t, "io", "credential:web"), "hint: put LoadCredential=web:PATH into the unit")
    fs.remove(dir .. "/db")
    write(dir .. "/db", "s3cr3t\n", 292)
    refusal(t, "refused", "credential:db")
    for _, name in ipairs({ "", "..", "a/b", "/etc/shadow" }) do
      t.match(refusal(t, "usage", "credential:" .. name), "is not the name of a credential")
    end
    vars.CREDENTIALS_DIRECTORY = false
    local text = refusal(t, "io", "credential:db")
    t.match(text, "systemd sets it for a unit that loads credentials")
    t.match(text, "hint: put LoadCredential=db:PATH into the unit, or use file:PATH")
  end,

  ["command: lists and plain words, no shell"] = function(t)
    t.equal(read('command:["printf", "%s|%s\\n", "a b", "$HOME"]'), "a b|$HOME")
    t.equal(read("command:echo  two \t  words "), "two words")
    for _, ref in ipairs({
      "command:",
      "command:  ",
      "command:[]",
      'command:["a", 1]',
      'command:[""]',
    }) do
      refusal(t, "usage", ref)
    end
    t.match(refusal(t, "usage", 'command:["a"'), "is not a JSON list of texts: ")
    for _, word in ipairs({ "pass 'a b'", 'echo "x"', "echo $X", "a | b", "a > b", "a;b" }) do
      t.match(refusal(t, "usage", "command:" .. word), "no quotes, no variables, no pipes")
    end
  end,

  ["command: a failure tells stderr, never what was printed"] = function(t)
    local dir = t.tmp()
    local function script(name, body)
      return "command:" .. write(dir .. "/" .. name, "#!/bin/sh\n" .. body, 448)
    end
    local text = refusal(t, "auth", script("a", "echo s3cr3t; echo 1 >&2; echo locked >&2; exit 3"))
    t.match(text, "/a: exit 3: locked$")
    t.match(refusal(t, "auth", script("b", "echo s3cr3t; exit 1")), "/b: exit 1$")
    t.match(refusal(t, "auth", script("c", "echo s3cr3t; kill -9 $$")), "/c: ended by SIGKILL$")
    t.match(refusal(t, "auth", script("d", "echo s3cr3t >&-")), "/d: ") -- stdout is closed
    t.match(refusal(t, "auth", script("e", "true")), "/e printed nothing")
    t.match(refusal(t, "io", "command:no-such-program-here x"), "no program")
    refusal(t, "refused", script("f", "while :; do echo s3cr3ts3cr3ts3cr3t; done"))
  end,

  ["k8s: a key of a Secret, of the run's cluster"] = function(t)
    local secret = {
      kind = "Secret",
      apiVersion = "v1",
      metadata = { name = "db", namespace = "data" },
      data = {
        password = hash.base64("s3cr3t"),
        ["tls.key"] = hash.base64("line\n"),
        bad = "s3cr3t!",
        none = "",
      },
    }
    stub.open(t, {
      ["GET /api/v1/namespaces/data/secrets/db"] = { body = secret },
      ["GET /api/v1/namespaces/web/secrets/db"] = {
        status = 403,
        body = stub.status(403, "Forbidden", 'secrets "db" is forbidden: User "ci" cannot get'),
      },
      ["GET /api/v1/namespaces/data/secrets/hollow"] = {
        body = { kind = "Secret", apiVersion = "v1", metadata = { name = "hollow" } },
      },
      ["GET /api/v1/namespaces/data/secrets/gone"] = {
        status = 404,
        body = stub.status(404, "NotFound", 'secrets "gone" not found', { name = "gone" }),
      },
    })
    local ctx = {
      cluster = {
        namespace = "data",
        kubernetes = { server = "https://stub:6443", name = "stub" },
      },
    }
    t.equal(read("k8s:db/password", ctx), "s3cr3t")
    t.equal(read("k8s:data/db/tls.key", ctx), "line\n")
    local text = refusal(t, "http", "k8s:db/user", ctx)
    t.match(
      text,
      'the Secret data/db has no key "user"\nhint: its keys are: bad, none, password, tls.key'
    )
    t.match(refusal(t, "http", "k8s:hollow/user", ctx), "hint: it is empty")
    t.match(refusal(t, "http", "k8s:gone/x", ctx), "has no Secret gone in the namespace data")
    t.match(refusal(t, "http", "k8s:web/db/password", ctx), "403 Forbidden: user")
    t.match(refusal(t, "parse", "k8s:db/bad", ctx), 'the value of "bad" is not base64')
    t.match(refusal(t, "parse", "k8s:db/none", ctx), "the value is empty")
    t.match(refusal(t, "usage", "k8s:db/password"), "chosen no cluster yet\nhint: call run:cluster")
    for _, rest in ipairs({ "", "db", "db/", "/db/x", "a/b/c/d" }) do
      t.match(refusal(t, "usage", "k8s:" .. rest, ctx), "hint: write k8s:NAMESPACE/NAME/KEY")
    end
  end,

  ["ansible: a value of an encrypted file, an encrypted value, the whole text"] = function(t)
    local dir = t.tmp()
    with_env(t, {
      ANSIBLE_VAULT_PASSWORD_FILE = write(dir .. "/pw", "correct horse"),
      ANSIBLE_VAULT_IDENTITY_LIST = false,
    })
    local whole, inline = write(dir .. "/db.yml", WHOLE), write(dir .. "/all.yml", INLINE, 420)
    t.equal(read(("ansible:%s#db.password"):format(whole)), "s3cret-Grüße")
    t.equal(read(("ansible:%s#db.port"):format(whole)), "5432")
    t.equal(read(("ansible:%s#db.dotted.key"):format(whole)), "found")
    t.equal(read(("ansible:%s#list.1.name"):format(whole)), "second")
    t.match(read("ansible:" .. whole), "^db:\n.*name: second$")
    t.equal(read(("ansible:%s#token"):format(inline)), "inline-value")
    local text = refusal(t, "parse", ("ansible:%s#db.pass"):format(whole))
    t.match(text, 'there is no "pass" in "db"\nhint: there is: dotted.key, password, port, ratio$')
    text = refusal(t, "refused", ("ansible:%s#open"):format(inline))
    t.match(text, "open in .*/all.yml is not encrypted\nhint: ansible%-vault encrypt ")
    t.match(refusal(t, "refused", "ansible:" .. inline), "all.yml is not encrypted")
    t.match(refusal(t, "parse", ("ansible:%s#db.ratio"):format(whole)), "is a fraction, not text")
    t.match(refusal(t, "parse", ("ansible:%s#db"):format(whole)), "hint: name a field below it")
    t.match(refusal(t, "io", "ansible:" .. dir .. "/none#x"), "no such file")
    refusal(t, "usage", "ansible:#x")
    write(dir .. "/pw", "wrong")
    t.match(
      refusal(t, "auth", ("ansible:%s#db.port"):format(whole)),
      "/db.yml: the password is wrong"
    )
    t.match(
      refusal(t, "auth", ("ansible:%s#token"):format(inline)),
      "/all.yml, token: the password"
    )
    write(dir .. "/pw", "correct horse")
    write(whole, WHOLE:sub(1, 300))
    t.match(refusal(t, "parse", ("ansible:%s#db.port"):format(whole)), "/db.yml: ")
  end,

  ["ansible: a text that is no YAML is not quoted"] = function(t)
    local dir = t.tmp()
    with_env(t, {
      ANSIBLE_VAULT_PASSWORD_FILE = write(dir .. "/pw", "correct horse"),
      ANSIBLE_VAULT_IDENTITY_LIST = false,
    })
    local path = write(dir .. "/x.yml", "a: 1\nb: [s3cr3t\nc: !!int s3cr3t\n")
    local text = refusal(t, "parse", ("ansible:%s#a"):format(path))
    t.match(text, "/x.yml, line %d of the text: not YAML\nhint: leave out #KEY")
    write(path, "just text, s3cr3t\n")
    t.match(refusal(t, "parse", ("ansible:%s#a"):format(path)), "the document has no fields")
  end,

  ["sops: by its program"] = function(t)
    local dir = t.tmp()
    local file = write(dir .. "/db.enc.yaml", "sops: {}\n")
    with_path(t, dir)
    local text = refusal(t, "io", "sops:" .. file)
    t.match(text, "the program sops is not installed.*\nhint: install the package sops")
    local function program(body)
      write(dir .. "/sops", "#!/bin/sh\n" .. body, 448)
    end
    program([[case "$*" in
      "--decrypt --output-type json ]] .. file .. [[") printf '{"db": {"password": "s3cr3t"}}' ;;
      "--decrypt ]] .. file .. [[") printf 'whole s3cr3t\n' ;;
      *) exit 99 ;;
    esac]])
    t.equal(read(("sops:%s#db.password"):format(file)), "s3cr3t")
    t.equal(read("sops:" .. file), "whole s3cr3t")
    text = refusal(t, "parse", ("sops:%s#db.user"):format(file))
    t.match(text, 'there is no "user" in "db"\nhint: there is: password')
    program("echo s3cr3t; echo; echo 'Failed to get the data key' >&2; echo more >&2; exit 128")
    text = refusal(t, "auth", ("sops:%s#a"):format(file))
    t.match(
      text,
      "sops cannot decrypt .*: Failed to get the data key\n  | Failed.*\n  | more\nhint: keys"
    )
    program("echo 's3cr3t {'")
    t.match(refusal(t, "parse", ("sops:%s#a"):format(file)), "what sops printed is not JSON")
    t.match(refusal(t, "io", "sops:" .. dir .. "/none#a"), "no such file")
    refusal(t, "usage", "sops:")
  end,

  ["a path into a document"] = function(t)
    local about = { op = "secret", object = "x" }
    local doc =
      json.decode('{"a": {"b.c": 1, "b": {"c": 2, "d": null}}, "l": [{"k": "v"}], "0": "z"}')
    t.equal(pick(doc, "a.b.c", about), 1, "the longest name wins")
    t.equal(pick(doc, "l.0.k", about), "v")
    t.equal(pick(doc, "0", about), "z")
    t.equal(pick(doc, "a.b.d", about), json.null)
    for path, msg in pairs({
      ["x"] = 'there is no "x" in the document',
      ["a.x.y"] = 'there is no "x" in "a"',
      ["l.1.k"] = 'there is no "1" in "l"',
      ["l.0.k.z"] = '"l.0.k" has no fields',
      ["a.b.d.e"] = '"a.b.d" has no fields',
      [".a"] = 'there is no "" in the document',
    }) do
      t.equal(t.fails("parse", pick, doc, path, about).msg, msg)
    end
    t.match(t.fails("parse", pick, doc, "l.7", about).hint, "there is: 0 to 0")
    t.match(t.fails("parse", pick, json.decode("[]"), "0", about).msg, "in the document")
  end,

  ["in the sandbox, programs of this machine are not run"] = function(t)
    effect.open({ mode = "run", world = { request = function() end } })
    t.defer(effect.close)
    t.match(refusal(t, "refused", "command:echo x"), "not part of the sandbox")
  end,
}
