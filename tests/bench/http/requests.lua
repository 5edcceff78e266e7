--- The same as bare.c through prim.http. Run by `platrun test`, for the runner's task and loop; the
--- URL and the number of requests are in build/bench/http/args.
local fs = require("prim.fs")
local http = require("prim.http")
local time = require("prim.time")

return {
  ["requests"] = function(t)
    local url, n = assert(fs.read("build/bench/http/args")):match("(%S+) (%d+)")
    local opts = { url = url }
    for _ = 1, 10 do
      assert(http.request(opts))
    end
    local cpu, wall = time.cpu(), time.mono()
    for _ = 1, tonumber(n) do
      local resp = assert(http.request(opts))
      assert(resp.body == "ok")
    end
    print(("%.0f %.0f"):format((time.cpu() - cpu) * 1e6, (time.mono() - wall) * 1e6))
    t.ok(true)
  end,
}
