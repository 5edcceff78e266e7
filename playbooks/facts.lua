--- Tells what the hosts of a pattern are: system, kernel, processors, memory, how long they run.
local task = require("plat.task")
local text = require("plat.text")

---@type plat.Playbook
local M = {
  summary = "Tell what hosts are",
  risk = "safe",
  args = {
    hosts = { type = "string", default = "all", help = "pattern of hosts" },
  },
}

--- What a POSIX shell on Linux is asked, one answer a line.
local QUESTIONS = [[
. /etc/os-release 2>/dev/null; echo "${PRETTY_NAME:-unknown}"
uname -rm
getconf _NPROCESSORS_ONLN
awk '/^MemTotal/ { print $2 }' /proc/meminfo
cut -d. -f1 /proc/uptime]]

--- Returns the facts in an answer, nil if it is not one. Pure.
function M.parse(answer)
  local lines = {}
  for line in (answer .. "\n"):gmatch("(.-)\n") do
    lines[#lines + 1] = line
  end
  local memory, uptime = tonumber(lines[4]), tonumber(lines[5])
  if not memory or not uptime then
    return nil
  end
  return {
    system = lines[1],
    kernel = lines[2],
    processors = math.tointeger(tonumber(lines[3])),
    memory = memory * 1024,
    uptime = uptime,
  }
end

function M.run(run, args)
  local hosts = run:hosts(args.hosts)
  local results = task.each(hosts, { limit = run.forks, collect = true }, function(host)
    return host:read({ "sh", "-c", QUESTIONS })
  end)
  local failed
  for i, result in ipairs(results) do
    local facts = not result.kind and M.parse(result.stdout)
    if facts then
      run:log(
        "%s: %s, %s, %d processors, %.1f GiB, up %s",
        hosts[i].name,
        facts.system,
        facts.kernel,
        facts.processors or 0,
        facts.memory / 2 ^ 30,
        text.seconds(facts.uptime)
      )
    else
      run:log("%s", result.kind and tostring(result) or hosts[i].name .. ": it answers strangely")
      failed = failed or result.kind and result
    end
  end
  if failed then
    error(failed, 0)
  end
end

return M
