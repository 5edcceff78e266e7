--- Work on hosts at once: a scope for each, who drops out and why, when all is stopped.

local course = require("plat.run.hosts.course")
local exit = require("plat.run.exit")
local fault = require("plat.fault")
local list = require("plat.list")
local preview = require("plat.env").lazy("plat.run.hosts.preview")
local report = require("plat.run.hosts.report")
local step_key = require("plat.run.key")
local task = require("plat.task")
local watch = require("plat.run.rollout.watch")

local M = {}

-- What is no host's fault, unless it names the host: a mistake in the playbook, a rule of the run,
-- this machine.
local NOT_OF_HOST = { bug = true, usage = true, refused = true, io = true, cancelled = true }

---@class plat.run.hosts.Work
---@field run plat.Run
---@field fn fun(host: table): any
---@field items table[] what has a field `name`
---@field limit integer hosts at once
---@field lockstep boolean
---@field may_fail? integer how many hosts may fail, nil: any number
---@field unreachable "data"|"fail"
---@field canary? integer how many hosts go first
---@field op string for errors

--- Returns what is known of a host in this run.
local function state_of(run, name)
  run.hosts_seen, run.hosts_by_name = run.hosts_seen or {}, run.hosts_by_name or {}
  local state = run.hosts_by_name[name]
  if not state then
    state = { name = name, ok = 0, changed = 0, skipped = 0 }
    run.hosts_by_name[name] = state
    table.insert(run.hosts_seen, state)
  end
  return state
end

--- Whether a failure is that of one host.
local function is_of_host(err, name)
  if err.suspend or err.plan_stop or watch.expired() then
    return false
  elseif not NOT_OF_HOST[err.kind] then
    return true
  end
  local is_guard = err.kind == "refused" and err.op == "guard"
  return is_guard or err.kind ~= "bug" and err.kind ~= "cancelled" and err.target == "host " .. name
end

local function is_unreachable(err)
  return exit.is_unreachable(err) and err.outcome ~= "unknown" and err.kind ~= "refused"
end

local function too_many(self)
  local failed = list.where(self.states, { status = "failed" })
  if not self.may_fail or #failed <= self.may_fail then
    return nil
  end
  local may = self.may_fail == 0 and "none may" or ("%d may"):format(self.may_fail)
  return fault.new("failed", { op = self.op }, {
    msg = ("%s, %s: no further step begins"):format(report.sum(failed, #self.states), may),
    detail = report.causes(failed),
    hosts_stopped = true,
  })
end

--- A host drops out: nothing more is done on it in this run. Returns why all is to be stopped, nil
--- if the others go on.
local function drop(self, state, err)
  local gone = self.unreachable == "data" and is_unreachable(err)
  state.status, state.err = gone and "unreachable" or "failed", err
  self.run:record({
    type = "host",
    name = state.name,
    status = state.status,
    error = self.run.plain_fault(err),
  })
  self.run.reporter:emit("host_drop", {
    host = state.name,
    status = state.status,
    reason = err.msg,
    text = fault.text(err, 0),
    in_step = err.step ~= nil,
  })
  return too_many(self)
end

local function call(self, scope)
  scope.course:begin(scope)
  local state = scope.state
  local before = state.ok + state.changed + state.skipped
  local value = task.with_context(scope, self.fn, scope.item)
  if state.ok + state.changed + state.skipped == before then
    state.ok = state.ok + 1 -- it has no steps, and was read: the recap shows that
  end
  return value
end

--- Works on a host up to its end, whatever that is.
local function work(self, scope)
  local ok, value = xpcall(call, fault.from_handler, self, scope)
  scope.course:finish(scope)
  if scope.parent then
    scope.parent.changes = scope.parent.changes + scope.changes
  end
  if ok then
    self.values[scope.name] = value
  elseif value.plan_end then -- a plan: nobody can know how it goes on with this host
    self.run.reporter:emit("log", { text = ("%s: %s"):format(scope.name, value.msg) })
  elseif value.hosts_stopped then
    scope.stopped = true
  elseif is_of_host(value, scope.name) then
    local stop = drop(self, scope.state, value)
    if stop then
      scope.course:stop(stop)
    end
  else
    error(value, 0)
  end
end

--- Returns what the steps of a host stand in: it has a key and no body of its own.
local function new_scope(self, item)
  local outer = task.context()
  local scope = {
    name = item.name,
    item = item,
    key = step_key.join(outer and outer.key, item.name),
    parent = outer,
    depth = outer and outer.depth or -1,
    changes = 0,
    state = state_of(self.run, item.name),
  }
  scope.host = scope
  return scope
end

--- Works on some of the hosts, all at once up to the limit.
local function wave(self, items)
  local together = course.new(self.fn, { lockstep = self.lockstep, limit = self.limit })
  local scopes = {}
  for _, item in ipairs(items) do
    local state = state_of(self.run, item.name)
    if not state.status then
      local scope = new_scope(self, item)
      together:add(scope)
      scopes[#scopes + 1] = scope
    end
  end
  task.each(scopes, {}, function(scope)
    work(self, scope)
  end)
  if together.stopped then
    error(together.stopped, 0)
  end
end

local function raise_none_left(self)
  local failed = list.find(self.states, { status = "failed" }) ~= nil
  fault.raise(failed and "failed" or "connect", { op = self.op }, {
    msg = ("no host is left: %s"):format(report.sum(self.states, #self.states)),
    detail = report.causes(self.states),
    phase = not failed and "connect" or nil,
  })
end

--- The canaries have to come through, or nobody else is touched.
local function canaries(self)
  local first = table.move(self.items, 1, self.canary, 1, {})
  wave(self, first)
  local lost = list.where(self.states, function(state)
    return state.status ~= nil
  end)
  if #lost > 0 then
    fault.raise("failed", { op = self.op }, {
      msg = ("the canary did not come through: %s"):format(report.names(list.map(lost, function(s)
        return s.name
      end))),
      detail = report.causes(lost),
      hint = "no other host was touched",
    })
  end
  return table.move(self.items, self.canary + 1, #self.items, 1, {})
end

local function perform(self)
  if self.run.planning then
    return preview.perform(self, wave, drop)
  end
  local rest = self.canary and canaries(self) or self.items
  wave(self, rest)
end

local function names_of(states, word)
  return list.map(
    list.where(states, function(state)
      return state.status == word
    end),
    function(state)
      return state.name
    end
  )
end

--- Works on hosts. Those that dropped out earlier in the run are left out.
---@async
---@param self plat.run.hosts.Work
---@return { ok: string[], failed: string[], unreachable: string[], values: table<string, any> }
function M.perform(self)
  local outer = task.context()
  if outer and outer.host then
    fault.raise("usage", { op = self.op }, {
      msg = ("it stands inside the work on %s"):format(outer.host.name),
      hint = "work on all hosts in one run:on, or in one after the other",
    })
  end
  self.values = {}
  self.states = list.map(self.items, function(item)
    return state_of(self.run, item.name)
  end)
  if #self.items > 0 then
    perform(self)
    if #names_of(self.states, nil) == 0 then
      raise_none_left(self)
    end
  end
  return {
    ok = names_of(self.states, nil),
    failed = names_of(self.states, "failed"),
    unreachable = names_of(self.states, "unreachable"),
    values = self.values,
  }
end

--- Returns the items, checked: each has a name, and another one than the others.
---@param op string
---@param items any
---@return table[]
function M.check(op, items)
  local seen = {}
  for i, item in ipairs(items) do
    local name = type(item) == "table" and item.name
    if type(name) ~= "string" or name == "" then
      fault.raise("usage", { op = op }, {
        msg = ("number %d is not a host"):format(i),
        hint = "give it what run:hosts(PATTERN) returns",
      })
    elseif seen[name] then
      fault.raise("usage", { op = op }, { msg = ("%s is named twice"):format(name) })
    end
    seen[name] = true
  end
  return items
end

--- Returns whether these are hosts of the inventory.
---@param items any[]
---@return boolean
function M.are_hosts(items)
  local first = items[1]
  local mt = type(first) == "table" and getmetatable(first)
  return type(mt) == "table" and mt.__name == "plat.Host"
end

return M
