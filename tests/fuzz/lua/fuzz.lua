--- Runs a parser on inputs by chance. Whatever the input, it returns, or raises a fault of a kind
--- that its target names, within a second and with bounded memory: never an error of Lua's own.
--
-- A target: { name, corpus (texts), tokens?, kinds (of faults), check = function(text, draw) },
-- and maybe `make = function(draw, mutate)` that makes a text, `where` (a pattern that the message
-- of every "parse" contains). FUZZ_SECONDS says how long each target runs, FUZZ_SEED which inputs.
local fault = require("plat.fault")
local fs = require("prim.fs")
local sys = require("prim.sys")
local task = require("plat.task")
local time = require("prim.time")

local HERE = "tests/fuzz/lua/"

local M = {}

--- Loads a file beside this one.
function M.load(name)
  return assert(load(assert(fs.read(HERE .. name)), "@" .. HERE .. name))(M)
end

local mutate = M.load("mutate.lua")

local SECONDS = tonumber(sys.getenv("FUZZ_SECONDS"))
local SEED = tonumber(sys.getenv("FUZZ_SEED") or 1)
local COUNT = 1500 -- without FUZZ_SECONDS
local MEMORY = 256 * 1024 -- KiB more than before, with what is garbage by now
local CHECKED = 50 -- inputs between two looks at the collector
local SHRINK = 400

--- The time that one input may take: a second, and more where everything is slow (sanitizers).
local function limit()
  local began, sum = time.cpu(), 0
  for i = 1, 200000 do
    sum = sum + #(tostring(i):rep(3))
  end
  assert(sum > 0)
  return math.max(1, (time.cpu() - began) / 0.08)
end

local LIMIT = limit()

--- Returns what is wrong with how the target takes a text, nil if nothing is; and whether it did.
local function problem_of(target, text, seed)
  local began, before = time.cpu(), collectgarbage("count")
  local ok, err = xpcall(target.check, fault.from_handler, text, mutate.draw(seed))
  local took = time.cpu() - began
  if collectgarbage("count") - before > MEMORY then
    return "memory", ("%d MiB more"):format((collectgarbage("count") - before) // 1024)
  elseif took > LIMIT then
    return "time", ("%.1f s"):format(took)
  elseif ok then
    return nil, nil, true
  elseif not target.kinds[err.kind] then
    return ("%s %s"):format(err.kind, err.where or ""), fault.text(err, 3)
  elseif err.kind == "parse" and target.where and not err.msg:find(target.where) then
    return "place", "no place in: " .. fault.text(err)
  end
end

--- Returns the shortest text found that is taken wrongly in the same way.
local function shrink(target, text, seed, kind)
  local tries, size = 0, #text // 2
  while size >= 1 and tries < SHRINK do
    local at, smaller = 1, false
    while at <= #text and tries < SHRINK do
      local less = text:sub(1, at - 1) .. text:sub(at + size)
      tries = tries + 1
      if problem_of(target, less, seed) == kind then
        text, smaller = less, true
      else
        at = at + size
      end
    end
    size = smaller and math.min(size, #text // 2) or size // 2
  end
  return text
end

local function fail(target, text, seed, kind, problem)
  local least = kind == "time" and text or shrink(target, text, seed, kind)
  local path = ("%s/fuzz-%s-%d"):format(sys.getenv("TMPDIR") or "/tmp", target.name, seed)
  fs.write(path, text)
  error(
    ("%s: input %d (%s), shrunk to %d bytes:\n%s\n%s"):format(
      target.name,
      seed,
      path,
      #least,
      ("%q"):format(least:sub(1, 600)),
      problem
    ),
    0
  )
end

local function prepared(target)
  local how = { corpus = target.corpus, tokens = mutate.tokens_of(target.corpus) }
  for _, token in ipairs(target.tokens or {}) do -- these are likelier
    for _ = 1, 1 + #how.tokens // 40 do
      how.tokens[#how.tokens + 1] = token
    end
  end
  return how
end

local function input(target, how, seed)
  local draw = mutate.draw(seed)
  local function change(text)
    return mutate.text(draw, text, how)
  end
  if target.make and draw:once_in(2) then
    return target.make(draw, change)
  end
  return change(draw:one(how.corpus))
end

--- Runs a target; tells how many inputs there were.
function M.run(t, target)
  local how, stop = prepared(target), SECONDS and time.mono() + SECONDS
  for i, text in ipairs(target.corpus) do
    local kind, problem = problem_of(target, text, i)
    if kind then
      fail(target, text, i, kind, problem)
    end
  end
  local first, count, taken = SEED * 100000000, 0, 0
  while stop and time.mono() < stop or not stop and count < COUNT do
    count = count + 1
    local text = input(target, how, first + count)
    local kind, problem, ok = problem_of(target, text, first + count)
    if kind then
      fail(target, text, first + count, kind, problem)
    end
    taken = taken + (ok and 1 or 0)
    if count % CHECKED == 0 then
      collectgarbage()
      task.sleep(0)
    end
  end
  print(("# %s: %d inputs, %d taken"):format(target.name, count, taken))
  t.ok(taken > count // 50)
end

--- Raises unless two values are the same: what a target claims of its parser.
function M.same(got, want, what)
  local list = require("plat.list")
  if not list.deep_equal(got, want) then
    local json = require("plat.json")
    error(("%s: %s, want %s"):format(what, json.encode(got), json.encode(want)), 0)
  end
end

--- Runs a function; returns what it returns, or nil and the fault, of which a mistake of ours and
--- other kinds than these are raised.
function M.try(kinds, fn, ...)
  local value, err = fault.try(fn, ...)
  if err and not kinds[err.kind] then
    error(err, 0)
  end
  return value, err
end

return M
