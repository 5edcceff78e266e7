--- A lock of this machine: a file that the system unlocks when its process ends, however it ends.
---
--- The files are in the state directory and not in $XDG_RUNTIME_DIR: cron has none, and the same
--- user's cron job and terminal must meet. Users have directories of their own: what two users must
--- not do at once needs a lease.

local effect = require("plat.effect")
local fault = require("plat.fault")
local fs = require("prim.fs")
local hash = require("plat.hash")
local json = require("plat.json")
local state = require("plat.state")
local task = require("plat.task")
local terms = require("plat.lock.terms")
local time = require("plat.time")

local M = {}

local POLL = 0.2 -- seconds between two tries

---@class plat.lock.File
---@field kind "file"
---@field where string
local File = { kind = "file", __name = "plat.lock.File" }
File.__index = File

--- Returns the directory of the lock files.
---@return string
function M.dir()
  return state.dir() .. "/locks"
end

--- Makes the place of a lock; touches nothing.
---@param name string
---@param key? string what tells it from a lock of the same name elsewhere
---@return plat.lock.File
function M.new(name, key)
  local plain = name:gsub("[^%w%-]+", "-"):sub(1, 60)
  local digest = hash.digest("sha256", name .. "\n" .. (key or "")):sub(1, 8)
  local self = setmetatable({ lock = name, key = key, where = "this machine" }, File)
  self.path = ("%s/%s-%s.lock"):format(M.dir(), plain, digest)
  return self
end

--- Reads what a holder wrote about itself; a damaged file tells nothing.
local function told(path)
  local text = state.read(path)
  local value = text and text ~= "" and fault.try(json.decode, text)
  return type(value) == "table" and value or {}
end

local function text_of(self, me)
  return json.encode({
    name = self.lock,
    key = self.key,
    run = me.run,
    pid = me.pid,
    host = me.host,
    user = me.user,
    playbook = me.playbook,
    since = time.now(),
  })
end

local function try_once(self, me)
  local lock, err = state.lock_past_glances(self.path, text_of(self, me), function()
    return told(self.path).pid -- the error has the beginning of the text only
  end)
  if not lock and err.kind ~= "refused" then
    fault.raise_err({ op = "run:lock", object = self.path }, err)
  end
  return lock, not lock and told(self.path) or nil
end

local function refuse(self, who)
  local live = state.lives(who.pid)
  fault.raise("refused", { op = "run:lock", object = self.lock }, {
    msg = ("held on this machine by %s"):format(terms.holder(who, time.now())),
    hint = live and ("wait for it (--lock-timeout 10m), or end it: kill %d"):format(who.pid)
      or "wait for it (--lock-timeout 10m), or look at it (platrun locks)",
    exit = 75,
    where = "",
    held = true,
  })
end

--- Takes the lock, waiting for it up to some seconds. Raises kind "refused", exit 75, when another
--- process has it.
---@async
---@param me table who we are
---@param wait number seconds
function File:take(me, wait)
  state.make_dir(M.dir())
  local last = time.mono() + wait
  while true do
    local lock, who = try_once(self, me)
    if lock then
      self.handle = lock
      return
    elseif time.mono() >= last then
      refuse(self, who)
    end
    effect.progress(("waits for the lock %s: %s"):format(self.lock, terms.holder(who, time.now())))
    task.sleep(math.min(POLL, math.max(0.01, last - time.mono())))
  end
end

--- Gives the lock back. The file goes while it is still locked: who waits for it notices.
---@async
function File:release()
  if self.handle then
    state.remove(self.path)
    self.handle:close()
    self.handle = nil
  end
end

--- Returns what is known of a lock file: what `text_of` wrote, `path` and `held`. It is locked for
--- an instant to see whether somebody holds it.
---@param path string
---@return table? who nil when there is no such file
local function inspect(path)
  if not fs.stat(path) then
    return nil
  end
  local who = told(path)
  who.path = path
  local lock, err = state.lock(path)
  if not lock and err.kind ~= "refused" then
    fault.raise_err({ op = "locks", object = path }, err)
  end
  who.held = lock == nil
  if lock then
    lock:close()
  end
  return who
end

--- Says who holds the lock, for a plan; nil when nobody does.
---@return string?
function File:holder()
  local who = inspect(self.path)
  return who and who.held and terms.holder(who, time.now()) or nil
end

--- Returns all lock files of this user, sorted by name.
---@return table[]
function M.list()
  local found = {}
  for _, name in ipairs(fs.list(M.dir()) or {}) do
    local who = name:find("%.lock$") and inspect(M.dir() .. "/" .. name)
    if who then
      found[#found + 1] = who
    end
  end
  return found
end

--- Removes a lock file that a dead process left. Returns false when somebody holds it.
---@async
---@param who table of `list`
---@return boolean
function M.clear(who)
  local lock = state.lock(who.path)
  if not lock then
    return false
  end
  state.remove(who.path)
  lock:close()
  return true
end

return M
