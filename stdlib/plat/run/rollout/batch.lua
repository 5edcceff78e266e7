--- One batch of a rollout: its targets, the invariants beside them, the gate, the pause.

local budget = require("plat.run.rollout.budget")
local check = require("plat.check")
local effect = require("plat.effect")
local fault = require("plat.fault")
local leader = require("plat.run.rollout.leader")
local list = require("plat.list")
local step_key = require("plat.run.key")
local stop = require("plat.run.rollout.stop")
local task = require("plat.task")
local text = require("plat.text")
local undo = require("plat.run.rollout.undo")
local watch = require("plat.run.rollout.watch")

local M = {}

-- What no budget forgives: a mistake in the playbook, a rule that says no, this machine.
local NOT_FORGIVEN = { bug = true, usage = true, refused = true, io = true }

---@class plat.run.Batch
---@field number integer
---@field id string names its records
---@field key string of its step
---@field title string of its step
---@field where string "batch 2 of 4"
---@field names string[]
---@field attempts table<string, integer> by title, where it is not the first
---@field failures table<string, table> by name: those inside the budget
---@field stopped? table how an earlier attempt ended, and what it undid
---@field active integer targets that are worked on

--- Returns the title of a step inside the batch: what was undone is done again under another one,
--- because a step that has ended is not entered again.
local function title_of(self, batch, base, name)
  local steps = self.run.memory and self.run.memory.steps or {}
  local n = batch.attempts[base] or 1
  while true do
    local title = n == 1 and base or ("%s (attempt %d)"):format(base, n)
    local known = steps[step_key.join(batch.key, title)]
    if not (known and known.rescued) or batch.failures[name] then
      for i = 1, n - 1 do -- those before are done with: nobody need come to them again
        local former = i == 1 and base or ("%s (attempt %d)"):format(base, i)
        self.run.replaced[step_key.join(batch.key, former)] = true
      end
      return title
    end
    n = n + 1
  end
end

--- Returns the target of a name. One that is none any more is an error if it was begun.
local function target(self, batch, name, step)
  local item = self.items[name]
  local memory = self.run.memory
  if item ~= nil then
    return item
  elseif memory and memory.steps and not memory.steps[step.key] then
    self:say("%s is no target any more: nothing to do", name)
    return nil
  end
  fault.raise("refused", { op = "rollout", object = ("%q"):format(self.title) }, {
    msg = ("%s was begun in %s, and is no target any more"):format(name, batch.where),
    hint = 'read the list of targets once a run: run:keep("targets", function() ... end)',
  })
end

local function is_unsettled(run, key)
  return list.find(run.unsettled or {}, function(change)
    return step_key.is_inside(change.step, key)
  end) ~= nil
end

--- Counts a failure, or raises it when it is one too many.
local function count(self, batch, name, err)
  local here = list.count(batch.failures) + 1
  local all = self:count_failures() + 1
  local over, words = budget.exceeded(self.budget, #batch.names, here, all)
  local sum = ("%d of %d failed in %s"):format(here, #batch.names, batch.where)
  if over then
    fault.raise(err.kind, { op = "rollout", object = ("%q"):format(self.title) }, {
      msg = ("%s, %s: %s"):format(sum, words, name),
      cause = err,
      code = err.code,
      phase = err.phase,
      stopped_by = "budget",
    })
  end
  batch.failures[name] = { kind = err.kind, msg = tostring(err) }
  self:remember(batch)
  self.run:sync()
  self:say("%s, which is inside the budget: %s: %s", sum, name, tostring(err))
end

local function work(self, batch, name)
  local run = self.run
  local known = batch.failures[name]
  local title = title_of(self, batch, self.title .. " " .. name, name)
  local opts = { timeout = self.opts.timeout, keep = self.opts.undo == "none" }
  self.state[name] = "running"
  local _, err = fault.try(run.step, run, title, opts, function(step)
    if known then
      error(fault.new(known.kind, nil, { msg = known.msg }), 0) -- it failed before the interruption
    end
    local item = target(self, batch, name, step)
    if item ~= nil then
      self.opts.work(item, step)
    end
  end)
  if not err then
    self.state[name] = "done"
    return
  elseif err.suspend or err.plan_stop or run.planning then
    error(err, 0)
  end
  self.state[name] = "failed"
  local hopeless = NOT_FORGIVEN[err.kind] and not known
  if hopeless or watch.expired() or is_unsettled(run, step_key.join(batch.key, title)) then
    error(err, 0)
  elseif not known then
    count(self, batch, name, err)
  end
end

local function all_targets(self, batch)
  local limit = math.min(self.opts.limit or #batch.names, self.run.forks)
  task.each(batch.names, { limit = self.run.planning and 1 or limit }, function(name)
    batch.active = batch.active + 1
    local ok, err = xpcall(work, fault.from_handler, self, batch, name)
    batch.active = batch.active - 1
    if not ok then
      error(err, 0)
    end
  end)
end

--- Undoes what the failed targets did, when nothing else of the batch runs any more.
local function undo_failed(self, batch)
  if self.opts.undo == "none" then
    return
  end
  local keys = {}
  for name, failure in pairs(batch.failures) do
    local title = title_of(self, batch, self.title .. " " .. name, name)
    local key = step_key.join(batch.key, title)
    if #self.run.undo:inside(key) > 0 then
      keys[#keys + 1] = key
      failure.undone = true
    end
  end
  if #keys > 0 then
    self:remember(batch)
    undo.perform(self.run, undo.of(self.run, keys))
  end
end

local function facts(self, batch)
  return {
    number = batch.number,
    count = self.count,
    names = batch.names,
    items = list.map(
      list.where(batch.names, function(name)
        return self.items[name] ~= nil
      end),
      function(name)
        return self.items[name]
      end
    ),
    failed = list.keys(batch.failures),
  }
end

local function gate(self, batch)
  local opts = self.opts
  if not opts.gate then
    return
  end
  local proof = { within = opts.within, every = opts.every, readings = opts.readings }
  local about = facts(self, batch)
  local _, err = fault.try(
    self.run.prove,
    self.run,
    self.label .. ": gate after " .. batch.where,
    proof,
    function()
      return opts.gate(about)
    end
  )
  if err and (watch.expired() or err.kind == "bug" or err.kind == "usage") then
    error(err, 0)
  elseif err then
    fault.raise("failed", { op = "rollout", object = ("%q"):format(self.title) }, {
      msg = ("the gate after %s stays shut: %s"):format(batch.where, err.msg),
      cause = err.op ~= "prove" and err or nil,
      reason = "gate",
      stopped_by = "gate",
    })
  end
end

local function pause(self, batch)
  local length = self.opts.pause
  if not length or batch.number == self.count then
    return
  elseif self.run.planning then
    local known = type(length) == "number" and " of " .. text.seconds(length) or ""
    effect.plan_wait(("a pause%s after %s"):format(known, batch.where))
    return
  elseif type(length) == "function" then
    local answer = length(facts(self, batch))
    if answer == nil then
      return
    end
    local seconds, err = check.duration(answer)
    if not seconds then
      fault.raise("usage", { op = "run:rollout" }, { msg = "pause: " .. err })
    end
    length = seconds
  end
  effect.progress("a pause of " .. text.seconds(length))
  task.sleep(length)
end

--- Prepares the last target, which leads: a switchover, for example.
local function before_last(self, batch)
  local hook = self.opts.before_last
  if not hook or batch.names[1] ~= self.last or not leader.still_leads(self, batch) then
    return
  end
  local title = title_of(self, batch, ("%s: before %s"):format(self.title, self.last), self.last)
  self.run:step(title, { keep = self.opts.undo == "none" }, function(step)
    local item = target(self, batch, self.last, step)
    if item ~= nil then
      hook(item, step)
    end
  end)
end

local function inside(self, batch)
  stop.settle(self, batch)
  watch.beside(self.run.planning and {} or self.invariants, function()
    if self.unwatched then
      gate(self, self.unwatched) -- an earlier process passed it: who knows how long ago
      self.unwatched = nil
    end
    before_last(self, batch)
    all_targets(self, batch)
    undo_failed(self, batch)
    gate(self, batch)
    pause(self, batch)
  end)
end

--- Works on a batch in a step of its own. Unless the whole run is to be undone, what a finished
--- batch did stays.
---@async
---@param self plat.run.Rollout
---@param batch plat.run.Batch
function M.run(self, batch)
  local entered = false
  self.run:step(batch.title, { keep = self.opts.undo ~= "all" }, function(step)
    entered = true
    batch.key = step.key
    batch.names = leader.exchange(self, batch)
    local ok, err = xpcall(inside, fault.from_handler, self, batch)
    if not ok then
      stop.raise(self, batch, err)
    end
  end)
  if not entered then -- an earlier process has finished it
    batch.names = leader.exchange(self, batch)
    self.unwatched = batch
    for _, name in ipairs(batch.names) do
      self.state[name] = batch.failures[name] and "failed" or "done"
    end
  end
end

return M
