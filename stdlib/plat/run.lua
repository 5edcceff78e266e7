--- The runbook engine: what a playbook's `run` argument can do. Look, decide, act in titled steps,
--- prove.

local check = require("plat.check")
local fault = require("plat.fault")
local json = require("plat.json")
local prove = require("plat.run.prove")
local sys = require("prim.sys")
local task = require("plat.task")
local time = require("prim.time")

local M = {}

local verbs = {}
for _, module in ipairs(sys.modules()) do
  verbs[module:match("^plat%.run%.verb%.([%w_]+)$") or 0] = true
end

---@class plat.Run
---@field name string the playbook's name
local Run = { __name = "plat.Run" }

--- The methods stand here or, one a file, in plat.run.verb; those are loaded when first used.
function Run.__index(_, name)
  local method = rawget(Run, name)
  if method == nil and verbs[name] then
    method = require("plat.run.verb." .. name)
    Run[name] = method
  end
  return method
end

---@class plat.Step
---@field title string
---@field key string path of titles
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

--- Makes a run. For the engine.
---@param opts table `{ name, args, inventory, reporter, planning, overrides, forks }`
---@return plat.Run
function M.new(opts)
  return setmetatable({
    name = opts.name,
    args = opts.args,
    inventory = opts.inventory,
    reporter = opts.reporter,
    planning = opts.planning or false,
    overrides = opts.overrides or {},
    forks = opts.forks or 64,
    steps = 0, -- entered
    changes = 0, -- performed, or under way
    kept = {},
    titles = {}, -- by parent key: how often a title was used
    open = {}, -- keys of the steps that run
    undo = {}, -- compensations, oldest first
    target = "localhost",
  }, Run)
end

--- Returns what the door tells about changes and waits. For the engine.
---@return table observer
function Run:observer()
  return {
    intent = function(change)
      self.changes = self.changes + 1
      local step = task.context()
      step.changes = step.changes + 1
      self.reporter:emit(
        "change",
        { step = step.key, op = change.op, text = change.text, key = change.key }
      )
    end,
    outcome = function(change, outcome, err)
      if outcome == "failed" then
        local step = task.context()
        self.changes = self.changes - 1
        step.changes = step.changes - 1
      end
      self.reporter:emit(
        "outcome",
        { key = change.key, outcome = outcome, error = err and err.msg }
      )
    end,
    progress = function(text, step)
      if step then
        self.reporter:emit("progress", { step = step.key, text = text })
      end
    end,
  }
end

-- ---- look ----

--- Returns a cluster of the inventory; without a name the only one.
---@param name? string
---@return table cluster `{ name, kubernetes, namespace, dremio, environment, protected, ... }`
function Run:cluster(name)
  local cluster = self.inventory():cluster(name)
  self.target = cluster.name
  return cluster
end

--- Calls a function for each item at once (up to --forks) and returns the results in order.
---@async
---@param items any[]
---@param fn fun(item: any): any
---@return any[]
function Run:gather(items, fn)
  return task.each(items, { limit = self.forks }, fn)
end

--- Returns a value, or stops the run with the reason: for pure decisions that return `nil, reason`.
---@generic T
---@param value T?
---@param reason? string
---@return T
function Run:must(value, reason)
  if value == nil or value == false then
    fault.raise("failed", { op = self.name }, { msg = reason or "the decision failed" })
  end
  return value
end

local function plain(name, value)
  local ok, text = pcall(json.encode, value == nil and json.null or value)
  if not ok then
    fault.raise(
      "bug",
      { op = "run:keep", object = name },
      { msg = "not plain data: " .. tostring(text) }
    )
  end
  return value
end

--- Reads a value once a run; the same value ever after, also when the run is resumed. For
--- before-states and whatever decides which steps exist.
---@async
---@generic T
---@param name string
---@param fn fun(): T
---@return T
function Run:keep(name, fn)
  local kept = self.kept[name]
  if not kept then
    kept = { value = plain(name, fn()) }
    self.kept[name] = kept
  end
  return kept.value
end

--- Says something in the run's output.
---@param fmt string
function Run:log(fmt, ...)
  self.reporter:emit("log", { text = fmt:format(...) })
end

-- ---- guards ----

local function evaluate(fn)
  local ok, value, reason, hint = xpcall(fn, fault.from_handler)
  if not ok then
    local err = value
    if err.kind == "cancelled" then
      error(err, 0)
    end
    return false, "it could not be evaluated", nil, err
  end
  if value == true then
    return true
  end
  return false, reason or "the condition does not hold", hint
end

--- Refuses the run unless the function returns true; it may return false, a reason and a hint. A
--- guard that raises refuses too. `--override NAME --reason TEXT` lets the run go on.
---@async
---@param name string
---@param fn fun(): boolean, string?, string?
function Run:guard(name, fn)
  local ok, reason, hint, cause = evaluate(fn)
  if ok then
    self.reporter:emit("guard", { title = name, status = "ok" })
    return
  end
  local why = self.overrides[name]
  if why then
    self.reporter:emit("guard", { title = name, status = "overridden", reason = reason, why = why })
    return
  end
  self.reporter:emit("guard", { title = name, status = "refused", reason = reason })
  fault.raise("refused", { op = "guard", object = ("%q"):format(name) }, {
    msg = reason,
    cause = cause,
    hint = hint
      or (not cause and ("--override %q --reason TEXT goes on all the same"):format(name))
      or nil,
  })
end

-- ---- steps ----

local function unique_key(self, parent, title)
  local base = parent and (parent.key .. "/" .. title) or title
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

local function enter(self, title, kind)
  if type(title) ~= "string" or title == "" then
    fault.raise("usage", { op = "run:step" }, { msg = "a step needs a title" })
  end
  local parent = task.context()
  local step = setmetatable({
    run = self,
    title = title,
    kind = kind or "step",
    key = unique_key(self, parent, title),
    depth = parent and parent.depth + 1 or 0,
    counts = {},
    changes = 0, -- performed or under way, those of inner steps included
    at = time.mono(),
  }, Step)
  self.open[step.key] = true
  self.steps = self.steps + 1
  self.reporter:emit(
    "step_start",
    { key = step.key, title = title, depth = step.depth, at = step.at }
  )
  return step, parent
end

local function leave(self, step, parent, err)
  self.open[step.key] = nil
  local early = err and err.plan_end and err.msg
  if parent then
    parent.changes = parent.changes + step.changes
  end
  self.reporter:emit("step_end", {
    key = step.key,
    title = step.title,
    kind = step.kind,
    depth = step.depth,
    status = (err and not early) and "failed" or (step.changes > 0 and "changed" or "ok"),
    changed = step.changes > 0,
    seconds = math.floor((time.mono() - step.at) * 1000 + 0.5) / 1000,
    ended_early = early or nil,
  })
end

local function body(step, opts, fn)
  if opts.timeout and not step.run.planning then
    return task.timeout(opts.timeout, function()
      return fn(step)
    end, "the step")
  end
  return fn(step)
end

--- Runs a titled step: the only place where something may be changed. In plan mode the body is
--- entered too, its changes are listed and not performed, and no wait waits.
---@async
---@param title string the line of the change ticket; no secrets
---@param opts? { timeout: string|number, returns: boolean?, no_return: boolean?, keep: boolean? }
---@param fn fun(step: plat.Step): any
---@return any? value only with `returns = true`
function Run:step(title, opts, fn)
  if type(opts) == "function" then
    opts, fn = {}, opts
  end
  opts = STEP(opts)
  local step, parent = enter(self, title)
  local ok, value = xpcall(task.with_context, fault.from_handler, step, body, step, opts, fn)
  leave(self, step, parent, not ok and value or nil)
  if ok then
    return opts.returns and plain(title, value) or nil
  end
  local err = value
  if not err.plan_end then
    err.step = err.step or step.key
    error(err, 0)
  elseif opts.returns then
    err.plan_end = nil
    fault.raise(
      "refused",
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
function Run:each(title, items, opts, fn)
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

--- Records how to undo what follows in this step: a function of the playbook's `undo` table, and
--- plain arguments.
---@param name string
---@param args? table
function Step:undo(name, args)
  plain("undo " .. name, args)
  table.insert(self.run.undo, { step = self.key, name = name, args = args })
end

--- Says something in the run's output.
---@param fmt string
function Step:log(fmt, ...)
  self.run:log(fmt, ...)
end

-- ---- prove ----

--- Waits until the function returns true `readings` times one after the other; raises when that
--- does not happen within the deadline. It may return false and a text that says what it saw.
---@async
---@param title string
---@param opts? { within: string|number, every: string|number, readings: integer }
---@param fn fun(): boolean, string?
function Run:prove(title, opts, fn)
  if type(opts) == "function" then
    opts, fn = {}, opts
  end
  opts = prove.options(opts)
  if self.planning then
    self.reporter:emit("plan_prove", { title = title, within = opts.within })
    return
  end
  local step, parent = enter(self, title, "prove")
  self.steps = self.steps - 1 -- it is no step: a run that only proves had nothing to do
  local ok, err = xpcall(task.with_context, fault.from_handler, step, prove.wait, opts, fn)
  leave(self, step, parent, not ok and err or nil)
  if not ok then
    err.step = err.step or step.key
    error(err, 0)
  end
end

return M
