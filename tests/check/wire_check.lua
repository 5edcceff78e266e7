--- The one door: who may require which primitive, and what Lua code may not reach for at all.
package.path = "tests/check/?.lua;" .. package.path
local lib = require("lib")

local ALLOW = "tests/check/wire.allow"
local WIRE = { http = true, proc = true, ssh = true }
local FS_READS = { read = true, stat = true, list = true, realpath = true }
local DOOR = { ["stdlib/plat/effect.lua"] = true, ["stdlib/plat/effect/wire.lua"] = true }

local allowed = lib.allowed(ALLOW, 2)
local wire, writes, outside, order, world, playbooks = {}, {}, {}, {}, {}, {}

--- Iterates over line number, module for every require of the text.
local function each_require(text)
  local number = 0
  local iterate = (text .. "\n"):gmatch("(.-)\n")
  return coroutine.wrap(function()
    for line in iterate do
      number = number + 1
      for module in line:gmatch("%f[%w_]require%s*%(?%s*[\"']([%w_.]+)[\"']") do
        coroutine.yield(number, module)
      end
    end
  end)
end

local function check_fs(path, text)
  for name in text:gmatch('local%s+([%w_]+)%s*=%s*require%("prim%.fs"%)') do
    for call in text:gmatch("%f[%w_]" .. name .. "%.([%w_]+)") do
      if not FS_READS[call] and not DOOR[path] and not lib.is_allowed(allowed, path .. " fs") then
        writes[#writes + 1] = ("%s: fs.%s"):format(path, call)
      end
    end
  end
end

local function check_stdlib(path)
  local text = lib.without_lua_comments(lib.read(path))
  for number, module in each_require(text) do
    local prim = module:match("^prim%.(.+)$")
    if
      prim
      and WIRE[prim]
      and not DOOR[path]
      and not lib.is_allowed(allowed, path .. " " .. prim)
    then
      wire[#wire + 1] = ("%s:%d: %s"):format(path, number, module)
    end
    if module == "plat.run" and path:match("^stdlib/plat/[of][pa][c]?t?/") then
      order[#order + 1] = ("%s:%d: facts and operations know no run"):format(path, number)
    end
  end
  check_fs(path, text)
  if path:match("^stdlib/plat/sim/") then
    for what in text:gmatch("%f[%w_](os%.%w+)") do
      world[#world + 1] = ("%s: %s"):format(path, what)
    end
    if text:find("math%.random%f[%W]") then
      world[#world + 1] = path .. ": math.random"
    end
  end
end

for _, path in ipairs(lib.files("'stdlib/plat/*.lua'")) do
  check_stdlib(path)
end
for _, path in ipairs(lib.files("'*.lua' ':!stdlib' ':!tests' ':!runtime/gen'")) do
  local text = lib.without_lua_comments(lib.read(path))
  for number, module in each_require(text) do
    if module:match("^prim%.") then
      outside[#outside + 1] = ("%s:%d: %s"):format(path, number, module)
    end
    if path:match("^playbooks/") and not module:match("^plat%.") then
      playbooks[#playbooks + 1] = ("%s:%d: %s"):format(path, number, module)
    end
  end
end

lib.rule("wire primitives are required by plat/effect.lua and its wire alone", wire)
lib.rule("prim.fs writes only behind the door and plat/state.lua", writes)
lib.rule("prim.* is required by the standard library alone", outside)
lib.rule("playbooks require only plat.*", playbooks)
lib.rule("facts and operations do not require plat.run", order)
lib.rule("models take time and chance from their world", world)
lib.no_leftovers("every exception is still needed", ALLOW, allowed)
lib.done()
