--- What the door tells of changes, written down: the intent before, the outcome after; and what an
--- earlier process recorded, told to the door.

local fault = require("plat.fault")
local json = require("plat.json")
local lazy = require("plat.env").lazy
local changes, memory = lazy("plat.effect.change"), lazy("plat.run.memory")
local pending = require("plat.run.pending")
local settle = lazy("plat.run.settle")
local step_key = require("plat.run.key")
local task = require("plat.task")

local M = {}

local encode = json.encoder({ lossy = true, secrets = "reference" })

local MAX_ANSWER = 16 * 1024 -- bytes; a longer one is read again when a resumed run needs it

--- Whether a result surely fits: it is flat, and even if each byte were written as \\u00XX.
local function is_short(kept)
  local size = 0
  for name, value in next, kept do
    local kind = type(value)
    if kind == "string" then
      size = size + 6 * #value
    elseif kind ~= "boolean" and math.type(value) ~= "integer" then
      return false
    end
    if type(name) ~= "string" then
      return false
    end
    size = size + 6 * #name + 32
  end
  return size <= MAX_ANSWER and not json.is_array(kept)
end

--- Returns what is kept of a result, for a body that is entered again.
local function answer_of(change, result)
  if change.private then
    return nil
  elseif type(result) ~= "table" then
    return result
  end
  local kept
  if result.status then
    local headers = result.headers or {}
    kept = {
      status = result.status,
      headers = { ["content-type"] = headers["content-type"] },
      body = result.body,
    }
  else
    kept = result
  end
  if is_short(kept) then
    return kept
  end
  local text = fault.try(encode, kept)
  return text and #text <= MAX_ANSWER and kept or nil
end

--- Returns the plain data of a fault.
---@param err plat.Fault
---@return table
function M.plain_fault(err)
  local data = { kind = err.kind, msg = err.msg }
  for _, field in ipairs({ "op", "target", "object", "code", "reason", "hint", "step", "where" }) do
    data[field] = err[field]
  end
  return data
end

local function pass_no_return(run, step)
  local at = step
  while at do
    if at.no_return and not run.barriers[at.key] then
      run.barriers[at.key] = true
      run:record({ type = "no_return", step = at.key })
      run.undo, run.passed_no_return = pending.new(), at.key
    end
    at = at.parent
  end
end

local function count(step, n)
  step.run.changes = step.run.changes + n
  step.changes = step.changes + n
end

local function intent(run, change)
  local step = task.context()
  for _, lock in ipairs(run.locks) do
    lock:check()
  end
  if run.limits and not step_key.is_undo(step.key) then -- what is put back is not held up
    run.limits:change(change)
  end
  if run.expect then
    run.expect:change(change)
  end
  pass_no_return(run, step)
  local record = changes.data(change)
  record.type = "intent"
  run:record(record)
  local ok, err = xpcall(run.sync, fault.from_handler, run)
  if not ok then -- cancelled while it waited for the disk: nothing was sent
    fault.try(run.record, run, { type = "outcome", key = change.key, outcome = "failed" })
    error(err, 0)
  end
  count(step, 1)
  run.reporter:emit(
    "change",
    { step = step.key, op = change.op, text = change.text, key = change.key }
  )
end

local function outcome(run, change, word, err, result, how)
  local step = task.context()
  if word == "failed" then
    count(step, -1)
    if run.expect then
      run.expect:failed(change)
    end
  else
    run.seq = run.seq + 1
    memory.touch(run, step.key, run.seq)
    if word == "unknown" then
      table.insert(run.unsettled, change)
    end
  end
  run:record({
    type = "outcome",
    key = change.key,
    outcome = word,
    settled = how,
    bad = not err and word == "done" and change.bad and change.bad(result) or nil,
    answer = not err and word ~= "unknown" and answer_of(change, result) or nil,
    error = err and M.plain_fault(err) or nil,
  })
  if change.recovery == "unknowable" then
    run:hasten() -- nobody could find out again
  end
  run.reporter:emit(
    "outcome",
    { key = change.key, outcome = word, error = err and err.msg, settled = how }
  )
end

--- Returns what a change came to in an earlier process, nil if it is to be performed.
local function recall(run, change)
  local known = run.memory and run.memory.changes[change.key]
  if not known or run.reissued[change.key] then
    return nil
  end
  run.reissued[change.key] = true
  local word = memory.word(known)
  if word == "done" or word == "failed" then
    return known.outcome
  end
  local settled, result, how = settle.dangling(run, change, known.intent)
  if settled ~= "done" then
    count(task.context(), -1) -- it counts when it is performed
    return nil
  end
  local record = { type = "outcome", key = change.key, outcome = "done", settled = how }
  record.answer = answer_of(change, result)
  run:record(record)
  return { outcome = "done", answer = result }
end

--- Returns what the door tells, and asks, about changes and waits.
---@param run plat.Run
---@return table observer
function M.observer(run)
  return {
    recall = function(change)
      return recall(run, change)
    end,
    intent = function(change)
      intent(run, change)
    end,
    outcome = function(...)
      outcome(run, ...)
    end,
    progress = function(text, step)
      if step then
        run.reporter:emit("progress", { step = step.key, text = text })
      end
    end,
  }
end

return M
