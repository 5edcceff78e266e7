--- host:rename

local check = require("plat.check")
local effect = require("plat.effect")
local files = require("plat.host.files")

local RENAME = check.options("host:rename", files.COMMON)

--- Says where both paths have been looked at whether it happened.
local function happened(self, from, to, opts)
  local quiet = { follow = false, become = opts.become, timeout = opts.timeout }
  local source = files.stat(self, "host.rename", from, quiet)
  local target = files.stat(self, "host.rename", to, quiet)
  return not source and target ~= nil
end

--- Renames a file or directory of a host. A file at the new path is replaced; both are in one file
--- system.
---@async
---@param self plat.Host
---@param from string
---@param to string
---@param opts? table become, timeout
---@return boolean changed
return function(self, from, to, opts)
  opts = RENAME(opts)
  files.check_path("host:rename", from, 3)
  files.check_path("host:rename", to, 3)
  local a, b = files.shown(from), files.shown(to)
  local entry, view = files.planned(self, from)
  if entry == false then
    files.absent(self, "host.rename", from, " (the plan removes it)")
  end
  local moved = view and not entry and files.stat(self, "host.rename", from, opts)
  files.ask(self, {
    op = "host.rename",
    path = from,
    opts = opts,
    call = { verb = "rename", path = from, to = to },
    change = {
      text = ("rename %s to %s"):format(a, b),
      args = { from = a, to = b },
      recovery = "probed",
      probe = function()
        return happened(self, from, to, opts)
      end,
      reread = files.always,
      predict = files.always,
      overlay = files.same,
    },
    perform = function(transport)
      transport:rename(from, to)
      return true
    end,
  })
  if view then
    if not entry and moved and moved.type ~= "file" then
      effect.plan():cut(("what follows depends on what is in %s"):format(b))
    end
    view:put(from, false)
    view:put(
      to,
      entry or { type = "file", size = moved and moved.size, mode = moved and moved.mode }
    )
  end
  return true
end
