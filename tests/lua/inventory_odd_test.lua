--- What tests/fuzz/lua found in inventories: patterns and numbers without end, what is no text.
local fs = require("prim.fs")
local inventory = require("plat.inventory")

local function load_text(t, text, name)
  local path = t.tmp() .. "/" .. (name or "hosts")
  assert(fs.write(path, text, { mode = 420 }))
  return inventory.load(path)
end

return {
  ["a byte order mark at the start is none of the text; elsewhere it is refused"] = function(t)
    local mark = "\u{FEFF}"
    t.equal(load_text(t, mark .. "a1\n"):names("all"), { "a1" })
    t.fails("parse", load_text, t, "a1\n" .. mark .. "a2\n")
  end,

  ["a long section is refused in linear time"] = function(t)
    local began = require("prim.time").cpu()
    t.fails("parse", load_text, t, "[" .. ("2"):rep(200000) .. ":db8::9]\n")
    t.fails("parse", load_text, t, "[2001:db8" .. ("2"):rep(200000) .. "::9]:22\n")
    t.ok(require("prim.time").cpu() - began < 5)
  end,

  ["a range of endless names is refused before they are written down"] = function(t)
    local began = require("prim.time").cpu()
    t.fails("stands for 9999 hosts", load_text, t, ("1.5e-3"):rep(8000) .. "[1:9999]\n")
    t.fails("stands for 9801 hosts", load_text, t, ("a"):rep(8000) .. "[1:99][1:99]\n")
    t.ok(require("prim.time").cpu() - began < 5)
  end,

  ["a pattern that matches in many ways costs little; an index may be any number"] = function(t)
    local long = ("a"):rep(200)
    local inv = load_text(t, long .. "b\n[web]\nweb[1:3]\n")
    t.equal(inv:names(("a*"):rep(150) .. "b"), { long .. "b" })
    t.fails("usage", inv.names, inv, ("a*"):rep(150) .. "c")
    t.equal(inv:names("[v-x]eb[!13-9]"), { "web2" })
    for _, digits in ipairs({ "9", "2147483648", "9223372036854775807", ("9"):rep(30) }) do
      t.equal(inv:names(("web[%s:]"):format(digits)), {})
      t.equal(inv:names(("web[1:%s]"):format(digits)), { "web2", "web3" })
      for _, sign in ipairs({ "", "-" }) do
        t.fails("usage", inv.names, inv, ("web[%s%s]"):format(sign, digits))
      end
    end
  end,

  ["INI that is not UTF-8 is refused with its line"] = function(t)
    t.fails("hosts:2: the line is not UTF%-8", load_text, t, "a\nb x=\xe9\n")
    t.equal(load_text(t, "a x='\\ud800'\n"):names(), { "a" }) -- half a character: no literal
  end,

  ["zero bytes: INI is refused with its line, YAML when its keys are listed"] = function(t)
    t.fails("hosts:2: the line contains a zero byte", load_text, t, "[g:vars]\n\0=\n")
    local inv = load_text(t, 'g:\n hosts: {a: {}}\n vars: {"\\0": 1}\n', "hosts.yml")
    t.fails("parse", inv.list, inv)
    inv = load_text(t, 'g:\n hosts: {a: {"x\\0": 1}}\n', "hosts.yml")
    t.fails("parse", inv.list, inv)
  end,

  ["a line of blanks costs what it is long"] = function(t)
    local blanks = (" \v"):rep(300000)
    t.equal(load_text(t, "a\n" .. blanks .. "\nb" .. blanks .. "\n"):names(), { "a", "b" })
  end,

  ["ranges of any digits, empty names, keys that JSON does not know"] = function(t)
    for _, range in ipairs({ "[:99999999999999999999]", "[1:2:99999999999999999999]" }) do
      t.fails("hosts:1: .*at most 15 digits", load_text, t, "a" .. range .. "\n")
    end
    t.fails("hosts.yml:2: a host needs a name", load_text, t, "g:\n hosts: {'': }\n", "hosts.yml")
    local inv = load_text(t, "a x=\"{'k\\x00': 1}\"\n")
    t.fails("parse", inv.list, inv)
  end,
}
