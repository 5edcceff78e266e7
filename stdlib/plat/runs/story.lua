--- The story of a run, from its records: what was asked, checked, done, undone, and how it ended.

local approval = require("plat.runs.approval")
local json = require("plat.json")
local list = require("plat.list")
local runs = require("plat.runs")
local step_key = require("plat.run.key")

local M = {}

local on = {}

local function add(self, kind, entry)
  local all = self[kind]
  all[#all + 1] = entry
  return entry
end

--- Remembers entries by name: what is told twice replaces what was told first.
local function renew(self, kind, name, entry)
  self.index[kind] = self.index[kind] or {}
  local at = self.index[kind][name]
  if at then
    self[kind][at] = entry
  else
    add(self, kind, entry)
    self.index[kind][name] = #self[kind]
  end
  return entry
end

function on.resume(self, r)
  add(
    self,
    "resumes",
    { t = r.t, user = r.user, sudo_user = r.sudo_user, host = r.host, pid = r.pid }
  )
end

function on.guard(self, r)
  renew(self, "guards", r.name, {
    name = r.name,
    status = r.status,
    reason = r.reason,
    why = r.why,
    by = r.by,
    t = r.t,
  })
end

local function step_of(self, key)
  local step = self.by_key[key]
  if not step then
    step = { key = key, title = key, changes = {}, status = "begun" }
    self.by_key[key] = step
    add(self, "steps", step)
  end
  return step
end

function on.step(self, r)
  local step = step_of(self, r.key)
  step.title = r.host and ("%s: %s"):format(r.host, r.title) or r.title
  step.no_return, step.keep = r.no_return, r.keep
  step.began = step.began or r.t
  step.status = "begun"
  step.again = r.again
  step.is_undo = step_key.is_undo(r.key) or nil
end

function on.step_end(self, r)
  local step = step_of(self, r.key)
  step.status, step.value, step.error = r.status, r.value, r.error
  step.seconds = step.began and math.max(0, r.t - step.began) or nil
end

function on.prove(self, r)
  add(self, "steps", {
    key = "prove " .. r.title,
    title = r.title,
    kind = "prove",
    status = r.status,
    error = r.error,
    changes = {},
  })
end

function on.intent(self, r)
  local change = self.changes[r.key]
  if not change then
    change = { key = r.key }
    self.changes[r.key] = change
    table.insert(step_of(self, r.step).changes, change)
  end
  change.op, change.target, change.object = r.op, r.target, r.object
  change.text, change.args, change.recovery = r.text, r.args, r.recovery
  change.outcome = "unknown"
end

function on.outcome(self, r)
  local change = self.changes[r.key]
  if change then
    change.outcome, change.error, change.settled = r.outcome, r.error, r.settled
  end
end

function on.keep(self, r)
  renew(self, "kept", r.name, { name = r.name, value = r.value })
end

function on.lock(self, r)
  renew(self, "locks", r.name .. "|" .. tostring(r.kind), {
    name = r.name,
    kind = r.kind,
    state = r.state,
    t = r.t,
  })
end

function on.approval(self, r)
  if r.confirm then
    add(self, "confirmed", {
      text = r.name:gsub("^confirm: ", ""),
      granted = r.granted,
      how = r.how,
      by = r.by,
      t = r.t,
    })
  end
end

function on.no_return(self, r)
  self.no_return = r.step
  for _, entry in ipairs(self.undo) do
    entry.status = entry.status == "not done" and "past no return" or entry.status
  end
end

function on.undo(self, r)
  self.undo_by_id[r.id] = add(self, "undo", {
    id = r.id,
    step = r.step,
    name = r.name,
    args = r.args,
    status = "not done",
  })
end

function on.undo_start(self, r)
  self.undo_cause = r.cause or "the run failed"
end

function on.undo_end(self, r)
  local entry = self.undo_by_id[r.id]
  if entry then
    entry.status, entry.error = r.status, r.error
  end
end

function on.settle(self, r)
  add(self, "settled", { step = r.step, answer = r.answer, by = r.by, t = r.t })
end

function on.note(self, r)
  local failed = r.notify and (r.notify.failed or r.notify.skipped)
  add(self, "notes", { text = r.text, level = (r.notify or {}).level, not_sent = failed, t = r.t })
end

function on.host(self, r)
  local why = r.error and r.error.msg or "nobody knows why"
  add(self, "notes", { text = ("host %s %s: %s"):format(r.name, r.status, why), t = r.t })
end

local LISTS = {
  "resumes",
  "guards",
  "steps",
  "kept",
  "locks",
  "confirmed",
  "undo",
  "settled",
  "notes",
}

local function approvals_of(records)
  local out = {}
  for i, asked in ipairs(approval.asked(records)) do
    local request, decision = asked.request, asked.decision
    out[i] = {
      name = request.name,
      text = request.text,
      asked = request.t,
      expires_at = request.expires_at,
      status = not decision and "waiting" or decision.granted and "granted" or "rejected",
      by = decision and decision.by,
      user = decision and decision.user,
      sudo_user = decision and decision.sudo_user,
      host = decision and decision.host,
      reason = decision and decision.reason,
      t = decision and decision.t,
    }
  end
  return out
end

--- Returns the story of records alone. Pure.
---@param records table[]
---@return table story
function M.of(records)
  local self = { index = {}, by_key = {}, changes = {}, undo_by_id = {} }
  for _, name in ipairs(LISTS) do
    self[name] = {}
  end
  for _, record in ipairs(records) do
    local fn = on[record.type]
    if fn then
      fn(self, record)
    end
  end
  local story = {
    approvals = approvals_of(records),
    undo_cause = self.undo_cause,
    no_return = self.no_return,
  }
  for _, name in ipairs(LISTS) do
    story[name] = self[name]
  end
  return story
end

--- Returns a run and its story as plain data, for JSON.
---@param run plat.runs.Run
---@return table
function M.document(run)
  local story = M.of(run.records)
  local doc = runs.outline(run)
  doc.schema = 1
  for name, value in pairs(story) do
    doc[name] = type(value) == "table" and json.array(value) or value
  end
  for _, field in ipairs({ "args", "inventory", "options", "version" }) do
    doc[field] = run.head[field]
  end
  doc.playbook = list.merge(run.head.playbook or {}, { text = false })
  doc.playbook.text = nil -- it is in the journal
  doc.error = run.finish and run.finish.error or nil
  return doc
end

return M
