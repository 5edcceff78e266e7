--- Lets faults happen at the door of a simulated world, each at its moment. It counts requests and
--- effects, draws by seed, and keeps what it has done, in words that repeat it exactly.

local faults = require("plat.sim.faults")

local M = {}

---@class plat.sim.Injector
---@field requests integer so far
---@field effects integer so far
---@field done { text: string, at: string }[] what has happened: a fault that repeats it, and where
local Injector = { __name = "plat.sim.Injector" }
Injector.__index = Injector

local LIMIT = 2147483647

local function pattern_of(op)
  return "^" .. op:gsub("[%^%$%(%)%%%.%[%]%+%-%?]", "%%%0"):gsub("%*", ".*") .. "$"
end

--- Makes an injector for a world.
---@param world table
---@param list plat.sim.Fault[]
---@return plat.sim.Injector
function M.new(world, list)
  local self =
    setmetatable({ world = world, armed = {}, requests = 0, effects = 0, done = {} }, Injector)
  for _, one in ipairs(list) do
    self:arm(one)
  end
  return self
end

--- Adds a fault.
---@param one plat.sim.Fault
function Injector:arm(one)
  local when = one.when or {}
  local own = { fault = one, kind = assert(faults.kind(one.name), one.name), when = when, seen = 0 }
  own.on = when.on or not one.when and own.kind.on
  own.left = own.kind.world and 1 or one.args.times or 1
  if when.share and not one.text:find("^[^:@]+:") then
    own.left = math.huge -- each request anew
  end
  own.pattern = when.op and pattern_of(when.op)
  if when.share then
    own.state = ((when.seed or self.world.seed or 1) * 48271 + 11) % (LIMIT - 1) + 1
  end
  self.armed[#self.armed + 1] = own
end

--- Draws a number below 1. The sequence belongs to one fault: what happens to one request does not
--- change what happens to the next.
local function draw(own)
  own.state = own.state * 48271 % LIMIT
  return own.state / LIMIT
end

local function matches(own, at)
  if not own.pattern then
    return true
  end
  local op = at.req.op or at.req.method or ""
  local whole = op .. " " .. (at.req.object or "")
  if not (op:find(own.pattern) or whole:find(own.pattern)) then
    return false
  end
  own.seen = own.seen + 1
  return not own.when.nth or own.when.nth == own.seen
end

--- Says whether a fault happens at this request. Counts and draws: asked once a request.
local function hits(self, own, at)
  local when = own.when
  local luck = not when.share or draw(own) < when.share
  own.word = when.share and draw(own) or 0 -- what "any" chooses by
  if at.model == "hosts" and not (own.kind.hosts or own.kind.world) then
    return false -- an answer of HTTP
  elseif not luck or own.left <= 0 or (own.on and own.on ~= at.model) or not matches(own, at) then
    return false
  elseif when.effect and when.effect ~= at.effect then
    return false
  elseif when.request and when.request ~= at.request then
    return false
  elseif when.changes and not at.effect then
    return false
  end
  local ready = own.kind.ready
  return not ready or ready(self.world, own.fault.args, at)
end

local function note(self, name, own, at)
  own.left = own.left - 1
  local args = own.fault.text:match("^[^:@]+(:[^@]*)@?") or ""
  local text = name == own.fault.name and name .. args or name
  table.insert(self.done, {
    text = ("%s@request=%d"):format(text, at.request),
    at = ("%s %s"):format(at.req.op or at.req.method or "?", at.req.object or at.req.url or ""),
  })
end

local function about(req)
  return { method = req.method, url = req.url, op = req.op, object = req.object }
end

--- Counts one request and says what it is.
---@param req table
---@param model? string
---@return plat.sim.Moment
function Injector:moment(req, model)
  self.requests = self.requests + 1
  local effect = req.change ~= nil or req.housekeeping ~= nil
  self.effects = self.effects + (effect and 1 or 0)
  return {
    request = self.requests,
    effect = effect and self.effects or nil,
    req = req,
    model = model,
  }
end

--- What "any" stands for at this request.
local function chosen(own, at)
  if own.kind.choose then
    local name = own.kind.choose(own.word, at)
    return name, faults.kind(name), faults.parse(name).args
  end
  return own.fault.name, own.kind, own.fault.args
end

--- To be called before the world is asked. Gives the answer in its place, raises, or does nothing.
---@async
---@param at plat.sim.Moment
---@return table? resp
function Injector:before(at)
  at.later = {}
  for _, own in ipairs(self.armed) do
    if hits(self, own, at) then
      local name, kind, args = chosen(own, at)
      if kind.world then
        note(self, name, own, at)
        self.world:happen(name, args, about(at.req))
      elseif kind.before then
        note(self, name, own, at)
        local resp = kind.before(at, args)
        if resp then
          return resp
        end
      else
        table.insert(at.later, { own = own, name = name, kind = kind, args = args })
      end
    end
  end
end

--- To be called with the world's answer. Returns it, another one, or raises.
---@async
---@param at plat.sim.Moment
---@param resp table
---@return table resp
function Injector:after(at, resp)
  for _, item in ipairs(at.later or {}) do
    note(self, item.name, item.own, at)
    resp = item.kind.after(at, item.args, resp)
  end
  return resp
end

return M
