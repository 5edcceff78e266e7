--- What the files of a simulated host say that the kernel, or a command, makes: /proc, /etc/passwd.

local M = {}

--- Returns /proc/uptime.
---@param host plat.sim.Machine
---@return string
function M.uptime(host)
  local up = host.fleet.now - host.booted
  return ("%.2f %.2f\n"):format(up, up * host.cpus * 0.97)
end

--- Returns /proc/loadavg.
---@param host plat.sim.Machine
---@return string
function M.loadavg(host)
  return ("0.08 0.03 0.01 1/%d %d\n"):format(#host.processes + 90, host.next_pid)
end

--- Returns /proc/meminfo, its first lines.
---@param host plat.sim.Machine
---@return string
function M.meminfo(host)
  local total = host.memory // 1024
  local line = "%-15s %8d kB\n"
  return line:format("MemTotal:", total)
    .. line:format("MemFree:", total * 6 // 10)
    .. line:format("MemAvailable:", total * 8 // 10)
    .. line:format("SwapTotal:", 0)
    .. line:format("SwapFree:", 0)
end

--- Returns which processors are online.
---@param host plat.sim.Machine
---@return string
function M.cpus(host)
  return host.cpus == 1 and "0\n" or ("0-%d\n"):format(host.cpus - 1)
end

--- Returns the kernel's release.
---@param host plat.sim.Machine
---@return string
function M.osrelease(host)
  return host.kernel .. "\n"
end

--- Returns the id of the boot.
---@param host plat.sim.Machine
---@return string
function M.boot_id(host)
  return host:boot_id() .. "\n"
end

--- Returns the host's short name.
---@param host plat.sim.Machine
---@return string
function M.hostname(host)
  return host.name:match("^[^.]+") .. "\n"
end

--- Returns /etc/hosts.
---@param host plat.sim.Machine
---@return string
function M.hosts(host)
  local short = host.name:match("^[^.]+")
  local long = host.domain and short .. "." .. host.domain .. " " or ""
  return ("127.0.0.1 localhost\n%s %s%s\n"):format(host.ip, long, short)
end

--- Returns /etc/machine-id.
---@param host plat.sim.Machine
---@return string
function M.machine_id(host)
  return ("%012x"):format(host:number("machine")):rep(3):sub(1, 32) .. "\n"
end

local function sorted(map, number)
  local names = {}
  for name in pairs(map) do
    names[#names + 1] = name
  end
  table.sort(names, function(a, b)
    local x, y = number(map[a]), number(map[b])
    if x ~= y then
      return x < y
    end
    return a < b
  end)
  return names
end

--- Returns the lines of /etc/passwd, by uid.
---@param host plat.sim.Machine
---@param only? string one user
---@return string
function M.passwd(host, only)
  local lines = {}
  local names = sorted(host.users, function(user)
    return user.uid
  end)
  for _, name in ipairs(names) do
    local user = host.users[name]
    if not only or only == name or only == tostring(user.uid) then
      lines[#lines + 1] = ("%s:x:%d:%d:%s:%s:%s\n"):format(
        name,
        user.uid,
        host.groups[user.group] or user.uid,
        user.gecos or "",
        user.home,
        user.shell
      )
    end
  end
  return table.concat(lines)
end

--- Returns the lines of /etc/group, by gid.
---@param host plat.sim.Machine
---@param only? string one group
---@return string
function M.group(host, only)
  local lines = {}
  local names = sorted(host.groups, function(gid)
    return gid
  end)
  for _, name in ipairs(names) do
    local members = {}
    for user, entry in pairs(host.users) do
      for _, group in ipairs(entry.groups or {}) do
        members[#members + 1] = group == name and user or nil
      end
    end
    local gid = host.groups[name]
    if not only or only == name or only == tostring(gid) then
      lines[#lines + 1] = ("%s:x:%d:%s\n"):format(name, gid, table.concat(members, ","))
    end
  end
  return table.concat(lines)
end

return M
