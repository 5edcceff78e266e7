--- run:rollout: a change to many targets in batches, stopped as soon as it goes wrong.

local batches = require("plat.run.rollout.batches")
local budget = require("plat.run.rollout.budget")
local check = require("plat.check")
local fault = require("plat.fault")
local leader = require("plat.run.rollout.leader")
local list = require("plat.list")
local report = require("plat.run.rollout.report")
local run_batch = require("plat.run.rollout.batch").run
local step_key = require("plat.run.key")
local task = require("plat.task")
local watch = require("plat.run.rollout.watch")

local CALLER = 4 -- levels of the stack from the check of options to the playbook

local OPTIONS = check.options("run:rollout", {
  title = { type = "string", required = true, help = "what is done to a target: restart" },
  targets = { type = "list", required = true, help = "texts, or tables with a field `name`" },
  key = { type = "any", help = "field or function that names a target" },
  work = { type = "function", required = true, help = "(target, step): the change" },
  batches = { type = "any", default = 1, help = 'sizes: 1, "25%", { 1, "10%", "50%" }' },
  order = { type = "any", default = "listed", help = "listed, reverse, comparison or sort key" },
  last = { type = "any", help = "name, or function of a target: it goes last, on its own" },
  before_last = { type = "function", help = "(target, step): prepares the last one" },
  limit = { type = "integer", min = 1, help = "targets at once; default: the batch" },
  timeout = { type = "duration", help = "for each target" },
  gate = { type = "function", help = "(batch): must become true after each batch" },
  within = { type = "duration", default = "5m", help = "how long the gate may take" },
  every = { type = "duration", default = "5s", help = "between two readings of the gate" },
  readings = { type = "integer", min = 1, default = 3, help = "of the gate, in a row" },
  invariant = { type = "table", help = "{ name, check, every, timeout, tolerate }, or a list" },
  budget = { type = "table", help = "{ batch, total }: targets that may fail" },
  pause = { type = "any", help = "between batches: a duration, or a function of the batch" },
  undo = { type = "enum", enum = { "batch", "all", "none" }, default = "batch" },
  noun = { type = "string", default = "target", help = "what titles call a target: host" },
})

---@class plat.run.Rollout
---@field run plat.Run
---@field opts table
---@field title string
---@field label string the title; of a second rollout of that title "restart (2)"
---@field id string names its records
---@field items table<string, any> targets by name
---@field names string[] in order
---@field state table<string, string> by name: waiting, running, done, failed, undone
---@field last? string
---@field budget plat.run.Budget
---@field invariants plat.run.Invariant[]
---@field batches plat.run.Batch[]
local Rollout = {}
Rollout.__index = Rollout

--- Says something in the run's output.
---@param fmt string
function Rollout:say(fmt, ...)
  self.run:log("%s: %s", self.label, fmt:format(...))
end

--- Records what must outlive the process: attempts, failures, a stop.
---@async
---@param batch plat.run.Batch
function Rollout:remember(batch)
  self.run:record({
    type = "keep",
    name = batch.id .. " state",
    value = list.deep_copy({
      attempts = batch.attempts,
      failures = batch.failures,
      stopped = batch.stopped,
    }),
  })
end

--- Returns how many targets have failed inside the budget.
---@return integer
function Rollout:count_failures()
  local n = 0
  for _, batch in ipairs(self.batches) do
    n = n + list.count(batch.failures)
  end
  return n
end

local function usage(name, msg, hint)
  local text = name and ("option %q: %s"):format(name, msg) or msg
  fault.raise("usage", { op = "run:rollout" }, { msg = text, hint = hint })
end

local function must(name, value, err)
  if value == nil then
    usage(name, err)
  end
  return value
end

--- Raises what was said wrongly as a mistake of the playbook, with its place.
local function checked(fn, ...)
  local value, err = fault.try(fn, ...)
  if err then
    fault.raise("usage", nil, { msg = err.msg, where = err.where })
  end
  return value
end

local function name_of(key, target)
  if type(key) == "function" then
    return key(target)
  elseif type(target) == "table" then
    return target[key or "name"]
  end
  return target
end

--- Returns the names of the targets in their order, and the targets by name.
local function name_all(opts)
  local items, names = {}, {}
  for i, target in ipairs(must("order", batches.order(opts.targets, opts.order))) do
    local name = name_of(opts.key, target)
    if type(name) ~= "string" and type(name) ~= "number" or name == "" then
      local hint = "give the targets a field `name`, or say key = FIELD"
      usage("targets", ("number %d has no name"):format(i), hint)
    end
    name = tostring(name)
    if items[name] ~= nil then
      usage("targets", ("two targets are named %q"):format(name))
    end
    items[name], names[i] = target, name
  end
  return names, items
end

local function check_kinds(opts)
  local last, pause = type(opts.last), opts.pause
  if last ~= "nil" and last ~= "string" and last ~= "function" then
    usage("last", "a name or a function of a target is expected, not a " .. last)
  elseif opts.before_last and not opts.last then
    usage("before_last", "it goes with `last`")
  end
  if pause ~= nil and type(pause) ~= "function" then
    opts.pause = must("pause", check.duration(pause))
  end
end

--- Returns what names the records of the rollout, and what people call it: two rollouts of one
--- title in one place are told apart.
local function identify(run, title)
  local step = task.context()
  local path = step_key.join(step and step.key, title)
  run.rollouts = run.rollouts or {}
  local n = (run.rollouts[path] or 0) + 1
  run.rollouts[path] = n
  local tail = n == 1 and "" or (" (%d)"):format(n)
  return path .. tail, title .. tail, step
end

local function new_batch(self, number, names, step)
  local count = self.count
  local batch = {
    number = number,
    id = ("%s batch %d"):format(self.id, number),
    where = ("batch %d of %d"):format(number, count),
    names = names,
    active = 0,
  }
  local size = report.count(#names, self.opts.noun)
  batch.title = ("%s: %s (%s)"):format(self.label, batch.where, size)
  batch.key = step_key.join(step and step.key, batch.title)
  local known = self.run:recall("keep", batch.id .. " state")
  local state = known and list.deep_copy(known.value) or {}
  batch.attempts = state.attempts or {}
  batch.failures = state.failures or {}
  batch.stopped = state.stopped
  return batch
end

--- Fixes order, batches and the last target once a run: a resumed one makes the same steps.
local function cut(self, names, amounts, step)
  local kept = self.run:keep(self.id .. " batches", function()
    local last = #names > 0 and leader.find(self, names) or nil
    return { batches = batches.cut(names, amounts, last), last = last }
  end)
  self.count, self.last = #kept.batches, kept.last
  self.names, self.batches = {}, {}
  for i, members in ipairs(kept.batches) do
    table.move(members, 1, #members, #self.names + 1, self.names)
    self.batches[i] = new_batch(self, i, members, step)
  end
  local planned = {}
  for _, name in ipairs(self.names) do
    planned[name] = true
  end
  for _, name in ipairs(names) do
    if not planned[name] then
      self:say("%s is no target of this run: it was not when the run began", name)
    end
  end
  if #self.names > 0 then
    self:say("%s", report.plan(kept.batches, self.opts.noun, self.last))
  end
end

local function start(run, given)
  local opts = checked(OPTIONS, given, CALLER)
  check_kinds(opts)
  local amounts = must("batches", batches.parse(opts.batches))
  local names, items = name_all(opts)
  local self = setmetatable({
    run = run,
    opts = opts,
    title = opts.title,
    items = items,
    state = {},
    invariants = checked(watch.parse, opts.invariant, CALLER),
    budget = must("budget", budget.parse(opts.budget, #names)),
  }, Rollout)
  local step
  self.id, self.label, step = identify(run, opts.title)
  cut(self, names, amounts, step)
  return self
end

local function result(self)
  local done, failed = {}, {}
  for _, name in ipairs(self.names) do
    table.insert(self.state[name] == "failed" and failed or done, name)
  end
  if #failed > 0 then
    self:say("%d done, %d failed: %s", #done, #failed, report.names(failed))
  end
  return { done = done, failed = failed }
end

--- Rolls a change out over targets in batches: after each a gate, beside each the invariants, the
--- leader last. What is over the budget, a gate that stays shut and a broken invariant stop it,
--- undo the batch (or all, or nothing) and raise. docs/PLAYBOOKS.md, "Rollouts".
---@async
---@param run plat.Run
---@param given table the options
---@return { done: string[], failed: string[] } names
return function(run, given)
  local self = start(run, given)
  if #self.names == 0 then
    self:say("nothing to roll out")
    return { done = {}, failed = {} }
  end
  if run.planning then
    for _, invariant in ipairs(self.invariants) do
      run.reporter:emit("plan_watch", { title = invariant.name, every = invariant.every })
    end
  end
  for _, batch in ipairs(self.batches) do
    run_batch(self, batch)
  end
  return result(self)
end
