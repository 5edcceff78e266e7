--- The journal of a run: what was intended and what came of it, append-only, chained, on the disk
--- before the effect. One directory a run (docs/ENGINE.md, "Journal").

local clock = require("prim.time")
local fault = require("plat.fault")
local files = require("plat.journal.files")
local fs = require("prim.fs")
local json = require("plat.json")
local out = require("plat.out")
local prim = require("prim.task")
local state = require("plat.state")
local sys = require("prim.sys")
local task = require("plat.task")
local time = require("plat.time")

local M = {}

local ROOM = 64 * 1024 -- bytes that are reserved at a time
local SOON = 0.001 -- seconds
local OUTCOME = 24 * 1024 -- bytes that are free behind each intent, for what came of it

local encode = json.encoder({ secrets = "reference", redact = true, lossy = true })

M.dir, M.ids, M.find, M.verify = files.dir, files.ids, files.find, files.verify
M.names, M.is_id = files.names, files.is_id
M.summary, M.running, M.SCHEMA = files.summary, files.running, files.SCHEMA
M.glance = files.glance

---@class plat.Journal
---@field id string of the run
---@field dir string
---@field records? table[] what was in it when it was opened
---@field syncs integer made so far
local Journal = { __name = "plat.Journal" }
Journal.__index = Journal

--- Returns a fresh id: real time, also in a sandbox, so that the newest run is the last by name.
local function new_id(name)
  local now = clock.real()
  local stamp = ("%s%03d"):format(time.date("!%Y%m%d-%H%M%S", now), now % 1 * 1000 // 1 | 0)
  local chance = files.link(tostring(sys.pid()), tostring(now)):sub(1, 4)
  return ("%s-%s-%s"):format(stamp, name:gsub("[^%w_.-]", "-"), chance)
end

--- Returns a journal that is made when the first record comes.
---@param header fun(): table the fields of the record "run"
---@param opts { name: string, sync: boolean } sync: false in a sandbox: written, never waited for
---@return plat.Journal
function M.new(header, opts)
  local id = new_id(opts.name)
  return setmetatable({
    id = id,
    dir = files.dir() .. "/" .. id,
    header = header,
    began = time.now(),
    sync = opts.sync,
    n = 0,
    durable = 0,
    chain = files.START,
    room = 0,
    syncs = 0,
    waiting = {},
    events = {},
  }, Journal)
end

local function hold(self)
  local text = ("pid %d"):format(sys.pid())
  local lock, err = state.lock_past_glances(self.dir .. "/lock", text, function(held)
    return math.tointeger(tonumber(held:match("^pid (%d+)$")))
  end)
  if lock then
    self.lock = lock
    return
  elseif not err.held then
    fault.raise_err({ op = "journal", object = self.dir }, err)
  end
  fault.raise("refused", { op = "journal" }, {
    msg = ("the run %s is being executed by %s"):format(self.id, err.held),
    hint = "platrun runs tail " .. self.id,
    exit = 75,
    where = "",
  })
end

local function check_owner(self, header)
  local st = fs.stat(self.dir)
  if st and st.uid ~= sys.uid() then
    fault.raise("refused", { op = "journal", object = self.dir }, {
      msg = ("it is the run of another user (%s, not %s)"):format(
        tostring(header.user),
        sys.user()
      ),
      hint = "go on as that user: credentials and files are theirs",
      where = "",
    })
  end
end

--- Opens the journal of an earlier run, for going on with it. A last line that was cut is removed
--- with a warning; any other damage raises, as does a run that is being executed (exit 75).
---@async
---@param id string
---@param opts? { sync: boolean }
---@return plat.Journal
function M.open(id, opts)
  local self = setmetatable({
    id = id,
    dir = files.dir() .. "/" .. id,
    sync = not opts or opts.sync ~= false,
    room = 0,
    syncs = 0,
    waiting = {},
    events = {},
  }, Journal)
  files.text(id) -- is there something?
  hold(self)
  local text = files.text(id)
  local content = files.parse(text)
  local header = content.records[1]
  if not content.problem and not header then
    self.lock:close()
    fault.raise("usage", { op = "resume", object = id }, {
      msg = "it was killed before its first record was written: it had done nothing",
      hint = ("start it anew; rm -r %s removes what is left of it"):format(self.dir),
      where = "",
    })
  elseif content.problem then
    self.lock:close()
    fault.raise("parse", { op = "journal", object = self.dir .. "/journal.jsonl" }, {
      msg = ("line %d: %s"):format(content.line, content.problem),
      hint = content.newer and "use that version of platrun"
        or "nobody can tell what was done: look at the platform, then start a new run",
      where = "",
    })
  end
  check_owner(self, header)
  self.records, self.chain = content.records, content.chain
  self.n, self.durable = #content.records, #content.records
  self.file = state.append(self.dir .. "/journal.jsonl")
  self.event_file = state.append(self.dir .. "/events.jsonl")
  if content.torn > 0 then
    out.warn(
      ("%s: the last line was cut after %d bytes, when the run was killed: removed"):format(
        self.dir .. "/journal.jsonl",
        content.torn
      )
    )
    fault.must({ op = "journal", object = self.dir }, self.file:truncate(content.size))
  end
  return self
end

local function wake(self)
  local waiting = self.waiting
  self.waiting = {}
  for _, gate in ipairs(waiting) do
    gate:open()
  end
end

local function wait(self)
  local gate = prim.gate()
  table.insert(self.waiting, gate)
  fault.must({ op = "journal", object = self.dir }, gate:wait())
end

--- Makes the run's directory and writes the header.
local function make(self)
  local header = self.header
  local ok, err = fault.try(function()
    state.make_dir(files.dir())
    state.new_dir(self.dir)
    hold(self)
    self.file = state.append(self.dir .. "/journal.jsonl")
    self.event_file = state.append(self.dir .. "/events.jsonl")
    return true
  end)
  self.header, self.fresh = nil, true
  if not ok then
    err.msg = "the run cannot be recorded, so it does not begin: " .. err.msg
    err.hint = err.hint or "make room, or choose another place with PLATRUN_RUNS_DIR"
    self.broken = err
    error(err, 0)
  end
  local record = header()
  record.t = self.began
  record.type, record.schema, record.id = "run", files.SCHEMA, self.id
  self:append(record)
end

local function must_write(self, ok, err)
  if not ok then
    local about = { op = "journal", object = self.dir }
    self.broken = fault.new(err.kind, about, {
      msg = "the run cannot be recorded, so it stops here: " .. err.msg,
      code = err.code,
      hint = "make room, then: platrun resume " .. self.id,
    })
    error(self.broken, 0)
  end
end

--- Appends a record. It is in the file when this returns, and on the disk after `commit`. Raises
--- kind "io" when it cannot be written; then nothing more is recorded, and nothing may be changed.
---@async
---@param record table `{ type = ... }`, plain data; secrets by reference
function Journal:append(record)
  if self.header then
    make(self)
  elseif self.broken then
    error(self.broken, 0)
  end
  record.n, record.t = self.n + 1, record.t or (time.now() * 1e6 + 0.5) // 1 / 1e6
  local text = encode(record)
  local chain = files.link(self.chain, text)
  local line = text:sub(1, -2) .. ',"chain":"' .. chain .. '"}\n'
  local need = #line + OUTCOME
  if record.type == "intent" and self.room < need then
    must_write(self, self.file:reserve(need + ROOM))
    self.room = need + ROOM
  end
  must_write(self, self.file:write(line))
  self.n, self.chain, self.room = self.n + 1, chain, self.room - #line
end

--- Makes the run's directory durable, once.
local function sync_place(self)
  if self.fresh then
    self.fresh = nil
    state.sync_dir(self.dir)
    state.sync_dir(files.dir())
  end
  return true
end

--- Writes all records to the disk; whoever waits for one of them is woken.
local function flush(self)
  local n = self.n
  local ok, err = fault.try(sync_place, self)
  if ok then
    ok, err = self.file:sync()
  end
  self.flushing, self.syncs = false, self.syncs + 1
  if ok then
    self.durable = n
  else
    self.broken = self.broken
      or fault.new("io", { op = "journal", object = self.dir }, { msg = err.msg, code = err.code })
  end
  wake(self)
end

--- Waits until everything that was appended is on the disk. What becomes ready in one turn of the
--- loop shares one sync.
---@async
function Journal:commit()
  local want = self.n
  if not self.sync then
    self.durable = want -- as far as a sandbox keeps anything
  end
  while self.sync and self.durable < want do
    if self.broken then
      error(self.broken, 0)
    elseif not self.flushing then
      self.flushing = true
      prim.spawn(flush, self) -- runs in the next turn; no cancel of ours reaches it
    end
    wait(self)
  end
end

local function flush_soon(self)
  clock.sleep(SOON)
  self.hastened = false
  if self.file and self.durable < self.n and not self.flushing and not self.broken then
    self.flushing = true
    flush(self)
  end
end

--- Sees to it that what was appended is on the disk soon, and does not wait for that: what is
--- appended meanwhile, and waited for, shares the sync.
function Journal:hasten()
  if self.sync and not self.hastened then
    self.hastened = true
    prim.spawn(flush_soon, self)
  end
end

--- Appends a line to the run's events: what a reporter told, for `platrun runs tail`.
---@param line string JSON
function Journal:event(line)
  table.insert(self.events, line)
  if self.event_file and (#self.events >= 64 or not self.sync) then
    self:flush_events()
  end
end

--- Writes the events that wait. Losing one is no failure: the journal is what counts.
function Journal:flush_events()
  if self.event_file and #self.events > 0 then
    local text = table.concat(self.events, "\n") .. "\n"
    self.events = {}
    if not self.event_file:write(text) then
      out.warn("the events of this run cannot be written to " .. self.dir)
    end
  end
end

--- Writes a file into the run's directory `log`: evidence for people.
---@async
---@param name string
---@param text string
function Journal:evidence(name, text)
  state.make_dir(self.dir .. "/log")
  state.write(self.dir .. "/log/" .. name, out.redact(text))
end

--- Closes the journal. A run that changed nothing needs no sync: a power failure forgets it.
---@async
---@param opts? { sync: boolean }
function Journal:close(opts)
  self:flush_events()
  local wanted = not opts or opts.sync
  if self.file then
    if wanted and self.sync and self.durable < self.n and not self.broken then
      task.shield(10, self.commit, self)
    end
    if self.room > 0 then
      self.file:truncate(self.file:size()) -- gives the reserved room back
    end
    self.file:close()
    self.event_file:close()
    self.lock:close()
    self.file = nil
  end
end

return M
