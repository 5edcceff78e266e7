--- Which files are mutated, and which tests look at each, the fast ones first.
local function lua(...)
  local out = {}
  for i, name in ipairs({ ... }) do
    out[i] = ("tests/lua/%s_test.lua"):format(name)
  end
  return out
end

local PLAYBOOKS = { "tests/playbooks", "tests/playbooks --twice --plan --undo" }

return {
  {
    name = "playbooks",
    files = "playbooks/*.lua",
    tests = { "tests/lua/schedule_test.lua" },
    last = { PLAYBOOKS[1], PLAYBOOKS[2], "tests/playbooks --faults" },
  },
  {
    name = "k8s",
    files = "stdlib/plat/k8s.lua stdlib/plat/k8s/*.lua",
    tests = lua(
      "k8s_errors",
      "k8s_causes",
      "k8s_status",
      "k8s_predict",
      "k8s_plan",
      "k8s_explain",
      "k8s_connect",
      "k8s_handle",
      "k8s_talk",
      "k8s_discovery",
      "k8s_scale",
      "plan",
      "k8s_kubeconfig",
      "k8s_watch",
      "secret_use",
      "k8s_wait",
      "k8s_client"
    ),
    last = { PLAYBOOKS[1], "tests/playbooks --twice --plan --undo" },
  },
  {
    name = "dremio",
    files = "stdlib/plat/dremio.lua stdlib/plat/dremio/*.lua",
    tests = lua(
      "dremio",
      "dremio_query",
      "dremio_session",
      "dremio_drain",
      "fleet",
      "fleet_work",
      "schedule"
    ),
    last = PLAYBOOKS,
  },
  {
    name = "run",
    files = "stdlib/plat/run.lua stdlib/plat/run/*.lua stdlib/plat/run/*/*.lua",
    tests = lua(
      "run",
      "run_key",
      "run_pending",
      "undo",
      "rollout",
      "rollout_course",
      "rollout_resume",
      "rollout_watch",
      "run_hosts_drop",
      "approve",
      "journal",
      "resume",
      "runs",
      "run_hosts",
      "lock"
    ),
    last = {
      "tests/lua/secret_use_test.lua",
      "tests/e2e/endings.sh",
      "tests/e2e/sandbox.sh",
      "tests/e2e/runs.sh",
      "tests/e2e/plans.sh",
      "tests/e2e/inventory.sh",
      PLAYBOOKS[1],
      PLAYBOOKS[2],
      "tests/playbooks --crash",
    },
  },
  {
    name = "effect",
    files = "stdlib/plat/effect.lua stdlib/plat/effect/*.lua",
    tests = lua(
      "effect_door",
      "effect_files",
      "effect",
      "plan",
      "plan_saved",
      "run",
      "k8s_predict",
      "undo",
      "resume",
      "secret_use",
      "sim_faults",
      "sim_host_world",
      "lock",
      "http_face"
    ),
    last = { PLAYBOOKS[1], PLAYBOOKS[2], "tests/e2e/plans.sh" },
  },
}
