--- Files of a simulated host as plat.host's verbs ask for them, and its boots.

local alter = require("plat.sim.host.alter")
local fault = require("plat.fault")
local files = require("plat.sim.host.files")
local modes = require("plat.sim.host.modes")

local M = {}

local ERRNO = {
  EPERM = 1,
  ENOENT = 2,
  EACCES = 13,
  EEXIST = 17,
  ENOTDIR = 20,
  EISDIR = 21,
  EINVAL = 22,
  ENOSPC = 28,
  ENOTEMPTY = 39,
  ELOOP = 40,
}

local function fail(host, call, err)
  fault.raise(
    "io",
    { op = "host." .. call.verb, target = "host " .. host.name, object = call.path },
    {
      msg = files.TEXT[err]:lower(),
      code = ERRNO[err],
      reason = err,
    }
  )
end

local function must(host, call, value, err)
  if not value then
    fail(host, call, err)
  end
  return value
end

local function number_of_mode(host, call, default)
  if call.mode == nil then
    return default
  elseif math.type(call.mode) == "integer" then
    return call.mode
  end
  local mode = modes.read(tostring(call.mode), default or 0, 18)
  return mode or host:unmodelled("the mode " .. tostring(call.mode), "files = {}")
end

local V = {}

--- As the real one: a new file beside the old one takes its place.
function V.put(host, call, user)
  local at, old = files.find(host, user, call.path)
  must(host, call, at, old)
  if old and old.type == "dir" then
    fail(host, call, "EISDIR")
  end
  local mode = number_of_mode(host, call, old and old.mode or 420)
  local aside = at .. ".platrun-new"
  local ok, err = alter.write(host, user, aside, call.content, { mode = mode })
  if not ok then
    alter.remove(host, user, aside)
    fail(host, call, err)
  end
  local own = host.files[aside]
  own.mode = mode
  local other = call.owner and modes.user(host, ("%s"):format(call.owner)) ~= user
  if other and user ~= "root" then
    alter.remove(host, user, aside)
    fail(host, call, "EPERM")
  end
  local kept = user == "root" and old or own
  own.owner = call.owner and modes.user(host, ("%s"):format(call.owner)) or kept.owner
  own.group = call.group and modes.group(host, ("%s"):format(call.group)) or kept.group
  must(host, call, alter.rename(host, user, aside, at))
  return { size = #call.content, sha256 = require("plat.hash").digest("sha256", call.content) }
end

function V.get(host, call, user)
  if call.to then
    fault.raise("refused", { op = "host.get", target = "host " .. host.name, object = call.path }, {
      msg = "this machine is not part of the sandbox: nothing is written to " .. call.to,
      hint = "leave `to` out: the content is returned",
    })
  end
  local content = must(host, call, files.read(host, user, call.path))
  if call.max and #content > call.max then
    fault.raise("io", { op = "host.get", target = "host " .. host.name, object = call.path }, {
      msg = ("it has %d bytes, more than %d"):format(#content, call.max),
    })
  end
  return content
end

local TYPES = { file = "file", dir = "directory", link = "link", char = "other" }

local function describe(host, entry)
  local user = host.users[entry.owner]
  return {
    type = TYPES[entry.type],
    mode = entry.mode,
    size = files.size(host, entry),
    mtime = (entry.mtime or host.booted) // 1,
    uid = user and user.uid or math.tointeger(tonumber(entry.owner)),
    gid = host.groups[entry.group] or math.tointeger(tonumber(entry.group)),
    owner = entry.owner,
    group = entry.group,
    target = entry.to,
  }
end

function V.stat(host, call, user)
  local at, entry = files.existing(host, user, call.path, { follow = call.follow ~= false })
  if not at then
    return (entry == "ENOENT" or entry == "ENOTDIR") and { exists = false }
      or fail(host, call, entry)
  end
  local found = describe(host, entry)
  found.exists = true
  return found
end

function V.list(host, call, user)
  local at, entry = files.existing(host, user, call.path)
  must(host, call, at, entry)
  if entry.type ~= "dir" then
    fail(host, call, "ENOTDIR")
  elseif not files.may(host, user, entry, 4) then
    fail(host, call, "EACCES")
  end
  local out = {}
  for _, name in ipairs(files.names(host, at)) do
    local found = describe(host, files.peek(host, files.join(at, name)))
    found.name = name
    out[#out + 1] = found
  end
  return out
end

function V.remove(host, call, user)
  return must(host, call, alter.remove(host, user, call.path, call.recursive))
end

function V.rename(host, call, user)
  must(host, call, alter.rename(host, user, call.path, call.to))
  return true
end

function V.mkdir(host, call, user)
  must(host, call, alter.make_path(host, user, call.path, number_of_mode(host, call, 493)))
  return true
end

function V.tail(host, call, user)
  local text = must(host, call, files.read(host, user, call.path))
  local lines = {}
  for line in text:gmatch("([^\n]*)\n?") do
    lines[#lines + 1] = line
  end
  if lines[#lines] == "" then
    lines[#lines] = nil
  end
  return table.move(lines, math.max(1, #lines - (call.lines or 10) + 1), #lines, 1, {})
end

function V.reboot(host, call, user)
  if user ~= "root" then
    fail(host, call, "EPERM")
  end
  host.fleet:reboot(host)
  return true
end

function V.boot_id(host)
  return host:boot_id()
end

--- Performs a verb of plat.host. Raises kind "io" with the kernel's word.
---@param host plat.sim.Machine
---@param call table
---@param user string who does it
---@return any
function M.perform(host, call, user)
  local verb = V[call.verb]
  if not verb then
    fault.raise("bug", { target = "host " .. host.name }, {
      msg = ("simulated hosts do not know the verb %s"):format(call.verb),
    })
  end
  return verb(host, call, user)
end

return M
