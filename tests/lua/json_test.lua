local json = require("plat.json")

--- Fails unless the JSON text is read and written back as `want` (default: the text itself).
local function same(t, text, want)
  t.equal(json.encode(json.decode(text)), want or text)
end

--- Fails unless decoding raises kind parse with exactly this message.
local function refused(t, text, msg, opts)
  t.equal(t.fails("parse", json.decode, text, opts).msg, msg)
end

--- Fails unless encoding raises exactly this message.
local function unwritable(t, value, msg)
  local err = t.fails("bug", json.encode, value)
  t.ok(err.msg:find(msg, 1, true), err.msg)
end

--- Returns a generator of pseudo-random integers below n: the same ones in every run.
local function seeded(seed)
  return function(n)
    seed = (seed * 6364136223846793005 + 1442695040888963407) & 0xFFFFFFFFFFFFFFFF
    return (seed >> 33) % n
  end
end

local TEXTS =
  { "", "a", "key", "\0", "\n", '"', "\\", "\u{e9}", "\u{1F600}", "\u{2028}", "\x7f", "/" }

local function random_value(rnd, depth)
  local kind = rnd(depth > 4 and 6 or 8)
  if kind == 0 then
    return json.null
  elseif kind == 1 then
    return rnd(2) == 0
  elseif kind == 2 then
    return (rnd(1 << 31) << 33 | rnd(1 << 31)) >> rnd(64)
  elseif kind == 3 then
    return (rnd(1 << 31) - (1 << 30)) / (1 + rnd(1000)) * 10.0 ^ (rnd(40) - 20)
  elseif kind < 6 then
    return TEXTS[1 + rnd(#TEXTS)] .. TEXTS[1 + rnd(#TEXTS)]
  end
  local out = {}
  for i = 1, rnd(5) do
    local item = random_value(rnd, depth + 1)
    out[kind == 6 and i or TEXTS[2 + rnd(2)] .. i] = item
  end
  return kind == 6 and json.array(out) or out
end

--- Equality that tells integers from floats and arrays from objects.
local function identical(a, b)
  if type(a) ~= "table" or type(b) ~= "table" then
    return a == b and math.type(a) == math.type(b)
  elseif json.is_array(a) ~= json.is_array(b) then
    return false
  end
  for k, v in pairs(a) do
    if not identical(v, b[k]) then
      return false
    end
  end
  for k in pairs(b) do
    if a[k] == nil then
      return false
    end
  end
  return true
end

return {
  ["every kind of value survives the way there and back"] = function(t)
    same(t, '{"a":[1,-2,3.0,-0.0,1.5,1.0e+22,true,false,null,"x",[],{}]}')
    same(t, ' { "b" : [ ] , "a" : { } } ', '{"a":{},"b":[]}')
    same(t, "9223372036854775807")
    same(t, "-9223372036854775808")
    same(t, "1E2", "100.0")
    same(t, "-0", "0")
    same(t, "5.0e-324", "4.94065645841247e-324")
    same(t, "1.7976931348623157e+308")
    same(t, "123456789012345680.0", "1.2345678901234568e+17")
    same(t, "0.1")
    same(t, "null")
    same(t, '""')
  end,

  ["integers and floats are told apart"] = function(t)
    t.equal(math.type(json.decode("3")), "integer")
    t.equal(math.type(json.decode("3.0")), "float")
    t.equal(json.encode(3), "3")
    t.equal(json.encode(3.0), "3.0")
    t.equal(json.encode(2 ^ 53), "9007199254740992.0")
    t.equal(1 / json.decode("-0.0"), -math.huge)
  end,

  ["floats: as many digits as are needed, however they are found"] = function(t)
    local function shortest(v)
      for digits = 15, 17 do
        local text = ("%." .. digits .. "g"):format(v)
        if tonumber(text) == v then
          local mantissa, exponent = text:match("^([^e]*)(.*)$")
          return mantissa .. (mantissa:find(".", 1, true) and "" or ".0") .. exponent
        end
      end
    end
    local below = seeded(20261201)
    local function rnd()
      return below(1 << 30) / (1 << 30)
    end
    local values =
      { 0.0, -0.0, 0.1, 1e-3, 9.99e-4, 7999999999.999999, 8e9, 8946283441.283115, 1e22, -2.5 }
    for _ = 1, 20000 do
      local size = 10 ^ (rnd() * 26 - 8)
      local decimals = 10.0 ^ (rnd() * 10 // 1)
      values[#values + 1] = (rnd() - 0.5) * size
      values[#values + 1] = ((rnd() - 0.5) * size * decimals) // 1 / decimals
      values[#values + 1] = (1.7e9 * decimals + rnd() * 1e9) // 1 / decimals
    end
    for _, v in ipairs(values) do
      if v == v and math.abs(v) < math.huge then
        t.equal(json.encode(v), shortest(v))
      end
    end
  end,

  ["random values, decoded from what was encoded, are identical"] = function(t)
    local rnd = seeded(20260101)
    for _ = 1, 2000 do
      local value = random_value(rnd, 0)
      local text = json.encode(value)
      t.ok(identical(json.decode(text), value), text)
      t.ok(identical(json.decode(json.encode(value, { indent = 3 })), value), text)
    end
  end,

  ["texts: what is written otherwise is found at every place"] = function(t)
    for n = 0, 34 do
      t.equal(json.encode(("~"):rep(n)), '"' .. ("~"):rep(n) .. '"')
      for code = 0, 255 do
        local c = utf8.char(code)
        local quoted = json.encode(c):sub(2, -2)
        t.ok(json.decode('"' .. quoted .. '"') == c, quoted)
        t.equal(#quoted == 1, code >= 32 and code < 127 and c ~= '"' and c ~= "\\")
        for at = 0, n, 3 do
          local before, after = (" "):rep(at), ("}"):rep(n - at)
          t.equal(json.encode(before .. c .. after), '"' .. before .. quoted .. after .. '"')
        end
      end
    end
  end,

  ["texts: escapes, UTF-8, zero bytes"] = function(t)
    same(t, [["\"\\\/\b\f\n\r\t\u0000\u001f"]], [["\"\\/\b\f\n\r\t\u0000\u001f"]])
    t.equal(json.decode([["\u00e9\ud83d\ude00"]]), "\u{e9}\u{1F600}")
    t.equal(json.encode("\u{e9}\u{1F600}"), '"\u{e9}\u{1F600}"')
    t.equal(json.encode("\x7f\u{85}\u{2028}\u{FEFF}"), [["\u007f\u0085\u2028\ufeff"]])
    unwritable(t, { x = { ["a\0b"] = 1 } }, "json.encode: .x: a key contains a zero byte")
    unwritable(t, { a = { "\xff" } }, "json.encode: .a[1]: the text is not UTF-8")
    unwritable(t, "\xc0\x80", "not UTF-8")
    unwritable(t, "\xed\xa0\x80", "not UTF-8")
    unwritable(t, "\xf4\x90\x80\x80", "not UTF-8")
    unwritable(t, "\xe2\x82", "not UTF-8")
    t.equal(json.encode("a\xffb\xe2\x82", { lossy = true }), '"a\u{FFFD}b\u{FFFD}\u{FFFD}"')
  end,

  ["of equal keys the last one counts"] = function(t)
    same(t, '{"a":1,"a":2}', '{"a":2}')
  end,

  ["null is a value, and one value"] = function(t)
    local value = json.decode('{"a":null,"b":[null,1,null]}')
    t.ok(value.a == json.null)
    t.equal(#value.b, 3)
    t.equal(tostring(json.null), "null")
    t.equal(json.encode({ json.null }), "[null]")
  end,

  ["arrays: marked, unmarked and empty"] = function(t)
    t.equal(json.encode({}), "{}")
    t.equal(json.encode(json.array()), "[]")
    t.equal(json.encode(json.array({})), "[]")
    t.equal(json.encode({ 1, 2 }), "[1,2]")
    t.ok(json.is_array(json.decode("[]")))
    t.ok(not json.is_array(json.decode("{}")))
    t.ok(not json.is_array({ 1 }))
    t.fails("a metatable of its own", json.array, setmetatable({}, {}))
  end,

  ["keys are sorted by bytes, indentation is on request"] = function(t)
    t.equal(
      json.encode({ b = 1, a = 2, ["a b"] = 3, B = 4, aa = 5 }),
      '{"B":4,"a":2,"a b":3,"aa":5,"b":1}'
    )
    t.equal(
      json.encode({ a = { 1, { b = 2 } }, c = {}, d = json.array() }, { indent = 2 }),
      '{\n  "a": [\n    1,\n    {\n      "b": 2\n    }\n  ],\n  "c": {},\n  "d": []\n}'
    )
    t.fails("more than 8", json.encode, {}, { indent = 9 })
  end,

  ["what is not data is refused with its path"] = function(t)
    unwritable(t, print, "json.encode: a function is not data")
    unwritable(
      t,
      { spec = { containers = { {}, { x = print } } } },
      ".spec.containers[2].x: a function"
    )
    unwritable(t, { ["a b"] = { print } }, '["a b"][1]: a function')
    unwritable(t, { a = 0 / 0 }, ".a: JSON has no NaN")
    unwritable(t, { a = -math.huge }, ".a: JSON has no infinity")
    unwritable(t, { a = { 1, b = 2 } }, ".a: mixed keys: 1 numbers and 1 texts")
    unwritable(t, { 1, nil, 3 }, "array with holes: 2 elements up to index 3")
    unwritable(t, { [0] = 1 }, "the key 0 is not text")
    unwritable(t, { [1.5] = 1 }, "a key of type number")
    unwritable(t, { [true] = 1 }, "a key of type boolean")
    local array = json.array()
    array.x = 1
    unwritable(t, { a = array }, ".a: an array with text keys")
    local loop = { a = {} }
    loop.a[1] = loop
    unwritable(t, loop, ".a[1]: the value contains itself")
    local shared = { 1 }
    t.equal(json.encode({ shared, shared }), "[[1],[1]]", "the same table twice is no cycle")
    local deep = {}
    for _ = 1, 200 do
      deep = { deep }
    end
    unwritable(t, deep, "nested deeper than 200")
  end,

  ["errors of the text: line, column, one line"] = function(t)
    refused(t, "", "line 1 column 1: unexpected token near end of file")
    refused(t, '{"a": 1,\n "b": }', "line 2 column 7: unexpected token near '}'")
    refused(t, "[1", "line 1 column 2: ']' expected near end of file")
    refused(t, "1 2", "line 1 column 3: end of file expected near '2'")
    refused(t, "[1e400]", "line 1 column 6: real number overflow near '1e400'")
    refused(
      t,
      "12345678901234567890",
      "line 1 column 20: too big integer near '12345678901234567890'"
    )
    t.match(t.fails("parse", json.decode, [["\ud800"]]).msg, "^line 1 column %d+: invalid Unicode")
    t.match(
      t.fails("parse", json.decode, [["\udc00\ud800"]]).msg,
      "^line 1 column %d+: invalid Unicode"
    )
    t.match(t.fails("parse", json.decode, [[{"a\u0000b":1}]]).msg, "NUL byte in object key")
    t.match(t.fails("parse", json.decode, '"\xff"').msg, "unable to decode byte 0xff")
    t.ok(not t.fails("parse", json.decode, '{"a":\1\n}').msg:find("%c"), "no control characters")
    refused(t, "[", "pods.json:1:1: ']' expected near end of file", { name = "pods.json" })
  end,

  ["depth and size have limits"] = function(t)
    local function nested(n, open, close)
      return open:rep(n) .. close:rep(n)
    end
    t.ok(json.decode(nested(200, "[", "]")))
    refused(t, nested(201, "[", "]"), "line 1 column 201: nested deeper than 200")
    refused(t, nested(201, "[\n", "]"), "line 201 column 1: nested deeper than 200")
    refused(t, nested(100000, '{"a":', "}"), "line 1 column 1001: nested deeper than 200")
    refused(t, '["]\\"", [[1]]]', "line 1 column 10: nested deeper than 2", { max_depth = 2 })
    t.fails("less than 1", json.decode, "1", { max_depth = 0 })
    t.fails("more than 200", json.decode, "1", { max_depth = 201 })
    refused(t, "[1]", "line 1 column 1: 3 bytes are more than max_size (2)", { max_size = 2 })
    t.equal(json.decode("[1]", { max_size = 3 }), { 1 })
  end,

  ["broken texts are refused or read, never worse"] = function(t)
    local text = [[{"kind":"Pod","a":[1,2.5e3,"\u00e9\ud83d\ude00",null,true],"b":{"c":{}}}]]
    local rnd = seeded(7)
    for _ = 1, 5000 do
      local at, len = 1 + rnd(#text), rnd(3)
      local broken = text:sub(1, at - 1) .. string.char(rnd(256)):rep(rnd(3)) .. text:sub(at + len)
      local ok, value = pcall(json.decode, broken)
      if ok then
        t.ok(identical(json.decode(json.encode(value)), value), broken)
      else
        t.equal(value.kind, "parse", broken)
      end
    end
  end,
  ["many small documents do not make the collector run all the time"] = function(t)
    local cycles = 0
    local function sentinel() -- dies and is reborn once a cycle
      setmetatable({}, {
        __gc = function()
          cycles = cycles + 1
          sentinel()
        end,
      })
    end
    sentinel()
    local kept = {}
    for i = 1, 4000 do
      kept[i] = json.decode('{"a":1,"b":{"c":"text","d":[1,2,3]}}')
    end
    t.equal(#kept, 4000)
    t.ok(cycles < 40, cycles .. " cycles")
  end,
}
