--- Lets ten minutes pass and looks: the world is at rest then, and written down.

local k8s = require("plat.k8s")
local task = require("plat.task")

---@type plat.Playbook
local M = { summary = "Let the sandbox come to rest", risk = "safe", args = {} }

function M.run(run)
  local cluster = run:cluster()
  task.sleep(600)
  k8s.connect(cluster.kubernetes):list("pods", cluster.namespace)
end

return M
