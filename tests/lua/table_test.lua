--- prim.table by its face, plat.list: sorted keys, deep copies, deep comparison; what they refuse.

local json = require("plat.json")
local list = require("plat.list")

local function nest(depth)
  local t = {}
  for _ = 1, depth do
    t = { t }
  end
  return t
end

return {
  ["keys: numbers by value before strings by bytes"] = function(t)
    local keys =
      list.keys({ b = 1, a = 1, [10] = 1, [2] = 1, [-1] = 1, [2.5] = 1, ["10"] = 1, ab = 1 })
    t.equal(keys, { -1, 2, 2.5, 10, "10", "a", "ab", "b" })
    t.equal(list.keys({}), {})
    t.equal(list.keys({ "x", "y" }), { 1, 2 })
    t.equal(list.keys({ ["a\0b"] = 1, ["a"] = 1, ["a\0a"] = 1 }), { "a", "a\0a", "a\0b" })
  end,
  ["keys: as table.sort has them, for many keys of both kinds"] = function(t)
    for n = 1, 300, 13 do
      local map, want = {}, {}
      for i = 1, n do
        local key = ("k%d"):format(i * 7919 % 1009)
        map[key] = true
      end
      for k in pairs(map) do
        want[#want + 1] = k
      end
      table.sort(want)
      map[n] = true
      table.insert(want, 1, n)
      t.equal(list.keys(map), want)
    end
  end,
  ["keys: others are refused"] = function(t)
    t.fails("a key is a boolean", list.keys, { [true] = 1, a = 2 })
    t.fails("a key is a table", list.keys, { [{}] = 1 })
    t.fails("table expected", list.keys, 3)
  end,
  ["copies of the first level, and of several tables"] = function(t)
    local inner = {}
    local from = json.array({ "a", inner, "c" })
    local copy = list.copy(from)
    t.ok(copy ~= from and copy[2] == inner)
    t.equal(json.encode(copy), '["a",{},"c"]')
    t.equal(list.copy({ 1, nil, 3, x = false }), { 1, nil, 3, x = false })
    t.equal(list.copy({}), {})
    t.fails("table expected", list.copy, 3)
    t.equal(
      list.merge({ 1, 2, a = 1 }, nil, { 3, b = 2 }, { a = false }),
      { 3, 2, a = false, b = 2 }
    )
    t.equal(list.merge(), {})
    t.equal(getmetatable(list.merge(from)), nil)
    t.fails("table expected", list.merge, {}, 3)
  end,
  ["copies share metatables and nothing else"] = function(t)
    local from = { a = { b = json.array({}) }, n = 1, [3] = "x" }
    local copy = list.deep_copy(from)
    t.equal(copy, from)
    t.ok(copy.a ~= from.a and copy.a.b ~= from.a.b, "tables of its own")
    t.equal(json.encode(copy.a), '{"b":[]}')
    t.equal(list.deep_copy("text"), "text")
    t.equal(list.deep_copy(nest(150)), nest(150))
    t.fails("nested deeper", list.deep_copy, nest(300))
  end,
  ["comparison is by content, both ways"] = function(t)
    t.ok(list.deep_equal({ 1, { a = 2 } }, { 1, { a = 2 } }))
    t.ok(not list.deep_equal({ 1 }, { 1, 2 }))
    t.ok(not list.deep_equal({ 1, 2 }, { 1 }))
    t.ok(not list.deep_equal({ a = 1 }, { b = 1 }))
    t.ok(not list.deep_equal({ a = 1 }, { a = "1" }))
    t.ok(not list.deep_equal({}, nil))
    t.ok(list.deep_equal(1, 1.0))
    t.fails("nested deeper", list.deep_equal, nest(300), nest(300))
  end,
}
