--- Tests that are functions: each in its own task, given `t`.

local fault = require("plat.fault")
local fs = require("prim.fs")
local list = require("plat.list")
local prim = require("prim.task")
local task = require("plat.task")

local M = {}

local T = {} -- what a test is given

--- Shows a value in a message: short, on one line.
local function show(v)
  if type(v) == "string" then
    return ("%q"):format(v):gsub("\\\n", "\\n")
  elseif type(v) ~= "table" then
    return tostring(v)
  elseif fault.is(v) then
    return ("fault %s: %s"):format(v.kind, tostring(v))
  end
  local words = {}
  for k, item in pairs(v) do
    words[#words + 1] = type(k) == "number" and show(item) or (k .. " = " .. show(item))
  end
  return "{ " .. table.concat(words, ", ") .. " }"
end

--- Fails unless two values are equal, tables by content.
function T:equal(got, want, what)
  self.checks = self.checks + 1
  if not list.deep_equal(got, want) then
    error(("%sgot %s, want %s"):format(what and what .. ": " or "", show(got), show(want)), 2)
  end
end

--- Fails unless the value is true.
function T:ok(v, what)
  self.checks = self.checks + 1
  if not v then
    error((what or "not true") .. ": " .. show(v), 2)
  end
  return v
end

--- Fails unless a text contains a pattern.
function T:match(text, pattern, what)
  self.checks = self.checks + 1
  if type(text) ~= "string" or not text:find(pattern) then
    error(
      ("%s%s does not match %s"):format(what and what .. ": " or "", show(text), show(pattern)),
      2
    )
  end
end

--- Fails unless the function raises a fault of this kind, or one whose text matches. Returns it.
function T:fails(want, fn, ...)
  self.checks = self.checks + 1
  local ok, err = xpcall(fn, fault.from_handler, ...)
  if ok then
    error(("no error; want %s"):format(show(want)), 2)
  elseif fault.KINDS[want] and err.kind == want then
    return err
  elseif not fault.KINDS[want] and fault.text(err):find(want) then
    return err
  end
  error(("the error is %s: %s; want %s"):format(err.kind, fault.text(err), show(want)), 2)
end

--- Ends the test as skipped, with a reason.
function T:skip(reason)
  error(fault.new("refused", nil, { msg = "skipped: " .. reason, skip = reason }), 0)
end

--- Returns a fresh directory, removed after the test.
function T:tmp()
  local dir = fault.must({ op = "t.tmp" }, fs.mkdtemp("/tmp/platrun-test-"))
  table.insert(self.dirs, dir)
  return dir
end

--- Calls a function at the end of the test, however it ends; last given, first called.
function T:defer(fn)
  table.insert(self.deferred, fn)
end

--- The face that tests see: plain functions, `t.equal(got, want)`.
local function face_of(t)
  local face = {}
  for name, fn in pairs(T) do
    face[name] = function(...)
      return fn(t, ...)
    end
  end
  return face
end

local function clean_up(t)
  for i = #t.deferred, 1, -1 do
    t.deferred[i]()
  end
  for _, dir in ipairs(t.dirs) do
    fs.remove(dir, { recursive = true })
  end
end

--- Runs a test in this process.
---@async
---@param fn fun(t: table)
---@param seconds number it may take
---@return plat.Fault? err nil: passed; with `skip`: the reason why it was skipped
function M.run(fn, seconds)
  local t = { checks = 0, dirs = {}, deferred = {} }
  local before = #prim.waits()
  local ok, err = xpcall(task.timeout, fault.from_handler, seconds, function()
    fn(face_of(t))
  end, "the test")
  local cleaned, problem = xpcall(task.shield, fault.from_handler, 10, clean_up, t)
  if not ok then
    return err
  elseif not cleaned then
    return problem
  elseif t.checks == 0 then
    return fault.new("failed", nil, { msg = "the test checked nothing" })
  end
  task.sleep(0)
  local left = #prim.waits() - before
  if left > 0 then
    local text = table.concat(prim.waits(), ", ")
    return fault.new("failed", nil, { msg = ("%d tasks were left behind: %s"):format(left, text) })
  end
end

return M
