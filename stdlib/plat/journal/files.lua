--- Where journals lie, what is in them, and whether it is whole: reading without changing anything.

local check = require("plat.check")
local fault = require("plat.fault")
local fs = require("prim.fs")
local digest = require("prim.hash").digest
local json = require("plat.json")
local state = require("plat.state")
local sys = require("prim.sys")

local M = {}

M.SCHEMA = 1 -- raised when a reader of before would misunderstand; then it refuses

M.START = ("0"):rep(32) -- the chain before the first record

--- Returns the directory of the runs: $PLATRUN_RUNS_DIR, else `runs` in the state directory.
---@return string
function M.dir()
  local own = sys.getenv("PLATRUN_RUNS_DIR")
  return own and own ~= "" and own or state.dir() .. "/runs"
end

--- Returns the chain after a record.
---@param before string the chain so far
---@param text string the record without its field `chain`
---@return string 32 hexadecimal digits
function M.link(before, text)
  return (digest("sha256", before .. text):sub(1, 32))
end

--- Returns what lies in the directory of the runs, sorted: mostly ids.
---@return string[]
function M.names()
  local names, err = fs.list(M.dir())
  if not names and err.code == 2 then
    return {}
  end
  return (fault.must({ op = "runs", object = M.dir() }, names, err))
end

--- Returns whether a name is the id of a run.
---@param name string
---@return boolean
function M.is_id(name)
  return name:find("^%d%d%d%d%d%d%d%d%-%d%d%d%d%d%d%d*%-") ~= nil
end

--- Returns the ids of all runs, oldest first: they begin with the time of their start.
---@return string[]
function M.ids()
  local ids = {}
  for _, name in ipairs(M.names()) do
    if M.is_id(name) then
      ids[#ids + 1] = name
    end
  end
  return ids
end

--- Returns the id that a word of the command line means: an id, its unique beginning, "last", or
--- nothing for the newest. Raises kind "usage" when there is none or more than one.
---@param word? string
---@return string id
function M.find(word)
  local ids = M.ids()
  if #ids == 0 then
    fault.raise("usage", { op = "runs" }, {
      msg = "there are no runs in " .. M.dir(),
      where = "",
    })
  elseif not word or word == "last" then
    return ids[#ids]
  end
  local found = {}
  for _, id in ipairs(ids) do
    if id == word then
      return id
    elseif id:sub(1, #word) == word then
      found[#found + 1] = id
    end
  end
  if #found == 1 then
    return found[1]
  elseif #found > 1 then
    fault.raise("usage", { op = "runs" }, {
      msg = ("%q is the beginning of %d runs: %s"):format(word, #found, table.concat(found, ", ")),
      where = "",
    })
  end
  fault.raise("usage", { op = "runs" }, {
    msg = ("no run %q%s"):format(word, check.did_you_mean(word, ids)),
    hint = "platrun runs lists them",
    where = "",
  })
end

--- Returns the text of a run's journal. Raises kind "io" when it cannot be read.
---@param id string
---@return string
function M.text(id)
  local path = ("%s/%s/journal.jsonl"):format(M.dir(), id)
  local text, err = fs.read(path, { max = 1 << 30 })
  if text then
    return text
  end
  local about = { op = "journal", object = path }
  if err.code == 2 then
    fault.raise("parse", about, {
      msg = "the journal is missing: the directory is half deleted",
      hint = ("platrun runs prune --damaged, or remove %s/%s"):format(M.dir(), id),
      damaged = true,
      where = "",
    })
  elseif err.code == 13 then
    err.hint = "it is the run of another user: look at it as that user, or as root"
  end
  fault.raise_err(about, err)
end

local function check_header(record)
  if record.type ~= "run" then
    return "the first record is no header"
  elseif math.type(record.schema) ~= "integer" then
    return "the header names no schema"
  elseif record.schema > M.SCHEMA then
    return ("it was written by platrun %s, in schema %d; this one reads up to %d"):format(
      tostring(record.version),
      record.schema,
      M.SCHEMA
    ),
      true
  end
end

--- Decodes one line and follows the chain.
local function read_line(line, chain)
  local text, link = line:match('^(.*),"chain":"(%x+)"}$')
  if not text then
    return nil, "it has no chain"
  end
  text = text .. "}"
  if M.link(chain, text) ~= link then
    return nil, "its chain does not fit: it or a line before it was changed"
  end
  local record, err = fault.try(json.decode, text)
  if type(record) ~= "table" then
    return nil, err and err.msg or "it is no object"
  end
  return record, link
end

---@class plat.journal.Content
---@field records table[]
---@field chain string after the last record
---@field size integer bytes of whole records
---@field torn integer bytes of a last line that was never written whole
---@field line? integer the first damaged line
---@field problem? string what is wrong with it
---@field newer? boolean the schema is newer than this program

--- Reads the text of a journal. Stops at the first damage and says where. Pure.
---@param text string
---@return plat.journal.Content
function M.parse(text)
  local content = { records = {}, chain = M.START, size = 0, torn = 0 }
  local at, number = 1, 0
  while at <= #text do
    local stop = text:find("\n", at, true)
    if not stop or text:byte(at) == 0 then
      content.torn = #text - at + 1 -- cut by a kill, or zeros after a power failure
      return content
    end
    number = number + 1
    local record, link = read_line(text:sub(at, stop - 1), content.chain)
    if not record then
      content.line, content.problem = number, link
      return content
    end
    if number == 1 then
      local problem, newer = check_header(record)
      if problem then
        content.line, content.problem, content.newer = 1, problem, newer
        content.records[1] = record
        return content
      end
    end
    content.records[number], content.chain, content.size = record, link, stop
    at = stop + 1
  end
  return content
end

local function state_of(content)
  if content.newer then
    return "newer"
  elseif content.problem then
    return "damaged"
  end
  local last = content.records[#content.records]
  if last and last.type == "end" and content.torn == 0 then
    return "complete"
  end
  return content.torn > 0 and "torn" or "unfinished"
end

--- Checks a run's journal.
---@param id string
---@return { state: string, line: integer?, msg: string, records: integer } result `state` is
---  complete, unfinished, torn (as unfinished, its last line was cut), damaged or newer
function M.verify(id)
  local text, err = fault.try(M.text, id)
  if not text then
    return { state = "damaged", msg = err.msg, records = 0 }
  end
  local content = M.parse(text)
  local n = #content.records
  local word = state_of(content)
  local msg = ("%d records"):format(n)
  if content.problem then
    msg = ("line %d: %s"):format(content.line, content.problem)
  elseif word == "torn" then
    msg = ("%d records, then a line that was cut after %d bytes"):format(n, content.torn)
  elseif n == 0 then
    word, msg = "damaged", "it is empty"
  end
  return { state = word, line = content.line, msg = msg, records = n }
end

local function decode_line(line)
  local record = fault.try(json.decode, line)
  return type(record) == "table" and record or nil
end

--- Returns the first and the last record of a run without following the chain between them: to see
--- quickly that nothing is to be done. Nil where they are not whole.
---@param id string
---@return table? first
---@return table? last
function M.glance(id)
  local text = fault.try(M.text, id)
  if not text or text:sub(-1) ~= "\n" then
    return nil
  end
  local at = #text - 1
  while at > 0 and text:byte(at) ~= 10 do -- a pattern would search from the front
    at = at - 1
  end
  return decode_line(text:match("^[^\n]*")), decode_line(text:sub(at + 1))
end

--- Returns whether a process works on a run now, and what its lock says.
---@param id string
---@return boolean
---@return string? holder
function M.running(id)
  local path = ("%s/%s/lock"):format(M.dir(), id)
  if not fs.stat(path) then
    return false
  end
  local lock, err = state.lock(path, "")
  if lock then
    lock:close()
    return false
  end
  return true, err.held
end

--- Returns a run in a few fields, whatever the state of its journal.
---@param id string
---@return table summary `{ id, state, playbook, path, status, exit, start, finish, user, host,
---  sandbox, changes, steps, resumes }`; status is that of the end record, else the state
function M.summary(id)
  local text, err = fault.try(M.text, id)
  if not text then
    return { id = id, state = "damaged", status = "damaged", msg = err.msg }
  end
  local content = M.parse(text)
  local head = content.records[1] or {}
  local last = content.records[#content.records] or {}
  local word = state_of(content)
  local ended = last.type == "end" and word == "complete"
  local resumes, changes, steps = 0, 0, 0
  for _, record in ipairs(content.records) do
    resumes = resumes + (record.type == "resume" and 1 or 0)
    changes = changes + (record.type == "outcome" and record.outcome ~= "failed" and 1 or 0)
    steps = steps + (record.type == "step" and not record.again and 1 or 0)
  end
  return {
    id = id,
    state = word,
    msg = content.problem,
    playbook = (head.playbook or {}).name,
    path = (head.playbook or {}).path,
    status = ended and last.status or word,
    exit = ended and last.exit or nil,
    resumable = ended and last.resumable or nil,
    start = head.t,
    finish = ended and last.t or nil,
    user = head.user,
    host = head.host,
    sandbox = head.sandbox or false,
    changes = changes,
    steps = steps,
    resumes = resumes,
  }
end

return M
