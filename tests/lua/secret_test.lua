local fault = require("plat.fault")
local json = require("plat.json")
local out = require("plat.out")
local prim = require("prim.secret")
local proc = require("plat.proc")
local raw = require("prim.fs")
local secret = require("plat.secret")
local yaml = require("plat.yaml")

local VALUE = 'p@ss w/rd "1"'

--- Returns what is in a secret, by a program that gets it on its standard input.
local function inside(s)
  return proc.read({ "cat" }, { stdin = s }).stdout
end

return {
  ["a secret does not become text, and says what to do instead"] = function(t)
    local s = secret.new(VALUE, "test:one")
    t.equal(tostring(s), "***")
    t.equal(type(s), "userdata")
    local teaches = 'secret:format%("Bearer %%s"%)'
    for name, fn in pairs({
      concat = function()
        return s .. "x"
      end,
      concat_behind = function()
        return "x" .. s
      end,
      format = function()
        return ("%s"):format(s)
      end,
      format_function = function()
        return string.format("%d %s", 1, s)
      end,
      length = function()
        return #s
      end,
      method = function()
        return s:sub(1)
      end,
    }) do
      local err = t.fails(teaches, fn)
      t.equal(fault.text(err):find(VALUE, 1, true), nil, name)
    end
    t.fails("secret:equal", function()
      return s < "a"
    end)
    t.fails("no fields", function()
      s.x = 1
    end)
    t.fails("a secret value", function()
      return s + 1
    end)
    t.equal(getmetatable(s), "secret")
  end,

  ["what is made of a secret is one again"] = function(t)
    local s = secret.new(VALUE, "test:one")
    t.equal(inside(s:format("Bearer %s 100%%")), "Bearer " .. VALUE .. " 100%")
    t.equal(inside(s:base64()), "cEBzcyB3L3JkICIxIg==")
    t.equal(inside(s:base64url()), "cEBzcyB3L3JkICIxIg")
    t.equal(inside(s:url()), "p%40ss%20w%2Frd%20%221%22")
    t.equal(inside(s:json()), '"p@ss w/rd \\"1\\""')
    t.equal(inside(secret.new(" " .. VALUE .. "\n", "test:two"):trim()), VALUE)
    local two = secret.format("postgres://%s:%s@db:%s", "admin", s:url(), 5432)
    t.equal(inside(two), "postgres://admin:p%40ss%20w%2Frd%20%221%22@db:5432")
    for _, made in ipairs({ s:format("%s!"), s:base64(), s:url(), s:json(), two }) do
      t.ok(secret.is(made))
      t.equal(tostring(made), "***")
    end
    t.fails("2 values for 1 %%s", secret.format, "%s", s, s)
    t.fails("not %%d", secret.format, "%d", s)
    t.fails("number 1 is a table", secret.format, "%s", {})
  end,

  ["base64 of every length and byte"] = function(t)
    local hash = require("plat.hash")
    local bytes = {}
    for i = 0, 255 do
      bytes[i + 1] = string.char(i)
    end
    local all = table.concat(bytes)
    for n = 250, 256 do
      local text = all:sub(1, n)
      local s = secret.new(text, "test:bytes")
      t.ok(s:base64():equal(hash.base64(text)))
      t.ok(s:base64url():equal(hash.base64url(text)))
    end
  end,

  ["equal compares contents"] = function(t)
    local a, b = secret.new(VALUE, "test:a"), secret.new(VALUE, "test:b")
    t.ok(a:equal(b) and a:equal(VALUE) and a == b)
    t.ok(not a:equal(VALUE .. "x") and not a:equal(nil) and not a:equal({}))
    t.ok(a ~= secret.new("something else", "test:c"))
    t.ok(a ~= json.null)
  end,

  ["fields of a JSON secret"] = function(t)
    local s = secret.new('{"db":{"user":"admin","password":"correct horse"},"pin":1234}', "test:j")
    t.equal(inside(s:field("db", "password")), "correct horse")
    t.equal(inside(s:field("pin")), "1234")
    t.equal(out.redact("x correct horse y"), "x *** y")
    t.fails('no field "passwort"', s.field, s, "db", "passwort")
    local err = t.fails("parse", function()
      return secret.new("no JSON at all", "test:k"):field("a")
    end)
    t.equal(fault.text(err, 3):find("no JSON at", 1, true), nil)
  end,

  ["short values are refused, or accepted and not replaced"] = function(t)
    local err = t.fails("usage", secret.new, "12345", "test:pin")
    t.match(fault.text(err), "short = true")
    t.equal(fault.text(err):find("12345", 1, true), nil)
    local s = secret.new("12345", "test:pin", { short = true })
    t.ok(s:equal("12345"))
    t.equal(out.redact("12345"), "12345")
    t.equal(secret.register("12345"), false)
    t.equal(secret.register("123456abc"), true)
    t.equal(out.redact("=123456abc="), "=***=")
  end,

  ["values are replaced in all forms, made ones too"] = function(t)
    local s = secret.new("tr0ub4dor & 3/3", "test:one")
    t.equal(out.redact("tr0ub4dor & 3/3"), "***")
    t.equal(out.redact("a=tr0ub4dor%20%26%203%2F3&b"), "a=***&b")
    t.equal(out.redact("dHIwdWI0ZG9yICYgMy8z"), "***")
    t.equal(out.redact(json.encode({ a = "tr0ub4dor & 3/3" })), '{"a":"***"}')
    local basic = s:format("admin:%s"):base64()
    t.equal(out.redact("Basic " .. inside(basic) .. "."), "Basic ***.")
    t.equal(out.redact("nothing here"), "nothing here")
  end,

  ["text in pieces"] = function(t)
    local s = secret.new("in-two-pieces", "test:one")
    local stream = secret.stream()
    t.equal(stream:feed("before in-two"), "before ")
    t.equal(stream:feed("-pieces after in"), "*** after ")
    t.equal(stream:feed(""), "")
    t.equal(stream:finish(), "in")
    t.ok(s)
  end,

  ["encoders give a secret, or its reference, or refuse"] = function(t)
    local s = secret.new(VALUE, "test:one")
    local data = { user = "admin", list = { s, 1 } }
    local text = json.encode(data)
    t.ok(secret.is(text))
    t.equal(inside(text), '{"list":["p@ss w/rd \\"1\\"",1],"user":"admin"}')
    t.equal(inside(json.encode({ s }, { indent = 1 })), '[\n "p@ss w/rd \\"1\\""\n]')
    t.equal(
      json.encode(data, { secrets = "reference" }),
      '{"list":[{"$secret":"test:one"},1],"user":"admin"}'
    )
    t.fails("%.list%[1%]: a secret may not stand here", function()
      json.encode(data, { secrets = "refuse" })
    end)
    t.equal(
      inside(yaml.encode({ a = s, b = secret.new("plain-word", "test:w") })),
      [[
a: p@ss w/rd "1"
b: plain-word
]]
    )
    t.equal(json.encode({ a = 1 }), '{"a":1}')
    t.fails("not UTF%-8", json.encode, { secret.new("\255\254abcdef", "test:bytes") })
  end,

  ["an encoder redacts texts, and leaves the JSON whole"] = function(t)
    secret.new("123456", "test:pin")
    secret.new("status", "test:word")
    secret.new('x","y":"', "test:nasty")
    secret.new("nutella", "test:n")
    local opts = { redact = true }
    t.equal(
      json.encode({ status = "the status", t = 123456.25, at = "a 123456 b" }, opts),
      '{"at":"a *** b","status":"the ***","t":123456.25}'
    )
    t.equal(json.encode({ x = "x", y = "y" }, opts), '{"x":"x","y":"y"}')
    t.equal(json.encode({ "\nutella", "\\n" }, opts), [=[["\nutella","\\n"]]=])
    t.equal(json.encode({ ["my status"] = 1 }, opts), '{"my ***":1}')
    t.equal(json.encode({ "123456" }), '["123456"]')
  end,

  ["references cross a journal and come back"] = function(t)
    local s = secret.new(VALUE, "test:one")
    local data = {
      plain = { 1, "two", json.null },
      s = s,
      made = s:trim():base64():format("Basic %s for %s", "me"),
      doc = json.encode({ a = { s } }),
      yaml = yaml.encode({ s }),
      url = s:url(),
    }
    data.empty = json.array({})
    local asked = {}
    local back = secret.restore(
      json.decode(json.encode(data, { secrets = "reference" })),
      function(ref)
        asked[ref] = (asked[ref] or 0) + 1
        return secret.new(VALUE, ref)
      end
    )
    t.equal(asked, { ["test:one"] = 5 })
    for _, name in ipairs({ "s", "made", "doc", "yaml", "url" }) do
      t.ok(secret.is(back[name]) and back[name]:equal(data[name]), name)
      t.equal(secret.reference(back[name]), secret.reference(data[name]), name)
    end
    t.equal(back.plain, { 1, "two", json.null })
    t.ok(json.is_array(back.empty))
    local f = secret.new('{"a":{"b":"field-value"}}', "test:json"):field("a", "b")
    local again = json.decode(json.encode(f, { secrets = "reference" }))
    t.ok(secret
      .restore(again, function(ref)
        return secret.new('{"a":{"b":"field-value"}}', ref)
      end)
      :equal("field-value"))
  end,

  ["a generated secret is stored before anybody has it"] = function(t)
    local stored
    local s = secret.generate({
      length = 40,
      alphabet = "ab",
      ref = "test:new",
      store = function(made)
        stored = inside(made)
      end,
    })
    t.match(stored, "^[ab]+$")
    t.equal(#stored, 40)
    t.ok(s:equal(stored))
    t.equal(s:reference(), "test:new")
    t.equal(out.redact(stored), "***")
    t.fails("no room", secret.generate, {
      store = function()
        error("no room")
      end,
    })
    t.fails('"store" is required', secret.generate, {})
    t.fails("less than 16", secret.generate, { length = 8, store = print })
  end,

  ["only the standard library sees a value"] = function(t)
    local s = secret.new(VALUE, "test:one")
    t.fails("only the standard library", function()
      local text = prim.reveal(s)
      return text
    end)
    local dir = t.tmp()
    raw.write(dir .. "/look.lua", 'return require("prim.secret")')
    t.fails("plat%.%* only", require("plat.playbook").load, dir .. "/look.lua")
  end,
}
