--- Where platrun keeps its own files, and the few ways in which it writes them. These are not
--- effects on the platform: they are the program's memory.

local fault = require("plat.fault")
local fs = require("prim.fs")
local sys = require("prim.sys")

local M = {}

local GLANCES = 10 -- tries while nobody who lives holds a lock: somebody only looks at it
local GLANCE = 0.02 -- seconds between them

local function set(name)
  local v = sys.getenv(name)
  return v and v ~= "" and v or nil
end

--- Returns the directory for state: $XDG_STATE_HOME/platrun, for root /var/lib/platrun, else
--- ~/.local/state/platrun.
---@return string path
function M.dir()
  local xdg = set("XDG_STATE_HOME")
  if xdg then
    return xdg .. "/platrun"
  elseif sys.uid() == 0 then
    return "/var/lib/platrun"
  end
  local home = sys.home()
  if not home then
    fault.raise("io", { op = "state" }, {
      msg = "no home directory, so no place for state",
      hint = "set XDG_STATE_HOME",
    })
  end
  return home .. "/.local/state/platrun"
end

--- Makes a directory of ours, readable by this user alone.
---@param path string
function M.make_dir(path)
  if fs.stat(path) then
    return -- the usual case, without a thread
  end
  fault.must(
    { op = "state", object = path },
    fs.mkdir(path, { mode = tonumber("700", 8), parents = true })
  )
end

--- Makes a new directory of ours, readable by this user alone. Raises when it exists.
---@async
---@param path string
function M.new_dir(path)
  fault.must({ op = "state", object = path }, fs.mkdir(path, { mode = tonumber("700", 8) }))
end

--- Returns the content of a file of ours, nil if it is not there.
---@param path string
---@return string?
function M.read(path)
  local text, err = fs.read(path, { max = 1 << 30 })
  if not text and err.code ~= 2 then
    fault.raise_err({ op = "state", object = path }, err)
  end
  return text
end

--- Replaces a file of ours, atomically.
---@param path string
---@param text string
function M.write(path, text)
  fault.must(
    { op = "state", object = path },
    fs.write(path, text, { mode = tonumber("600", 8), atomic = true })
  )
end

--- Opens a file of ours for appending.
---@param path string
---@return table file `:write(s)`, `:sync()`, `:size()`, `:close()`
function M.append(path)
  return fault.must(
    { op = "state", object = path },
    fs.open_append(path, { mode = tonumber("600", 8) })
  )
end

--- Makes what was created in a directory of ours durable.
---@async
---@param path string
function M.sync_dir(path)
  fault.must({ op = "state", object = path }, fs.sync_dir(path))
end

--- Removes a directory of ours.
---@param path string
function M.remove(path)
  local ok, err = fs.remove(path, { recursive = true })
  if not ok and err.code ~= 2 then
    fault.raise_err({ op = "state", object = path }, err)
  end
end

--- Takes a lock file of ours without waiting.
---@param path string
---@param text? string what to tell others: who holds it
---@return table? lock `:close()`
---@return table? err kind "refused" when somebody holds it
function M.lock(path, text)
  return fs.lock(path, { text = text })
end

--- Returns whether a process lives. Where there is no /proc, it is believed to.
---@param pid? integer
---@return boolean
function M.lives(pid)
  return math.type(pid) == "integer"
    and (fs.stat(("/proc/%d"):format(pid)) ~= nil or not fs.stat("/proc/self"))
end

--- Takes a lock file as `lock` does. Who asks whether it is held has it for an instant: while the
--- holder that it names is no living process, it is tried again for a moment.
---@async
---@param path string
---@param text string
---@param holder fun(text: string): integer? returns the process that a file's text names
---@return table? lock
---@return table? err
function M.lock_past_glances(path, text, holder)
  for i = 0, GLANCES do
    local lock, err = M.lock(path, text)
    if lock or not err.held or i == GLANCES or M.lives(holder(err.held)) then
      return lock, err
    end
    require("plat.task").sleep(GLANCE)
  end
end

return M
