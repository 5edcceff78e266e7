--- Locks: one run at a time works on a thing. A lock is held in one or more places; a place is
---
---   place.kind            "file", "kubernetes", "host"; to come: "postgres"
---   place.where           for people: "lease NS/NAME on cluster X"
---   place:take(me, wait)  takes it, or raises kind "refused" with `held` and exit = 75; may return
---                         "taken over" or "taken back"
---   place:release(me)     gives it back
---   place:holder()        who holds it, as text, nil when nobody does; changes nothing
---
--- and, where a holder that is gone cannot be seen at once, so that a lock is held for a time only:
---
---   place.duration        seconds
---   place:renew(me)       raises, with `lost` when somebody else has it
---   place:age()           seconds since the last renewal
---   place:abandon(me)     gives back what an unanswered `take` may have taken
---
--- A lease is no fence: what a holder has sent before it lost the lock may still happen after.

local effect = require("plat.effect")
local fault = require("plat.fault")
local file = require("plat.lock.file")
local sys = require("prim.sys")
local task = require("plat.task")
local terms = require("plat.lock.terms")
local time = require("plat.time")

local M = {}

local PARTS = 3 -- a lease is renewed when a third of its time has passed
local MARGIN = 1 / 4 -- and no change begins in the last quarter
local CLEANUP = 10 -- seconds for giving back

---@class plat.lock.Entry a lock that is held, or was
---@field name string
---@field kind string "file", "kubernetes" or "host"
---@field where string
---@field lost? plat.Fault
local Entry = { __name = "plat.lock.Entry" }
Entry.__index = Entry

-- ---- renewing ----

local function lose(self, err)
  if not self.lost then
    self.lost = err
    self.on_state("lost", err)
  end
end

--- Renews what is held for a time only. Raises kind "refused" when the lock is lost.
---@async
function Entry:renew()
  for _, place in ipairs(self.places) do
    if place.renew and not self.released then
      local _, err = fault.try(place.renew, place, self.me)
      if err and err.lost then
        lose(self, err)
      end
      if err then
        error(err, 0)
      end
    end
  end
end

local function age_of(self)
  local worst, duration = 0, nil
  for _, place in ipairs(self.places) do
    if place.renew then
      worst, duration = math.max(worst, place:age()), place.duration
    end
  end
  return worst, duration
end

--- Raises unless the lock is surely held. To be called before each change. A lease whose renewal
--- is due is renewed here; one that cannot be renewed and is about to end is not relied upon. A
--- renewal names the version that we wrote last: when it succeeds, nobody had the lease meanwhile.
---@async
function Entry:check()
  if self.released then
    return
  elseif self.lost then
    error(self.lost, 0)
  end
  local age, duration = age_of(self)
  local due = self.keeper and duration and duration / 2 or duration and duration / PARTS
  if not duration or age < due then
    return
  end
  local _, err = fault.try(self.renew, self)
  if err and err.lost then
    error(err, 0)
  end
  age = age_of(self)
  if err and age > duration * (1 - MARGIN) then
    fault.raise("refused", { op = "run:lock", object = self.name }, {
      msg = ("the lock is stale: not renewed for %s of %s"):format(
        time.human(age),
        time.human(duration)
      ),
      hint = "nothing is changed without a lock that is surely held; see why, then resume",
      cause = err,
      where = "",
    })
  end
end

--- The task that keeps a lock alive beside the run, until it is released or lost.
local function keep(self)
  require("prim.task").set_deadline(nil) -- not that of whoever took the lock
  while not self.lost do
    local age, duration = age_of(self)
    task.sleep(math.max(duration / PARTS - age, duration / 20))
    if age_of(self) >= duration / PARTS * 0.99 then
      local _, err = fault.try(self.renew, self)
      if err and not err.lost and err.kind == "bug" then
        lose(self, err)
      elseif err and not err.lost then
        effect.warn(("the lock %s could not be renewed: %s"):format(self.name, tostring(err)))
      end
    end
  end
end

--- Renewals beside the run need a clock that runs; on one that jumps, `check` renews what is due.
local function start_keeper(self)
  local _, duration = age_of(self)
  if duration and not M.is_lazy() then
    self.keeper = task.spawn(keep, self)
  end
end

--- Returns whether the clock jumps, as that of the sandbox.
---@return boolean
function M.is_lazy()
  return require("prim.time").is_virtual()
end

-- ---- giving back ----

--- Gives the lock back. What cannot be given back ends by itself; a warning says when.
---@async
function Entry:release()
  if self.released then
    return
  end
  self.released = true
  if self.keeper then
    self.keeper:cancel("the lock is given back")
  end
  for i = #self.places, 1, -1 do
    local place = self.places[i]
    local _, err
    if not (self.lost and place.renew) then
      _, err = fault.try(place.release, place, self.me)
    end
    if err and err.lost then
      effect.warn(("the lock %s was lost before the run ended: %s"):format(self.name, err.msg))
    elseif err then
      local ends = place.duration
        and (" It ends by itself in %s."):format(time.human(place.duration))
      effect.warn(
        ("the lock %s was not given back: %s.%s"):format(self.name, tostring(err), ends or "")
      )
    end
  end
  self.on_state("released")
end

--- Gives the lock back because the run is suspended: it is taken again on resume.
---@async
function Entry:suspend()
  self:release()
end

-- ---- taking ----

local function take_place(place, me, wait)
  local ok, result = xpcall(place.take, fault.from_handler, place, me, wait)
  if ok then
    return result
  end
  -- Nobody knows whether a request without an answer took it.
  local unknown = result.kind == "cancelled" or result.kind == "timeout" or result.kind == "connect"
  if place.abandon and unknown then
    local _, err = task.shield(CLEANUP, fault.try, place.abandon, place, me)
    if err and result.kind ~= "connect" then
      local ends = time.human(place.duration)
      effect.warn(("the lock may be held for %s: %s"):format(ends, tostring(err)))
    end
  end
  error(result, 0)
end

--- Takes a lock in all its places, in their order, or in none.
---@async
---@param name string
---@param places table[]
---@param me table `{ id, run, host, user, pid, playbook }`
---@param opts { wait: number?, on_state: fun(state: string, err: plat.Fault?)? }
---@return plat.lock.Entry
function M.take(name, places, me, opts)
  local last = places[#places]
  local self = setmetatable({
    name = name,
    kind = last and last.kind or "none",
    where = last and last.where or "the sandbox",
    places = {},
    me = me,
    on_state = opts.on_state or function() end,
  }, Entry)
  local until_then = time.mono() + (opts.wait or 0)
  for _, place in ipairs(places) do
    local ok, how =
      xpcall(take_place, fault.from_handler, place, me, math.max(0, until_then - time.mono()))
    if not ok then
      self.on_state = function() end -- it was never taken
      task.shield(CLEANUP, self.release, self)
      error(how, 0)
    end
    self.places[#self.places + 1] = place
    self.how = how or self.how
  end
  start_keeper(self)
  self.on_state("taken")
  return self
end

--- Returns who we are: of a run, or of a process that has none yet.
---@param run? table `{ id, name }`
---@return table me
function M.me(run)
  run = run or {}
  local sandbox = effect.sandbox()
  local id = run.id or ("%s-pid-%d"):format(run.name or "platrun", sandbox and 0 or sys.pid())
  local host = sandbox and "sandbox" or sys.hostname()
  return {
    id = host .. ":" .. id,
    run = id,
    host = host,
    pid = sys.pid(),
    user = sandbox and "operator" or sys.user(),
    playbook = run.name,
  }
end

-- ---- cron ----

--- Takes the lock of `--cron`: the same playbook with the same arguments runs once at a time on
--- this machine. Raises kind "refused", exit 75.
---@async
---@param playbook table
---@param args table
---@return plat.lock.Entry
function M.for_cron(playbook, args)
  local path = playbook.path and require("prim.fs").realpath(playbook.path) or playbook.path
  local words = { playbook.name }
  for key, value in pairs(args) do
    words[#words + 1] = ("%s=%s"):format(key, tostring(value))
  end
  local key = ("cron %s %s"):format(path or "-", require("plat.json").encode(args))
  local name = "cron " .. table.concat(words, " ")
  return M.take(name, { file.new(name, key) }, M.me({ name = playbook.name }), {})
end

--- Validates the options of run:lock.
M.options = terms.options

return M
