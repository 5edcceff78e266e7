--- What the mutation run takes for changes that nobody could notice, and what not.
local fs = require("prim.fs")

local function load_tool(name, env)
  local path = ("tests/mutation/%s.lua"):format(name)
  return load(assert(fs.read(path)), "@" .. path, "t", setmetatable(env or {}, { __index = _G }))()
end

local same = load_tool("same")
local sites = load_tool("sites", {
  require = function()
    return same
  end,
})

local function swaps(lines)
  return #sites.of("local function f(a, b, x)\n  " .. lines .. "\nend\n").swap > 0
end

return {
  ["order that matters to nobody is no mutation"] = function(t)
    for _, lines in ipairs({
      "local c = {}\n  local d = a.b:match('x') or 'y'",
      "local c = {}\n  local d = a(b)",
      "local c = a()\n  local d = LIMIT",
      "a.c = b\n  a.d = x",
      "local c = list.get(a, 'b.c')\n  local d = list.get(a, 'b.d') -- why",
      "local c, d = nil, false\n  local e = a.e and math.max(a.e, 1)",
    }) do
      t.ok(not swaps(lines), lines)
    end
  end,

  ["order that may matter is one"] = function(t)
    for _, lines in ipairs({
      "local c = a\n  local d = c",
      "local c = a\n  a = b",
      "local c = b()\n  local d = a()",
      "local c = a.c\n  local d = b()",
      "a.c = 1\n  local d = b(a)",
      "a.c = 1\n  local d = list.get(a, 'c')",
      "a.c = 1\n  local d = a[x]",
      "a.c = 1\n  local d = b.c",
      "a[#a + 1] = x\n  b[#b + 1] = x",
      "a(x)\n  b(x)",
      "local c = a\n  a.d = b\n    or x",
      "local c = a\n  a.d = b -- or\n    -- so\n    and x",
      "local c = f 'x'\n  local d = a",
      "local c = f { a }\n  local d = a",
    }) do
      t.ok(swaps(lines), lines)
    end
  end,

  ["numbers and levels that mean the same"] = function(t)
    local function mutants(line)
      local found = sites.of("local function f(a, b, err)\n  " .. line .. "\nend\n")
      local out = {}
      for _, op in ipairs({ "number", "argument" }) do
        for _, site in ipairs(found[op]) do
          out[#out + 1] = op .. " " .. site.text
        end
      end
      table.sort(out)
      return out
    end
    t.equal(mutants("error(err, 0)"), { "argument " })
    t.equal(mutants("error(a, 0)"), { "argument ", "argument ", "number 1" })
    t.equal(mutants("a = 5 a = a:sub(1, 7)"), {
      "argument ",
      "argument ",
      "number 6",
      "number 8",
    })
    t.equal(mutants("a = 5 a = a:find(b, 1, true)"), { "argument ", "argument ", "number 6" })
    t.equal(mutants("a = 5 a = a:find(b, 2, true)")[3], "number 1")
  end,
}
