--- What stands behind the door in plan mode: it lists changes instead of performing them, and tells
--- later reads how the world would look.
---
--- What a plan claims is soundness: a run on the same world changes nothing that is not listed. A
--- body whose course nobody can know ends, and leaves the plan open there: `open` says where.

local fault = require("plat.fault")
local prim = require("prim.task")
local step_key = require("plat.run.key")
local task = require("plat.task")
local unknown = require("plat.effect.unknown")

local M = {}

---@class plat.PlanLine
---@field class "will"|"maybe"|"opaque" surely so; perhaps; something, nobody can say what
---@field sure boolean whether the run surely comes to it, also to what is opaque
---@field change plat.Change
---@field beside? boolean by a task beside the step's body: its place among such lines means nothing
---@field diff? table[] `{ path=, before=, after= }`

---@class plat.Plan
---@field lines plat.PlanLine[]
---@field steps { key: string, title: string, no_return: boolean? }[] as they were entered
---@field open { step: string?, why: string }[] where a body ended early
local Plan = { __name = "plat.Plan" }
Plan.__index = Plan

--- Returns an empty plan.
---@param on_line fun(line: plat.PlanLine)
---@param on_wait fun(text: string)
---@return table plan
function M.new(on_line, on_wait)
  return setmetatable({
    lines = {},
    steps = {},
    open = {},
    overlays = {}, -- how later reads look: { target, fn(read, resp, lost) }, oldest first
    unknown = {}, -- what nobody can know any more: place -> why
    touched = {}, -- place -> the changes that are planned there
    marked = {}, -- target -> the first change that is planned there
    guessed = {}, -- keys of steps whose bodies go on with a value that their author made up
    glances = setmetatable({}, { __mode = "k" }), -- tasks that only look at what is there now
    bodies = {}, -- the task that runs the body of a step, by its key
    on_line = on_line,
    on_wait = on_wait,
  }, Plan)
end

local function place(target, object)
  return target .. "|" .. (object or "*")
end

-- ---- where the knowledge ends ----

--- Ends the step's body here: what follows depends on something that only happens in a real run.
--- From here on the plan is open: nothing that it lists is certain, as the rest of the body may do
--- anything. It travels as a cancel, so that nothing on its way swallows it.
---@param why string
function Plan:cut(why)
  local step = task.context()
  table.insert(self.open, { step = step and step.key, why = why })
  self.loose = self.loose or why
  error(
    fault.new("cancelled", nil, {
      msg = why,
      plan_end = step ~= nil,
      plan_stop = step == nil, -- outside of steps nothing can be left out: the plan ends
    }),
    0
  )
end

--- Says what the step may do beside its lines, and only the run can know. The body goes on.
---@param why string
function Plan:possible(why)
  local step = task.context()
  table.insert(self.open, { step = step and step.key, why = why })
  self.on_wait(why)
end

--- A step is entered.
---@param step { key: string, title: string, no_return: boolean? }
function Plan:step(step)
  table.insert(self.steps, { key = step.key, title = step.title, no_return = step.no_return })
  self.bodies[step.key] = prim.current()
end

--- A step has given its value back: if the value rests on a guess, so does all that follows.
---@param key string the step's
function Plan:returned(key)
  if self.guessed[key] then
    self.loose = self.loose or ("the value of step %q is a guess"):format(key)
  end
end

--- Whether a step, or one around it, goes on with a guess.
local function is_guess(self, key)
  for guessed in pairs(self.guessed) do
    if step_key.is_inside(key, guessed) then
      return true
    end
  end
  return false
end

-- ---- changes ----

--- Remembers what a change leaves behind for later reads.
local function leave_mark(self, change, resp, bounded)
  local at = place(change.target, change.object)
  self.touched[at] = self.touched[at] or {}
  table.insert(self.touched[at], change)
  self.marked[change.target] = self.marked[change.target] or change.text
  if change.overlay and (resp or bounded) then
    table.insert(self.overlays, { target = change.target, fn = change.overlay })
  else
    self.unknown[(resp or bounded) and at or place(change.target)] = change.text
  end
end

--- Goes on behind a change that nothing predicts: with what its author gives, with a value that
--- nobody can look into, or not at all.
local function go_on(self, change)
  local why = ("what follows depends on the outcome of: %s"):format(change.text)
  if change.planned ~= nil then
    self.guessed[change.step] = true
    return change.planned
  elseif change.veiled then
    return unknown.new(function()
      self:cut(why)
    end)
  end
  self:cut(why)
end

--- Lists a change and returns the answer that a real run would probably get.
---@param change plat.Change
---@return table? resp
function Plan:change(change)
  local resp, bounded -- bounded: its answer is not known, but it changes its object only
  if change.predict then
    resp, bounded = change.predict()
  end
  local sure = not self.loose and not is_guess(self, change.step)
  local line = {
    class = not (resp or bounded) and "opaque" or sure and "will" or "maybe",
    sure = sure,
    change = change,
    beside = self.bodies[change.step] ~= prim.current() or nil,
    diff = resp and change.diff and change.diff(resp) or nil,
  }
  table.insert(self.lines, line)
  self.on_line(line)
  leave_mark(self, change, resp, bounded)
  if resp then
    return resp
  end
  return go_on(self, change)
end

--- Returns the changes that are planned for an object, nil if there are none.
---@param target string
---@param object string
---@return plat.Change[]?
function Plan:planned(target, object)
  return self.touched[place(target, object)]
end

-- ---- reads ----

--- Calls a function that looks at what is there now: nothing that it reads ends the body. For
--- waits, which show the present state and go on.
---@param fn function
---@return any ... what `fn` returns
function Plan:glance(fn, ...)
  local current = prim.current()
  local before = self.glances[current]
  self.glances[current] = true
  local results = table.pack(xpcall(fn, fault.from_handler, ...))
  self.glances[current] = before
  if not results[1] then
    error(results[2], 0)
  end
  return table.unpack(results, 2, results.n)
end

--- Says that a wait has come to its end: how later reads look then.
---@param target string
---@param overlay fun(read: table, resp: table): table?
function Plan:reached(target, overlay)
  table.insert(self.overlays, { target = target, fn = overlay })
end

local function glancing(self, req)
  return req.neutral or self.glances[prim.current()] == true
end

--- Ends the body before a read that is in vain, because what it asks about is unknown.
---@param req table the read
function Plan:before_read(req)
  local why = self.unknown[place(req.target)]
    or req.object and self.unknown[place(req.target, req.object)]
    or req.sees_all and self.marked[req.target]
  if why and not glancing(self, req) then
    self:cut(("what follows depends on %s after: %s"):format(req.object or req.target, why))
  end
end

--- Looks at the answer of a read in the light of what is planned. What one change makes unknown a
--- later one, or the end of a wait, may make known again.
---@param req table the read
---@param resp table its real answer
---@return table resp the answer as it would be then; `planned` in it if it differs
function Plan:read(req, resp)
  local real, lost = resp, nil
  for _, overlay in ipairs(self.overlays) do
    if overlay.target == req.target then
      local seen, why = overlay.fn(req, resp, lost ~= nil)
      if not seen then
        lost = lost or why or "which the plan changes"
      elseif seen ~= resp then
        resp, lost = seen, nil
      end
    end
  end
  if lost and not glancing(self, req) then
    self:cut(("what follows depends on %s, %s"):format(req.object or req.target, lost))
  end
  if resp ~= real then
    resp.planned = true
  end
  return resp
end

--- Returns how many lines of each class there are, each open end counted as one *maybe*, and which
--- part of all that is certain.
---@return { will: integer, maybe: integer, opaque: integer, open: integer?, coverage: number }
function Plan:count()
  local ends = #self.open
  local count = { will = 0, maybe = ends, opaque = 0, open = ends > 0 and ends or nil }
  for _, line in ipairs(self.lines) do
    count[line.class] = count[line.class] + 1
  end
  local all = count.will + count.maybe + count.opaque
  count.coverage = all == 0 and 1.0 or count.will / all
  return count
end

return M
