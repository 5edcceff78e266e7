--- A lock on a host, kept alive by a heartbeat. It is a directory in which there is always exactly
--- one file of state, and every transition renames that file under its exact name:
---
---   free.GENERATION                    nobody holds it
---   held.GENERATION.SECONDS.TOKEN      somebody does; SECONDS: the last heartbeat, by the host's
---                                      clock; info.TOKEN says who, and was written before
---
--- The kernel lets one rename of a name win, and no name ever comes again, since the generation
--- only grows. So of two who take it over one wins, and a holder that renews beside somebody who
--- has just found it expired either wins, then it is held, or learns that it is lost. The directory
--- is made aside with its first file and renamed into its place, which fails where there is one.
--- No clock but the host's own is compared with a heartbeat. All it takes there is sh, mkdir, mv,
--- date, cat, rm, ls.

local fault = require("plat.fault")
local json = require("plat.json")
local list = require("plat.list")
local script = require("plat.lock.heartbeat_script")
local task = require("plat.task")
local terms = require("plat.lock.terms")
local time = require("plat.time")
local wait = require("plat.lock.wait")

local M = {}

local DIR = "/tmp" -- exists everywhere, ends with a reboot, every user can make a directory there
local GLANCES = 5 -- looks at a directory that seems empty: a rename may hide its file
local GLANCE = 0.05

---@class plat.lock.Heartbeat
---@field kind "host"
---@field where string
---@field key string
---@field duration integer seconds
local Heartbeat = { kind = "host", __name = "plat.lock.Heartbeat" }
Heartbeat.__index = Heartbeat

--- Makes the place of a lock on a host; asks nothing.
---@param host plat.Host
---@param name string
---@param opts { duration: number, dir: string?, base: string? } base: the name of the directory
---@return plat.lock.Heartbeat
function M.new(host, name, opts)
  local base = opts.base or script.PREFIX .. terms.lease_name(name):gsub("^platrun%-", "")
  local path = (opts.dir or DIR) .. "/" .. base
  local at = "--host " .. host.name .. (opts.dir and " --dir " .. opts.dir or "")
  return setmetatable({
    host = host,
    lock = name,
    path = path,
    target = "host " .. host.name,
    duration = math.ceil(opts.duration),
    offset = 0,
    where = ("%s on host %s"):format(path, host.name),
    key = ("host %s %s"):format(host.name, path),
    look_hint = ("ls -l %s on %s"):format(path, host.name),
    strange_hint = ("look at it (ls -l %s on %s)"):format(path, host.name)
      .. ("; if nobody needs it: platrun locks break %q %s --reason TEXT"):format(name, at),
    break_words = (" %s"):format(at),
  }, Heartbeat)
end

--- Returns the time by the host's clock, as far as it is known.
---@return number unix seconds
function Heartbeat:now()
  return time.now() + self.offset
end

-- ---- asking the host ----

local function whole(v)
  return math.type(v) == "integer" and v > 0 and v or nil
end

local function text(v)
  return type(v) == "string" and v or nil
end

--- Reads what a holder wrote about itself; nothing in it is taken for granted.
local function read_info(line)
  local said = fault.try(json.decode, line or "")
  return type(said) == "table" and said or {}
end

--- Returns what a state says: `{ name, generation, seconds, token }`, without the last two when the
--- lock is free. nil if it is none.
local function read_state(name)
  local generation, seconds, token = name:match("^held%.(%d+)%.(%d+)%.(%x+)$")
  generation = generation or name:match("^free%.(%d+)$")
  if not generation then
    return nil
  end
  return {
    name = name,
    generation = math.tointeger(tonumber(generation)),
    seconds = tonumber(seconds),
    token = token,
  }
end

--- Returns the terms of a state, as those of a lease.
local function terms_of(place, state, info)
  return {
    name = text(info.name) or place.lock,
    id = not state.token and "" or text(info.id) or "somebody unknown",
    host = text(info.host),
    run = text(info.run),
    user = text(info.user),
    playbook = text(info.playbook),
    since = type(info.since) == "number" and info.since or nil,
    duration = whole(info.duration),
    renewed = state.seconds,
    transitions = state.generation,
    ours = true,
    version = state.name,
    state = state,
  }
end

--- Returns what the answer says of one lock.
local function read_answer(place, lines)
  local found = { states = {}, infos = {} }
  for _, line in ipairs(lines) do
    local word, rest = line:match("^(%a+) ?(.*)$")
    if word == "state" and read_state(rest) then
      table.insert(found.states, read_state(rest))
    elseif word == "info" then
      local token, info = rest:match("^(%x+) (.*)$")
      found.infos[token or ""] = read_info(info)
    elseif word then
      found[word] = rest
    end
  end
  local newest
  for _, state in ipairs(found.states) do
    newest = (not newest or state.generation > newest.generation) and state or newest
  end
  found.state = newest
  if newest then
    found.said = terms_of(place, newest, found.infos[newest.token or ""] or {})
  end
  return found
end

local function lines_of(answer)
  local lines = {}
  for line in answer:gmatch("[^\n]+") do
    lines[#lines + 1] = line
  end
  return lines
end

--- Asks the host: a look, or a transition, which is housekeeping and no change of the playbook.
local function ask(self, op, from, token, stdin)
  local argv = script.argv(op, self.path, from or "", token or "")
  local out = script.perform(self.host, argv, {
    stdin = stdin,
    timeout = math.max(2, math.min(10, self.duration / 4)),
    looks = op == "look",
  })
  local answer = read_answer(self, lines_of(out.stdout))
  local now = tonumber(answer.now)
  if out.code ~= 0 or not now then
    fault.raise("io", { op = "run:lock", target = self.target, object = self.path }, {
      msg = (out.stderr:match("([^\n]+)") or "the host does not answer as a shell would")
        .. (out.code ~= 0 and (" (exit %d)"):format(out.code) or ""),
      hint = "another place for locks: run:lock(NAME, { on = host, dir = PATH })",
    })
  end
  self.offset = now - time.now()
  return answer
end

--- Looks what is there now. A directory without a state is looked at again: a rename may hide it.
local function read(self)
  for i = 1, GLANCES do
    local answer = ask(self, "look")
    if answer.state or answer.none or i == GLANCES then
      return answer
    end
    task.sleep(GLANCE)
  end
end

-- ---- taking ----

local function strange(why)
  return { word = "strange", why = why }
end

--- Whether it may be taken now; see plat.lock.wait.
---@async
---@param me { id: string }
---@param seen table
---@return string word
---@return plat.lock.Terms? said
---@return table? state
---@return plat.lock.Verdict? verdict
function Heartbeat:look(me, seen)
  local answer = read(self)
  if answer.none then
    return "free", nil, nil
  elseif not answer.said then
    return "strange", nil, nil, strange("there is something else in its place: " .. self.path)
  end
  local said = answer.said
  local verdict
  if said.id ~= "" and not said.duration then
    verdict = strange(("held by %s, and nothing says for how long"):format(said.id))
  else
    verdict = wait.judge(self, said, me, seen)
  end
  local may_take = verdict.word ~= "held" and verdict.word ~= "strange"
  if may_take and answer.readonly then
    return "strange",
      said,
      nil,
      strange(
        ("%s belongs to %s there, and another user may not take it"):format(
          self.path,
          answer.readonly
        )
      )
  end
  return verdict.word, said, answer.state, verdict
end

--- Keeps what we know of our lock.
local function keep(self, answer, at)
  if not answer.state then
    return false
  end
  self.state, self.renewed_at = answer.state, at
  return true
end

local function info_of(self, me)
  return json.encode({
    name = self.lock,
    id = me.id,
    run = me.run,
    host = me.host,
    user = me.user,
    pid = me.pid,
    playbook = me.playbook,
    since = time.now(),
    duration = self.duration,
  }) .. "\n"
end

--- Takes it from the state that was read. Returns false when somebody was faster.
---@async
---@param me table
---@param state? table nil: there was none
---@return boolean
function Heartbeat:seize(me, state)
  local at = wait.moment()
  self.token = script.token()
  local from = state and state.name or "none"
  return keep(self, ask(self, "take", from, self.token, info_of(self, me)), at)
end

--- Takes the lock, waiting for it up to some seconds. Raises kind "refused", exit 75, when somebody
--- else has it.
---@async
---@param me { id: string, user: string, playbook: string }
---@param for_seconds number
---@return string? from "taken over" or "taken back", nil when it was free
function Heartbeat:take(me, for_seconds)
  return wait.take(self, me, for_seconds)
end

-- ---- holding ----

local function explain_loss(self, answer)
  if answer.broken then
    wait.lost(self, "it was broken by " .. answer.broken)
  elseif answer.said and answer.said.id ~= "" then
    wait.lost(self, "it is held by " .. terms.holder(answer.said, self:now()))
  end
  wait.lost(self, answer.none and "its directory is gone" or "it was given back by somebody else")
end

--- Moves our lock on. An answer that was lost may have moved it already: then it bears our token.
local function move(self, op)
  for _ = 1, wait.CONFLICTS do
    local at = wait.moment()
    local answer = ask(self, op, self.state.name, self.token)
    if op == "release" and not answer.gone or keep(self, answer, at) then
      return
    end
    answer = read(self)
    if not answer.state or answer.state.token ~= self.token then
      explain_loss(self, ask(self, "look", nil, self.token))
    end
    self.state = answer.state
  end
  wait.lost(self, "others change it all the time")
end

--- Renews the lock. Raises; with `lost` when it is not ours any more.
---@async
function Heartbeat:renew()
  move(self, "renew")
end

--- Returns for how many seconds it was not renewed.
---@return number
function Heartbeat:age()
  return wait.age(self.renewed_at)
end

--- Gives the lock back.
---@async
function Heartbeat:release()
  local _, err = fault.try(move, self, "release")
  if err and not err.lost then
    error(err, 0)
  end
end

--- Gives back what a cancelled or unanswered take may have taken.
---@async
function Heartbeat:abandon()
  local state = self.token and read(self).state
  if state and state.token == self.token then
    self.state = state
    self:release()
  end
end

--- Says who holds the lock, for a plan or a list; nil when nobody does.
---@async
---@return string?
function Heartbeat:holder()
  local word, said, _, verdict = self:look({}, {})
  if word == "strange" then
    return verdict.why
  end
  return word == "held" and terms.holder(said, self:now()) or nil
end

--- Takes the lock from its holder, who learns by whom and why when it renews. Returns false when
--- somebody else has it by now.
---@async
---@param id string the holder that was shown
---@param by string who, where, when and why
---@return boolean
function Heartbeat:break_(id, by)
  for _ = 1, wait.CONFLICTS do -- a holder that lives renews in between
    local answer = read(self)
    if not answer.said or answer.said.id ~= id or id == "" then
      return false
    end
    local note = by:gsub("[%c]", " ") .. "\n"
    if not ask(self, "break", answer.state.name, answer.state.token, note).gone then
      return true
    end
  end
  return false
end

--- Returns the locks on a host: places, each with what was read of it.
---@async
---@param host plat.Host
---@param dir? string
---@return { place: plat.lock.Heartbeat, said: plat.lock.Terms }[]
function M.list(host, dir)
  local argv = script.argv("list", (dir or DIR) .. "/" .. script.PREFIX, "", "")
  local out = script.perform(host, argv, { timeout = 20, looks = true })
  local found, now, current = {}, nil, nil
  for _, line in ipairs(lines_of(out.stdout)) do
    local base = line:match("^lock (.+)$")
    now = tonumber(line:match("^now (%d+)$")) or now
    if base then
      current = { base = base, lines = {} }
      found[#found + 1] = current
    elseif current then
      table.insert(current.lines, line)
    end
  end
  return list.map(found, function(item)
    local place = M.new(host, item.base, { base = item.base, dir = dir, duration = 60 })
    place.offset = now and now - time.now() or 0
    local said = read_answer(place, item.lines).said
    place.lock = said and said.name or place.lock
    return { place = place, said = said }
  end)
end

return M
