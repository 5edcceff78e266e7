--- host:list

local check = require("plat.check")
local files = require("plat.host.files")

local LIST = check.options("host:list", files.COMMON)

--- Returns the names in a directory of a host, sorted.
---@async
---@param self plat.Host
---@param path string
---@param opts? table become, timeout
---@return string[]
return function(self, path, opts)
  opts = LIST(opts)
  files.check_path("host:list", path, 3)
  local entry, view = files.planned(self, path)
  if entry == false then
    files.absent(self, "host.list", path, " (the plan removes it)")
  end
  local names = entry and {}
    or files.ask(self, {
      op = "host.list",
      path = path,
      opts = opts,
      call = { verb = "list", path = path },
      perform = function(transport)
        return transport:list(path)
      end,
    })
  for i, found in ipairs(names) do -- a simulated host tells more
    names[i] = type(found) == "table" and found.name or found
  end
  if not view then
    return names
  end
  names = view:names(path, names)
  table.sort(names)
  return names
end
