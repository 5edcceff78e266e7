--- Gives the databases another setting, one after the other, and restarts them. For the tests of
--- simulated hosts.

---@type plat.Playbook
local M = {
  summary = "Set max_connections",
  risk = "disruptive",
  args = {
    connections = { type = "integer", default = 300 },
  },
}

local PATH = "/etc/postgresql/15/main/postgresql.conf"

M.undo = {}

function M.undo.put_back(run, saved)
  local host = run:hosts(saved.host)[1]
  host:put(PATH, saved.text)
  host:run({ "systemctl", "restart", "postgresql" }, { recovery = "repeatable" })
end

function M.run(run, args)
  local hosts = run:hosts("postgres")
  local before = run:keep("settings before", function()
    return (run:gather(hosts, function(host)
      return host:get(PATH)
    end))
  end)
  for _, host in ipairs(hosts) do
    local was = before[host.name]
    local text = was:gsub("max_connections = %d+", "max_connections = " .. args.connections)
    if text ~= was then
      run:step("reconfigure " .. host.name, function(step)
        step:undo("put_back", { host = host.name, text = was })
        host:put(PATH, text)
        host:run({ "systemctl", "restart", "postgresql" }, { recovery = "repeatable" })
      end)
    end
  end
  run:prove("every database runs", { within = "2m" }, function()
    local states = run:gather(hosts, function(host)
      return host:read({ "systemctl", "is-active", "postgresql" }, { ok = { 0, 3 } }).stdout
    end)
    for _, state in pairs(states) do
      if state ~= "active\n" then
        return false
      end
    end
    return true
  end)
end

return M
