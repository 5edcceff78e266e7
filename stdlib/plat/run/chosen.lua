--- What flags and configuration files choose: the inventory, and paths as they are written down.

local sys = require("prim.sys")

local M = {}

--- Returns the inventory that the flags choose, nil when none is configured.
---@async
---@param opts { inventory: string[]?, config: string?, limit: string?, sandbox: boolean? } flags
---@param playbook? table whose folder has a say
---@return plat.Inventory?
function M.inventory(opts, playbook)
  local path = playbook and playbook.path
  local conf = require("plat.conf").load({ path = opts.config, playbook = path })
  local paths = opts.inventory or conf.inventory
  local how = {
    limit = opts.limit,
    playbook_dir = path and (path:match("^(.*)/") or "."),
    chosen_by = opts.inventory and "-i" or conf.path,
  }
  if opts.sandbox and not opts.inventory then
    return require("plat.inventory").sandbox(conf, how)
  elseif not paths then
    return nil
  end
  return require("plat.inventory").load(paths, how)
end

--- Returns a path from the root; what is no path (a list of hosts) stays as it is.
---@param path? string
---@return string?
function M.absolute(path)
  if not path or path:sub(1, 1) == "/" or path:find(",", 1, true) then
    return path
  end
  return sys.cwd() .. "/" .. path
end

return M
