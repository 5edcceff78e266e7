local fs = require("prim.fs")
local proc = require("prim.proc")
local sys = require("prim.sys")
local time = require("prim.time")

return {
  ["one resolver of ours: never libcurl's, each name once, nobody waits for a slow one"] = function(
    t
  )
    local so, log = t.tmp() .. "/slow_resolver.so", t.tmp() .. "/log"
    local cc = assert(proc.run({
      "cc",
      "-shared",
      "-fPIC",
      "-D_GNU_SOURCE",
      "-o",
      so,
      "tests/fakes/slow_resolver.c",
      "-ldl",
    }, { timeout = 20 }))
    t.equal({ cc.code, cc.stderr }, { 0, "" })
    local began = time.mono()
    local out = assert(proc.run({
      sys.getenv("PLATRUN") or "build/platrun",
      "test",
      "tests/fakes/slow_resolver_test.lua",
    }, {
      -- A clean exit joins libuv's threads, and so would wait for the slow lookup.
      env = { LD_PRELOAD = so, SLOW_RESOLVER_LOG = log, PLATRUN_CLEAN_EXIT = false },
      timeout = 20,
    }))
    t.ok(time.mono() - began < 6, "the program ends without the slow lookups")
    t.equal(out.code, 0, out.stdout .. out.stderr)
    local asked = {}
    for name, who in assert(fs.read(log)):gmatch("(%S+) (%S+)\n") do
      t.ok(who:find("^libuv"), ("%s was asked by %s"):format(name, who))
      asked[name] = (asked[name] or 0) + 1
    end
    t.equal(asked, { ["fast.test"] = 1, ["fast.test."] = 1, ["other.test"] = 1, ["slow.test"] = 1 })
  end,
}
