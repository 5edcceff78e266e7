--- What every simulated host has before anything is said of it: the files, users and packages of a
--- small Debian 12. Shared by all hosts, and never changed.

local M = {}

local function dir(mode, group)
  return { type = "dir", mode = tonumber(mode, 8), owner = "root", group = group or "root" }
end

local function file(content, mode, group)
  return {
    type = "file",
    mode = tonumber(mode or "0644", 8),
    owner = "root",
    group = group or "root",
    content = content,
  }
end

local function link(to)
  return { type = "link", mode = 511, owner = "root", group = "root", to = to }
end

--- A file that is made when it is read.
local function live(name)
  return { type = "file", mode = 292, owner = "root", group = "root", live = name }
end

local OS_RELEASE = [[
PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"
NAME="Debian GNU/Linux"
VERSION_ID="12"
VERSION="12 (bookworm)"
VERSION_CODENAME=bookworm
ID=debian
HOME_URL="https://www.debian.org/"
SUPPORT_URL="https://www.debian.org/support"
BUG_REPORT_URL="https://bugs.debian.org/"
]]

M.FILES = {
  ["/"] = dir("0755"),
  ["/bin"] = link("usr/bin"),
  ["/boot"] = dir("0755"),
  ["/dev"] = dir("0755"),
  ["/dev/null"] = { type = "char", mode = 438, owner = "root", group = "root", content = "" },
  ["/etc"] = dir("0755"),
  ["/etc/apt"] = dir("0755"),
  ["/etc/apt/sources.list"] = file("deb http://deb.debian.org/debian bookworm main\n"),
  ["/etc/debian_version"] = file("12.7\n"),
  ["/etc/default"] = dir("0755"),
  ["/etc/group"] = live("group"),
  ["/etc/hostname"] = live("hostname"),
  ["/etc/hosts"] = live("hosts"),
  ["/etc/machine-id"] = live("machine_id"),
  ["/etc/os-release"] = link("../usr/lib/os-release"),
  ["/etc/passwd"] = live("passwd"),
  ["/etc/ssh"] = dir("0755"),
  ["/etc/systemd"] = dir("0755"),
  ["/etc/systemd/system"] = dir("0755"),
  ["/home"] = dir("0755"),
  ["/lib"] = link("usr/lib"),
  ["/opt"] = dir("0755"),
  ["/proc"] = dir("0555"),
  ["/proc/loadavg"] = live("loadavg"),
  ["/proc/meminfo"] = live("meminfo"),
  ["/proc/sys"] = dir("0555"),
  ["/proc/sys/kernel"] = dir("0555"),
  ["/proc/sys/kernel/hostname"] = live("hostname"),
  ["/proc/sys/kernel/osrelease"] = live("osrelease"),
  ["/proc/sys/kernel/random"] = dir("0555"),
  ["/proc/sys/kernel/random/boot_id"] = live("boot_id"),
  ["/proc/uptime"] = live("uptime"),
  ["/root"] = dir("0700"),
  ["/run"] = dir("0755"),
  ["/sbin"] = link("usr/sbin"),
  ["/srv"] = dir("0755"),
  ["/sys"] = dir("0555"),
  ["/sys/devices"] = dir("0755"),
  ["/sys/devices/system"] = dir("0755"),
  ["/sys/devices/system/cpu"] = dir("0755"),
  ["/sys/devices/system/cpu/online"] = live("cpus"),
  ["/tmp"] = dir("1777"),
  ["/usr"] = dir("0755"),
  ["/usr/bin"] = dir("0755"),
  ["/usr/lib"] = dir("0755"),
  ["/usr/lib/os-release"] = file(OS_RELEASE),
  ["/usr/lib/systemd"] = dir("0755"),
  ["/usr/lib/systemd/system"] = dir("0755"),
  ["/usr/local"] = dir("0755"),
  ["/usr/local/bin"] = dir("0755"),
  ["/usr/sbin"] = dir("0755"),
  ["/usr/share"] = dir("0755"),
  ["/var"] = dir("0755"),
  ["/var/backups"] = dir("0755"),
  ["/var/cache"] = dir("0755"),
  ["/var/lib"] = dir("0755"),
  ["/var/log"] = dir("0755"),
  ["/var/run"] = link("/run"),
  ["/var/tmp"] = dir("1777"),
}

--- The names in each folder of the image.
M.CHILDREN = {}

for path in pairs(M.FILES) do
  local folder, name = path:match("^(.*)/([^/]+)$")
  if name then
    folder = folder == "" and "/" or folder
    M.CHILDREN[folder] = M.CHILDREN[folder] or {}
    table.insert(M.CHILDREN[folder], name)
  end
end

M.USERS = {
  root = { uid = 0, group = "root", home = "/root", shell = "/bin/bash", gecos = "root" },
  daemon = { uid = 1, group = "daemon", home = "/usr/sbin", shell = "/usr/sbin/nologin" },
  ["www-data"] = { uid = 33, group = "www-data", home = "/var/www", shell = "/usr/sbin/nologin" },
  nobody = { uid = 65534, group = "nogroup", home = "/nonexistent", shell = "/usr/sbin/nologin" },
}

M.GROUPS = {
  root = 0,
  daemon = 1,
  adm = 4,
  sudo = 27,
  ["www-data"] = 33,
  users = 100,
  nogroup = 65534,
}

M.PACKAGES = {
  bash = "5.2.15-2+b7",
  coreutils = "9.1-1",
  dpkg = "1.21.22",
  ["openssh-server"] = "1:9.2p1-2+deb12u3",
  procps = "2:4.0.2-3",
  sudo = "1.9.13p3-1+deb12u1",
  systemd = "252.30-1~deb12u2",
}

M.SERVICES = {
  cron = {
    description = "Regular background program processing daemon",
    command = "/usr/sbin/cron -f",
  },
  ssh = {
    description = "OpenBSD Secure Shell server",
    command = "sshd: /usr/sbin/sshd -D [listener] 0 of 10-100 startups",
  },
}

return M
