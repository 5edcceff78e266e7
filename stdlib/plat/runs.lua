--- Runs of before, as their journals tell: which there are, how each ended, what comes next.
--- Reading never raises about one bad run: it is told as damaged, newer or unreadable.

local approval = require("plat.runs.approval")
local clock = require("prim.time")
local fault = require("plat.fault")
local files = require("plat.journal.files")
local fs = require("prim.fs")
local list = require("plat.list")

local M = {}

--- Words of runs that have ended and need nothing more.
M.ENDED = {
  ok = true,
  changed = true,
  failed = true,
  compensated = true,
  ["compensation failed"] = true,
  refused = true,
  cancelled = true,
  unreachable = true,
  deadline = true,
  locked = true,
  usage = true,
}

M.SUCCEEDED = { ok = true, changed = true }

--- Words of what is no more than that.
M.OTHER = { "running", "suspended", "unfinished", "damaged", "newer schema", "unreadable" }

---@class plat.runs.Run
---@field id string
---@field dir string
---@field status string a word of M.ENDED or M.OTHER
---@field whole string of its journal: complete, unfinished, torn, damaged, newer or unreadable
---@field records table[] up to the first damage
---@field head table the header, empty when there is none
---@field finish? table the end record, if the run has ended
---@field problem? string what is wrong with the journal
---@field line? integer where
---@field holder? string who executes it
---@field waits? plat.runs.Asked the approval that it waits for

local function read_text(run)
  local text, err = fault.try(files.text, run.id)
  if text then
    return text
  end
  local denied = err.code == 13 or err.code == 1
  run.whole = denied and "unreadable" or "damaged"
  run.problem = denied and "it is the run of another user" or err.msg
  return nil
end

--- Returns the end record that still counts: a resume after it began the run anew.
local function end_of(records)
  for i = #records, 1, -1 do
    if records[i].type == "end" then
      return records[i]
    elseif records[i].type == "resume" then
      return nil
    end
  end
end

local function whole_word(content)
  if content.newer then
    return "newer"
  elseif content.problem or #content.records == 0 then
    return "damaged"
  end
  return content.torn > 0 and "torn" or nil
end

local function status_of(run, locked)
  local bad = { newer = "newer schema", damaged = "damaged", unreadable = "unreadable" }
  if bad[run.whole] then
    return bad[run.whole]
  elseif run.finish and run.finish.status ~= "suspended" then
    return run.finish.status
  end
  local running, holder
  if not locked then
    running, holder = files.running(run.id)
  end
  run.holder = running and (holder or "a process") or nil
  if running then
    return "running"
  end
  run.waits = approval.waiting(run.records)
  return (run.finish or run.waits) and "suspended" or "unfinished"
end

--- Reads a run.
---@param id string
---@param locked? boolean its lock is ours: nobody else executes it
---@return plat.runs.Run
function M.read(id, locked)
  local run = { id = id, dir = files.dir() .. "/" .. id, records = {}, head = {} }
  local text = read_text(run)
  if text then
    local content = files.parse(text)
    run.records = content.records
    run.problem = content.problem or #content.records == 0 and "it is empty" or nil
    run.line, run.torn = content.line, content.torn > 0 and content.torn or nil
    run.head = not content.newer and content.records[1] or {}
    run.finish = end_of(content.records)
    local ended = run.finish and run.finish.status ~= "suspended"
    run.whole = whole_word(content) or (ended and "complete" or "unfinished")
  end
  run.status = status_of(run, locked)
  return run
end

--- Orders ids, newest first. Ids tell the second; of runs of one second the headers tell more.
local function ordered(ids)
  local out, i = {}, #ids
  while i >= 1 do
    local stamp, group = ids[i]:sub(1, 15), {}
    while i >= 1 and ids[i]:sub(1, 15) == stamp do
      table.insert(group, 1, ids[i])
      i = i - 1
    end
    if #group > 1 then
      group = list.sort_by(group, function(id)
        return M.read(id).head.t or 0
      end)
    end
    for k = #group, 1, -1 do
      out[#out + 1] = group[k]
    end
  end
  return out
end

--- Returns the id that a word of the command line means; see plat.journal.
---@param word? string
---@return string
function M.find(word)
  if not word or word == "last" then
    local ids = files.ids()
    local newest = files.find() -- raises when there is none
    return ordered(list.where(ids, function(id)
      return id:sub(1, 15) == newest:sub(1, 15)
    end))[1]
  end
  return files.find(word)
end

--- Returns whether an id is one of a playbook, without reading the run.
---@param id string
---@param playbook string
---@return boolean
function M.is_of(id, playbook)
  local name = playbook:gsub("[^%w_.-]", "-")
  local rest = id:match("^%d+%-%d+%-(.*)$") or ""
  return rest == name or rest:sub(1, #name + 1) == name .. "-"
end

--- Returns a playbook's name from its name or its path.
---@param word string
---@return string
function M.playbook_name(word)
  return (word:match("([^/]*)$"):gsub("%.lua$", ""))
end

--- Iterates over the runs, newest first. One that vanishes meanwhile is left out.
---@param playbook? string only of this one, by name
---@return fun(): plat.runs.Run?
function M.newest_first(playbook)
  local ids = ordered(list.where(files.ids(), function(id)
    return not playbook or M.is_of(id, playbook)
  end))
  local i = 0
  return function()
    while i < #ids do
      i = i + 1
      local run = M.read(ids[i])
      local name = (run.head.playbook or {}).name
      local other = playbook and name and name ~= playbook -- "scale" is not "scale-dremio"
      if not other and fs.stat(run.dir) then
        return run
      end
    end
  end
end

--- Returns how many changes a run made, or may have made.
---@param run plat.runs.Run
---@return integer
function M.changes(run)
  local made = {}
  for _, record in ipairs(run.records) do
    if record.type == "intent" then
      made[record.key] = true
    elseif record.type == "outcome" and record.outcome == "failed" then
      made[record.key] = nil
    end
  end
  return list.count(made)
end

--- Returns how many seconds a run took, or has taken so far; nil when nobody knows.
---@param run plat.runs.Run
---@return number?
function M.seconds(run)
  local first, last = run.head.t, run.records[#run.records]
  if not first or not last then
    return nil
  elseif run.status == "running" and not run.head.sandbox then
    return math.max(0, clock.real() - first)
  end
  return math.max(0, ((run.finish or last).t or first) - first)
end

--- Returns the next thing to do about a run, nil when there is nothing.
---@param run plat.runs.Run
---@return string[]
function M.next(run)
  local id, word = run.id, run.status
  if word == "running" then
    return { "platrun runs tail -f " .. id }
  elseif word == "unfinished" then
    return { "platrun resume " .. id }
  elseif word == "damaged" or word == "unreadable" or word == "newer schema" then
    local more = word == "newer schema" and "use that version of platrun"
      or word == "unreadable" and "look as that user, or as root"
    return { more or ("platrun runs verify %s"):format(id) }
  elseif word ~= "suspended" then
    return run.finish and run.finish.resumable and { "platrun resume " .. id } or {}
  end
  local decision = (run.waits or {}).decision
  if not run.waits or decision then
    return { "platrun resume " .. id }
  end
  return { "platrun approve " .. id, ("platrun reject %s --reason TEXT"):format(id) }
end

--- Returns a run in few fields, for tables and JSON.
---@param run plat.runs.Run
---@return table
function M.outline(run)
  local head = run.head
  local finish = run.finish
  return {
    id = run.id,
    playbook = (head.playbook or {}).name,
    status = run.status,
    exit = finish and finish.exit or nil,
    started = head.t and M.stamp(head.t) or nil,
    ended = finish and M.stamp(finish.t) or nil,
    seconds = M.seconds(run),
    changes = M.changes(run),
    user = head.user,
    host = head.host,
    sandbox = head.sandbox or false,
    problem = run.problem,
    next = #M.next(run) > 0 and M.next(run) or nil,
  }
end

--- Returns how long something took, for people.
---@param seconds number
---@return string
function M.took(seconds)
  return require("plat.time").human(seconds < 0.05 and 0 or seconds)
end

--- Returns an instant as text; what is no number is told as it is.
---@param t any unix seconds
---@return string
function M.stamp(t)
  return type(t) == "number" and require("plat.time").rfc3339(t) or tostring(t)
end

--- Returns all words that a run's status can be.
---@return string[]
function M.words()
  local words = list.keys(M.ENDED)
  table.move(M.OTHER, 1, #M.OTHER, #words + 1, words)
  return words
end

return M
