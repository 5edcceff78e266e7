--- Reaches every host of a pattern, logs in and runs `true`. Hosts that cannot be reached are told
--- with the cause; the others are not held up by them.
local task = require("plat.task")

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
  local results = task.each(hosts, { limit = run.forks, collect = true }, function(host)
    return host:read({ "true" })
  end)
  local failed
  for _, result in ipairs(results) do
    if result.kind then -- a fault
      run:log("%s", tostring(result))
      failed = failed or result
    end
  end
  if failed then
    error(failed, 0)
  end
  run:log("%d hosts answer", #hosts)
end

return M
