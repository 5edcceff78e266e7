--- platrun test: runs files that return a table of tests, each in its own task. Prints TAP.

local cli = require("plat.cli")
local fault = require("plat.fault")
local fs = require("prim.fs")
local list = require("plat.list")
local out = require("plat.out")
local prim = require("prim.task")
local task = require("plat.task")

local DEADLINE = 30 -- seconds a test may take

local USAGE = "platrun test [-k TEXT] [--deadline TIME] FILE|DIR..."
local FLAGS = {
  { "--name", "-k", type = "string", value = "TEXT", help = "only tests with this in their names" },
  { "--deadline", type = "duration", help = "longest time for one test" },
  { "--help", "-h", help = "this text" },
}

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

--- Runs one test; returns nil or the error, or a skip.
local function run_one(fn, seconds)
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

local function load_tests(path)
  local text = fault.must({ op = "test", object = path }, fs.read(path))
  local chunk, err = load(text, "@" .. path)
  if not chunk then
    fault.raise("parse", { op = "test" }, { msg = err })
  end
  local tests = chunk(path)
  if type(tests) ~= "table" then
    fault.raise("usage", { op = "test" }, { msg = path .. " does not return a table of tests" })
  end
  return tests
end

local function find_files(paths)
  local files = {}
  local function add(path)
    local st, err = fs.stat(path)
    if not st then
      fault.raise("usage", nil, {
        msg = err.msg,
        hint = "platrun test takes files and folders with *_test.lua in them",
        where = "",
      })
    end
    if st.type ~= "directory" then
      files[#files + 1] = path
      return
    end
    for _, name in ipairs(fs.list(path)) do
      local full = path .. "/" .. name
      if name:find("_test%.lua$") or fs.stat(full).type == "directory" then
        add(full)
      end
    end
  end
  for _, path in ipairs(paths) do
    add(path)
  end
  return files
end

local function parse(argv)
  local opts, paths = cli.parse(argv, FLAGS)
  opts.deadline = opts.deadline or DEADLINE
  paths = #paths > 0 and paths or { "tests/lua" }
  return opts, paths
end

local function tell(n, title, err)
  if not err then
    out.line(("ok %d - %s"):format(n, title))
  elseif err.skip then
    out.line(("ok %d - %s # SKIP %s"):format(n, title, err.skip))
  else
    out.line(("not ok %d - %s"):format(n, title))
    for text in fault.text(err, 3):gmatch("[^\n]+") do
      out.line("# " .. text)
    end
  end
end

return {
  summary = "run tests written in Lua",
  usage = USAGE,
  run = function(argv)
    local opts, paths = parse(argv)
    if opts.help then
      out.line("usage: " .. USAGE .. "\n\n" .. table.concat(cli.help(FLAGS), "\n"))
      return 0
    end
    local count = { passed = 0, failed = 0, skipped = 0 }
    local n = 0
    for _, path in ipairs(find_files(paths)) do
      for title, fn in pairs(load_tests(path)) do
        local name = path:match("[^/]*$"):gsub("_test%.lua$", "") .. ": " .. title
        if not opts.name or name:find(opts.name, 1, true) then
          local err = run_one(fn, opts.deadline)
          n = n + 1
          local word = not err and "passed" or err.skip and "skipped" or "failed"
          count[word] = count[word] + 1
          tell(n, name, err)
        end
      end
    end
    out.line("1.." .. n)
    local text = ("%d passed, %d failed"):format(count.passed, count.failed)
    if count.skipped > 0 then
      text = text .. (", %d skipped"):format(count.skipped)
    end
    out.line(text)
    return (count.failed > 0 or n == 0) and 1 or 0
  end,
}
