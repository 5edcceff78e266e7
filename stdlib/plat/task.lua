--- Concurrency in straight-line code: run things at once, with limits, deadlines and retries.
--- A group owns its children: it ends when all of them have ended; one failure cancels the rest.

local fault = require("plat.fault")
local prim = require("prim.task")
local text = require("plat.text")
local time = require("prim.time")

local M = {}

local TINY = 1e-6 -- seconds: the clock counts nanoseconds, a number of ours rounds
local CLEANUP = 10 -- seconds that cancelled children get to clean up

--- Waits some seconds.
---@async
---@param seconds number
function M.sleep(seconds)
  local ok, err = time.sleep(seconds)
  if not ok then
    fault.raise_err({ op = "sleep" }, err)
  end
end

--- Runs a function that a cancel cannot interrupt, with a deadline of its own. For cleanup.
---@async
---@param seconds number
---@param fn function
---@return any ... what `fn` returns
function M.shield(seconds, fn, ...)
  local old = prim.deadline()
  prim.shield(1)
  prim.set_deadline(time.mono() + seconds)
  local results = table.pack(xpcall(fn, fault.from_handler, ...))
  prim.set_deadline(old)
  prim.shield(-1)
  if not results[1] then
    error(results[2], 0)
  end
  return table.unpack(results, 2, results.n)
end

-- ---- what a task knows of its surroundings ----

local contexts = setmetatable({}, { __mode = "k" }) -- by task; children inherit

--- Returns the context in which this task runs (the step, for example), or nil.
---@return any?
function M.context()
  return contexts[prim.current()]
end

--- Calls a function in a context that the tasks it starts inherit.
---@param context any
---@param fn function
---@return any ... what `fn` returns
function M.with_context(context, fn, ...)
  local current = prim.current()
  local old = contexts[current]
  contexts[current] = context
  local results = table.pack(xpcall(fn, fault.from_handler, ...))
  contexts[current] = old
  if not results[1] then
    error(results[2], 0)
  end
  return table.unpack(results, 2, results.n)
end

-- ---- groups ----

local Group = { __name = "plat.task.Group" }
Group.__index = Group

local function new_group()
  return setmetatable({
    gate = prim.gate(),
    left = 0,
    results = {},
    children = {},
    daemons = 0,
    context = contexts[prim.current()],
  }, Group)
end

--- The body of every child: catches, records, wakes the owner.
local function child(group, i, fn, ...)
  local ok, result = xpcall(fn, fault.from_handler, ...)
  group.children[i] = nil
  group.left = group.left - 1
  if ok then
    group.results[i] = result
  elseif not group.failed and not group.leaving then
    group.failed = result
    group.gate:open()
  end
  if group.left == 0 then
    group.gate:open()
  end
end

local function spawn_into(group, i, fn, ...)
  local t = prim.spawn(child, group, i, fn, ...)
  group.left = group.left + 1
  group.children[i] = t
  if group.context ~= nil then
    contexts[t] = group.context
  end
end

local function cancel_children(group, why)
  group.leaving = true
  local reason = fault.new("cancelled", nil, { msg = why })
  for _, t in pairs(group.children) do
    prim.cancel(t, reason)
  end
end

--- Waits for the children to end their cleanup; those that do not are left behind and named.
local function await_end(group)
  while group.left > 0 do
    if not group.gate:wait() then
      return false
    end
  end
  return true
end

local function abandon(group, why)
  if group.left > 0 then
    cancel_children(group, why)
    M.shield(CLEANUP, await_end, group)
  end
end

--- Waits until `done()`; whatever ends the wait earlier cancels the children first.
local function await(group, done)
  local ok, err = xpcall(function()
    while not done() do
      fault.must({ op = "task.wait" }, group.gate:wait())
    end
  end, fault.from_handler)
  if not ok then
    abandon(group, err.kind == "cancelled" and err.msg or "the group failed")
    error(err, 0)
  end
end

local function join(group)
  await(group, function()
    return group.left == 0 or group.failed ~= nil
  end)
  if group.failed then
    abandon(group, "another task of the group failed")
    error(group.failed, 0)
  end
  return group.results
end

--- Runs functions at once and waits for all. The first error cancels the others and is raised.
---@async
---@param fns function[]
---@return any[] results in the order of `fns`
function M.all(fns)
  local group = new_group()
  for i = 1, #fns do
    spawn_into(group, i, fns[i])
  end
  return join(group)
end

--- Calls a function for each item, at most `limit` at once, and waits for all.
--- Without `collect` the first error cancels the others and is raised; with it, a result may be
--- the fault of its item.
---@async
---@param items any[]
---@param opts? { limit: integer?, collect: boolean? }
---@param fn fun(item: any, index: integer): any
---@return any[] results in the order of `items`
function M.each(items, opts, fn)
  opts = opts or {}
  local n = #items
  local limit = math.min(opts.limit or n, n)
  local group = new_group()
  local results, at = {}, 0
  local call = not opts.collect and fn
    or function(item, i)
      local value, err = fault.try(fn, item, i)
      return err or value
    end
  local function worker()
    while at < n do
      local i = at + 1
      at = i
      results[i] = call(items[i], i)
    end
  end
  for i = 1, limit do
    spawn_into(group, i, worker)
  end
  join(group)
  return results
end

--- Runs functions at once; the first that ends, well or badly, decides, and the others are
--- cancelled.
---@async
---@param fns function[]
---@return any result of the first
---@return integer index of the first
function M.race(fns)
  local group = new_group()
  local winner, value
  for i = 1, #fns do
    spawn_into(group, i, function()
      local result = fns[i]()
      if not winner then
        winner, value = i, result
        group.gate:open()
      end
    end)
  end
  await(group, function()
    return winner ~= nil or group.failed ~= nil
  end)
  abandon(group, "another task won the race")
  if not winner then
    error(group.failed, 0)
  end
  return value, winner
end

--- Opens a group: `fn(group)` may call `group:spawn(fn, ...)` and `group:daemon(fn, ...)`. Leaving
--- waits for the spawned ones and cancels the daemons; an error in any cancels all, `fn` included.
---@async
---@param fn fun(group: table): any
---@return any result of `fn`
function M.group(fn)
  local group = new_group()
  group.n = 0
  local value
  group:spawn(function()
    value = fn(group)
  end)
  await(group, function()
    return group.left == group.daemons or group.failed ~= nil
  end)
  abandon(group, group.failed and "another task of the group failed" or "its group has ended")
  if group.failed then
    error(group.failed, 0)
  end
  return value
end

--- Starts a child that the group waits for.
---@param fn function
function Group:spawn(fn, ...)
  self.n = self.n + 1
  spawn_into(self, self.n, function(...)
    fn(...)
    self.gate:open()
  end, ...)
end

--- Starts a child that is cancelled when the others have ended.
---@param fn function
function Group:daemon(fn, ...)
  self.n = self.n + 1
  self.daemons = self.daemons + 1
  spawn_into(self, self.n, function(...)
    local ok, err = xpcall(fn, fault.from_handler, ...)
    self.daemons = self.daemons - 1
    self.gate:open()
    if not ok then
      error(err, 0)
    end
  end, ...)
end

-- ---- single tasks ----

local Handle = { __name = "plat.task.Handle" }
Handle.__index = Handle

--- Starts a task that belongs to nobody; join or cancel it. Prefer groups.
---@param fn function
---@return table handle `:join()`, `:cancel([why])`
function M.spawn(fn, ...)
  local group = new_group()
  spawn_into(group, 1, fn, ...)
  return setmetatable({ _group = group }, Handle)
end

--- Waits for the task's end and returns its value or raises its error.
---@async
---@return any
function Handle:join()
  return join(self._group)[1]
end

--- Cancels the task and waits until it has cleaned up.
---@async
---@param why? string
function Handle:cancel(why)
  abandon(self._group, why or "cancelled")
end

--- Returns whether the task has ended.
---@return boolean
function Handle:ended()
  return self._group.left == 0
end

--- Runs a function to its end even if the caller is cancelled meanwhile: it then gets `grace` more
--- seconds before it is cancelled too, and the caller's cancel is raised.
---@async
---@param grace number seconds
---@param fn function
---@return any value
function M.finish(grace, fn)
  local group = new_group()
  spawn_into(group, 1, fn)
  local ok, err = xpcall(await_end, fault.from_handler, group)
  if not ok or group.left > 0 then
    M.shield(grace, await_end, group)
    abandon(group, "its caller was cancelled")
  end
  if not ok then
    error(err, 0)
  elseif group.failed then
    error(group.failed, 0)
  end
  return group.results[1]
end

-- ---- deadlines and retries ----

--- Returns the earliest deadline of the enclosing scopes, in seconds of the loop's clock, or nil.
---@return number?
function M.deadline()
  return prim.deadline()
end

--- Runs a function with a deadline: every wait inside raises kind "timeout" when it has passed.
--- Deadlines nest: the earliest of all enclosing ones counts.
---@async
---@param seconds number
---@param fn function
---@param what? string what took too long, for the message
---@return any ... what `fn` returns
function M.timeout(seconds, fn, what)
  local old = prim.deadline()
  local mine = time.mono() + seconds
  if old and old <= mine then
    return fn()
  end
  prim.set_deadline(mine)
  local results = table.pack(xpcall(fn, fault.from_handler))
  prim.set_deadline(old)
  if results[1] then
    return table.unpack(results, 2, results.n)
  end
  local err = results[2]
  if err.kind == "timeout" and time.mono() >= mine - TINY and not err.deadline then
    local msg = ("%s did not end within %s"):format(what or "it", M.show_seconds(seconds))
    error(
      fault.new("timeout", nil, { msg = msg, cause = err, deadline = true, where = err.where }),
      0
    )
  end
  error(err, 0)
end

M.show_seconds = text.seconds
M.retry = require("plat.task.retry")

return M
