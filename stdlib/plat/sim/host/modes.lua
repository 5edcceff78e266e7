--- Modes and owners of files on a simulated host, as chmod and chown write them.

local files = require("plat.sim.host.files")

local M = {}

local WHO = { u = 2496, g = 1080, o = 519 } -- with set-uid, set-gid and sticky
local SET_ID = 3072

--- Reads one "u+rw" of a symbolic mode.
local function read_clause(clause, mode, umask, is_dir)
  local who, rest = clause:match("^([ugoa]*)(.+)$")
  if not rest then
    return nil
  end
  local mask = 0
  for letter in (who == "" and "ugo" or who:gsub("a", "ugo")):gmatch(".") do
    mask = mask | WHO[letter]
  end
  if not rest:find("^[%+%-=][rwxX]*") or rest:find("[^%+%-=rwxX]") then
    return nil
  end
  for sign, letters in rest:gmatch("([%+%-=])([rwxX]*)") do
    local bits = 0
    for letter in letters:gmatch(".") do
      local runs = letter == "x" or letter == "X" and (is_dir or mode & 73 ~= 0)
      bits = bits | (letter == "r" and 292 or letter == "w" and 146 or runs and 73 or 0)
    end
    bits = bits & mask & (who == "" and ~umask or ~0)
    if sign == "+" then
      mode = mode | bits
    elseif sign == "-" then
      mode = mode & ~bits
    else
      mode = mode & ~(is_dir and mask & ~SET_ID or mask) | bits
    end
  end
  return mode
end

--- Returns the mode that a text means, octal or symbolic; nil if it means none.
---@param text string
---@param old integer what it changes, if it is symbolic
---@param umask integer
---@param is_dir? boolean
---@return integer?
function M.read(text, old, umask, is_dir)
  if text:find("^[0-7]+$") then
    local mode = tonumber(text, 8)
    return mode <= 4095 and mode or nil
  end
  local mode = old
  for clause in (text .. ","):gmatch("([^,]*),") do
    mode = read_clause(clause, mode, umask, is_dir)
    if not mode then
      return nil
    end
  end
  return mode
end

local function by_number(map, text, number)
  for name, entry in pairs(map) do
    if number(entry) == tonumber(text) then
      return name
    end
  end
  return text
end

--- Returns the user that a name or a number means.
---@param host plat.sim.Machine
---@param text string
---@return string
function M.user(host, text)
  return host.users[text] and text
    or by_number(host.users, text, function(user)
      return user.uid
    end)
end

--- Returns the group that a name or a number means.
---@param host plat.sim.Machine
---@param text string
---@return string
function M.group(host, text)
  return host.groups[text] and text
    or by_number(host.groups, text, function(gid)
      return gid
    end)
end

--- Gives a file mode, owner and time of another.
---@param cmd plat.sim.Command
---@param path string
---@param like table
function M.keep(cmd, path, like)
  local at = files.find(cmd.host, cmd.user, path, { follow = false })
  local own = at and cmd.host.files[at]
  if own then
    own.mode, own.mtime = like.mode, like.mtime
    if cmd.user == "root" then
      own.owner, own.group = like.owner, like.group
    end
  end
end

local function change(cmd, path, deep, about, fn)
  local host = cmd.host
  local at, entry = files.existing(host, cmd.user, path)
  if not at then
    return cmd:failed(("cannot access '%s'"):format(path), entry)
  end
  local changes = (cmd.user == "root" or cmd.user == entry.owner) and fn(entry)
  if not changes then
    cmd:failed(about:format(path), "EPERM")
  else
    local own = host.files[at]
    for key, value in pairs(changes) do
      own[key] = value
    end
  end
  if deep and entry.type == "dir" then
    for _, name in ipairs(files.names(host, at)) do
      if files.peek(host, files.join(at, name)).type ~= "link" then
        change(cmd, path:gsub("/+$", "") .. "/" .. name, deep, about, fn)
      end
    end
  end
end

--- Changes fields of files, of those below them too if it is asked.
---@param cmd plat.sim.Command
---@param paths string[]
---@param deep? boolean
---@param about string "changing permissions of '%s'"
---@param fn fun(entry: table): table? the new fields; nil: not permitted
function M.each(cmd, paths, deep, about, fn)
  for _, path in ipairs(paths) do
    change(cmd, path, deep, about, fn)
  end
end

--- Returns a mode as ls shows it.
---@param entry table
---@return string "-rw-r--r--"
function M.show(entry)
  local kind = ({ dir = "d", link = "l", char = "c" })[entry.type] or "-"
  local out = { kind }
  for shift = 6, 0, -3 do
    local bits = entry.mode >> shift & 7
    out[#out + 1] = (bits & 4 ~= 0 and "r" or "-") .. (bits & 2 ~= 0 and "w" or "-")
    local special = entry.mode >> 9 >> (shift // 3) & 1 ~= 0
    local letter = shift == 0 and "t" or "s"
    local runs = bits & 1 ~= 0
    out[#out + 1] = special and (runs and letter or letter:upper()) or runs and "x" or "-"
  end
  return table.concat(out)
end

return M
