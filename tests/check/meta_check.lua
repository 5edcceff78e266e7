--- Every C function that Lua can call has a type stub in stdlib/meta/prim.x.lua.
package.path = "tests/check/?.lua;" .. package.path
local lib = require("lib")

--- Returns the names in the luaL_Reg tables of C text, metamethods left out.
local function registered(text)
  local names = {}
  for body in text:gmatch("luaL_Reg%s+[%w_]+%[%]%s*=%s*(%b{})") do
    for name in body:gmatch('{%s*"([%w_]+)"%s*,') do
      if not name:match("^__") then
        names[#names + 1] = name
      end
    end
  end
  return names
end

local problems = {}
for _, path in ipairs(lib.files("'runtime/prim/*.c'")) do
  local prim = path:match("prim/([^_./]+)")
  local names = registered(lib.without_c_comments(lib.read(path)))
  if #names > 0 then
    local stub = ("stdlib/meta/prim.%s.lua"):format(prim)
    local file = io.open(stub)
    local text = file and file:read("a") or ""
    if file then
      file:close()
    else
      problems[#problems + 1] = ("%s: there is no %s"):format(path, stub)
      names = {}
    end
    for _, name in ipairs(names) do
      if not text:find("[.:]" .. name .. "%f[^%w_]") then
        problems[#problems + 1] = ("%s: %s is not in %s"):format(path, name, stub)
      end
    end
  end
end
lib.rule("every C function has a type stub", problems)
lib.done()
