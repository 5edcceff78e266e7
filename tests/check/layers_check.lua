--- Who may include whom in runtime/: main -> cli -> lua -> io -> base; prim/x -> lua/, io/, base/.
package.path = "tests/check/?.lua;" .. package.path
local lib = require("lib")

local MAY_INCLUDE = {
  base = { base = true },
  io = { base = true, io = true },
  lua = { base = true, io = true, lua = true },
  prim = { base = true, io = true, lua = true, prim = true }, -- prim: only its own parts, below
  top = { base = true, io = true, lua = true, top = true },
}
local LUA_HEADERS = { ["lua.h"] = true, ["lauxlib.h"] = true, ["lualib.h"] = true }

local function layer_of(path)
  return path:match("^(%w+)/") or "top"
end

--- Returns the primitive that a file of prim/ belongs to: http_stream.c belongs to http.
local function prim_of(path)
  return path:match("^prim/([^_./]+)")
end

local includes, foreign, uv, lua_h, banned = {}, {}, {}, {}, {}
local yields, resumes = {}, {}

local function check_include(file, number, name, system)
  local where = ("runtime/%s:%d: %s"):format(file, number, name)
  local from = layer_of(file)
  if name == "uv.h" and from ~= "io" then
    uv[#uv + 1] = where
  end
  if LUA_HEADERS[name] and (from == "base" or from == "io") then
    lua_h[#lua_h + 1] = where
  end
  if system then
    return
  end
  local to = layer_of(name)
  if not (MAY_INCLUDE[from] and MAY_INCLUDE[from][to]) then
    includes[#includes + 1] = where
  elseif to == "prim" and prim_of(name) ~= prim_of(file) then
    foreign[#foreign + 1] = where
  end
end

for _, path in ipairs(lib.files("'runtime/*.c' 'runtime/*.h'")) do
  local file = path:gsub("^runtime/", "")
  local text = lib.without_c_comments(lib.read(path))
  local last, number = nil, 0
  for line in (text .. "\n"):gmatch("(.-)\n") do
    number = number + 1
    local quote, name = line:match('^%s*#%s*include%s*([<"])([^>"]+)[>"]')
    if name then
      check_include(file, number, name, quote == "<")
      last = name
    end
    if line:find("%f[%w_]lua_yieldk?%s*%(") then
      yields[#yields + 1] = ("%s:%d"):format(path, number)
    end
    if line:find("%f[%w_]lua_resume%s*%(") then
      resumes[#resumes + 1] = ("%s:%d"):format(path, number)
    end
  end
  if path:match("%.c$") and last ~= "base/banned.h" then
    banned[#banned + 1] = ("%s: the last include is %s"):format(path, last or "missing")
  end
end

local function exactly_one(where, what)
  if #where == 1 and where[1]:match("^runtime/lua/task") then
    return {}
  end
  return { ("%s occurs at: %s"):format(what, table.concat(where, ", ")) }
end

lib.rule("layers include only what is below them", includes)
lib.rule("a primitive includes no other primitive", foreign)
lib.rule("uv.h is included by io/ alone", uv)
lib.rule("lua.h is included by lua/ and prim/ alone", lua_h)
lib.rule("every C file includes base/banned.h last", banned)
lib.rule("there is one lua_yieldk, in lua/task", exactly_one(yields, "lua_yield"))
lib.rule("there is one lua_resume, in lua/task", exactly_one(resumes, "lua_resume"))
lib.done()
