--- Whether journals are whole, in a sentence and an exit status. Pure.

local list = require("plat.list")

local M = {}

--- What the last record was about, for people.
local function about(record)
  local step = record.step or record.key
  local what = record.type
  if record.type == "step" then
    return ("step %q began"):format(record.title or step)
  elseif record.type == "intent" or record.type == "outcome" then
    return ("%s in step %q"):format(what, (step or "?"):match("^[^|]*"))
  elseif step then
    return ("%s of step %q"):format(what, step:match("^[^|]*"))
  end
  return what .. (record.name and (" %q"):format(record.name) or "")
end

--- Returns what is to be said about the journal of a run.
---@param run plat.runs.Run
---@return { id: string, state: string, records: integer, line: integer?, text: string }
function M.result(run)
  local n = #run.records
  local text
  if run.whole == "complete" then
    text = ("complete: %d records, %s"):format(n, run.status)
  elseif run.problem then
    local line = run.line and ("line %d: "):format(run.line) or ""
    local word = run.whole == "newer" and "newer schema" or run.whole
    text = ("%s: %s%s"):format(word, line, run.problem)
    if run.whole == "damaged" and run.line then
      text = ("%s; the %d records before it are whole"):format(text, run.line - 1)
    end
  elseif run.status == "suspended" and run.whole ~= "torn" then
    local what = run.waits and ("the approval %q"):format(run.waits.request.name) or "a person"
    local decided = (run.waits or {}).decision and "decided; resume it" or "undecided"
    text = ("suspended: %d records, it waits for %s (%s)"):format(n, what, decided)
  else
    local last = about(run.records[n])
    local torn = run.torn and ("; %d bytes of a line that was cut follow"):format(run.torn) or ""
    text = ("%s after record %d (%s)%s"):format(run.status, n, last, torn)
  end
  return {
    id = run.id,
    state = run.whole,
    status = run.status,
    records = n,
    line = run.line,
    text = text,
  }
end

--- Returns the exit status: 1 when one is damaged or cannot be read, else 3 when one is not
--- finished, else 0.
---@param results table[]
---@return integer
function M.exit(results)
  local function any(...)
    local words = { ... }
    return list.find(results, function(r)
      return list.contains(words, r.state)
    end) ~= nil
  end
  return any("damaged", "newer", "unreadable") and 1 or any("unfinished", "torn") and 3 or 0
end

return M
