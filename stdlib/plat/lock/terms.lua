--- What a lease says, and whether it binds: pure, so that every clock and oddity can be tried.
---
--- A lease is judged by two clocks, and the safe side of both counts. It has expired
---  - when it was seen unchanged for its whole duration on our own monotonic clock, as client-go's
---    leader election judges: no clock of anybody else matters; or
---  - when, by the clock of the API server, its last renewal lies further back than its duration
---    and a margin for clocks that differ. So a lease that was left behind yesterday does not make
---    a new run wait, and a renewal "in the future" never counts as old.

local check = require("plat.check")
local time = require("plat.time")

local M = {}

M.LABEL = "app.kubernetes.io/managed-by"
M.OURS = "platrun"
M.SKEW = 30 -- seconds that the clocks of holder and API server may differ

--- The annotations, by what they hold.
M.NOTES = {
  name = "platrun/lock",
  user = "platrun/user",
  playbook = "platrun/playbook",
  broken = "platrun/broken", -- by whom and why the lock was last broken
  broken_holder = "platrun/broken-holder", -- who had it, and shall learn of it
}

---@class plat.lock.Terms what a lease object says; nothing in it is taken for granted
---@field name? string the lock's name, as the holder gave it
---@field id string the holder; "" when nobody holds it
---@field host? string
---@field run? string
---@field user? string
---@field playbook? string
---@field since? number unix seconds
---@field renewed? number
---@field duration? integer seconds
---@field transitions integer
---@field ours boolean platrun wrote it
---@field version? string
---@field writer? string who wrote it last, by its managed fields
---@field broken? string who last broke the lock, when and why
---@field broken_holder? string who had it then

local function text(v)
  return type(v) == "string" and v or nil
end

local function instant(v)
  return type(v) == "string" and time.parse_rfc3339(v) or nil
end

local function writer_of(meta)
  local newest
  for _, entry in ipairs(type(meta.managedFields) == "table" and meta.managedFields or {}) do
    if type(entry) == "table" and text(entry.manager) and text(entry.time) then
      newest = (not newest or entry.time >= newest.time) and entry or newest
    end
  end
  return newest and ("%s at %s"):format(newest.manager, newest.time)
end

--- Reads a lease object, whoever wrote it.
---@param object table
---@return plat.lock.Terms
function M.read(object)
  local spec = type(object.spec) == "table" and object.spec or {}
  local meta = type(object.metadata) == "table" and object.metadata or {}
  local notes = type(meta.annotations) == "table" and meta.annotations or {}
  local labels = type(meta.labels) == "table" and meta.labels or {}
  local id = text(spec.holderIdentity) or ""
  local ours = labels[M.LABEL] == M.OURS
  local host, run = id:match("^([^:]+):(.+)$")
  local duration = math.type(spec.leaseDurationSeconds) == "integer" and spec.leaseDurationSeconds
  return {
    name = text(notes[M.NOTES.name]),
    id = id,
    host = ours and host or nil,
    run = ours and run or nil,
    user = text(notes[M.NOTES.user]),
    playbook = text(notes[M.NOTES.playbook]),
    since = instant(spec.acquireTime),
    renewed = instant(spec.renewTime),
    duration = duration and duration > 0 and duration or nil,
    transitions = math.type(spec.leaseTransitions) == "integer" and spec.leaseTransitions or 0,
    ours = ours,
    version = text(meta.resourceVersion),
    writer = writer_of(meta),
    broken = text(notes[M.NOTES.broken]),
    broken_holder = text(notes[M.NOTES.broken_holder]),
  }
end

---@class plat.lock.Verdict
---@field word "free"|"mine"|"expired"|"held"|"strange"
---@field why? string why it is expired or strange
---@field left? number seconds that it still lasts, unless it is renewed

local function strange(terms, foreign)
  local holder = terms.id ~= "" and ("held by %s"):format(terms.id) or "held by nobody"
  if terms.writer then
    holder = ("%s, written by %s"):format(holder, terms.writer)
  end
  if foreign then
    return ("there is a lease of this name that is not platrun's (%s)"):format(holder)
  end
  local lacks = not terms.duration and "leaseDurationSeconds" or "a renewTime that can be read"
  return ("%s, without %s: nobody can say when it ends"):format(holder, lacks)
end

--- Judges a lease.
---@param terms plat.lock.Terms
---@param me? string our identity; nil: only looking
---@param clock { now: number, seen: number, any: boolean? } unix seconds; for how many seconds it
---  was seen unchanged; whether a lease that platrun did not make is what is wanted
---@return plat.lock.Verdict
function M.judge(terms, me, clock)
  if not terms.ours and not clock.any then
    return { word = "strange", why = strange(terms, true) }
  elseif terms.id == "" then
    return { word = "free" }
  elseif terms.id == me then
    return { word = "mine" }
  elseif not terms.duration or not terms.renewed then
    return { word = "strange", why = strange(terms) }
  elseif clock.seen >= terms.duration then
    return { word = "expired", why = "it was not renewed while we watched it" }
  end
  local age = clock.now - terms.renewed
  if age > terms.duration + M.SKEW then
    return { word = "expired", why = ("it was not renewed for %s"):format(time.human(age)) }
  end
  -- A renewal in the future or a little too long ago: only watching can tell.
  local left = math.min(terms.duration - age, terms.duration - clock.seen)
  if age < -M.SKEW or age > terms.duration then
    left = terms.duration - clock.seen
  end
  return { word = "held", left = left }
end

local function ago(at, now)
  local age = now - at
  if age < 0 then
    return ("%s ahead of the server's clock"):format(time.human(-age))
  end
  return time.human(age // 1) .. " ago"
end

--- Returns who holds a lock, for people: "run R on HOST by USER (playbook), since ...".
---@param who table `{ id?, run?, host?, pid?, user?, playbook?, since?, renewed? }`
---@param now number unix seconds
---@return string
function M.holder(who, now)
  local id = who.id ~= "" and who.id or "another process"
  local words = { who.run and ("run " .. who.run) or id }
  words[#words + 1] = who.host and ("on " .. who.host)
  words[#words + 1] = who.pid and ("pid %d"):format(who.pid)
  words[#words + 1] = who.user and ("by " .. who.user)
  words[#words + 1] = who.playbook and ("(" .. who.playbook .. ")")
  local said = table.concat(words, " ")
  if who.since then
    said = ("%s, since %s (%s)"):format(said, time.rfc3339(who.since), ago(who.since, now))
  end
  if who.renewed then
    said = ("%s, renewed %s"):format(said, ago(who.renewed, now))
  end
  return said
end

--- Returns the spec of a lease that we hold from now on.
---@param old? plat.lock.Terms what it said before
---@param me string
---@param duration integer
---@param now number
---@return table spec
function M.spec(old, me, duration, now)
  local same = old and old.id == me and old.since
  return {
    holderIdentity = me,
    leaseDurationSeconds = duration,
    acquireTime = M.micro(same or now),
    renewTime = M.micro(now),
    -- Counted as client-go does: a lease that changes hands, not one that is taken back.
    leaseTransitions = old and (old.transitions + (old.id ~= me and 1 or 0)) or 0,
  }
end

--- Returns an instant as leases hold it: with exactly six digits.
---@param t number unix seconds
---@return string
function M.micro(t)
  local whole = t // 1
  local micros = math.min(math.floor((t - whole) * 1e6 + 0.5), 999999)
  return (time.rfc3339(whole):gsub("Z$", (".%06dZ"):format(micros)))
end

local MONTHS = {}
for name in ("Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec"):gmatch("%a+") do
  MONTHS[#MONTHS + 1] = name
  MONTHS[name] = #MONTHS
end

--- Returns the instant of an HTTP Date header, nil if it is none.
---@param header any
---@return number?
function M.http_date(header)
  local day, month, year, clock =
    tostring(header):match("^%a+, (%d%d) (%a%a%a) (%d%d%d%d) (%d%d:%d%d:%d%d) GMT$")
  if not day or not MONTHS[month] then
    return nil
  end
  return time.parse_rfc3339(("%s-%02d-%sT%sZ"):format(year, MONTHS[month], day, clock))
end

--- Returns the name of the Lease object of a lock: what Kubernetes allows, and another one for each
--- name.
---@param name string
---@return string
function M.lease_name(name)
  local plain = name:lower():gsub("[^%w]+", "-"):gsub("^%-+", ""):gsub("%-+$", "")
  if plain == name and #plain <= 50 then
    return "platrun-" .. plain
  end
  local digest = require("plat.hash").digest("sha256", name):sub(1, 8)
  plain = plain:sub(1, 40):gsub("%-+$", "")
  return plain == "" and "platrun-" .. digest or ("platrun-%s-%s"):format(plain, digest)
end

--- Validates the options of run:lock.
M.options = check.options("run:lock", {
  cluster = { type = "any", help = "of run:cluster; default: the one that the run uses" },
  lease = { type = "string", help = "another Lease than platrun-NAME: NAMESPACE/NAME" },
  on = { type = "any", help = "a host, or its name: the lock is held there, by a heartbeat" },
  dir = { type = "string", help = "with `on`: where there; default: /tmp" },
  duration = { type = "duration", min = 1, default = "60s", help = "ends so long after a crash" },
  wait = { type = "duration", help = "how long to wait for it; default: --lock-timeout, or 0" },
})

return M
