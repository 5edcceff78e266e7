--- The runbook engine: what a playbook's `run` argument can do. Look, decide, act in titled steps,
--- prove.

local fault = require("plat.fault")
local json = require("plat.json")
local list = require("plat.list")
local recorder = require("plat.run.recorder")
local scoped = require("plat.run.scoped")
local sys = require("prim.sys")

local NAMED = require("plat.run.named")
local M = {}

local verbs = {}
for _, name in ipairs(sys.modules("plat.run.verb.")) do
  verbs[name] = true
end

---@class plat.Run
---@field name string the playbook's name
local Run = { __name = "plat.Run" }

--- Where methods stand that are not here: loaded when first used.
local PARTS = {
  step = "plat.run.steps",
  each = "plat.run.steps",
  prove = "plat.run.steps",
  enter_undo = "plat.run.steps",
  guard = "plat.run.guards",
  check_guards = "plat.run.guards",
}

--- The methods stand here, in PARTS, or, one a file, in plat.run.verb.
local function find_method(_, name)
  local method
  if PARTS[name] then
    method = require(PARTS[name])[name]
    Run[name] = method
  elseif verbs[name] then
    method = require("plat.run.verb." .. name)
    Run[name] = method
  end
  return method
end

Run.__index = setmetatable(Run, { __index = find_method })

--- Returns the plain data of a fault.
Run.plain_fault = recorder.plain_fault

--- Makes a run. For the engine.
---@param opts table `{ name, playbook, args, inventory, reporter, planning, overrides, forks,
---  journal, memory, options, expect }`
---@return plat.Run
function M.new(opts)
  local memory = opts.memory
  return setmetatable({
    name = opts.name,
    id = opts.journal and opts.journal.id,
    playbook = opts.playbook,
    args = opts.args,
    inventory = opts.inventory,
    reporter = opts.reporter,
    planning = opts.planning or false,
    overrides = opts.overrides or {},
    options = opts.options or {},
    forks = opts.forks or 64,
    journal = opts.journal,
    memory = memory,
    expect = opts.expect, -- a saved plan
    steps = 0, -- entered
    changes = memory and memory.performed or 0, -- performed, or under way
    kept = memory and list.copy(memory.kept) or {}, -- records
    latest = {}, -- of this process, by type and name
    titles = {}, -- by parent key: how often a title was used
    open = {}, -- keys of the steps that run
    entered = {}, -- keys of earlier steps that this process came to
    reissued = {}, -- keys of earlier changes that this process came to
    replaced = {}, -- keys of earlier steps in whose place others are entered
    redo = {}, -- steps of which a person says that they did not happen
    guards = {},
    locks = {},
    unsettled = {}, -- changes of which nobody knows what became of them
    barriers = memory and memory.barriers or {}, -- points of no return that were passed
    touched = memory and memory.touched or {}, -- by key of a step: `seq` of its newest change
    seq = memory and memory.count or 0, -- orders changes and compensations
    newest = memory and memory.newest or {}, -- the same, with the steps inside it
    undo_steps = memory and memory.undo_steps or {}, -- keys of those with a compensation
    passed_no_return = memory and memory.no_return,
    undo = memory and memory.undo or require("plat.run.pending").new(), -- compensations
    undo_known = memory and memory.known or {},
    target = "localhost",
  }, Run)
end

--- Returns the account for which this process works.
---@return string
function Run.user()
  return sys.user()
end

--- Returns what the door tells about changes and waits. For the engine.
---@return table observer
function Run:observer()
  return recorder.observer(self)
end

-- ---- the journal ----

--- Writes a record into the journal, if there is one (docs/ENGINE.md lists the types).
---@async
---@param record table
function Run:record(record)
  if NAMED[record.type] then
    self.latest[record.type .. "|" .. record.name] = record
  end
  if self.journal and not self.planning then
    self.journal:append(record)
  end
end

--- Waits until what was recorded is on the disk.
---@async
function Run:sync()
  if self.journal and not self.planning then
    self.journal:commit()
  end
end

--- Lets what was recorded come to the disk soon; what has effects waits for it.
function Run:hasten()
  if self.journal and not self.planning then
    self.journal:hasten()
  end
end

--- Returns the newest record of a type and name, of this process or an earlier one of the run.
---@param kind "keep"|"guard"|"request"|"approval"|"lock"
---@param name string
---@return table?
function Run:recall(kind, name)
  local mine = self.latest[kind .. "|" .. name]
  return mine or self.memory and self.memory.latest[kind][name]
end

--- Returns a value, or raises when it is not plain data: it crosses a step's boundary.
---@generic T
---@param name string
---@param value T
---@return T
function Run:plain(name, value)
  local ok, text = pcall(json.encode, value == nil and json.null or value, {
    secrets = "reference",
  })
  if not ok then
    fault.raise("usage", { op = self.name, object = ("%q"):format(name) }, {
      msg = "a value that leaves a step is not plain data: " .. tostring(text),
      hint = "return texts, numbers, booleans and tables of them",
    })
  end
  return value
end

--- Returns a value that was read from the journal, as the playbook gave it.
---@param value any
---@return any
function Run:from_journal(value)
  if value == json.null then
    return nil
  elseif self.memory and type(value) == "table" then
    return require("plat.secret").restore(value, function(ref)
      return self:secret(ref)
    end)
  end
  return value
end

-- ---- look ----

--- Returns a cluster of the inventory; without a name the only one.
---@param name? string
---@return table cluster `{ name, kubernetes, namespace, dremio, environment, protected, ... }`
function Run:cluster(name)
  local cluster = self.inventory():cluster(name)
  self.target, self.cluster_used = cluster.name, cluster
  if self.playbook and self.playbook.risk then
    require("plat.guard").preflight(self, self.playbook, { ask = false })
  end
  return cluster
end

--- Returns a value, or stops the run with the reason: for pure decisions that return `nil, reason`.
---@generic T
---@param value T?
---@param reason? string
---@return T
function Run:must(value, reason)
  if value == nil or value == false then
    fault.raise("failed", { op = self.name }, { msg = reason or "the decision failed" })
  end
  return value
end

--- Reads a value once a run; the same value ever after, also when the run is resumed. For
--- before-states and whatever decides which steps exist.
---@async
---@generic T
---@param name string
---@param fn fun(): T
---@return T
function Run:keep(name, fn)
  name = scoped(name)
  local kept = self.kept[name]
  if not kept then
    local value = self:plain(name, fn())
    kept = { type = "keep", name = name, value = value == nil and json.null or value }
    if self.expect then
      self.expect:keep(name, value)
    end
    self:record(list.copy(kept))
    self.kept[name] = kept
  end
  return self:from_journal(kept.value)
end

--- Says something in the run's output.
---@param fmt string
function Run:log(fmt, ...)
  self.reporter:emit("log", { text = fmt:format(...) })
end

-- ---- undo ----

--- Performs the compensations that were recorded after a mark (`#run.undo` of then), newest first.
--- The first that fails is raised; it stays, with those before it.
---@async
---@param mark integer
---@return integer count
function Run:undo_since(mark)
  return require("plat.run.undo").since(self, mark)
end

--- Asks, once a run, whether a protected environment may be changed. For the engine.
---@async
function Run:before_first_step()
  if self.preflighted and not self.asked then
    require("plat.guard").ask(self, self.playbook)
  end
end

--- Checks what must hold before a point of no return. For the engine.
---@async
---@param title string
function Run:before_no_return(title)
  if self.planning then
    self.reporter:emit("plan_no_return", { step = title })
    return
  end
  self:check_guards()
end

return M
