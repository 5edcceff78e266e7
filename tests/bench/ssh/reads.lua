--- n commands that only look on every host, one connection each, kept until the end.
local fs = require("plat.fs")

---@type plat.Playbook
local M = {
  summary = "Look at hosts",
  risk = "safe",
  args = {
    n = { type = "integer", default = 1, min = 1 },
  },
}

function M.run(run, args)
  local hosts = run:hosts("all")
  run:gather(hosts, function(host)
    for _ = 1, args.n do
      host:read({ "true" })
    end
  end)
  run:must(#fs.list("/proc/self/fd") > #hosts, "a session has ended")
end

return M
