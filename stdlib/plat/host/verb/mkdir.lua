--- host:mkdir

local check = require("plat.check")
local fault = require("plat.fault")
local files = require("plat.host.files")
local list = require("plat.list")

local MKDIR = check.options(
  "host:mkdir",
  list.merge(files.COMMON, {
    mode = { type = "string", default = "0755", help = "octal, of the last one" },
  })
)

--- Makes a directory of a host and those above it. Does nothing if it is there.
---@async
---@param self plat.Host
---@param path string
---@param opts? table mode, become, timeout
---@return boolean changed
return function(self, path, opts)
  opts = MKDIR(opts)
  files.check_path("host:mkdir", path, 3)
  local mode = files.mode_of("host:mkdir", opts.mode)
  local before = files.stat(self, "host.mkdir", path, opts)
  local shown = files.shown(path)
  if before and before.type == "directory" then
    return false
  elseif before then
    fault.raise("refused", { op = "host.mkdir", target = "host " .. self.name, object = shown }, {
      msg = ("there is a %s"):format(before.type),
    })
  end
  local _, view = files.planned(self, path)
  files.ask(self, {
    op = "host.mkdir",
    path = path,
    opts = opts,
    call = { verb = "mkdir", path = path, mode = mode },
    change = {
      text = "make the directory " .. shown,
      args = { path = shown, mode = mode },
      recovery = "repeatable",
      predict = files.always,
      overlay = files.same,
      diff = function()
        return { { path = shown, before = "absent", after = "directory" } }
      end,
    },
    perform = function(transport)
      transport:mkdir(path, mode)
      return true
    end,
  })
  local above = path
  while view and above and above ~= "" and not files.stat(self, "host.mkdir", above, opts) do
    view:put(above, { type = "directory", mode = above == path and mode or nil })
    above = above:match("^(.*)/[^/]*$")
  end
  return true
end
