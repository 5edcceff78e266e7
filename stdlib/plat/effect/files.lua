--- Local files as a plan would leave them: what it writes, makes, removes and renames, over what is
--- there.

local fs = require("prim.fs")
local unknown = require("plat.effect.unknown")

local M = {}

---@class plat.PlannedFile
---@field type "file"|"directory"
---@field content? string
---@field mode? integer

local Files = { __name = "plat.effect.Files" }
Files.__index = Files

local views = setmetatable({}, { __mode = "k" }) -- by plan, and there by target

--- Returns the files as a plan would leave them: this machine's, or those of another target.
---@param plan plat.Plan
---@param target? string "host db-1"
---@param exists? fun(path: string): any whether there is something at a path of that target
---@return table files
function M.of(plan, target, exists)
  target = target or "localhost"
  views[plan] = views[plan] or {}
  views[plan][target] = views[plan][target]
    or setmetatable({ entries = {}, plan = plan, exists = exists or fs.stat }, Files)
  return views[plan][target]
end

local function trim(path)
  return #path > 1 and (path:gsub("/+$", "")) or path
end

local function parent(path)
  return path:match("^(.*)/[^/]*$")
end

--- Returns what the plan makes of a path: an entry, false where it removes it, nil where it leaves
--- it as it is.
---@param path string
---@return plat.PlannedFile|false|nil
function Files:look(path)
  path = trim(path)
  if self.entries[path] ~= nil then
    return self.entries[path]
  end
  local above = parent(path)
  while above and above ~= "" do
    if self.entries[above] == false then
      return false
    end
    above = parent(above)
  end
end

--- Returns what `stat` says of a planned file; when and by whom it was made only a run can know.
---@param path string
---@param entry plat.PlannedFile
---@return table
function Files:stat(path, entry)
  local st = { type = entry.type, size = entry.content and #entry.content, mode = entry.mode }
  local fields = entry.mode and {} or { "mode" }
  for _, field in ipairs({ "mtime", "uid", "gid", "ino", "dev", "nlink" }) do
    fields[#fields + 1] = field
  end
  return unknown.veil(st, fields, function(field)
    self.plan:cut(("what follows depends on %s of %s, which the plan writes"):format(field, path))
  end)
end

--- Returns the content of a planned file; that of a secret only a run can know.
---@param path string
---@param entry plat.PlannedFile
---@return string
function Files:content(path, entry)
  return entry.content or self.plan:cut(("what follows depends on what is in %s"):format(path))
end

--- Returns the names in a directory with those that the plan adds, without those that it removes.
---@param path string
---@param names string[] that are there now
---@return string[]
function Files:names(path, names)
  path = trim(path)
  local seen, out = {}, {}
  for _, name in ipairs(names) do
    seen[name] = true
  end
  for at, entry in pairs(self.entries) do
    if parent(at) == path then
      seen[at:match("[^/]*$")] = entry ~= false or nil
    end
  end
  for name in pairs(seen) do
    out[#out + 1] = name
  end
  return out
end

--- Plans that a path becomes something, or goes.
---@param path string
---@param entry plat.PlannedFile|false
function Files:put(path, entry)
  path = trim(path)
  if entry == false then
    for at in pairs(self.entries) do
      if at:sub(1, #path + 1) == path .. "/" then
        self.entries[at] = nil
      end
    end
  end
  self.entries[path] = entry
  local above = entry and entry.type == "directory" and parent(path)
  while above and above ~= "" and not self:look(above) and not self.exists(above) do
    self.entries[above] = { type = "directory" }
    above = parent(above)
  end
end

return M
