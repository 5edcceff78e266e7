--- Changes of the files of a simulated host, as the kernel makes them: with permissions and room.
--- Functions return a value, or nil and the name of the error.

local files = require("plat.sim.host.files")
local image = require("plat.sim.host.image")

local M = {}

local STICKY = 1 << 9

--- Takes an entry away, so that the image does not show through.
local function forget(host, path)
  host.files[path] = nil
  if image.FILES[path] then
    host.files[path] = false
  end
end

--- Takes or gives back room on the disk of a path. Returns how many bytes there was no room for.
local function charge(host, path, bytes)
  local disk = host:disk_of(path)
  local over = math.max(0, disk.used + bytes - disk.size)
  disk.used = math.max(0, disk.used + bytes - over)
  return over
end

--- Whether the user may make, rename and remove names in a folder.
local function may_alter(host, who, folder)
  local entry = files.peek(host, folder)
  if not entry then
    return nil, "ENOENT"
  elseif entry.type ~= "dir" then
    return nil, "ENOTDIR"
  elseif not (files.may(host, who, entry, 2) and files.may(host, who, entry, 1)) then
    return nil, "EACCES"
  end
  return true
end

--- In a sticky folder only an owner removes.
local function may_remove(host, who, path, entry)
  local folder = files.split(path)
  local ok, err = may_alter(host, who, folder)
  if not ok then
    return nil, err
  end
  local above = files.peek(host, folder)
  if above.mode & STICKY ~= 0 and who ~= "root" and who ~= above.owner and who ~= entry.owner then
    return nil, "EPERM"
  end
  return true
end

--- Makes an entry where there is none.
---@param host plat.sim.Machine
---@param who string
---@param path string
---@param entry table without owner, group and mtime
---@return string? path
---@return string? err
function M.make(host, who, path, entry)
  local at, found = files.find(host, who, path, { follow = false })
  if not at then
    return nil, found
  elseif found then
    return nil, "EEXIST"
  end
  local ok, err = may_alter(host, who, (files.split(at)))
  if not ok then
    return nil, err
  end
  entry.owner, entry.group, entry.mtime = who, host:group_of(who), host:now()
  host.files[at] = entry
  return at
end

--- Makes a folder and those above it that are missing.
---@param host plat.sim.Machine
---@param who string
---@param path string
---@param mode integer of the last one
---@return boolean? ok
---@return string? err
---@return string? where the folder that could not be made
function M.make_path(host, who, path, mode)
  local done = path:sub(1, 1) == "/" and "" or nil
  for word in path:gmatch("[^/]+") do
    done = done and done .. "/" .. word or word
    local last = #done >= #(path:gsub("/+$", ""))
    local at, err = M.make(host, who, done, { type = "dir", mode = last and mode or 493 })
    if not at then
      local _, there = files.find(host, who, done)
      if err ~= "EEXIST" or type(there) ~= "table" or there.type ~= "dir" then
        return nil, err == "EEXIST" and not last and "ENOTDIR" or err, done
      end
    end
  end
  return true
end

--- Writes a file. Without room as much is written as there is.
---@param host plat.sim.Machine
---@param who string
---@param path string
---@param content string
---@param opts? { append: boolean?, mode: integer? } mode: of a new file
---@return string? path
---@return string? err
function M.write(host, who, path, content, opts)
  opts = opts or {}
  local at, entry = files.find(host, who, path)
  if not at then
    return nil, entry
  elseif entry and entry.type == "dir" then
    return nil, "EISDIR"
  elseif entry and not files.may(host, who, entry, 2) then
    return nil, "EACCES"
  elseif entry and entry.live then
    return nil, "EACCES"
  elseif not entry then
    local made, err =
      M.make(host, who, at, { type = "file", mode = opts.mode or 420, content = "" })
    if not made then
      return nil, err
    end
  end
  local own = host.files[at]
  local before = opts.append and host:text_of(own) or ""
  if not opts.append then
    charge(host, at, -files.size(host, own))
  end
  local over = charge(host, at, #content)
  own.content, own.size, own.mtime = before .. content:sub(1, #content - over), nil, host:now()
  if over > 0 then
    return nil, "ENOSPC"
  end
  return at
end

--- Removes a file, a link or an empty folder; `all`: a folder with all that is in it.
---@param host plat.sim.Machine
---@param who string
---@param path string
---@param all? boolean
---@return boolean? ok
---@return string? err
function M.remove(host, who, path, all)
  local at, entry = files.existing(host, who, path, { follow = false })
  if not at then
    return nil, entry
  elseif at == "/" then
    return nil, "EPERM"
  end
  local ok, err = may_remove(host, who, at, entry)
  if not ok then
    return nil, err
  end
  if entry.type == "dir" then
    local names = files.names(host, at)
    if #names > 0 and not all then
      return nil, "ENOTEMPTY"
    end
    for _, name in ipairs(names) do
      ok, err = M.remove(host, who, files.join(at, name), true)
      if not ok then
        return nil, err
      end
    end
  elseif entry.type == "file" then
    charge(host, at, -files.size(host, entry))
  end
  forget(host, at)
  return true
end

--- Empties a folder, as a boot empties /tmp.
---@param host plat.sim.Machine
---@param folder string
function M.clear(host, folder)
  for _, name in ipairs(files.names(host, folder)) do
    M.remove(host, "root", files.join(folder, name), true)
  end
end

--- Moves all below a path.
local function move_tree(host, from, to)
  local moved = host.files[from]
  for _, name in ipairs(moved.type == "dir" and files.names(host, from) or {}) do
    move_tree(host, files.join(from, name), files.join(to, name))
  end
  host.files[to] = moved
  forget(host, from)
end

--- Renames: what was there under the new name is replaced, as rename(2) does.
---@param host plat.sim.Machine
---@param who string
---@param from string
---@param to string
---@return string? path
---@return string? err
function M.rename(host, who, from, to)
  local source, entry = files.existing(host, who, from, { follow = false })
  if not source then
    return nil, entry
  end
  local ok, err = may_remove(host, who, source, entry)
  if not ok then
    return nil, err
  end
  local target, there = files.find(host, who, to, { follow = false })
  if not target then
    return nil, there
  elseif target == source then
    return target
  elseif (target .. "/"):sub(1, #source + 1) == source .. "/" then
    return nil, "EINVAL"
  end
  ok, err = may_alter(host, who, (files.split(target)))
  if not ok then
    return nil, err
  elseif there then
    if entry.type == "dir" and there.type ~= "dir" then
      return nil, "ENOTDIR"
    elseif entry.type ~= "dir" and there.type == "dir" then
      return nil, "EISDIR"
    end
    ok, err = M.remove(host, who, target)
    if not ok then
      return nil, err
    end
  end
  move_tree(host, source, target)
  return target
end

return M
