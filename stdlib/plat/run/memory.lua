--- What a journal remembers of a run, for the process that goes on with it. Pure.

local list = require("plat.list")
local pending = require("plat.run.pending")
local step_key = require("plat.run.key")

local NAMED = require("plat.run.named")
local M = {}

---@class plat.run.Memory
---@field header table
---@field kept table<string, table> by name: the records of type "keep"
---@field steps table<string, table> by key: { begun, status, value, error, rescued, title }
---@field changes table<string, table> by key: { intent, outcome }
---@field by_step table<string, table[]> the changes by key of their step, in order
---@field undo plat.run.Pending compensations that are still to be done
---@field known table<string, boolean> ids of all compensations that were ever recorded
---@field touched table<string, integer> by key of a step: number of its newest change
---@field newest table<string, integer> the same, with the steps inside it
---@field undo_steps table<string, boolean> keys of the steps that recorded a compensation
---@field barriers table<string, boolean> keys of the points of no return that were passed
---@field latest table<string, table<string, table>> newest record by type and name
---@field undoing? table the record of the undo that has begun
---@field ended? table the end record, if the last process ended in order
---@field count integer records there are
---@field performed integer changes that happened or may have
---@field last_change integer number of the newest intent, 0 without one

--- Returns what became of a change, as far as it is recorded.
---@param change table { intent, outcome? }
---@return "done"|"failed"|"unknown"|"superseded"|nil
function M.word(change)
  return change.outcome and change.outcome.outcome
end

--- Returns whether nobody knows what became of a change.
---@param change table { intent, outcome? }
---@return boolean
function M.is_dangling(change)
  local word = M.word(change)
  return not word or word == "unknown"
end

local on = {}

function on.run(m, r)
  m.header = r
end

function on.resume(m)
  m.failed = {} -- those that nothing followed are entered again
  m.ended = nil
end

function on.step(m, r)
  local step = m.steps[r.key] or { key = r.key, title = r.title, order = r.n }
  m.steps[r.key] = step
  step.status, step.keep, step.host = nil, r.keep, r.host
  if step_key.is_undo(r.key) then
    return -- to put back what a failed step did is not to go on after it
  end
  m.failed = list.where(m.failed, function(failed)
    local same = not failed.host or failed.host == r.host -- that other hosts go on says nothing
    if same and not step_key.is_inside(failed.key, r.key) and not m.undoing then
      failed.rescued = true -- the playbook caught the failure and went on
    end
    return not failed.rescued
  end)
end

function on.step_end(m, r)
  local step = m.steps[r.key]
  step.status, step.value, step.error = r.status, r.value, r.error
  if r.status == "failed" then
    table.insert(m.failed, step)
  elseif step.keep and r.status ~= "cancelled" then -- its compensations fall with it
    for _, entry in ipairs(m.undo:inside(r.key)) do
      m.undo:remove(entry)
    end
  end
end

function on.intent(m, r)
  m.changes[r.key] = { intent = r }
  m.last_change = r.n
end

function on.outcome(m, r)
  m.changes[r.key].outcome = r
end

function on.no_return(m, r)
  m.no_return, m.barriers[r.step] = r.step, true
  m.undo = pending.new()
end

function on.undo(m, r)
  m.known[r.id], m.undo_steps[r.step] = true, true
  local entry = { id = r.id, step = r.step, name = r.name, args = r.args, seq = r.n }
  m.undo:add(entry)
end

function on.undo_start(m, r)
  m.undoing = r
end

function on.undo_end(m, r)
  local entry = m.undo:find(r.id)
  if entry and r.status ~= "failed" then
    m.undo:remove(entry)
  end
end

on["end"] = function(m, r)
  m.ended = r
end

--- Returns the number behind the last bar of a change's key, and what stands before it.
local function split(key)
  local base, n = key:match("^(.*)|(%d+)$")
  return base, math.tointeger(tonumber(n))
end

--- After an orderly end the next process tries again what failed; a failure that a later attempt
--- in the same body mended is part of the story and stays.
local function forget_failures(m)
  local mended = {}
  for key, change in pairs(m.changes) do
    if M.word(change) == "done" and not change.outcome.bad then
      local base, n = split(key)
      mended[base] = math.max(mended[base] or 0, n)
    end
  end
  for key, change in pairs(m.changes) do
    local base, n = split(key)
    local again = M.word(change) == "failed" or change.outcome and change.outcome.bad
    if again and n > (mended[base] or 0) then
      m.changes[key] = nil
    end
  end
end

--- Notes a change of a step: the newest one, of it and of the steps around it.
---@param of { touched: table, newest: table } a memory or a run
---@param key string of the step
---@param n integer
function M.touch(of, key, n)
  local touched, newest = of.touched, of.newest
  if n > (touched[key] or 0) then
    touched[key] = n
  end
  for at in step_key.outwards(key) do
    if n > (newest[at] or 0) then
      newest[at] = n
    end
  end
end

local function count(m)
  m.performed = 0
  local changes = list.sort_by(list.values(m.changes), function(change)
    return change.intent.n
  end)
  for _, change in ipairs(changes) do
    local step = change.intent.step
    m.by_step[step] = m.by_step[step] or {}
    table.insert(m.by_step[step], change)
    if M.word(change) ~= "failed" then
      m.performed = m.performed + 1
      M.touch(m, step, change.intent.n)
    end
  end
end

--- Returns what the records of a journal say.
---@param records table[]
---@return plat.run.Memory
function M.read(records)
  local m = {
    header = {},
    steps = {},
    changes = {},
    by_step = {},
    undo = pending.new(),
    undo_steps = {},
    touched = {},
    newest = {},
    known = {},
    barriers = {},
    latest = {},
    failed = {},
    last_change = 0,
  }
  for name in pairs(NAMED) do
    m.latest[name] = {}
  end
  m.count = #records
  for _, r in ipairs(records) do
    if on[r.type] then
      on[r.type](m, r)
    end
    if NAMED[r.type] then
      m.latest[r.type][r.name] = r
    end
  end
  m.kept = m.latest.keep
  if m.ended then
    forget_failures(m)
  end
  count(m)
  return m
end

--- Returns whether a step was begun, and neither it nor a step around it has ended.
local function is_open(m, step)
  if step.rescued then
    return false
  end
  for outer in step_key.outwards(step.key) do
    local around = m.steps[outer]
    if around and (around.status == "ok" or around.status == "changed") then
      return false
    end
  end
  return true
end

--- Returns the steps that were begun and not finished, in the order of their begin.
---@param m plat.run.Memory
---@return table[]
function M.open_steps(m)
  local found = {}
  for _, step in pairs(m.steps) do
    if is_open(m, step) and not step_key.is_undo(step.key) then
      found[#found + 1] = step
    end
  end
  table.sort(found, function(a, b)
    return a.order < b.order
  end)
  return found
end

--- Returns how many changes of a step, steps inside it excluded, happened or may have.
---@param m plat.run.Memory
---@param key string of the step
---@return integer
function M.changes_of(m, key)
  local n = 0
  for _, change in ipairs(m.by_step[key] or {}) do
    n = n + (M.word(change) ~= "failed" and 1 or 0)
  end
  return n
end

--- Returns the changes of a step, steps inside it excluded, of which nobody knows what came.
---@param m plat.run.Memory
---@param key string of the step
---@return table[] changes { intent, outcome? } in order
function M.dangling(m, key)
  return list.where(m.by_step[key] or {}, M.is_dangling)
end

return M
