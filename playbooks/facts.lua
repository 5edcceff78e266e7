--- Tells what the hosts of a pattern are: system, kernel, processors, memory, how long they run.
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
  local found = run:gather(hosts, function(host)
    local answer = host:read({ "sh", "-c", QUESTIONS }).stdout
    return run:must(M.parse(answer), host.name .. " answers strangely: is it Linux?")
  end)
  for name, facts in pairs(found) do
    run:log(
      "%s: %s, %s, %d processors, %.1f GiB, up %s",
      name,
      facts.system,
      facts.kernel,
      facts.processors or 0,
      facts.memory / 2 ^ 30,
      text.seconds(facts.uptime)
    )
  end
end

return M
