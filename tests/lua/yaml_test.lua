local fault = require("plat.fault")
local json = require("plat.json")
local list = require("plat.list")
local yaml = require("plat.yaml")

local DIALECTS = { "core", "ansible", "kubernetes" }

--- Returns a generator of pseudo-random integers below n: the same ones in every run.
local function seeded(seed)
  return function(n)
    seed = (seed * 6364136223846793005 + 1442695040888963407) & 0xFFFFFFFFFFFFFFFF
    return (seed >> 33) % n
  end
end

-- Texts that are easily read as something else, and pieces to make more of them.
-- stylua: ignore
local TEXTS = {
  "", " ", "\n", "a", "a\n", "a\n\n", "\na", " a\nb", "a\n b\n", "a\n \nb", "a\t", "\ta", "a b",
  "a: b", "a:", ":a", "a #b", "#a", "- a", "-", "-a", "--- a", "---", "...", "? a", "?", "&a",
  "*a", "!a", "|", ">", "'", '"', "%a", "@a", "`a", "~", "null", "Null", "yes", "No", "on", "y",
  "n", "true", "FALSE", "0644", "0o17", "0x1F", "0b1", "0b-1", "1_000", "22:22", "1e3", "1.5",
  ".5", ".inf", ".NaN", "+12", "012345678", "2001-12-14", "2001-12-14T21:59:43Z", "=", "<<",
  "[a]", "{a: 1}", "a, b", "]", "\0", "\x7f", "\r", "a\r\nb", "\u{85}", "\u{a0}", "\u{2028}",
  "\u{feff}", "\u{e9}", "\u{1F600}", "\u{fffe}", "a\u{2029}b\n", "http://h:80/#x", "10.0.0.1",
  "1.30", "{{ a }}", "key: |\n  x\n", "a\n---\nb\n", "a\n...\n", "\\", "\\n", "C:\\x", "_1",
  "-_1",
}

local function random_text(rnd)
  local text = TEXTS[1 + rnd(#TEXTS)]
  if rnd(3) == 0 then
    text = text .. TEXTS[1 + rnd(#TEXTS)]
  end
  return rnd(50) == 0 and text:rep(40) or text
end

local function random_value(rnd, depth)
  local kind = rnd(depth > 4 and 7 or 11)
  if kind == 0 then
    return ({ json.null, true, false })[1 + rnd(3)]
  elseif kind == 1 then
    return (rnd(1 << 31) << 33 | rnd(1 << 31)) >> rnd(64)
  elseif kind == 2 then
    return (rnd(1 << 31) - (1 << 30)) / (1 + rnd(1000)) * 10.0 ^ (rnd(40) - 20)
  elseif kind < 7 then
    return random_text(rnd)
  end
  local out = {}
  for i = 1, rnd(5) do
    local item = random_value(rnd, depth + 1)
    out[kind < 9 and i or random_text(rnd)] = item
  end
  return kind < 9 and json.array(out) or out
end

local function refused(t, text, msg, opts)
  t.equal(t.fails("parse", yaml.decode, text, opts).msg, msg)
end

local function encoded(t, value, text)
  t.equal(yaml.encode(value), text)
  for _, dialect in ipairs(DIALECTS) do
    t.equal(yaml.decode_one(text, { dialect = dialect }), value, dialect)
  end
end

return {
  ["the traps that the dialects exist for"] = function(t)
    local traps = {
      { "yes", "yes", true, true },
      { "y", "y", "y", true },
      { "0644", 644, 420, 420 },
      { "0o17", 15, "0o17", 15 },
      { "22:22", "22:22", 1342, "22:22" },
      { "1_000", "1_000", 1000, 1000 },
      { "0x1F", 31, 31, 31 },
      { "1e3", 1000.0, "1e3", 1000 },
      { "+12", 12, 12, 12 },
      { "012345678", 12345678, "012345678", 12345678 },
      { "2001-12-14", "2001-12-14", "2001-12-14", "2001-12-14" },
      { "Null", json.null, json.null, json.null },
      { "~", json.null, json.null, json.null },
      { "1.30", 1.3, 1.3, 1.3 },
    }
    for _, trap in ipairs(traps) do
      for i, dialect in ipairs(DIALECTS) do
        local got = yaml.decode_one(trap[1], { dialect = dialect })
        local what = dialect .. " " .. trap[1]
        t.equal(got, trap[i + 1], what)
        t.equal(math.type(got), math.type(trap[i + 1]), what)
      end
    end
    t.equal(yaml.decode_one("defaultMode: 0644", { dialect = "kubernetes" }), { defaultMode = 420 })
    t.equal(yaml.decode_one(".inf"), math.huge)
    refused(t, "a: .inf", "yaml:1:4: JSON has no infinity", { dialect = "kubernetes" })
    refused(
      t,
      "a: =",
      "yaml:1:4: =: a plain `=` has no value here: quote it",
      { dialect = "ansible" }
    )
  end,

  ["documents"] = function(t)
    t.equal(yaml.decode(""), {})
    t.equal(yaml.decode("# nothing\n"), {})
    t.equal(yaml.decode("---\na: 1\n---\n- b\n...\n---\n"), { { a = 1 }, { "b" }, json.null })
    t.ok(json.is_array(yaml.decode("")), "the list is an array")
    t.equal(yaml.decode_one(""), json.null)
    t.fails("x.yml: 2 documents, one expected", yaml.decode_one, "a\n---\nb\n", { name = "x.yml" })
    refused(t, "&a x\n---\n*a\n", "yaml:3:1: no anchor &a above this alias")
  end,

  ["empty lists stay lists, null is null"] = function(t)
    local value = yaml.decode_one("a: []\nb: {}\nx:\ny: ''\n")
    t.ok(json.is_array(value.a) and not json.is_array(value.b))
    t.ok(value.x == json.null)
    t.equal(json.encode(value), '{"a":[],"b":{},"x":null,"y":""}')
  end,

  ["Ansible's tags give tables"] = function(t)
    local text =
      "p: !vault |\n  $ANSIBLE_VAULT;1.1;AES256\n  61\nq: !unsafe '{{ x }}'\nr: !unsafe [1]\n"
    t.equal(yaml.decode_one(text, { dialect = "ansible" }), {
      p = { __tag = "!vault", value = "$ANSIBLE_VAULT;1.1;AES256\n61\n" },
      q = { __tag = "!unsafe", value = "{{ x }}" },
      r = { __tag = "!unsafe", value = { 1 } },
    })
    refused(t, text, "yaml:1:4: the tag !vault is not known here")
    refused(
      t,
      "a: !!python/object x",
      "yaml:1:4: the tag tag:yaml.org,2002:python/object is not known here",
      { dialect = "ansible" }
    )
  end,

  ["aliases are copies"] = function(t)
    local value = yaml.decode_one("a: &x {b: [1]}\nc: *x\n")
    t.equal(value.c, { b = { 1 } })
    t.ok(value.a ~= value.c and value.a.b ~= value.c.b)
    t.ok(json.is_array(value.c.b))
    value.c.b[1] = 2
    t.equal(value.a, { b = { 1 } })
  end,

  ["aliases have a budget"] = function(t)
    local lines = { "a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]" }
    for i = 1, 9 do
      lines[#lines + 1] = ("a%d: &a%d [%s]"):format(i, i, ("*a%d, "):format(i - 1):rep(9))
    end
    for _, dialect in ipairs(DIALECTS) do
      refused(
        t,
        table.concat(lines, "\n"),
        "bomb.yml:6:10: aliases expand to more than 100000 nodes",
        { name = "bomb.yml", dialect = dialect }
      )
    end
    t.equal(yaml.decode_one("[&a x, *a, *a]", { max_nodes = 2 }), { "x", "x", "x" })
    refused(
      t,
      "[&a x, *a, *a]",
      "yaml:1:12: aliases expand to more than 1 nodes",
      { max_nodes = 1 }
    )
    refused(t, "&a [*a]", "yaml:1:5: the anchor &a contains itself")
    refused(t, "&a {b: {c: *a}}", "yaml:1:12: the anchor &a contains itself")
    refused(t, "*a", "yaml:1:1: no anchor &a above this alias")
  end,

  ["equal keys are an error that says where"] = function(t)
    refused(t, "a: 1\nb: 2\na: 3\n", 'yaml:3:1: duplicate key "a"')
    refused(t, "a:\n  - {x: 1, 'x': 2}\n", 'yaml:2:12: duplicate key "x"')
    refused(t, '1: a\n"1": b\n', 'yaml:2:1: duplicate key "1"')
    refused(t, "<<: {a: 1}\n<<: {b: 1}\n", 'yaml:2:1: duplicate key "<<": give it a list')
    refused(t, "<<: {a: 1}\na: 2\na: 3\n", 'yaml:3:1: duplicate key "a"')
    refused(t, "yes: 1\ntrue: 2\n", 'yaml:2:1: duplicate key "true"', { dialect = "ansible" })
    t.equal(yaml.decode_one("yes: 1\ntrue: 2\n"), { yes = 1, ["true"] = 2 })
  end,

  ["keys are scalars"] = function(t)
    refused(t, "? [a]\n: 1\n", "yaml:1:3: only a scalar can be a key")
    refused(t, "{? {a: 1} : 2}", "yaml:1:4: only a scalar can be a key")
    refused(t, "a: &x [1]\n*x : 2\n", "yaml:2:1: only a scalar can be a key")
    refused(t, "!vault x: 2\n", "yaml:1:1: only a scalar can be a key", { dialect = "ansible" })
    refused(t, "~: 2\n", "yaml:1:1: null cannot be a key", { dialect = "kubernetes" })
    t.equal(yaml.decode_one("&k a: b\nc: *k\n"), { a = "b", c = "a" })
  end,

  ["depth and size have limits"] = function(t)
    t.ok(yaml.decode_one(("["):rep(200) .. ("]"):rep(200)))
    refused(t, ("["):rep(201) .. ("]"):rep(201), "yaml:1:201: nested deeper than 200")
    refused(t, ("- "):rep(100000), "yaml:1:401: nested deeper than 200")
    refused(t, ("{a: "):rep(100000), "yaml:1:801: nested deeper than 200")
    refused(t, "a: &x [[1]]\nb: [*x]", "yaml:2:5: nested deeper than 3", { max_depth = 3 })
    refused(t, "[[1]]", "yaml:1:2: nested deeper than 1", { max_depth = 1 })
    refused(t, "abc", "yaml:1:1: 3 bytes are more than max_size (2)", { max_size = 2 })
    t.fails("more than 200", yaml.decode, "a", { max_depth = 201 })
    t.fails("is none of core, ansible, kubernetes", yaml.decode, "a", { dialect = "k8s" })
  end,

  ["errors name file, line, column and what"] = function(t)
    refused(
      t,
      "a: 1\nb: [1, 2\nc: 3\n",
      "vars.yml:3:2: did not find expected ',' or ']', while parsing a flow sequence "
        .. "that starts on line 2",
      { name = "vars.yml" }
    )
    refused(t, "a: b: c\n", "yaml:1:5: mapping values are not allowed in this context")
    refused(t, "a: \xff\n", "yaml:1:4: invalid leading UTF-8 octet (0xFF)")
    refused(t, "a: 1\nb: \1\n", "yaml:2:4: control characters are not allowed (0x01)")
    refused(t, "\u{e9}\u{e9}: 1\na: \u{e9}\xff\n", "yaml:2:5: invalid leading UTF-8 octet (0xFF)")
    refused(t, "a: !!int x\n", 'yaml:1:4: "x" does not fit the tag tag:yaml.org,2002:int')
    refused(
      t,
      "a: 99999999999999999999\n",
      "yaml:1:4: 99999999999999999999: the integer does not fit 64 bits: quote it if it is text"
    )
    t.ok(yaml.decode_one("\u{feff}a: 1\n").a == 1, "a byte order mark is skipped")
  end,

  ["what is written: block style, sorted, quoted where any dialect would err"] = function(t)
    encoded(
      t,
      {
        apiVersion = "v1",
        data = {
          ["app.conf"] = "a=1\nb=2\n",
          keep = "x\n\n",
          strip = "x\ny",
          mode = "0644",
          on = "yes",
        },
        empty = { list = json.array(), map = {} },
        items = { 1, 2.5, true, json.null, { name = "a", ports = { { port = 80 } } }, { { "x" } } },
        url = "http://h:80/a#b",
        version = "1.30",
      },
      [[
apiVersion: v1
data:
  app.conf: |
    a=1
    b=2
  keep: |+
    x

  mode: "0644"
  "on": "yes"
  strip: |-
    x
    y
empty:
  list: []
  map: {}
items:
- 1
- 2.5
- true
- null
- name: a
  ports:
  - port: 80
- - - x
url: http://h:80/a#b
version: "1.30"
]]
    )
    encoded(t, "x", "x\n")
    encoded(t, "x\ny\n", "|\n  x\n  y\n")
    encoded(t, json.array(), "[]\n")
    encoded(t, { ["a: b"] = { [""] = "" } }, '"a: b":\n  "": ""\n')
    t.equal(yaml.encode({ "a", { b = 1 } }, { documents = true }), "---\na\n---\nb: 1\n")
    t.equal(yaml.encode({}, { documents = true }), "")
    local digits = ("9"):rep(200)
    encoded(t, digits, '"' .. digits .. '"\n')
    local long = ("k"):rep(2000)
    encoded(t, { [long] = { 1 } }, "? " .. long .. "\n: - 1\n")
  end,

  ["what is no data is not written"] = function(t)
    t.fails("yaml.encode: .a%[1%]: a function is not data", yaml.encode, { a = { print } })
    t.fails("not every dialect has NaN", yaml.encode, 0 / 0)
    t.fails("not every dialect has infinity", yaml.encode, { math.huge })
    t.fails(".a: the text is not UTF%-8", yaml.encode, { a = "\xff" })
    local loop = {}
    loop.a = loop
    t.fails("yaml.encode: .a: the value contains itself", yaml.encode, loop)
  end,

  ["random values read back equal in every dialect"] = function(t)
    local rnd = seeded(20260101)
    for _ = 1, 500 do
      local value = {}
      for _ = 1, 5 do
        value[random_text(rnd)] = random_value(rnd, 0)
      end
      local text = yaml.encode(value)
      for _, dialect in ipairs(DIALECTS) do
        local back, err = fault.try(yaml.decode_one, text, { dialect = dialect })
        t.ok(err == nil, ("%s: %s\n%s"):format(dialect, err and err.msg, text))
        t.ok(list.deep_equal(back, value), dialect .. ":\n" .. text)
        if dialect ~= "kubernetes" then -- which reads 3.0 as 3
          t.equal(yaml.encode(back), text, dialect)
        end
      end
    end
  end,

  ["broken texts are refused or read, never worse"] = function(t)
    local text =
      "a: &x [1, 'b', \"c\\n\"]\nx: |\n  e\n? f\n: *x\ng: {<<: {h: !!str 1}, i: ~}\n--- # j\n- k\n"
    local rnd = seeded(11)
    for _ = 1, 6000 do
      local at, len = 1 + rnd(#text), rnd(4)
      local broken = text:sub(1, at - 1) .. string.char(rnd(256)):rep(rnd(3)) .. text:sub(at + len)
      local value, err = fault.try(yaml.decode, broken, { dialect = DIALECTS[1 + rnd(3)] })
      if err then
        t.equal(err.kind, "parse", broken)
        t.ok(err.msg:find("^yaml:%d+:%d+: ") and not err.msg:find("%c"), err.msg)
      else
        t.ok(json.is_array(value), broken)
      end
    end
  end,
}
