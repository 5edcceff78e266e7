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

--- Where Linux tells what it is; what is missing is left out.
local FILES = {
  "/etc/os-release",
  "/proc/meminfo",
  "/proc/uptime",
  "/sys/devices/system/cpu/online",
}

--- Returns how many processors a list names: "0-3,8". Pure.
local function count(list)
  local n = 0
  for first, last in list:gmatch("(%d+)%-?(%d*)") do
    n = n + (last ~= "" and last - first or 0) + 1
  end
  return math.tointeger(n)
end

--- Returns the facts in the contents of FILES and what `uname -rm` said, nil if it is not Linux.
--- Pure.
function M.parse(contents, kernel)
  local memory = contents:match("MemTotal:%s+(%d+) kB")
  local uptime = contents:match("\n(%d+%.?%d*) %d+%.?%d*\n")
  if not memory or not uptime then
    return nil
  end
  return {
    system = contents:match('PRETTY_NAME="?([^"\n]+)') or "unknown",
    kernel = kernel:match("^[^\n]*"),
    processors = count(contents:match("\n(%d[%d,-]*)\n$") or ""),
    memory = tonumber(memory) * 1024,
    uptime = tonumber(uptime) // 1,
  }
end

function M.run(run, args)
  local hosts = run:hosts(args.hosts)
  local found = run:gather(hosts, function(host)
    local contents = host:read({ "cat", table.unpack(FILES) }, { ok = { 0, 1 } }).stdout
    local kernel = host:read({ "uname", "-rm" }).stdout
    return run:must(M.parse(contents, kernel), host.name .. " answers strangely: is it Linux?")
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
