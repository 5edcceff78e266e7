--- plat.diff against diff(1).
local diff = require("plat.diff")
local fs = require("prim.fs")
local proc = require("prim.proc")

local function real(t, a, b)
  local dir = t.tmp()
  assert(fs.write(dir .. "/a", a))
  assert(fs.write(dir .. "/b", b))
  local out = assert(proc.run({ "diff", "-u", dir .. "/a", dir .. "/b" })).stdout
  return (out:gsub("^%-%-%- [^\n]*\n%+%+%+ [^\n]*\n", ""))
end

--- Returns a text after the hunks are applied by patch(1).
local function patched(t, a, hunks)
  local dir = t.tmp()
  assert(fs.write(dir .. "/a", a))
  local text = "--- a\n+++ a\n" .. hunks
  local out = assert(proc.run({ "patch", "-s", dir .. "/a" }, { stdin = text }))
  assert(out.code == 0, out.stdout .. out.stderr .. hunks)
  return assert(fs.read(dir .. "/a"))
end

return {
  ["small differences look as diff shows them"] = function(t)
    local long = ("line\n"):rep(3) .. "x\n" .. ("more\n"):rep(12) .. "y\nz\n"
    for _, case in ipairs({
      { "", "one\n" },
      { "one\n", "" },
      { "a\nb\nc\n", "a\nB\nc\n" },
      { "a\nb", "a\nb\n" },
      { "a\n", "a" },
      { long, (long:gsub("x", "X"):gsub("z", "Z")) },
      { long, "first\n" .. long .. "last\n" },
    }) do
      t.equal(diff.unified(case[1], case[2]), real(t, case[1], case[2]))
    end
    t.equal(diff.unified("same\n", "same\n"), "")
    t.equal(diff.unified("", ""), "")
  end,

  ["what is shown leads from the one text to the other"] = function(t)
    if (proc.run({ "sh", "-c", "command -v patch" }) or {}).code ~= 0 then
      t.skip("no patch(1)")
    end
    math.randomseed(7)
    for _ = 1, 40 do
      local a, b = {}, {}
      for i = 1, math.random(0, 40) do
        local line = tostring(math.random(1, 6))
        a[i] = line
        if math.random() > 0.2 then
          b[#b + 1] = line
        end
        if math.random() < 0.2 then
          b[#b + 1] = tostring(math.random(1, 6))
        end
      end
      local from, to = table.concat(a, "\n") .. "\n", table.concat(b, "\n") .. "\n"
      if from ~= to then
        t.equal(patched(t, from, diff.unified(from, to)), to)
      end
    end
  end,

  ["texts that have nothing in common are one block"] = function(t)
    local a, b = ("a\n"):rep(3000), ("b\n"):rep(3000)
    local out = diff.unified(a, b)
    t.match(out, "^@@ %-1,3000 %+1,3000 @@\n%-a\n")
    t.equal(select(2, out:gsub("\n", "")), 6001)
  end,
}
