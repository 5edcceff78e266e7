--- Captures what a live cluster and live hosts are, without their secrets, for plat.sim.fixture.
--- All of it is read.

local fault = require("plat.fault")
local kinds = require("plat.sim.k8s.kinds")
local list = require("plat.list")

local M = {}

--- What passes: events, who holds a lock now, and what the server works out when it is asked.
local PASSING = {
  events = true,
  componentstatuses = true,
  ["events.events.k8s.io"] = true,
  ["leases.coordination.k8s.io"] = true,
}
local REMOVED = "removed by platrun sim record"
local SECRET_NAME =
  { "PASS", "SECRET", "TOKEN", "CREDENTIAL", "PRIVATE", "API_?KEY", "ACCESS_?KEY" }
local LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
local MAX_FILE = 1 << 20

-- ---- clusters ----

local function is_secret_name(name)
  for _, word in ipairs(SECRET_NAME) do
    if name:upper():find(word) then
      return true
    end
  end
  return false
end

local function clean_containers(spec)
  for _, field in ipairs({ "containers", "initContainers", "ephemeralContainers" }) do
    for _, container in ipairs(spec[field] or {}) do
      for _, env in ipairs(container.env or {}) do
        if env.value and is_secret_name(env.name) then
          env.value = REMOVED
        end
      end
    end
  end
end

--- Removes what belongs to nobody else: values of secrets, who wrote which field.
local function clean(object)
  local meta = object.metadata
  meta.managedFields, meta.resourceVersion, meta.selfLink = nil, nil, nil
  if meta.annotations then
    meta.annotations[LAST_APPLIED] = nil
  end
  if object.kind == "Secret" then
    for key in pairs(object.data or {}) do
      object.data[key] = ""
    end
    object.stringData = nil
  end
  local spec = object.spec
  if type(spec) == "table" then
    clean_containers(spec)
    if type(spec.template) == "table" and spec.template.spec then
      clean_containers(spec.template.spec)
    end
  elseif object.kind == "ControllerRevision" then
    local template = object.data and object.data.spec and object.data.spec.template
    if template and template.spec then
      clean_containers(template.spec)
    end
  end
  return object
end

--- Returns the objects of a kind; nil and why where they may not be read or are not served.
local function list_of(client, kind)
  local found, err = fault.try(client.list, client, kind)
  if
    not found
    and err.kind ~= "usage"
    and not (err.code and err.code >= 403 and err.code <= 405)
  then
    error(err, 0)
  end
  return found, err and err.msg
end

--- Returns the kinds that have objects, and which the model does not know.
local function unknown(client, known)
  local texts = {}
  for _, resource in ipairs(client:api_resources()) do
    local id = resource.plural .. (resource.group ~= "" and "." .. resource.group or "")
    if not known[id] and resource.verbs and resource.verbs.list then
      known[id] = true
      local found, why = list_of(client, resource)
      if why or #found > 0 then
        texts[#texts + 1] = ("%s: %s"):format(id, why or ("%d, not modelled"):format(#found))
      end
    end
  end
  return texts
end

--- Returns the objects of a cluster that the model knows, and what is left out: kinds that may
--- not be read, or that the model does not know.
---@async
---@param client plat.k8s.Client
---@return table[] objects
---@return string[] left_out
function M.cluster(client)
  local objects, left_out, known = {}, {}, list.copy(PASSING)
  for _, kind in ipairs(kinds.list) do
    if not known[kind.id] and list.contains(kind.verbs, "list") then
      known[kind.id] = true
      local found, why = list_of(client, kind.id)
      for _, object in ipairs(found or {}) do
        object.apiVersion, object.kind = kind.gv, kind.kind
        objects[#objects + 1] = clean(object)
      end
      left_out[#left_out + 1] = why and ("%s: %s"):format(kind.id, why)
    end
  end
  return objects, table.move(unknown(client, known), 1, 1000, #left_out + 1, left_out)
end

-- ---- hosts ----

local ANY = {}
for code = 0, 255 do
  ANY[code + 1] = code
end

--- Returns what a command says; nil where it fails or is not there.
local function ask(host, ...)
  local out = host:read({ ... }, { ok = ANY })
  return out.code == 0 and out.stdout or nil
end

local function lines_of(text)
  local lines = {}
  for line in (text or ""):gmatch("[^\n]+") do
    lines[#lines + 1] = line
  end
  return lines
end

local function accounts(host, spec)
  local names = {}
  for _, line in ipairs(lines_of(ask(host, "getent", "group"))) do
    local name, gid, members = line:match("^([^:]*):[^:]*:(%d+):(.*)$")
    if name then
      spec.groups[name] = math.tointeger(tonumber(gid))
      names[gid] = names[gid] or { name = name, members = {} }
      for member in members:gmatch("[^,]+") do
        spec.member_of[member] = spec.member_of[member] or {}
        table.insert(spec.member_of[member], name)
      end
    end
  end
  for _, line in ipairs(lines_of(ask(host, "getent", "passwd"))) do
    local name, uid, gid, gecos, home, shell =
      line:match("^([^:]*):[^:]*:(%d+):(%d+):([^:]*):([^:]*):([^:]*)$")
    if name then
      spec.users[name] = {
        uid = math.tointeger(tonumber(uid)),
        group = names[gid] and names[gid].name or name,
        groups = spec.member_of[name],
        gecos = gecos,
        home = home,
        shell = shell,
      }
    end
  end
  spec.member_of = nil
end

local STATES = { active = true, failed = true, inactive = true }

local function services(host, spec)
  local text = ask(
    host,
    "systemctl",
    "list-units",
    "--type=service",
    "--all",
    "--no-legend",
    "--plain",
    "--no-pager"
  )
  for _, line in ipairs(lines_of(text)) do
    local name, loaded, state, description = line:match("^(%S+)%.service +(%S+) +(%S+) +%S+ *(.*)$")
    if loaded == "loaded" and STATES[state] and not name:find("@", 1, true) then
      spec.services[name] = { state = state, description = description }
    end
  end
end

local function disks(host, spec)
  for _, line in ipairs(lines_of(ask(host, "df", "-P", "-k"))) do
    local device, size, used, mount = line:match("^(%S+) +(%d+) +(%d+) +%d+ +%S+ (/.*)$")
    if device and (device:sub(1, 1) == "/" or mount == "/") then
      spec.disks[mount] = {
        device = device,
        size = math.tointeger(tonumber(size)) * 1024,
        used = math.tointeger(tonumber(used)) * 1024,
      }
    end
  end
end

local OTHERS = 36 -- 0044: somebody else may read it, so it is no secret

--- Returns a file as a spec says it; one that only its owner may read keeps its size alone.
local function file(host, path)
  local st = host:stat(path, { follow = false })
  if not st then
    return nil
  elseif st.type == "link" then
    return { to = (ask(host, "readlink", path) or ""):gsub("\n$", "") }
  end
  local names = (ask(host, "stat", "-c", "%U %G", path) or ""):gsub("\n$", "")
  local entry = {
    type = st.type == "directory" and "dir" or nil,
    mode = ("%04o"):format(st.mode),
    owner = names:match("^(%S+)"),
    group = names:match("(%S+)$"),
  }
  if st.type ~= "directory" then
    local secret = st.mode & OTHERS == 0 or st.size > MAX_FILE
    local text = not secret and host:get(path) or nil
    entry.content = text and utf8.len(text) and text or nil
    entry.size = not entry.content and st.size or nil
  end
  return entry
end

--- Returns what a host is, as plat.sim.host.machine takes it.
---@async
---@param host plat.Host
---@param paths string[] of files that belong to it
---@return table spec
function M.host(host, paths)
  local spec = {
    files = {},
    services = {},
    packages = {},
    users = {},
    groups = {},
    disks = {},
    member_of = {},
    user = (ask(host, "whoami") or "root"):match("%S+"),
    kernel = (ask(host, "uname", "-r") or ""):match("%S+"),
    arch = (ask(host, "uname", "-m") or ""):match("%S+"),
    cpus = math.tointeger(tonumber(ask(host, "nproc") or "1")),
  }
  local total = (ask(host, "cat", "/proc/meminfo") or ""):match("MemTotal:%s+(%d+)")
  spec.memory = total and math.tointeger(tonumber(total)) * 1024
  spec.up = tonumber((ask(host, "cat", "/proc/uptime") or ""):match("^[%d.]+"))
  accounts(host, spec)
  services(host, spec)
  disks(host, spec)
  for _, line in ipairs(lines_of(ask(host, "dpkg-query", "-W"))) do
    local name, version = line:match("^([^\t:]+)[^\t]*\t(%S+)$")
    if name then
      spec.packages[name] = version
    end
  end
  spec.files["/etc/os-release"] = { content = ask(host, "cat", "/etc/os-release") }
  for _, path in ipairs(paths) do
    spec.files[path] = file(host, path)
  end
  return spec
end

return M
