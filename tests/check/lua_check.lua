--- Rules for Lua code that luacheck does not know: docs, order of iteration, playbook metadata.
package.path = "tests/check/?.lua;" .. package.path
local lib = require("lib")

local RISKS = { safe = true, disruptive = true, destructive = true }

--- Returns the tables of a module whose functions are public: M and every annotated class.
local function public_tables(path)
  local tables, class = { M = true }, false
  for _, line in lib.lines(path) do
    local name = line:match("^local%s+([%w_]+)%s*=")
    if name and class then
      tables[name] = true
    end
    class = line:match("^%-%-%-@class") ~= nil or (class and line:match("^%-%-%-") ~= nil)
  end
  return tables
end

--- Returns the public name that a line defines at the top level, or nil.
local function public_definition(line, tables)
  local owner, name = line:match("^function%s+([%w_]+)[.:]([%w_.:]+)%s*%(")
  if not owner then
    owner, name = line:match("^([%w_]+)%.([%w_]+)%s*=%s*function")
  end
  if tables[owner] and not name:match("^_") and not name:match("[.:]_") then
    return owner .. "." .. name
  end
end

local undocumented = {}
for _, path in ipairs(lib.files("'stdlib/plat/*.lua'")) do
  local previous, opening = "", nil
  local tables = public_tables(path)
  for number, line in lib.lines(path) do
    opening = opening or line
    local name = public_definition(line, tables)
    if name and not previous:match("^%-%-%-") then
      undocumented[#undocumented + 1] = ("%s:%d: %s"):format(path, number, name)
    end
    previous = line
  end
  if not (opening or ""):match("^%-%-%- %S") then
    undocumented[#undocumented + 1] = path .. ":1: no opening summary line (--- ...)"
  end
end

local raw_next = {}
for _, path in ipairs(lib.files("'stdlib/plat/*.lua' 'playbooks/*.lua'")) do
  if path ~= "stdlib/plat/list.lua" then
    local number = 0
    for line in (lib.without_lua_comments(lib.read(path)) .. "\n"):gmatch("(.-)\n") do
      number = number + 1
      if line:find("%f[%w_.:]next%s*%(") and not line:find("[.:]next%s*%(") then
        raw_next[#raw_next + 1] = ("%s:%d"):format(path, number)
      end
    end
  end
end

local metadata = {}
for _, path in ipairs(lib.files("'playbooks/*.lua'")) do
  local text = lib.read(path)
  if not text:match('%f[%w_]summary%s*=%s*"[^"]+"') then
    metadata[#metadata + 1] = path .. ": no summary"
  end
  local risk = text:match('%f[%w_]risk%s*=%s*"([^"]*)"')
  if not RISKS[risk] then
    metadata[#metadata + 1] = ("%s: risk is %s, not safe, disruptive or destructive"):format(
      path,
      risk or "missing"
    )
  end
end

lib.rule("every public function of the standard library is documented", undocumented)
lib.rule("raw next is used in plat/list.lua alone", raw_next)
lib.rule("every playbook declares summary and risk", metadata)
lib.done()
