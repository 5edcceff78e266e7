--- n commands as changes on every host, each a step, in lockstep.

---@type plat.Playbook
local M = {
  summary = "Run commands on hosts",
  risk = "safe",
  args = {
    n = { type = "integer", default = 20, min = 1 },
  },
}

function M.run(run, args)
  local hosts = run:hosts("all")
  local result = run:on(hosts, function(host)
    for i = 1, args.n do
      run:step("step " .. i, function()
        host:run({ "echo", "step-" .. i })
      end)
    end
  end)
  run:must(#result.ok == #hosts, "not all hosts are done")
end

return M
