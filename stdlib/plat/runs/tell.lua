--- Tells the story of a run to people: for whoever is called at night and was not there.

local approval = require("plat.runs.approval")
local fs = require("prim.fs")
local json = require("plat.json")
local list = require("plat.list")
local out = require("plat.out")
local runs = require("plat.runs")
local step_key = require("plat.run.key")
local story = require("plat.runs.story")
local time = require("plat.time")
local who = require("plat.runs.who")

local M = {}

local LONG = 200 -- bytes of a value that are shown

local COLOR = {
  changed = "changed",
  overridden = "skipping",
  waiting = "skipping",
  begun = "changed",
  unknown = "failed",
  failed = "failed",
  refused = "failed",
  rejected = "failed",
  denied = "failed",
  cancelled = "failed",
  unreachable = "failed",
  deadline = "failed",
  locked = "skipping",
  usage = "failed",
  ["newer schema"] = "failed",
  unreadable = "failed",
  compensated = "changed",
  ["compensation failed"] = "failed",
  damaged = "failed",
  suspended = "skipping",
  unfinished = "changed",
  running = "skipping",
}

--- Returns a status word in its colour, padded.
---@param word string
---@param width? integer
---@return string
function M.word(word, width)
  return out.paint(COLOR[word] or "ok", word .. (" "):rep((width or 0) - #word))
end

local function value_text(value)
  local text = type(value) == "string" and value or json.encode(value == nil and json.null or value)
  if #text > LONG then
    text = text:sub(1, (utf8.offset(text, 0, LONG) or LONG) - 1) .. "..."
  end
  return (text:gsub("[%c\127]+", " "))
end

local function pairs_text(t)
  local words = {}
  for name, value in pairs(type(t) == "table" and t or {}) do
    words[#words + 1] = ("%s=%s"):format(name, value_text(value))
  end
  return table.concat(words, " ")
end

local Page = {}
Page.__index = Page

function Page:add(fmt, ...)
  self[#self + 1] = fmt:format(...)
end

function Page:field(name, text)
  if text and text ~= "" then
    self:add("%s %s", out.paint("dim", ("%-10s"):format(name)), text)
  end
end

function Page:title(text)
  self:add("")
  self:add("%s", out.paint("bold", text))
end

local function error_text(err)
  if type(err) ~= "table" then
    return err and value_text(err) or nil
  end
  local words = {}
  for _, field in ipairs({ "target", "op", "object" }) do
    words[#words + 1] = err[field]
  end
  words[#words + 1] = tostring(err.msg or err.kind)
  return (table.concat(words, ": "):gsub("[%c\127]+", " "))
end

local function header(page, run)
  local head, finish = run.head, run.finish
  local book = head.playbook or {}
  local exit = finish and finish.exit and (" (exit %d)"):format(finish.exit) or ""
  page:add("%s  %s%s", out.paint("bold", run.id), M.word(run.status), exit)
  page:field(
    "problem",
    run.problem and (run.line and ("line %d: "):format(run.line) or "") .. run.problem
  )
  page:field(
    "playbook",
    book.name and ("%s: %s"):format(book.path or book.name, book.summary or "")
  )
  page:field("risk", book.risk)
  page:field("arguments", pairs_text(head.args))
  page:field("inventory", type(head.inventory) == "table" and head.inventory.path or nil)
  page:field("sandbox", head.sandbox and "yes: nothing real was touched; the times are its own")
  page:field(
    "started",
    head.t
      and ("%s by %s, pid %s, platrun %s"):format(
        runs.stamp(head.t),
        who.text(head),
        tostring(head.pid),
        tostring(head.version)
      )
  )
  local seconds = runs.seconds(run)
  if finish then
    local reason = run.status == "suspended" and "suspended" or "ended"
    page:field(reason, ("%s, after %s"):format(runs.stamp(finish.t), runs.took(seconds or 0)))
  elseif run.status == "running" then
    page:field("running", ("since %s, by %s"):format(runs.took(seconds or 0), run.holder))
  elseif run.status == "unfinished" and #run.records > 0 then
    local last = run.records[#run.records]
    page:field(
      "stopped",
      ("after record %d, %s; nothing says why: killed, or the machine failed"):format(
        #run.records,
        runs.stamp(last.t)
      )
    )
  end
end

local function resumes(page, s)
  for _, r in ipairs(s.resumes) do
    page:field(
      "resumed",
      ("%s by %s, pid %s"):format(runs.stamp(r.t), who.text(r), tostring(r.pid))
    )
  end
  for _, r in ipairs(s.settled) do
    page:field("settled", ("%s: %s, says %s"):format(r.step, tostring(r.answer), tostring(r.by)))
  end
end

local function guards(page, s)
  if #s.guards == 0 then
    return
  end
  page:title("guards")
  for _, g in ipairs(s.guards) do
    local more = ""
    if g.status == "overridden" then
      local by = g.by and (" by " .. tostring(g.by)) or ""
      more = (": %s; overridden%s, because: %s"):format(value_text(g.reason), by, value_text(g.why))
    elseif g.reason then
      more = ": " .. value_text(g.reason)
    end
    page:add("  %s %s%s", M.word(g.status, 10), g.name, more)
  end
end

local function took(seconds)
  return seconds and seconds >= 0.5 and out.paint("dim", "  " .. time.human(seconds)) or ""
end

local function changes(page, all)
  for _, change in ipairs(all) do
    local settled = change.settled and (" (%s)"):format(change.settled) or ""
    local err = change.error and (": " .. error_text(change.error)) or ""
    local word = M.word(change.outcome, 10)
    page:add("             %s %s: %s%s%s", word, change.target, change.text, settled, err)
  end
end

local function steps(page, s, title)
  local shown = list.where(s.steps, function(step)
    return not step.is_undo
  end)
  if #shown == 0 then
    return
  end
  page:title(title)
  for _, step in ipairs(shown) do
    local depth = select(2, step.key:gsub("/", ""))
    local marks = (step.kind == "prove" and " (proof)" or "")
      .. (step.no_return and " (no return)" or "")
      .. (step.keep and " (kept)" or "")
    page:add(
      "  %s %s%s%s%s",
      M.word(step.status, 10),
      ("  "):rep(depth),
      step.title,
      out.paint("dim", marks),
      took(step.seconds)
    )
    changes(page, step.changes)
    if step.error and step.status ~= "ok" then
      page:add("             %s", error_text(step.error))
    end
  end
end

local function kept(page, s)
  if #s.kept > 0 then
    page:title("kept values")
    for _, k in ipairs(s.kept) do
      page:add("  %s = %s", k.name, value_text(k.value))
    end
  end
end

--- One approval in a line.
---@param a table of story.approvals
---@return string
function M.approval(a)
  local text = ("%s %s"):format(M.word(a.status, 10), a.text or a.name)
  if a.status == "waiting" then
    local expires = a.expires_at and (", expires " .. runs.stamp(a.expires_at)) or ""
    return ("%s (asked %s%s)"):format(text, runs.stamp(a.asked), expires)
  end
  local reason = a.reason and (": " .. value_text(a.reason)) or ""
  return ("%s by %s at %s%s"):format(text, approval.decider(a), runs.stamp(a.t), reason)
end

local function approvals(page, s)
  if #s.approvals + #s.confirmed == 0 then
    return
  end
  page:title("asked")
  for _, a in ipairs(s.approvals) do
    page:add("  %s", M.approval(a))
  end
  for _, c in ipairs(s.confirmed) do
    local word = M.word(c.granted and "granted" or "denied", 10)
    page:add("  %s %s (%s, %s)", word, c.text, tostring(c.by), c.how or "no")
  end
end

local function locks(page, s)
  if #s.locks > 0 then
    page:title("locks")
    for _, l in ipairs(s.locks) do
      page:add("  %-10s %s%s", tostring(l.state), l.name, l.kind and (" (%s)"):format(l.kind) or "")
    end
  end
end

local function notes(page, s)
  if #s.notes > 0 then
    page:title("notes")
    for _, n in ipairs(s.notes) do
      local why = n.not_sent and (" (not sent: %s)"):format(value_text(n.not_sent)) or ""
      page:add("  %s %s%s", out.paint("dim", runs.stamp(n.t)), value_text(n.text), why)
    end
  end
end

local function undo(page, s)
  local touched = list.find(s.undo, function(entry)
    return entry.status ~= "not done" and entry.status ~= "past no return"
  end)
  if not s.undo_cause and not touched then
    return
  end
  page:title("undo" .. (s.undo_cause and ", because " .. (error_text(s.undo_cause) or "") or ""))
  for i = #s.undo, 1, -1 do
    local entry = s.undo[i]
    local args = entry.args and value_text(entry.args) or ""
    page:add("  %s %s %s of %q", M.word(entry.status, 10), entry.name, args, entry.step)
    changes(page, (list.find(s.steps, { key = step_key.of_undo(entry.id) }) or {}).changes or {})
    if entry.error then
      page:add("             %s", error_text(entry.error))
    end
  end
end

--- Returns the text of a failure without the trace of calls, which stays in the log.
local function without_trace(text)
  return (text:gsub("\n%s*stack traceback:.*$", ""):gsub("%s+$", ""))
end

local function failure(page, run)
  local text = fs.read(run.dir .. "/log/failure.txt", { max = 1 << 20 })
  local err = run.finish and run.finish.error
  if not text and not err then
    return
  end
  page:title(run.status == "suspended" and "it waits" or "failure")
  text = without_trace(text or error_text(err))
  for line in (text .. "\n"):gmatch("(.-)\n") do
    page:add("  %s", line)
  end
  if err and type(err) == "table" and err.hint and not text:find(err.hint, 1, true) then
    page:add("  hint: %s", err.hint)
  end
  local logs = fs.list(run.dir .. "/log") or {}
  if #logs > 0 then
    page:add("  %s", out.paint("dim", ("in %s/log: %s"):format(run.dir, table.concat(logs, ", "))))
  end
end

--- Returns the command line that starts such a run again.
local function again(run)
  local head = run.head
  local words = { "platrun", (head.playbook or {}).path or "PLAYBOOK" }
  local options = type(head.options) == "table" and head.options or {}
  for _, path in ipairs(options.inventory or {}) do
    words[#words + 1] = "-i " .. path
  end
  words[#words + 1] = options.sandbox and "--sandbox" or nil
  for name, value in pairs(head.args or {}) do
    local text = type(value) == "table" and json.encode(value) or tostring(value)
    words[#words + 1] = text:find("[^%w_.,:/@%%+=-]") and ("'%s=%s'"):format(name, text)
      or ("%s=%s"):format(name, text)
  end
  return table.concat(words, " ")
end

local ADVICE = {
  failed = "look at what was left, mend the cause, then: %s",
  refused = "mend what was refused, then: %s",
  compensated = "everything was undone; mend the cause, then: %s",
  ["compensation failed"] = "the platform is between two states: undo by hand what could not be "
    .. "undone (above), then: %s",
  cancelled = "to do it all the same: %s",
  deadline = "give it more time: %s",
  unreachable = "nothing was changed; when the target can be reached: %s",
  locked = "nothing was done; when the lock is free: %s",
}

--- Returns the next things to do, as lines.
---@param run plat.runs.Run
---@return string[]
function M.next(run)
  local advice = ADVICE[run.status]
  if not advice then
    return runs.next(run)
  end
  local lines = runs.next(run)
  lines[#lines + 1] = (#lines > 0 and "or " or "") .. advice:format(again(run))
  return lines
end

--- Returns what a run has checked and done so far, as lines: for whoever is to approve the rest.
---@param run plat.runs.Run
---@return string[]
function M.progress(run)
  local page = setmetatable({}, Page)
  local s = story.of(run.records)
  guards(page, s)
  steps(page, s, "done so far")
  kept(page, s)
  return setmetatable(page, nil)
end

--- Returns the story of a run as lines.
---@param run plat.runs.Run
---@return string[]
function M.lines(run)
  local page = setmetatable({}, Page)
  local s = story.of(run.records)
  header(page, run)
  resumes(page, s)
  guards(page, s)
  approvals(page, s)
  steps(page, s, "steps")
  undo(page, s)
  kept(page, s)
  locks(page, s)
  notes(page, s)
  failure(page, run)
  local todo = M.next(run)
  if #todo > 0 then
    page:title("next")
    for _, line in ipairs(todo) do
      page:add("  %s", line)
    end
  end
  return setmetatable(page, nil)
end

return M
