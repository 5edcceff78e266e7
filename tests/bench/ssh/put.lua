--- One file onto every host, as a change.

---@type plat.Playbook
local M = {
  summary = "Put a file on hosts",
  risk = "safe",
  args = {
    source = { type = "string" },
    to = { type = "string", help = "the path there, without the host's name behind it" },
  },
}

function M.run(run, args)
  local hosts = run:hosts("all")
  local result = run:on(hosts, function(host)
    run:step("put", function()
      host:put(args.to .. host.name, { from = args.source })
    end)
  end)
  run:must(#result.ok == #hosts, "not all hosts are done")
end

return M
