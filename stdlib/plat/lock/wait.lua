--- What all places have in common whose locks are held for a time only: taking and waiting,
--- refusing, how old the last renewal is, how a loss is told. Such a place has
---
---   place:look(me, seen)           "free", "mine", "expired", "held" or "strange", what was read
---                                  of the holder, what `seize` needs, the verdict
---   place:seize(me, object, said)  false when somebody else was faster
---   place:now()                    the time by the clock that counts there
---   place.target, place.lock       for people; place.look_hint: how to see what is there;
---                                  place.break_words: flags that `platrun locks` needs to find it

local effect = require("plat.effect")
local fault = require("plat.fault")
local task = require("plat.task")
local terms = require("plat.lock.terms")
local time = require("plat.time")

local M = {}

local POLL = 1 -- seconds between two looks at a lock that somebody else has
local CONFLICTS = 5 -- so often in a row somebody else may be faster

M.CONFLICTS = CONFLICTS

local function raise(place, fields)
  fault.raise("refused", { op = "run:lock", target = place.target, object = place.lock }, fields)
end

local function refuse(place, said, verdict)
  local msg, hint = verdict.why, place.strange_hint
  if verdict.word ~= "strange" then
    msg = ("held by %s; it ends in %s unless it is renewed"):format(
      terms.holder(said, place:now()),
      time.human(math.max(0, verdict.left))
    )
    hint = "wait for it (--lock-timeout 10m) or look at it (platrun locks); if that run is dead "
      .. ("for certain: platrun locks break %q%s --reason TEXT"):format(
        place.lock,
        place.break_words or ""
      )
  end
  raise(place, { msg = msg, hint = hint, exit = 75, where = "", held = true })
end

--- Takes a lock, waiting for it up to some seconds. Raises kind "refused", exit 75, when somebody
--- else has it.
---@async
---@param place table
---@param me { id: string, user: string, playbook: string }
---@param wait number seconds
---@return string? from "taken over" or "taken back", nil when it was free
function M.take(place, me, wait)
  local last, seen, conflicts = time.mono() + wait, {}, 0
  while true do
    local word, said, object, verdict = place:look(me, seen)
    if word ~= "held" and word ~= "strange" then
      if place:seize(me, object, said) then
        return word == "expired" and "taken over" or word == "mine" and "taken back" or nil
      end
      conflicts = conflicts + 1
    elseif time.mono() >= last or word == "strange" then
      refuse(place, said, verdict)
    else
      effect.progress(
        ("waits for the lock %s: %s"):format(place.lock, terms.holder(said, place:now()))
      )
      task.sleep(math.min(POLL, math.max(0.05, last - time.mono())))
    end
    if conflicts >= CONFLICTS then
      raise(place, {
        msg = "others change it all the time",
        hint = "look who: " .. place.look_hint,
        exit = 75,
      })
    end
  end
end

--- Judges what was read of a lock; `seen` remembers for how long it is unchanged.
---@param place table
---@param said plat.lock.Terms
---@param me { id: string }
---@param seen table
---@return plat.lock.Verdict
function M.judge(place, said, me, seen)
  if said.version ~= seen.version then
    seen.version, seen.at = said.version, time.mono()
  end
  local clock = { now = place:now(), seen = time.mono() - seen.at, any = place.any }
  return terms.judge(said, me.id, clock)
end

--- Returns this moment, by both clocks: from when on a renewal counts is when it was asked for.
---@return { mono: number, wall: number }
function M.moment()
  return { mono = time.mono(), wall = time.now() }
end

--- Returns for how many seconds a lock was not renewed: by the monotonic clock or by the other,
--- whichever says more, since the monotonic one stands still while a machine sleeps.
---@param at { mono: number, wall: number } the last renewal
---@return number
function M.age(at)
  return math.max(time.mono() - at.mono, time.now() - at.wall)
end

--- Raises that a lock is lost.
---@param place table
---@param why string
function M.lost(place, why)
  raise(place, {
    msg = "the lock is lost: " .. why,
    hint = "what this run has done so far stands; look at what the other one does, then resume",
    lost = true,
    where = "",
  })
end

return M
