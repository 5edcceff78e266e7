local log = require("prim.log")

return {
  ["levels filter, and the sink gets what passes"] = function(t)
    local before = log.level()
    local got = {}
    local old = log.sink(function(level, message, fields)
      got[#got + 1] = { level, message, fields or "none" }
    end)
    log.level("warn")
    t.equal(log.enabled("error"), true)
    t.equal(log.enabled("info"), false)
    t.equal(log.write("error", "one", { n = 1 }), true)
    t.equal(log.write("warn", "two"), true)
    t.equal(log.write("info", "three"), false)
    log.sink(old)
    log.level(before)
    t.equal(got, { { "error", "one", { n = 1 } }, { "warn", "two", "none" } })
    t.fails("invalid option", function()
      log.level("loud")
    end)
  end,
}
