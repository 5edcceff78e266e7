--- The files of a simulated host: paths, symbolic links, modes, owners and room, as the kernel has
--- them. Functions return a value, or nil and the name of the error that the kernel gives.
---
--- `host.files` holds entries by their absolute path; what is not in it comes from the image that
--- all hosts share, and is copied when somebody looks at it there. false: removed.

local image = require("plat.sim.host.image")

local M = {}

M.TEXT = {
  ENOENT = "No such file or directory",
  EACCES = "Permission denied",
  EPERM = "Operation not permitted",
  ENOTDIR = "Not a directory",
  EISDIR = "Is a directory",
  ENOTEMPTY = "Directory not empty",
  EEXIST = "File exists",
  ENOSPC = "No space left on device",
  ELOOP = "Too many levels of symbolic links",
  EINVAL = "Invalid argument",
}

local LINKS = 40 -- the kernel follows so many
local INDEX = {
  __index = function(files, path)
    local shared = image.FILES[path]
    if not shared then
      return nil
    end
    local own = {}
    for k, v in pairs(shared) do
      own[k] = v
    end
    rawset(files, path, own)
    return own
  end,
}

--- Makes a table of entries show the image's behind its own.
---@param files table<string, table|false>
---@return table<string, table|false>
function M.over_image(files)
  return setmetatable(files, INDEX)
end

--- Returns an entry to look at, not to change.
---@param host plat.sim.Machine
---@param path string as `find` returns it
---@return table?
function M.peek(host, path)
  local entry = rawget(host.files, path)
  if entry == nil then
    entry = image.FILES[path]
  end
  return entry or nil
end

--- Returns the folder of a path and the name in it.
---@param path string absolute, without "." and ".."
---@return string folder
---@return string name
function M.split(path)
  local folder, name = path:match("^(.*)/([^/]*)$")
  return folder == "" and "/" or folder, name
end

--- Returns the path of a name in a folder.
---@param folder string
---@param name string
---@return string
function M.join(folder, name)
  return folder == "/" and "/" .. name or folder .. "/" .. name
end

-- ---- permissions ----

--- Says whether a user may use an entry in a way.
---@param host plat.sim.Machine
---@param who string the user's name
---@param entry table
---@param bit 1|2|4 execute, write, read
---@return boolean
function M.may(host, who, entry, bit)
  if who == "root" then
    return bit ~= 1 or entry.type == "dir" or entry.mode & 73 ~= 0
  end
  local shift = 0
  if entry.owner == who then
    shift = 6
  elseif host:in_group(who, entry.group) then
    shift = 3
  end
  return (entry.mode >> shift) & bit ~= 0
end

-- ---- finding ----

local function words_of(path)
  local words = {}
  for word in path:gmatch("[^/]+") do
    words[#words + 1] = word
  end
  return words
end

local function prepend(words, rest, from)
  for i = from, #rest do
    words[#words + 1] = rest[i]
  end
  return words
end

--- Finds what a path means. The last word need not exist.
---@param host plat.sim.Machine
---@param who string
---@param path string absolute, or from the user's home
---@param opts? { follow: boolean? } follow: false: a link at the end is itself
---@return string? path without links
---@return table|string|nil entry nil: there is none yet; with no path: the name of the error
function M.find(host, who, path, opts)
  if path == "" then
    return nil, "ENOENT"
  elseif path:sub(1, 1) ~= "/" then
    path = host:home(who) .. "/" .. path
  end
  local words, at, links = words_of(path), "/", 0
  local i = 1
  while i <= #words do
    local entry = M.peek(host, at)
    if entry.type ~= "dir" then
      return nil, "ENOTDIR"
    elseif not M.may(host, who, entry, 1) then
      return nil, "EACCES"
    end
    local word = words[i]
    local last = i == #words and path:sub(-1) ~= "/"
    if word == ".." then
      at = M.split(at)
    elseif word ~= "." then
      local here = M.join(at, word)
      local found = M.peek(host, here)
      if found and found.type == "link" and not (last and opts and opts.follow == false) then
        links = links + 1
        if links > LINKS then
          return nil, "ELOOP"
        end
        at = found.to:sub(1, 1) == "/" and "/" or at
        words, i = prepend(words_of(found.to), words, i + 1), 0
      elseif not found and i < #words then
        return nil, "ENOENT"
      else
        at = here
      end
    end
    i = i + 1
  end
  local entry = M.peek(host, at)
  if entry and path:sub(-1) == "/" and entry.type ~= "dir" then
    return nil, "ENOTDIR"
  end
  return at, entry
end

--- Finds what exists.
---@param host plat.sim.Machine
---@param who string
---@param path string
---@param opts? { follow: boolean? }
---@return string? path
---@return table|string entry or the name of the error
function M.existing(host, who, path, opts)
  local at, entry = M.find(host, who, path, opts)
  if at and not entry then
    return nil, "ENOENT"
  end
  return at, entry
end

--- Returns the names in a folder, sorted.
---@param host plat.sim.Machine
---@param folder string as `find` returns it
---@return string[]
function M.names(host, folder)
  local prefix = folder == "/" and "/" or folder .. "/"
  local seen, names = {}, {}
  local function add(path, entry)
    local name = path:sub(1, #prefix) == prefix and path:match("^[^/]+$", #prefix + 1)
    if name and entry and not seen[name] then
      seen[name] = true
      names[#names + 1] = name
    end
  end
  for path, entry in pairs(host.files) do
    add(path, entry)
  end
  for _, name in ipairs(image.CHILDREN[folder] or {}) do
    add(prefix .. name, rawget(host.files, prefix .. name) ~= false)
  end
  table.sort(names)
  return names
end

--- Returns how many bytes an entry holds.
---@param host plat.sim.Machine
---@param entry table
---@return integer
function M.size(host, entry)
  if entry.live then
    return 0
  elseif entry.type == "dir" then
    return 4096
  elseif entry.type == "link" then
    return #entry.to
  end
  return entry.size or #(entry.content or host:text_of(entry))
end

--- Returns what a file holds.
---@param host plat.sim.Machine
---@param who string
---@param path string
---@return string? content
---@return string? err
function M.read(host, who, path)
  local at, entry = M.existing(host, who, path)
  if not at then
    return nil, entry
  elseif not M.may(host, who, entry, 4) then
    return nil, "EACCES"
  elseif entry.type == "dir" then
    return nil, "EISDIR"
  elseif entry.size and not entry.content then
    host:unmodelled(path .. " has a size and no content", "files")
  end
  return host:text_of(entry)
end

return M
