--- host:stat

local check = require("plat.check")
local files = require("plat.host.files")
local list = require("plat.list")

local STAT = check.options(
  "host:stat",
  list.merge(files.COMMON, {
    follow = { type = "boolean", default = true, help = "links" },
  })
)

--- Returns what is at a path of a host, nil where there is nothing. Of the owner's and the group's
--- names nothing is known where SFTP told it.
---@async
---@param self plat.Host
---@param path string
---@param opts? table follow, become, timeout
---@return table? stat `{ type, size, mode, uid, gid, mtime, owner?, group? }`
return function(self, path, opts)
  opts = STAT(opts)
  files.check_path("host:stat", path, 3)
  return files.stat(self, "host.stat", path, opts)
end
