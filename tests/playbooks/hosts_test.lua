--- Playbooks on simulated hosts: what is on them, what a rule answers, what is wrong with one.

return {
  ["ping reaches the hosts of the sandbox"] = {
    playbook = "playbooks/ping.lua",
    says = "8 of 8 hosts answer",
    changes = 0,
  },
  ["facts tells what they are"] = {
    playbook = "playbooks/facts.lua",
    args = { hosts = "pg-1.sandbox" },
    says = {
      "pg%-1.sandbox: Debian GNU/Linux 12 %(bookworm%), 6.1.0%-25%-amd64 x86_64, 4 processors",
      "14.9 GiB, up 14d1h",
    },
    changes = 0,
  },
  ["hosts of the test's own"] = {
    playbook = "playbooks/ping.lua",
    inventory = "a1,a2,",
    hosts = { a1 = {}, a2 = { rules = { { { "true" }, { code = 1, stderr = "sick\n" } } } } },
    says = { "1 of 2 hosts answer", "a2: .*exit 1: sick" },
    exit = 2,
  },
  ["a setting and a restart, host by host, in all modes"] = {
    playbook = "tests/playbooks/parts/reconfigure.lua",
    changes = 6,
    modes = { "crash", "faults", "twice", "plan", "undo" },
    goal = function(world)
      for i = 1, 3 do
        local host = world:host(("pg-%d.sandbox"):format(i))
        local text = host.files["/etc/postgresql/15/main/postgresql.conf"].content
        if not text:find("max_connections = 300", 1, true) then
          return false, host.name .. ": " .. text
        elseif host.services.postgresql.state ~= "active" then
          return false, host.name .. " does not run"
        end
      end
      return true
    end,
    invariant = {
      ["two databases run at any time"] = function(world)
        local n = 0
        for i = 1, 3 do
          local unit = world:host(("pg-%d.sandbox"):format(i)).services.postgresql
          n = n + (unit.state == "active" and 1 or 0)
        end
        return n >= 2, n .. " of 3 run"
      end,
    },
  },
}
