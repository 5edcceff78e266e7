--- Performs plays in copies of this process, several at once: scenarios are coroutines that ask for
--- plays and go on with what came of them.

local fault = require("plat.fault")
local fork = require("prim.fork")
local fs = require("prim.fs")
local json = require("plat.json")
local time = require("prim.time")

local M = {}

local SLICE = 0.5 -- seconds between looks at deadlines

---@class plat.test.Pool
---@field plays integer performed so far
local Pool = { __name = "plat.test.Pool" }
Pool.__index = Pool

--- Makes a pool.
---@param opts { jobs: integer, deadline: number } seconds for one play
---@return plat.test.Pool
function M.new(opts)
  return setmetatable({
    jobs = opts.jobs,
    deadline = opts.deadline,
    dir = fault.must({ op = "test" }, fs.mkdtemp("/tmp/platrun-play-")), -- for what they keep
    ready = {}, -- coroutines that can go on: { co, value }
    wanted = {}, -- plays that wait for their turn: { co, play, case, home }
    active = {}, -- children, and beside them what they perform
    performed = {},
    homes = 0,
    plays = 0,
  }, Pool)
end

--- Performs a play in a process of its own. For scenarios.
---@param play plat.test.Play
---@param case plat.test.Case
---@param home string see Pool:home
---@return table result
function M.play(play, case, home)
  return coroutine.yield({ play = play, case = case, home = home })
end

--- Calls a function with each item, as scenarios of their own; returns what they return, in order.
--- The first error of one is raised when all have ended.
---@generic T, R
---@param items T[]
---@param fn fun(item: T): R
---@return R[]
function M.each(items, fn)
  return #items > 0 and coroutine.yield({ items = items, fn = fn }) or {}
end

--- Returns a fresh folder for the state of the plays that follow one another.
---@return string
function Pool:home()
  self.homes = self.homes + 1
  return ("%s/%d"):format(self.dir, self.homes)
end

local function later(self, co, ...)
  table.insert(self.ready, { co = co, values = table.pack(...) })
end

--- Starts scenarios of which another one wants the results.
local function fan_out(self, co, items, fn)
  local results, left, failed = {}, #items, nil
  for i, item in ipairs(items) do
    local inner = coroutine.create(function()
      local ok, value = pcall(fn, item)
      if ok then
        results[i] = value
      else
        failed = failed or value
      end
      left = left - 1
      if left == 0 then
        later(self, co, results, failed)
      end
    end)
    later(self, inner)
  end
end

--- Lets a scenario go on until it asks for something or ends.
local function advance(self, entry)
  local co = entry.co
  local ok, want = coroutine.resume(co, table.unpack(entry.values, 1, entry.values.n))
  if not ok then
    error(fault.is(want) and want or fault.new("bug", nil, { msg = tostring(want) }), 0)
  elseif coroutine.status(co) == "dead" then
    return
  elseif want.items then
    fan_out(self, co, want.items, want.fn)
  else
    want.co = co
    table.insert(self.wanted, want)
  end
end

local function start(self, want)
  local child, err = fork.start({
    XDG_STATE_HOME = want.home,
    PLATRUN_RUNS_DIR = want.home .. "/runs",
  })
  if child == true then
    require("plat.test.actor").act(want.play, want.case) -- does not return
  elseif not child then
    fault.raise_err({ op = "test" }, err)
  end
  want.ends = time.mono() + self.deadline
  table.insert(self.active, child)
  table.insert(self.performed, want)
  self.plays = self.plays + 1
end

--- What is loaded here is there in each copy that follows.
local function warm(result)
  for _, name in ipairs(result.modules or {}) do
    require(name)
  end
  result.modules = nil
end

local function result_of(ended)
  local said = ended.output
  if ended.signal or ended.result == "" then
    local how = ended.signal and "signal " .. ended.signal or "status " .. ended.code
    return { broken = ("the process ended with %s and no result"):format(how), output = said }
  end
  local line, world = ended.result:match("^([^\n]*)\n(.*)$")
  local result = json.decode(line, { name = "result", max_size = 1 << 30 })
  result.output, result.world = said, world ~= "" and world or nil
  warm(result)
  return result
end

local function remove(self, i)
  local want = table.remove(self.performed, i)
  local child = table.remove(self.active, i)
  return want, child
end

local function give_up_late(self)
  for i = #self.active, 1, -1 do
    if time.mono() > self.performed[i].ends then
      local want, child = remove(self, i)
      child:close()
      later(self, want.co, { broken = ("not at its end after %g s"):format(self.deadline) })
    end
  end
end

local function collect(self)
  local i = fork.wait(self.active, SLICE)
  if i then
    local want, child = remove(self, i)
    later(self, want.co, result_of(child:ended()))
    child:close()
  else
    give_up_late(self)
  end
end

--- Runs a scenario, and all that it starts, to its end. To be called where nothing else waits: the
--- loop stands still.
---@param fn function
---@return any value what it returns
function Pool:run(fn)
  local value
  later(
    self,
    coroutine.create(function()
      value = fn()
    end)
  )
  while #self.ready > 0 or #self.wanted > 0 or #self.active > 0 do
    while #self.ready > 0 do
      advance(self, table.remove(self.ready, 1))
    end
    while #self.wanted > 0 and #self.active < self.jobs do
      start(self, table.remove(self.wanted, 1))
    end
    if #self.active > 0 then
      collect(self)
    end
  end
  return value
end

--- Ends what still runs and removes what the plays kept.
function Pool:close()
  for _, child in ipairs(self.active) do
    child:close()
  end
  fs.remove(self.dir, { recursive = true })
end

return M
