--- The course of a playbook over hosts: who may begin which step when. Lockstep: a host waits
--- before each step until every other host waits too or has ended; then those go on whose step
--- stands first in the playbook. So a host that needs fewer steps waits before the next common one.

local fault = require("plat.fault")
local prim = require("prim.task")

local M = {}

---@class plat.run.hosts.Course
---@field fn function the playbook's, called for each host
---@field lockstep boolean
---@field free integer how many more hosts may be worked on at once
---@field busy integer hosts that neither wait nor have ended
---@field stopped? plat.Fault why no further step begins
local Course = { __name = "plat.run.hosts.Course" }
Course.__index = Course

--- Makes a course.
---@param fn function
---@param opts { lockstep: boolean, limit: integer }
---@return plat.run.hosts.Course
function M.new(fn, opts)
  return setmetatable({
    fn = fn,
    lockstep = opts.lockstep,
    free = opts.limit,
    busy = 0,
    scopes = {},
    queue = {}, -- who may go on as soon as another host makes room
    queue_first = 1, -- index in it of the first that waits: to move all would be quadratic
  }, Course)
end

-- ---- room ----

local function make_room(self)
  self.free = self.free + 1
  while self.free > 0 and self.queue_first <= #self.queue do
    local arrival = self.queue[self.queue_first]
    self.queue[self.queue_first] = false
    self.queue_first = self.queue_first + 1
    if self.queue_first > #self.queue then
      self.queue, self.queue_first = {}, 1
    end
    self:grant(arrival)
  end
end

--- Lets somebody go on, at once or when there is room.
---@param arrival table
function Course:grant(arrival)
  local scope = arrival.scope
  if not scope.has_room and self.free == 0 then
    table.insert(self.queue, arrival)
    return
  elseif not scope.has_room then
    self.free, scope.has_room = self.free - 1, true
  end
  arrival.gate:open()
end

local function give_room(self, scope)
  if scope.has_room then
    scope.has_room = false
    make_room(self)
  end
end

-- ---- rounds ----

local function remove(items, item)
  for i = #items, 1, -1 do
    if items[i] == item then
      table.remove(items, i)
      return true
    end
  end
  return false
end

--- Lets those go on whose step stands first in the playbook.
local function next_round(self)
  local first
  for _, scope in ipairs(self.scopes) do
    for _, arrival in ipairs(scope.arrivals) do
      if not first or arrival.place < first then
        first = arrival.place
      end
    end
  end
  for _, scope in ipairs(first and self.scopes or {}) do
    for i = #scope.arrivals, 1, -1 do
      local arrival = scope.arrivals[i]
      if arrival.place == first then
        table.remove(scope.arrivals, i)
        scope.active = scope.active + 1
        self:update(scope)
        self:grant(arrival)
      end
    end
  end
end

--- Counts a host as one that waits, or does not; when all wait the next round begins.
---@param scope table
function Course:update(scope)
  local quiet = scope.ended or scope.active == 0 and #scope.arrivals > 0
  if quiet ~= scope.quiet then
    scope.quiet = quiet
    self.busy = self.busy + (quiet and -1 or 1)
    if self.busy == 0 then
      next_round(self)
    end
  end
end

local function wait(arrival)
  fault.must({ op = "run:on" }, arrival.gate:wait())
end

--- Raises when no further step may begin.
function Course:check()
  if self.stopped then
    error(self.stopped, 0)
  end
end

--- Says that no further step begins anywhere. What runs comes to its end.
---@param err plat.Fault
function Course:stop(err)
  if self.stopped then
    return
  end
  self.stopped = err
  for _, scope in ipairs(self.scopes) do
    for _, arrival in ipairs(scope.arrivals) do
      arrival.gate:open()
    end
  end
end

-- ---- what a host does ----

--- Adds a host, before any begins.
---@param scope table
function Course:add(scope)
  scope.course, scope.active, scope.arrivals, scope.quiet = self, 0, {}, false
  self.busy = self.busy + 1
  table.insert(self.scopes, scope)
end

--- Waits until there is room for a host.
---@async
---@param scope table
function Course:begin(scope)
  local arrival = { scope = scope, gate = prim.gate() }
  self:grant(arrival)
  wait(arrival)
  self:check()
end

--- A host has come to its end.
---@param scope table
function Course:finish(scope)
  scope.ended = true
  give_room(self, scope)
  self:update(scope)
end

--- Waits until a host may begin its next step; raises when none may begin any more.
---@async
---@param scope table
function Course:begin_step(scope)
  self:check()
  if not self.lockstep then
    return
  end
  local arrival = { scope = scope, gate = prim.gate(), place = prim.place(self.fn) }
  table.insert(scope.arrivals, arrival)
  if scope.active == 0 then
    give_room(self, scope)
  end
  self:update(scope)
  local ok, err = xpcall(wait, fault.from_handler, arrival)
  if not ok or self.stopped then
    if not remove(scope.arrivals, arrival) then
      remove(self.queue, arrival)
      self:end_step(scope)
    end
    self:update(scope)
    error(not ok and err or self.stopped, 0)
  end
end

--- A step that `begin_step` let begin has ended.
---@param scope table
function Course:end_step(scope)
  if self.lockstep then
    scope.active = scope.active - 1
    self:update(scope)
  end
end

return M
