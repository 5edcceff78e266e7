--- Reaches every host of a pattern, logs in and runs `true`. Hosts that cannot be reached are told
--- with the cause; the others are not held up by them.

---@type plat.Playbook
local M = {
  summary = "Reach hosts and log in",
  risk = "safe",
  args = {
    hosts = { type = "string", default = "all", help = "pattern of hosts" },
  },
}

function M.run(run, args)
  local hosts = run:hosts(args.hosts)
  local _, seen = run:gather(hosts, function(host)
    host:read({ "true" })
  end)
  run:log("%d of %d hosts answer", #seen.ok, #hosts)
end

return M
