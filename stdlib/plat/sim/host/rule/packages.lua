--- dpkg, apt-get and apt-cache. What apt-get tells of its work is not modelled: only what it does.

local R = {}

local FIELDS = {
  Package = function(name)
    return name
  end,
  ["binary:Package"] = function(name)
    return name
  end,
  Version = function(_, version)
    return version
  end,
  Status = function()
    return "install ok installed"
  end,
  ["db:Status-Status"] = function()
    return "installed"
  end,
  ["db:Status-Abbrev"] = function()
    return "ii "
  end,
}
FIELDS["db:Status-Want"] = function()
  return "install"
end

R["dpkg-query"] = function(cmd)
  local opts, names = cmd:options("Wf:s", { ["--show"] = "W", ["--showformat"] = "f" })
  if not opts.W then
    cmd:unmodelled("this: say -W")
  end
  local format = (opts.f and opts.f:gsub("^=", "") or "${binary:Package}\t${Version}\n")
    :gsub("\\n", "\n")
    :gsub("\\t", "\t")
  if not names[1] then
    for name in pairs(cmd.host.packages) do
      names[#names + 1] = name
    end
  end
  for _, name in ipairs(names) do
    local version = cmd.host.packages[name]
    if version then
      cmd:say((format:gsub("%${([^}]*)}", function(field)
        local value = FIELDS[field] or cmd:unmodelled("the field " .. field)
        return value(name, version)
      end)))
    else
      cmd:complain("no packages found matching %s", name)
    end
  end
end

function R.dpkg(cmd)
  local opts, words =
    cmd:options("ls", { ["--compare-versions"] = "c", ["--print-architecture"] = "a" })
  if opts.a then
    cmd:say(cmd.host.arch == "aarch64" and "arm64\n" or "amd64\n")
    return
  elseif not opts.s or not words[1] then
    cmd:unmodelled("this: say -s PACKAGE")
  end
  for _, name in ipairs(words) do
    local version = cmd.host.packages[name]
    if version then
      cmd:say("Package: %s\nStatus: install ok installed\nVersion: %s\n", name, version)
    else
      cmd:tell(1, "dpkg-query: package '%s' is not installed and no information is available", name)
    end
  end
end

local function install(cmd, words)
  local host = cmd.host
  for _, word in ipairs(words) do
    local name, wanted = word:match("^([^=]+)=?(.*)$")
    local offered = host.available[name]
    if not host.packages[name] and not offered then
      cmd:tell(100, "E: Unable to locate package %s", name)
    elseif wanted ~= "" and wanted ~= (offered or host.packages[name]) then
      cmd:tell(100, "E: Version '%s' for '%s' was not found", wanted, name)
    end
  end
  for _, word in ipairs(cmd.code == 0 and words or {}) do
    local name = word:match("^[^=]+")
    host.packages[name] = host.available[name] or host.packages[name]
  end
end

local LOCKED = "E: Could not open lock file /var/lib/dpkg/lock-frontend - "
  .. "open (13: Permission denied)"

local A = {
  update = function() end,
  clean = function() end,
  install = install,
}

function A.remove(cmd, words)
  for _, name in ipairs(words) do
    if not cmd.host.packages[name] and not cmd.host.available[name] then
      return cmd:tell(100, "E: Unable to locate package %s", name)
    end
  end
  for _, name in ipairs(words) do
    local host = cmd.host
    host.available[name] = host.available[name] or host.packages[name]
    host.packages[name] = nil
  end
end
A.purge = A.remove

function A.upgrade(cmd)
  for name in pairs(cmd.host.packages) do
    cmd.host.packages[name] = cmd.host.available[name] or cmd.host.packages[name]
  end
end

R["apt-get"] = function(cmd)
  local long = { ["--yes"] = "y", ["--quiet"] = "q", ["--no-install-recommends"] = "R" }
  local opts, words = cmd:options("yqo:R", long)
  local verb = table.remove(words, 1) or ""
  if not A[verb] then
    cmd:unmodelled("the verb " .. verb)
  elseif cmd.user ~= "root" then
    return cmd:tell(100, LOCKED)
  elseif not opts.y and verb ~= "update" and verb ~= "clean" then
    cmd:unmodelled("a question on stdin: say -y")
  end
  A[verb](cmd, words)
end

R["apt-cache"] = function(cmd)
  local _, words = cmd:options("q")
  if words[1] ~= "policy" or not words[2] or words[3] then
    cmd:unmodelled("anything but policy PACKAGE")
  end
  local name = words[2]
  local installed = cmd.host.packages[name]
  local candidate = cmd.host.available[name] or installed
  if candidate then
    local text = "%s:\n  Installed: %s\n  Candidate: %s\n"
    cmd:say(text, name, installed or "(none)", candidate)
  end
end

return R
