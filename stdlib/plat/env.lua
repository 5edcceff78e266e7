--- Makes the environment in which the standard library and playbooks run: ordered iteration, no
--- way around the one door, strict globals. Loaded by the host before anything else.

local list = require("plat.list")
local sys = require("prim.sys")
local task = require("prim.task")
local time = require("prim.time")

local M = {}

--- Returns a stand-in for a module of the standard library that is loaded when it is first used: a
--- run pays for what it needs.
---@param name string "plat.x"
---@return table
function M.lazy(name)
  local meta = {}
  function meta.__index(_, field)
    local module = require(name)
    meta.__index = module -- the next use finds it without a call
    return module[field]
  end
  return setmetatable({}, meta)
end

local ADDRESSED = { table = true, ["function"] = true, userdata = true, thread = true }
local plain_tostring = tostring
local plain = { format = string.format } -- a field, so that errors call it 'format'
local metatable_of, getinfo = debug.getmetatable, debug.getinfo

--- Returns the text of a value, without addresses: they would differ from run to run.
local function show(v)
  if not ADDRESSED[type(v)] then
    return plain_tostring(v)
  end
  local mt = metatable_of(v)
  if type(mt) == "table" and mt.__tostring then
    return plain_tostring(v)
  end
  return type(mt) == "table" and type(mt.__name) == "string" and mt.__name or type(v)
end

--- Raises for what must not become text, such as a secret.
local function check_printable(v)
  local mt = type(v) == "userdata" and metatable_of(v)
  if type(mt) == "table" and mt.__unprintable then
    error(mt.__unprintable, 3)
  end
end

local function format(fmt, ...)
  local n = select("#", ...)
  if n < 4 then -- nearly always
    local a, b, c = ...
    if not (ADDRESSED[type(a)] or ADDRESSED[type(b)] or ADDRESSED[type(c)]) then
      return plain.format(fmt, ...)
    end
  end
  for i = 1, n do
    if ADDRESSED[type((select(i, ...)))] then
      local args = { ... }
      for j = 1, n do
        check_printable(args[j])
        if ADDRESSED[type(args[j])] then
          args[j] = show(args[j])
        end
      end
      return plain.format(fmt, table.unpack(args, 1, n))
    end
  end
  return plain.format(fmt, ...)
end

local function restrict()
  local yield, traceback = coroutine.yield, debug.traceback
  -- A waiting coroutine that is closed could be woken when it is dead.
  coroutine.close = nil -- luacheck: ignore
  coroutine.yield = function(...) -- luacheck: ignore
    if task.in_task() then
      error(
        "coroutine.yield outside a coroutine of your own; a task waits by calling what waits",
        2
      )
    end
    return yield(...)
  end
  debug = { traceback = traceback } -- luacheck: ignore
  dofile, loadfile = nil, nil -- luacheck: ignore
end

local function replace()
  pairs = list.pairs -- luacheck: ignore
  tostring = show -- luacheck: ignore
  string.format = format -- luacheck: ignore
  os = { -- luacheck: ignore
    time = function(civil)
      if civil then
        return require("plat.time").from_civil(civil)
      end
      return time.now() // 1 | 0
    end,
    date = function(fmt, t)
      return require("plat.time").date(fmt, t)
    end,
    clock = time.mono,
  }
  try = function(...) -- luacheck: ignore
    return require("plat.fault").try(...)
  end
  print = function(...) -- luacheck: ignore
    local words = table.pack(...)
    for i = 1, words.n do
      words[i] = show(words[i])
    end
    require("plat.out").line(table.concat(words, "\t"))
  end
end

--- From here on, assigning or reading a global that does not exist is an error.
local function lock()
  setmetatable(_G, {
    __newindex = function(_, name)
      error(("assignment to the undefined variable '%s' (write `local %s`)"):format(name, name), 2)
    end,
    __index = function(_, name)
      error(("undefined variable '%s'"):format(show(name)), 2)
    end,
    __metatable = false,
  })
end

--- Returns whether the function at a level of the stack belongs to the standard library.
---@param level integer 1: the caller of this function
---@return boolean
function M.is_stdlib(level)
  local source = getinfo(level + 1, "S").source
  local dir = sys.getenv("PLATRUN_STDLIB")
  return source:find("^@plat/") ~= nil or dir ~= nil and source:sub(2, #dir + 1) == dir
end

M.getinfo = getinfo -- for the engine: where a step was declared
restrict()
replace()
lock()

return M
