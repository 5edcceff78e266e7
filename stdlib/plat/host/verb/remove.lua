--- host:remove

local check = require("plat.check")
local files = require("plat.host.files")
local list = require("plat.list")

local REMOVE = check.options(
  "host:remove",
  list.merge(files.COMMON, {
    recursive = { type = "boolean", default = false, help = "with everything in it" },
  })
)

--- Removes a file or directory of a host. Does nothing if it is not there. Never follows links.
---@async
---@param self plat.Host
---@param path string
---@param opts? table recursive, become, timeout
---@return boolean changed
return function(self, path, opts)
  opts = REMOVE(opts)
  files.check_path("host:remove", path, 3)
  if path:find("^/+$") or path:find("/%.%.?/*$") then
    error(("host:remove: %q is never removed"):format(path), 2)
  end
  local before = files.stat(self, "host.remove", path, {
    follow = false,
    become = opts.become,
    timeout = opts.timeout,
  })
  if not before then
    return false
  end
  local _, view = files.planned(self, path)
  local shown = files.shown(path)
  files.ask(self, {
    op = "host.remove",
    path = path,
    opts = opts,
    call = { verb = "remove", path = path, recursive = opts.recursive },
    change = {
      text = ("remove %s%s"):format(shown, opts.recursive and " and all in it" or ""),
      args = { path = shown, recursive = opts.recursive },
      recovery = "repeatable",
      predict = files.always,
      overlay = files.same,
      diff = function()
        return { { path = shown, before = files.outline(before), after = "absent" } }
      end,
    },
    perform = function(transport)
      transport:remove(path, opts.recursive)
      return true
    end,
  })
  if view then
    view:put(path, false)
  end
  return true
end
