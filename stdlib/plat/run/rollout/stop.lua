--- What happens when a batch of a rollout fails: who still runs is waited for, compensations as
--- declared, and an error that says where everything stands.

local engine = require("plat.run.undo")
local fault = require("plat.fault")
local list = require("plat.list")
local report = require("plat.run.rollout.report")
local task = require("plat.task")
local undo = require("plat.run.rollout.undo")
local watch = require("plat.run.rollout.watch")

local M = {}

local CLEANUP = 30 -- seconds that cancelled targets get to clean up before others undo their work

--- Waits until no target of the batch is worked on any more: a group leaves behind whoever takes
--- too long to clean up.
local function await_quiet(self, batch)
  local _, err = fault.try(task.shield, CLEANUP, function()
    while batch.active > 0 do
      task.sleep(0.05)
    end
    return true
  end)
  if err then
    self:say("%d targets have not ended their cleanup", batch.active)
  end
end

--- Returns the step titles of the batch whose compensations are among these.
local function titles_of(batch, entries)
  local titles = {}
  for _, entry in ipairs(entries) do
    local title = entry.step:sub(#batch.key + 2):match("^[^/]*")
    titles[(title:gsub(" %(attempt %d+%)$", ""))] = true
  end
  return titles
end

--- What was undone is tried again in steps of their own; failures of this attempt count no more.
local function plan_next_attempt(self, batch, entries)
  local titles = titles_of(batch, entries)
  for name, failure in pairs(batch.failures) do
    if failure.undone then
      titles[self.title .. " " .. name] = true
    end
  end
  for title in pairs(titles) do
    batch.attempts[title] = (batch.attempts[title] or 1) + 1
  end
  batch.failures = {}
  return titles
end

local function plain(self, err)
  local detail = err.stopped_by and report.states(self.names, self.state) or nil
  return { kind = err.kind, msg = err.msg, reason = err.reason, detail = detail }
end

--- Performs the compensations of the batch. They, and what stopped it, are recorded before: a
--- process that goes on after a crash finishes them first.
local function undo_batch(self, batch, err)
  local held = undo.is_held(self.run)
  local entries = held and {} or undo.of(self.run, { batch.key })
  local titles = plan_next_attempt(self, batch, entries)
  if #entries > 0 then
    batch.stopped = {
      error = plain(self, err),
      ids = list.map(entries, function(entry)
        return entry.id
      end),
    }
  end
  self:remember(batch)
  if #entries == 0 then
    if held then
      self:say("%s is not undone: %s", batch.where, held)
    end
    return
  end
  self:say("%s is undone", batch.where)
  local ok, problem = xpcall(undo.perform, fault.from_handler, self.run, entries)
  if not ok then
    return problem
  end
  for _, name in ipairs(batch.names) do
    if titles[self.title .. " " .. name] and self.state[name] == "done" then
      self.state[name] = "undone"
    end
  end
end

local function tell(self, batch, err, problem)
  local lines = report.states(self.names, self.state)
  if problem then
    lines[#lines + 1] = ("the undo of %s failed: %s"):format(batch.where, tostring(problem))
  end
  if err.kind == "cancelled" then
    self:say("interrupted in %s: %s", batch.where, table.concat(lines, "; "))
  elseif err.stopped_by then
    err.detail = lines
    err.hint = report.hint(self.run)
  end
end

--- Ends a batch that has failed: undoes what is declared, and raises. A run that is interrupted or
--- suspended is the engine's: it undoes what is left, or nothing.
---@async
---@param self plat.run.Rollout
---@param batch plat.run.Batch
---@param err plat.Fault
function M.raise(self, batch, err)
  if self.run.planning or err.suspend or err.plan_stop or err.resumed then
    error(err, 0)
  end
  await_quiet(self, batch)
  if err.stopped_by == "invariant" then
    err.object = ("%q"):format(self.title)
    err.msg = ("%s (in %s)"):format(err.msg, batch.where)
  end
  local problem
  if self.opts.undo == "none" then
    engine.keep(self.run, batch.key)
  end
  if err.kind ~= "cancelled" and not watch.expired() then
    if self.opts.undo == "batch" then
      problem = undo_batch(self, batch, err)
    else
      plan_next_attempt(self, batch, {})
      self:remember(batch)
    end
  end
  tell(self, batch, err, problem)
  error(err, 0)
end

--- Finishes what an earlier process began when a batch was stopped. If that process was killed, its
--- failure is raised now; if it ended in order, somebody wants the batch to be tried again.
---@async
---@param self plat.run.Rollout
---@param batch plat.run.Batch
function M.settle(self, batch)
  local stopped = batch.stopped
  if not stopped then
    return
  end
  local left = {}
  for _, id in ipairs(stopped.ids) do
    left[#left + 1] = self.run.undo:find(id)
  end
  if #left > 0 then
    self:say("the undo of %s goes on", batch.where)
    undo.perform(self.run, left)
  end
  local memory = self.run.memory
  if memory and not memory.ended then
    fault.raise(stopped.error.kind, { op = "rollout", object = ("%q"):format(self.title) }, {
      msg = stopped.error.msg,
      reason = stopped.error.reason,
      detail = stopped.error.detail,
      hint = report.hint(self.run),
      resumed = true,
    })
  end
  batch.stopped = nil
  self:remember(batch)
end

return M
