local list = require("plat.list")
local pending = require("plat.run.pending")

--- Returns a list of compensations "STEP|1" for some steps.
local function of(...)
  local all = pending.new()
  for _, step in ipairs({ ... }) do
    all:add({ id = step .. "|1", step = step })
  end
  return all
end

local function steps(entries)
  return list.map(entries, function(entry)
    return entry.step
  end)
end

return {
  ["the oldest is first, what is removed is gone"] = function(t)
    local all = of("a", "b", "c")
    all:remove(all[2])
    t.equal(steps(all), { "a", "c" })
    t.equal({ all:find("b|1"), all:find("c|1") == all[2] }, { nil, true })
  end,
  ["removing what is not there any more changes nothing"] = function(t)
    local all = of("a", "b")
    local a = all[1]
    all:remove(a)
    all:remove(a)
    all:remove({ id = "b|1", step = "b" })
    t.equal(steps(all), { "b" })
  end,
  ["a step has its own and those inside it"] = function(t)
    local all = of("a/x", "b", "a/y/z", "a", "ab")
    t.equal(steps(all:inside("a")), { "a/x", "a/y/z", "a" })
    t.equal(steps(all:inside("a/y")), { "a/y/z" })
    t.equal(all:inside("nobody"), {})
    all:remove(all:find("a/x|1"))
    t.equal(steps(all:inside("a")), { "a/y/z", "a" })
  end,
  ["what is moved to the end is performed next, in its order"] = function(t)
    local all = of("a", "b", "c", "d")
    t.equal(all:move_to_end({ all[1], all[3] }), 2)
    t.equal(steps(all), { "b", "d", "a", "c" })
    t.equal(steps(all:inside("a")), { "a" })
    t.equal(all:move_to_end({}), 4)
    t.equal(#all, 4)
  end,
}
