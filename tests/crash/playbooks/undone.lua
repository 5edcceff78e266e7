--- Makes four ConfigMaps and fails: what is kept stays, what stands before a point of no return
--- stays too, and the rest is taken back, the last first.

local k8s = require("plat.k8s")

---@type plat.Playbook
local M = {
  summary = "Make things and take them back",
  risk = "disruptive",
  args = {
    gate = { type = "boolean", default = false, help = "passes a point of no return" },
    rescue = { type = "boolean", default = false, help = "a failure on the way is caught" },
  },
  undo = {},
}

--- Removes a ConfigMap.
function M.undo.remove(run, saved)
  local cluster = run:cluster()
  k8s.connect(cluster.kubernetes):delete("configmap", cluster.namespace, saved.name)
end

function M.run(run, args)
  local cluster = run:cluster()
  local api = k8s.connect(cluster.kubernetes)
  local function make(step, name)
    step:undo("remove", { name = name })
    api:create({
      apiVersion = "v1",
      kind = "ConfigMap",
      metadata = { name = name, namespace = cluster.namespace },
    })
  end

  run:step("make what is kept", { keep = true }, function(step)
    make(step, "crash-kept")
  end)
  local value = run:step("make the early one", { returns = true }, function(step)
    make(step, "crash-early")
    return { made = "crash-early" }
  end)
  run:must(value.made == "crash-early", "the value of the step is lost")
  if args.rescue then
    local _, err = try(function()
      run:step("fail on the way", function(step)
        make(step, "crash-rescued")
        run:must(false, "this failure is caught")
      end)
    end)
    run:must(err and err.msg == "this failure is caught", "the failure is lost")
  end
  run:step("pass the gate", { no_return = args.gate }, function(step)
    make(step, "crash-gate")
    run:step("make the late one", function(inner)
      make(inner, "crash-late")
    end)
  end)
  run:must(args.rescue, "this is where it fails")
end

return M
