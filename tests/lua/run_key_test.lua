local key = require("plat.run.key")

local function outwards(text)
  local found = {}
  for at in key.outwards(text) do
    found[#found + 1] = at
  end
  return found
end

return {
  ["a key is inside itself and those around it, by whole titles"] = function(t)
    t.equal(key.is_inside("a/b", "a/b"), true)
    t.equal(key.is_inside("a/b/c", "a/b"), true)
    t.equal(key.is_inside("a/bc", "a/b"), false)
    t.equal(key.is_inside("a", "a/b"), false)
    t.equal(key.is_inside("a.b/c", "a%b"), false)
  end,
  ["outwards: the key first, the outermost last"] = function(t)
    t.equal(outwards("a"), { "a" })
    t.equal(outwards("a/b #2/c"), { "a/b #2/c", "a/b #2", "a" })
    t.equal(outwards("undo:a/b|set|1"), { "undo:a/b|set|1", "undo:a" })
  end,
  ["whatever lies on the way outwards is around the key, and nothing else is"] = function(t)
    local whole = "a/b/c/d"
    local around = {}
    for at in key.outwards(whole) do
      around[at] = true
    end
    for size = 1, #whole do
      local part = whole:sub(1, size)
      t.equal(around[part] or false, key.is_inside(whole, part), part)
    end
  end,
  ["titles are joined; the outermost has nothing around it"] = function(t)
    t.equal(key.join(nil, "a"), "a")
    t.equal(key.join("a/b", "c"), "a/b/c")
  end,
  ["compensations have keys of their own"] = function(t)
    t.equal(key.of_undo("a|set|1"), "undo:a|set|1")
    t.equal(key.is_undo(key.of_undo("a/b|set|1")), true)
    t.equal(key.is_undo("undo:a|set|1/inner"), true)
    t.equal(key.is_undo("the undo:a"), false)
    t.equal(key.is_undo("undo"), false)
  end,
}
