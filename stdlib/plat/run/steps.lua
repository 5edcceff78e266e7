--- Steps: run:step, run:each and run:prove. A finished step of an earlier process is not entered
--- again; one that was begun is.

local check = require("plat.check")
local effect = require("plat.effect")
local fault = require("plat.fault")
local memory = require("plat.run.memory")
local prove = require("plat.run.prove")
local settle = require("plat.run.settle")
local step_key = require("plat.run.key")
local task = require("plat.task")
local time = require("prim.time")
local undo = require("plat.run.undo")

local M = {}

---@class plat.Step
---@field title string
---@field key string path of titles
---@field run plat.Run
local Step = { __name = "plat.Step" }
Step.__index = Step

local STEP = check.options("run:step", {
  timeout = { type = "duration", help = "longest time the step may take" },
  returns = { type = "boolean", default = false, help = "the body's value is returned" },
  no_return = { type = "boolean", default = false, help = "a point of no return" },
  keep = { type = "boolean", default = false, help = "its effect stays when the run is undone" },
})

local EACH = check.options("run:each", {
  timeout = { type = "duration", help = "for each item" },
  limit = { type = "integer", min = 1, default = 1, help = "items at once" },
  key = { type = "any", help = "field or function that names an item" },
  keep = { type = "boolean", default = false },
})

local function unique_key(self, parent, title)
  if type(title) ~= "string" or title == "" then
    fault.raise("usage", { op = "run:step" }, { msg = "a step needs a title" })
  end
  local base = step_key.join(parent and parent.key, title)
  local n = (self.titles[base] or 0) + 1
  if n > 1 and self.open[base .. (n > 2 and "#" .. (n - 1) or "")] then
    fault.raise(
      "usage",
      { op = "run:step" },
      { msg = ("two steps %q run at the same time"):format(title) }
    )
  end
  self.titles[base] = n
  return n == 1 and base or (base .. "#" .. n)
end

local function open(self, parent, title, key, kind, no_return)
  local step = setmetatable({
    run = self,
    title = title,
    kind = kind or "step",
    no_return = no_return,
    key = key,
    parent = parent,
    host = parent and parent.host, -- whose step it is, inside run:on
    depth = parent and parent.depth + 1 or 0,
    counts = {},
    changes = self.memory and memory.changes_of(self.memory, key) or 0, -- inner ones included
    at = time.mono(),
  }, Step)
  self.open[key] = true
  local plan = effect.plan()
  if plan then
    plan:step(step)
  end
  self.reporter:emit("step_start", {
    key = key,
    title = title,
    host = step.host and step.host.name,
    kind = step.kind,
    depth = step.depth,
    at = step.at,
  })
  return step
end

local function word_of(step, err)
  if err and not err.plan_end then
    return err.kind == "cancelled" and "cancelled" or "failed"
  end
  return step.changes > 0 and "changed" or "ok"
end

local function close(self, step, err)
  self.open[step.key] = nil
  if step.parent then
    step.parent.changes = step.parent.changes + step.changes
  end
  local status = word_of(step, err)
  local seen = step.host and step.host.state
  if seen and seen[status] then
    seen[status] = seen[status] + 1
  end
  self.reporter:emit("step_end", {
    key = step.key,
    title = step.title,
    host = step.host and step.host.name,
    kind = step.kind,
    depth = step.depth,
    status = err and err.suspend and "suspended" or status == "cancelled" and "failed" or status,
    changed = step.changes > 0,
    seconds = math.floor((time.mono() - step.at) * 1000 + 0.5) / 1000,
    ended_early = err and err.plan_end and err.msg or nil,
  })
  return status
end

--- Records the end of a step. A failure is recorded as far as possible and raised as it is.
local function record_end(self, step, status, value, err)
  local record = {
    type = "step_end",
    key = step.key,
    status = status,
    value = value,
    changes = step.changes,
    error = err and self.plain_fault(err) or nil,
  }
  if err then
    fault.try(self.record, self, record) -- a journal that is broken has been told already
    return
  end
  self:record(record)
  if step.changes > 0 then
    self:sync()
  end
end

local function call(step, opts, fn)
  if opts.timeout and not step.run.planning then
    return task.timeout(opts.timeout, function()
      return fn(step)
    end, "the step")
  end
  return fn(step)
end

--- Runs a body in its step and tells how it ended: its value, or the fault and the value nil.
local function enter(self, step, opts, fn)
  local ok, value = xpcall(function()
    local result = task.with_context(step, call, step, opts, fn)
    settle.close_step(self, step)
    if opts.returns then
      return self:plain(step.title, result)
    elseif result ~= nil then
      fault.raise("usage", { op = "run:step", object = step.title }, {
        msg = "the step returns a value, and its options do not say so",
        hint = "run:step(title, { returns = true }, fn), or return nothing",
      })
    end
  end, fault.from_handler)
  local err = not ok and value or nil
  local status = close(self, step, err)
  if self.planning or err and err.suspend then
    return err, value
  end
  record_end(self, step, status, ok and value or nil, err)
  if ok and opts.keep then
    undo.keep(self, step.key)
  end
  return err, value
end

--- Answers from memory for a step that an earlier process has ended.
local function recall(self, known, parent)
  if known.rescued then
    error(fault.new(known.error.kind, known.error), 0)
  end
  local host = parent and parent.host
  if host then
    host.state.skipped = host.state.skipped + 1
  end
  self.reporter:emit("step_skip", {
    key = known.key,
    title = known.title,
    host = host and host.name,
    depth = parent and parent.depth + 1 or 0,
  })
  return self:from_journal(known.value)
end

local function is_done(known)
  return known.status == "ok" or known.status == "changed" or known.rescued
end

--- Runs the body of a step: of a host, when its turn has come.
local function in_turn(parent, fn, ...)
  local host = parent and parent.host
  if not host or parent ~= host then
    return fn(...)
  end
  host.course:begin_step(host)
  local results = table.pack(xpcall(fn, fault.from_handler, ...))
  host.course:end_step(host)
  if not results[1] then
    error(results[2], 0)
  end
  return table.unpack(results, 2, results.n)
end

--- Begins a step that is to be entered, and enters it.
local function begin(self, parent, title, key, opts, fn, again)
  self:before_first_step()
  if opts.no_return and not self.barriers[key] then
    self:before_no_return(title)
  end
  self.steps = self.steps + 1
  self:record({
    type = "step",
    key = key,
    title = title,
    host = parent and parent.host and parent.host.name,
    no_return = opts.no_return or nil,
    keep = opts.keep or nil,
    again = again or nil,
  })
  local step = open(self, parent, title, key, nil, opts.no_return)
  return enter(self, step, opts, fn)
end

--- Runs a titled step: the only place where something may be changed. In plan mode the body is
--- entered too, its changes are listed and not performed, and no wait waits. In a resumed run a
--- step that has ended is not entered: its value is returned.
---@async
---@param title string the line of the change ticket; no secrets
---@param opts? { timeout: string|number, returns: boolean?, no_return: boolean?, keep: boolean? }
---@param fn fun(step: plat.Step): any
---@return any? value only with `returns = true`
function M.step(self, title, opts, fn)
  if type(opts) == "function" then
    opts, fn = nil, opts
  end
  opts = STEP(opts)
  local parent = task.context()
  local key = unique_key(self, parent, title)
  local known = self.memory and self.memory.steps[key]
  if known then
    self.entered[key] = true
    if is_done(known) then
      return recall(self, known, parent)
    end
  end
  local again = known ~= nil
  local err, value = in_turn(parent, begin, self, parent, title, key, opts, fn, again)
  if not err then
    local plan = opts.returns and effect.plan()
    if plan then
      plan:returned(key)
    end
    return value
  elseif not err.plan_end then
    err.step = err.step or key
    error(err, 0)
  elseif opts.returns then
    err.plan_end = nil
    fault.raise( -- as a cancel, so that nothing on its way swallows it
      "cancelled",
      { op = "plan" },
      { msg = ("what follows depends on the step %q"):format(title), plan_stop = true }
    )
  end
end

local function item_key(opts, item)
  local key = opts.key
  if type(key) == "function" then
    return key(item)
  elseif key then
    return item[key]
  elseif type(item) == "string" or type(item) == "number" then
    return tostring(item)
  end
  return type(item) == "table" and item.name or nil
end

--- Runs a step for each item, `limit` at once (default 1). Items are named by `name`, by `key`, or
--- by themselves if they are strings.
---@async
---@param title string
---@param items any[]
---@param opts? { limit: integer?, key: any, timeout: string|number? }
---@param fn fun(item: any, step: plat.Step)
function M.each(self, title, items, opts, fn)
  if type(opts) == "function" then
    opts, fn = {}, opts
  end
  opts = EACH(opts)
  for i, item in ipairs(items) do
    if not item_key(opts, item) then
      fault.raise("usage", { op = "run:each", object = title }, {
        msg = ("item %d has no name"):format(i),
        hint = "give the items a field `name`, or say key = FIELD",
      })
    end
  end
  task.each(items, { limit = opts.limit }, function(item)
    local name = ("%s %s"):format(title, item_key(opts, item))
    self:step(name, { timeout = opts.timeout, keep = opts.keep }, function(step)
      fn(item, step)
    end)
  end)
end

--- Performs a compensation as a step: its changes are recorded as those of any other.
---@async
---@param entry table `{ id, step, name, args }`
---@param title string
---@param fn fun(run: plat.Run, args: table)
function M.enter_undo(self, entry, title, fn)
  local key = step_key.of_undo(entry.id)
  local known = self.memory and self.memory.steps[key]
  if known and is_done(known) then
    return -- its end record was lost, and nothing else
  end
  self:record({ type = "step", key = key, title = title, again = known and true or nil })
  local step = open(self, nil, title, key, "undo")
  local err = enter(self, step, {}, function()
    fn(self, self:from_journal(entry.args))
  end)
  if err then
    err.step = err.step or title
    error(err, 0)
  end
end

--- Records how to undo what follows in this step: a function of the playbook's `undo` table, and
--- plain arguments.
---@async
---@param name string
---@param args? table
function Step:undo(name, args)
  if self.run.planning then
    undo.resolve(self.run, name)
    self.run:plain("undo " .. name, args)
    return
  end
  undo.add(self, name, args)
end

--- Says something in the run's output.
---@param fmt string
function Step:log(fmt, ...)
  self.run:log(fmt, ...)
end

--- Waits until the function returns true `readings` times one after the other; raises when that
--- does not happen within the deadline. It may return false and a text that says what it saw.
---@async
---@param title string
---@param opts? { within: string|number, every: string|number, readings: integer }
---@param fn fun(): boolean, string?
function M.prove(self, title, opts, fn)
  if type(opts) == "function" then
    opts, fn = {}, opts
  end
  opts = prove.options(opts)
  if self.planning then
    self.reporter:emit("plan_prove", { title = title, within = opts.within })
    return
  end
  local parent = task.context()
  local step = open(self, parent, title, unique_key(self, parent, title), "prove")
  local ok, err = xpcall(task.with_context, fault.from_handler, step, prove.wait, opts, fn)
  local status = close(self, step, not ok and err or nil)
  self:record({
    type = "prove",
    title = title,
    status = status,
    error = not ok and self.plain_fault(err) or nil,
  })
  if not ok then
    err.step = err.step or step.key
    error(err, 0)
  end
end

return M
