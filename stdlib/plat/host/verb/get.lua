--- host:get

local check = require("plat.check")
local effect = require("plat.effect")
local fault = require("plat.fault")
local files = require("plat.host.files")
local hash = require("plat.hash")
local list = require("plat.list")
local local_files = require("plat.effect.files")
local or_clean = require("plat.host.files.sftp").or_clean

local GET = check.options(
  "host:get",
  list.merge(files.COMMON, {
    to = { type = "string", help = "a path of this machine; default: the content is returned" },
    mode = { type = "string", default = "0600", help = "octal, of the local file" },
    max = { type = "bytes", default = "16MB", help = "without `to`: more is refused" },
  })
)

--- Whether the local file is already what the host has.
local function is_same(self, path, before, to, opts)
  local fs = require("prim.fs")
  local st = fs.stat(to)
  if not st or st.type ~= "file" or st.size ~= before.size then
    return false
  end
  local sum = files.sum(self, "host.get", path, opts)
  return sum ~= nil and sum == require("prim.hash").file(to)
end

--- Fetches to a temporary name beside the target, and renames.
local function fetch(transport, path, before, opts)
  local fs = require("prim.fs")
  local about = transport.about
  local dir, base = opts.to:match("^(.-)([^/]+)$")
  local tmp = ("%s.%s.platrun-%s"):format(dir, base, hash.digest("sha256", path):sub(1, 12))
  fs.remove(tmp)
  return or_clean(function()
    transport:fetch(path, tmp, before.size or 0, files.mode_of("host:get", opts.mode))
    local written <close> = fault.must(about, fs.open_append(tmp))
    fault.must(about, written:sync())
    fault.must(about, fs.rename(tmp, opts.to))
    fault.must(about, fs.sync_dir(dir ~= "" and dir or "."))
  end, function()
    fs.remove(tmp)
  end)
end

local function to_file(self, path, opts)
  local before = files.stat(self, "host.get", path, opts)
  if not before then
    files.absent(self, "host.get", path)
  elseif before.type ~= "file" then
    fault.raise("refused", {
      op = "host.get",
      target = "host " .. self.name,
      object = files.shown(path),
    }, { msg = "it is no file but a " .. before.type })
  end
  if not effect.sandbox() and is_same(self, path, before, opts.to, opts) then
    return false
  end
  files.ask(self, {
    op = "host.get",
    path = path,
    opts = opts,
    call = { verb = "get", path = path, to = opts.to },
    change = {
      text = ("fetch %s to %s"):format(files.shown(path), files.shown(opts.to)),
      args = { path = files.shown(path), to = files.shown(opts.to) },
      recovery = "repeatable",
      predict = files.always,
      overlay = files.same,
    },
    perform = function(transport)
      fetch(transport, path, before, opts)
      return true
    end,
  })
  local plan = effect.plan()
  if plan then
    local_files.of(plan):put(opts.to, { type = "file" })
  end
  return true
end

--- Returns the content of a file of a host. With `to` it becomes a file of this machine, which is a
--- change: of any size, at constant memory, atomic; nothing is done where it is the same.
---@async
---@param self plat.Host
---@param path string
---@param opts? table to, mode, max, become, timeout
---@return string|boolean content or, with `to`, whether it was fetched
return function(self, path, opts)
  opts = GET(opts)
  files.check_path("host:get", path, 3)
  files.mode_of("host:get", opts.mode)
  if opts.to then
    return to_file(self, path, opts)
  end
  return files.read(self, "host.get", path, opts)
end
