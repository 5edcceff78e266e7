--- Runs files of tests: cases in copies of this process, functions in tasks of it.

local actor = require("plat.test.actor")
local cases = require("plat.test.case")
local describe = require("plat.test.describe")
local fault = require("plat.fault")
local files = require("plat.test.files")
local fs = require("prim.fs")
local list = require("plat.list")
local pools = require("plat.test.pool")
local time = require("prim.time")
local units = require("plat.test.unit")

local M = {}

---@class plat.test.Item what came of one test
---@field file string
---@field title string
---@field name string
---@field status "passed"|"failed"|"skipped"
---@field why string[] lines
---@field notes? string[] what was tried
---@field modes? table<string, plat.test.Tried> of a case
---@field seconds number

local function name_of(file, title)
  return file:match("[^/]*$"):gsub("_test%.lua$", ""):gsub("%.lua$", "") .. ": " .. title
end

local function new_item(test, status, why, seconds)
  return {
    file = test.file,
    title = test.title,
    name = test.name,
    status = status,
    why = why,
    seconds = seconds,
  }
end

--- Returns the tests of files, as far as their names are wanted: cases are checked.
---@param paths string[]
---@param wanted? string a text in the name
---@return table[] tests `{ file, title, name, fn | case }`
function M.collect(paths, wanted)
  local found = {}
  for _, file in ipairs(files.find(paths)) do
    for title, given in pairs(files.load(file)) do
      local test = { file = file, title = title, name = name_of(file, title) }
      if not wanted or test.name:find(wanted, 1, true) then
        if type(given) == "table" then
          test.case = cases.check(file, title, given)
        else
          test.fn = given
        end
        found[#found + 1] = test
      end
    end
  end
  return found
end

--- Returns how many processors this process may use.
---@return integer
function M.processors()
  local text = fs.read("/proc/self/status") or ""
  local n = 0
  local cpus = text:match("Cpus_allowed_list:%s*(%S+)") or ""
  for from, to in (cpus .. ","):gmatch("(%d+)%-?(%d*),") do
    n = n + (tonumber(to) or tonumber(from)) - tonumber(from) + 1
  end
  return math.max(1, n)
end

-- ---- cases ----

local function case_item(test, report, opts, seconds)
  local failed = #report.found > 0
  local why = failed and describe.problems(report, opts.seed or 1) or {}
  local item = new_item(test, failed and "failed" or "passed", why, seconds)
  item.modes, item.notes = report.modes, describe.notes(report)
  return item
end

local function try_case(pool, test, opts, tell)
  local from = time.mono()
  local ok, report = pcall(require("plat.test.cases").try, pool, test.case, opts)
  if not ok then
    local text = fault.is(report) and fault.text(report, 3) or tostring(report)
    tell(new_item(test, "failed", { text }, time.mono() - from))
    return
  end
  tell(case_item(test, report, opts, time.mono() - from))
end

--- Tries cases, several processes at once; each is told when it and those before it have ended.
---@param tests table[]
---@param opts table
---@param tell fun(item: plat.test.Item)
---@return integer plays
function M.cases(tests, opts, tell)
  local pool = pools.new({ jobs = opts.jobs, deadline = opts.patience })
  local done, next_one = {}, 1
  local ok, err = xpcall(pool.run, fault.from_handler, pool, function()
    local order = {}
    for i, test in ipairs(tests) do
      order[i] = { at = i, test = test }
    end
    pools.each(order, function(entry)
      try_case(pool, entry.test, opts, function(item)
        done[entry.at] = item
        while done[next_one] do
          tell(done[next_one])
          next_one = next_one + 1
        end
      end)
    end)
  end)
  pool:close()
  if not ok then
    error(err, 0)
  end
  return pool.plays
end

--- Performs the undisturbed run of one case in this process, to be watched, and ends it.
---@async
---@param test table
---@param opts table `seed`, `speed`
function M.watch(test, opts)
  local pool = pools.new({ jobs = 1, deadline = opts.patience })
  local made = pool:run(function()
    return pools.play(
      { action = "prepare", seed = opts.seed or 1, time = test.case.time },
      test.case,
      pool:home()
    )
  end)
  actor.act({
    action = "run",
    seed = opts.seed or 1,
    base = made,
    speed = opts.speed,
    watched = true,
  }, test.case)
end

-- ---- functions ----

local function unit_item(test, err, seconds)
  if not err then
    return new_item(test, "passed", {}, seconds)
  elseif err.skip then
    return new_item(test, "skipped", { err.skip }, seconds)
  end
  local lines = {}
  for line in fault.text(err, 3):gmatch("[^\n]+") do
    lines[#lines + 1] = line
  end
  return new_item(test, "failed", lines, seconds)
end

--- Runs tests that are functions, one after the other, in this process.
---@async
---@param tests table[]
---@param opts table `deadline`
---@param tell fun(item: plat.test.Item)
function M.functions(tests, opts, tell)
  for _, test in ipairs(tests) do
    local from = time.cpu()
    local err = units.run(test.fn, opts.deadline)
    tell(unit_item(test, err, time.cpu() - from))
  end
end

--- Runs tests that are functions, each file in a process of its own, several at once.
---@param tests table[]
---@param opts table
---@param tell fun(item: plat.test.Item)
function M.functions_apart(tests, opts, tell)
  local pool = pools.new({ jobs = opts.jobs, deadline = 3600 })
  local by_file = {}
  for _, test in ipairs(tests) do
    by_file[test.file] = by_file[test.file] or {}
    table.insert(by_file[test.file], test)
  end
  pool:run(function()
    pools.each(list.keys(by_file), function(file)
      local group = by_file[file]
      local play = { action = "functions", deadline = opts.deadline }
      local result = pools.play(play, group, pool:home())
      for _, item in ipairs(result.items or {}) do
        tell(item)
      end
      if result.broken then
        tell(new_item(group[1], "failed", { result.broken, result.output }, 0))
      end
    end)
  end)
  pool:close()
end

return M
