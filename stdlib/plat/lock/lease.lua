--- A lock as a Lease object of Kubernetes (coordination.k8s.io/v1), in the terms of client-go's
--- leader election. Every change names the version and the uid that it was made from: of two who
--- are equally fast one gets a 409, and a lease that was deleted is not made again by a renewal.

local effect = require("plat.effect")
local errors = require("plat.k8s.errors")
local fault = require("plat.fault")
local kinds = require("plat.k8s.kinds")
local list = require("plat.list")
local terms = require("plat.lock.terms")
local time = require("plat.time")
local wait = require("plat.lock.wait")

local M = {}

local REASON = "the lease of a lock: who works on this"
local COLLECTION = "^/apis/coordination%.k8s%.io/v1/namespaces/[^/]+/leases"
effect.declare_housekeeping({ method = "POST", path = COLLECTION .. "%?", reason = REASON })
effect.declare_housekeeping({ method = "PUT", path = COLLECTION .. "/[^/?]+%?", reason = REASON })

local RELEASE = { times = 3 } -- attempts to give a lease back: nobody shall wait for its end
local DRIFT = 5 -- seconds; a server whose clock differs by more is believed, and not our own clock

---@class plat.lock.Lease
---@field kind "kubernetes"
---@field where string for people: "lease NS/NAME on cluster X"
---@field key string what tells this lock from all others
local Lease = { kind = "kubernetes", __name = "plat.lock.Lease" }
Lease.__index = Lease

--- Makes the place of a lock on a cluster; asks nothing.
---@param client plat.k8s.Client
---@param ns string
---@param name string of the Lease
---@param opts { lock: string, duration: number, any: boolean? } any: the playbook named this lease
---@return plat.lock.Lease
function M.new(client, ns, name, opts)
  return setmetatable({
    transport = client.transport,
    target = client.target,
    ns = ns,
    name = name,
    lock = opts.lock,
    duration = math.ceil(opts.duration),
    any = opts.any or false,
    offset = 0,
    where = ("lease %s/%s on %s"):format(ns, name, client.target),
    look_hint = ("kubectl -n %s get lease %s -o yaml -w"):format(ns, name),
    strange_hint = ("look at it (kubectl -n %s get lease %s -o yaml); if nobody needs it, "):format(
      ns,
      name
    ) .. "delete it",
    key = ("%s %s/%s"):format(client.transport._server, ns, name),
  }, Lease)
end

--- Returns the time by the API server's clock, as far as it is known.
---@return number unix seconds
function Lease:now()
  return time.now() + self.offset
end

local function learn_clock(self, resp)
  local date = terms.http_date(resp.headers and resp.headers.date)
  if date then
    local differs = date - time.now()
    self.offset = math.abs(differs) > DRIFT and differs or 0
  end
end

--- Returns the object, or nil and the code: 404 and 409 are answers here, all else raises.
local function ask(self, method, object, retry)
  local path = kinds.path(
    { group = "coordination.k8s.io", version = "v1", plural = "leases", namespaced = true },
    self.ns,
    method ~= "POST" and self.name or nil
  )
  local answer, resp = fault.try(self.transport.request, self.transport, {
    method = method,
    path = path,
    query = method ~= "GET" and { fieldManager = "platrun" } or nil,
    body = object,
    op = "run:lock",
    object = "lease " .. self.ns .. "/" .. self.name,
    timeout = math.max(1, math.min(10, self.duration / 4)),
    housekeeping = method ~= "GET" and REASON or nil,
    retry = retry,
  })
  if answer then
    learn_clock(self, resp)
    return answer
  end
  local err = resp
  local missing = method ~= "POST" and errors.is(err, 404) and not errors.is_unserved(err)
  if missing or errors.is(err, 409) then
    return nil, err.code
  elseif errors.is(err, 403) then
    err.hint = "a lock needs to get, create and update leases: "
      .. ("kubectl -n %s create role platrun-locks "):format(self.ns)
      .. "--verb=get,list,create,update --resource=leases.coordination.k8s.io"
  end
  error(err, 0)
end

--- Returns what the lease says now, nil when there is none.
---@async
---@return plat.lock.Terms?
---@return table? object
function Lease:read()
  local object = ask(self, "GET")
  if object then
    return terms.read(object), object
  end
end

--- Says who holds the lock, for a plan or a list; nil when nobody does.
---@async
---@return string? text
function Lease:holder()
  local said = self:read()
  if not said then
    return nil
  end
  local verdict = terms.judge(said, nil, { now = self:now(), seen = 0, any = self.any })
  if verdict.word == "strange" then
    return verdict.why
  elseif verdict.word == "held" then
    return terms.holder(said, self:now())
  end
end

local function map(v)
  return type(v) == "table" and v or {}
end

local function annotate(object, me, lock)
  local meta = object.metadata
  meta.labels = list.merge(map(meta.labels), { [terms.LABEL] = terms.OURS })
  local notes = list.copy(map(meta.annotations))
  notes[terms.NOTES.name] = lock
  notes[terms.NOTES.user] = me.user
  notes[terms.NOTES.playbook] = me.playbook
  meta.annotations = notes
end

--- Keeps what we know of our lease: from when on it counts is when the request was made.
local function keep(self, object, at)
  self.object, self.renewed_at = object, at
  return true
end

local function with_spec(object, spec)
  local changed = list.copy(object)
  changed.metadata = list.copy(object.metadata)
  changed.metadata.managedFields = nil -- as they are; they are most of the object
  changed.spec = list.merge(map(object.spec), spec)
  return changed
end

--- Makes the lease, or takes it over as it was read. Returns false when somebody was faster.
---@async
---@param me table
---@param object? table as it was read
---@param old? plat.lock.Terms what it said
---@return boolean
function Lease:seize(me, object, old)
  local at = wait.moment()
  local spec = terms.spec(old, me.id, self.duration, self:now())
  local wanted
  if object then
    wanted = with_spec(object, spec)
  else
    wanted = {
      apiVersion = "coordination.k8s.io/v1",
      kind = "Lease",
      metadata = { name = self.name, namespace = self.ns },
      spec = spec,
    }
  end
  annotate(wanted, me, self.lock)
  local answer = ask(self, object and "PUT" or "POST", wanted)
  if answer == nil then
    return false
  end
  keep(self, answer, at)
  if self.offset ~= 0 then
    self:renew(me) -- what was just written is by our clock, and the server's is another
  end
  return true
end

--- Whether the lease may be taken now; see plat.lock.wait.
---@async
---@param me { id: string }
---@param seen table for how long it is unchanged
---@return string word
---@return plat.lock.Terms? said
---@return table? object
---@return plat.lock.Verdict? verdict
function Lease:look(me, seen)
  local said, object = self:read()
  if not said then
    return "free", nil, nil
  end
  local verdict = wait.judge(self, said, me, seen)
  return verdict.word, said, object, verdict
end

--- Takes the lock, waiting for it up to some seconds. Raises kind "refused", exit 75, when somebody
--- else has it.
---@async
---@param me { id: string, user: string, playbook: string }
---@param for_seconds number
---@return string? from "taken over" or "taken back", nil when it was free
function Lease:take(me, for_seconds)
  return wait.take(self, me, for_seconds)
end

local function explain_loss(self, me, said)
  if not said then
    wait.lost(self, "its lease was deleted")
  end
  local why = said.id ~= "" and "it is held by " .. terms.holder(said, self:now())
  if said.broken and said.broken_holder == me.id then
    wait.lost(self, "it was broken by " .. said.broken .. (why and "; " .. why or ""))
  end
  wait.lost(
    self,
    why or "its lease was given back" .. (said.writer and " by " .. said.writer or "")
  )
end

--- Changes our lease; if it was changed meanwhile and is still ours, once more. Raises a fault with
--- `lost` when it is not.
local function update(self, me, spec, retry)
  local object = self.object
  for _ = 1, wait.CONFLICTS do
    local at = wait.moment()
    local answer = ask(self, "PUT", with_spec(object, spec), retry)
    if answer then
      return keep(self, answer, at)
    end
    local said
    said, object = self:read()
    if not said or said.id ~= me.id then
      explain_loss(self, me, said)
    end
  end
  fault.raise("io", { op = "run:lock", target = self.target, object = self.lock }, {
    msg = "others change its lease all the time",
  })
end

--- Renews the lease. Raises; with `lost` when it is not ours any more.
---@async
---@param me { id: string }
function Lease:renew(me)
  update(self, me, { renewTime = terms.micro(self:now()) })
end

--- Returns for how many seconds the lease was not renewed.
---@return number
function Lease:age()
  return wait.age(self.renewed_at)
end

--- Gives the lease back, as client-go does: without a holder, so that the next one need not wait.
--- Raises; with `lost` when it was not ours any more.
---@async
---@param me { id: string }
function Lease:release(me)
  local spec = {
    holderIdentity = "",
    leaseDurationSeconds = 1,
    renewTime = terms.micro(self:now()),
  }
  local _, err = fault.try(update, self, me, spec, RELEASE)
  if err and err.lost then
    local said = self:read()
    if said and said.id == "" and said.broken_holder ~= me.id then
      return -- an answer was lost, and what was asked for has happened
    end
  end
  if err then
    error(err, 0)
  end
end

--- Gives back what a cancelled or unanswered take may have taken.
---@async
---@param me { id: string }
function Lease:abandon(me)
  local said, object = self:read()
  if said and said.id == me.id then
    self.object = object
    local _, err = fault.try(self.release, self, me)
    if err and not err.lost then
      error(err, 0)
    end
  end
end

--- Takes the lease from its holder, who learns by whom and why when it renews. Returns false when
--- somebody else has it by now.
---@async
---@param id string the holder that was shown
---@param by string who, where, when and why
---@return boolean
function Lease:break_(id, by)
  for _ = 1, wait.CONFLICTS do -- a holder that lives renews in between
    local said, object = self:read()
    if not said or said.id ~= id then
      return false
    end
    local changed = with_spec(object, { holderIdentity = "", leaseDurationSeconds = 1 })
    changed.metadata.annotations = list.merge(map(changed.metadata.annotations), {
      [terms.NOTES.broken] = by,
      [terms.NOTES.broken_holder] = id,
    })
    if ask(self, "PUT", changed) then
      return true
    end
  end
  return false
end

--- Returns the leases of locks in a namespace (nil: in all).
---@async
---@param client plat.k8s.Client
---@param ns? string
---@return table[] objects
function M.list(client, ns)
  local labels = { [terms.LABEL] = terms.OURS }
  return (client:list("coordination.k8s.io/v1/Lease", ns, { labels = labels }))
end

return M
