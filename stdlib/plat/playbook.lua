--- Playbook files: loading, checking what they declare, and their arguments.

local check = require("plat.check")
local fault = require("plat.fault")
local fs = require("prim.fs")
local list = require("plat.list")
local sys = require("prim.sys")

local M = {}

M.RISKS = { "safe", "disruptive", "destructive" }

local FIELDS = { "summary", "risk", "args", "undo", "undo_within", "evidence", "limits", "run" }
local DECLARES = { "type", "default", "required", "min", "max", "enum", "help" }
local COUNTS = { integer = true, number = true, duration = true, bytes = true }
local GUIDE = "docs/PLAYBOOKS.md shows a whole one"

local function bad(path, kind, msg, hint)
  fault.raise(kind, nil, { msg = path .. ": " .. msg, hint = hint, where = "" })
end

local function refuse_open_file(path)
  local st = fs.stat(path)
  if st and st.mode & tonumber("002", 8) ~= 0 then
    bad(path, "refused", "everybody may write to this playbook", "chmod o-w " .. path)
  end
end

local function similar(path)
  local dir, name = path:match("^(.*)/([^/]*)$")
  local names = fs.list(dir or ".") or {}
  return check.suggest(name or path, names)
end

local function read(path)
  local text, err = fs.read(path)
  if text then
    refuse_open_file(path)
    return text
  end
  local near = err.code == 2 and similar(path)
  local dir = path:match("^(.*/)[^/]*$") or ""
  bad(
    path,
    "usage",
    err.code == 2 and "no such playbook" or err.msg,
    near and ("did you mean %s%s?"):format(dir, near)
      or "a playbook is a file of Lua: platrun playbooks/NAME.lua"
  )
end

--- Returns the line on which a word stands as a name that is assigned; without one, that of the
--- last `return`, where the table is.
local function line_of(text, word)
  local number, found, last = 0, nil, 1
  for line in (text .. "\n"):gmatch("(.-)\r?\n") do
    number = number + 1
    if word and not found and line:find("%f[%w_]" .. word .. "%f[^%w_][^\n]-=") then
      found = number
    end
    if line:find("^%s*return%f[^%w_]") then
      last = number
    end
  end
  return found or last
end

--- Raises about a declaration: with the file and the line on which the word stands.
local function declared(file, word, msg, hint)
  local line = line_of(file.text, type(word) == "string" and word:gsub("%p", "%%%0") or nil)
  bad(("%s:%d"):format(file.path, line), "parse", msg, hint or GUIDE)
end

local function check_shape(file, playbook)
  if type(playbook) ~= "table" then
    declared(file, nil, "it returns no table", "end the file with `return M`; " .. GUIDE)
  end
  for name, value in pairs(playbook) do
    local known = list.contains(FIELDS, name)
    if not known and type(value) ~= "function" then -- functions: pure decisions that tests call
      local word = tostring(name)
      declared(file, word, ('unknown field "%s"%s'):format(word, check.did_you_mean(word, FIELDS)))
    end
  end
  if type(playbook.summary) ~= "string" then
    declared(file, "summary", 'the field "summary" must be a text', 'summary = "What it does"')
  end
  local risk, err = check.value({ type = "enum", enum = M.RISKS }, playbook.risk)
  if not risk then
    err = playbook.risk == nil and "one of safe, disruptive, destructive is required" or err
    declared(file, "risk", 'field "risk": ' .. err)
  end
  if type(playbook.run) ~= "function" then
    declared(file, "run", 'the function "run" is missing', "function M.run(run, args) ... end")
  end
  local within, problem = check.value({ type = "duration" }, playbook.undo_within)
  if playbook.undo_within ~= nil and not within then
    declared(file, "undo_within", ('field "undo_within": %s'):format(problem))
  end
  playbook.undo_within = within
  for _, name in ipairs({ "args", "undo" }) do
    if playbook[name] ~= nil and type(playbook[name]) ~= "table" then
      declared(file, name, ('field "%s" must be a table'):format(name))
    end
  end
  if playbook.limits ~= nil then
    local limits = require("plat.guard.counter").problem(playbook.limits)
    if limits then
      declared(file, "limits", 'field "limits": ' .. limits)
    end
  end
end

local function check_arg(file, name, decl)
  local function fail(fmt, ...)
    declared(file, name, ('argument "%s": '):format(tostring(name)) .. fmt:format(...))
  end
  if type(name) ~= "string" or type(decl) ~= "table" then
    fail('write NAME = { type = "string" }')
  elseif not check.types[decl.type] then
    local word = tostring(decl.type)
    local close = check.did_you_mean(word, list.keys(check.types))
    fail(decl.type == nil and "it has no type" or 'there is no type "%s"%s', word, close)
  end
  for field in pairs(decl) do
    if not list.contains(DECLARES, field) then
      local word = tostring(field)
      fail('unknown field "%s"%s', word, check.did_you_mean(word, DECLARES))
    end
  end
  if decl.type == "enum" and (type(decl.enum) ~= "table" or #decl.enum == 0) then
    fail('an enum lists its words: enum = { "a", "b" }')
  end
  for _, bound in ipairs({ "min", "max" }) do
    if decl[bound] ~= nil and (type(decl[bound]) ~= "number" or not COUNTS[decl.type]) then
      fail("%s is a number, and goes with integer, number, duration and bytes", bound)
    end
  end
  local value, err = check.value(decl, decl.default)
  if decl.default ~= nil and value == nil then
    fail("its default: %s", err)
  end
end

local function use_try(name)
  return function()
    error(("%s would swallow a cancel; use try(f, ...), which returns nil, err"):format(name), 2)
  end
end

--- Loads a module; one that is not there is told in one line. To be called as a tail call.
local function require_known(name)
  local ok, found = pcall(require, name) -- nothing in it waits
  if ok then
    return found
  elseif type(found) == "string" and found:find("^module '[^']*' not found") then
    local close = check.did_you_mean(tostring(name), sys.modules())
    error(("no module %q%s; `platrun doc` lists them"):format(name, close), 2)
  end
  error(found, 0)
end

--- What a playbook sees: everything but the two functions that can swallow a cancel, and the
--- primitives, which know nothing of plans and reveal secrets; nor can it pass for one of ours.
local function environment()
  local env = {
    pcall = use_try("pcall"),
    xpcall = use_try("xpcall"),
    require = function(name)
      if type(name) == "string" and name:find("^prim%.") then
        error(("a playbook requires plat.* only: %q would go past the door"):format(name), 2)
      end
      return require_known(name)
    end,
  }
  env._G = env
  env.load = function(chunk, _, _, own)
    return load(chunk, "=(load)", "t", own or env)
  end
  return setmetatable(env, {
    __index = function(_, name)
      local value = rawget(_G, name)
      if value == nil or name == "package" then -- its `loaded` holds the primitives
        error(("undefined variable '%s'"):format(name), 2)
      end
      return value
    end,
    __newindex = function(_, name)
      error(("assignment to the undefined variable '%s' (write `local %s`)"):format(name, name), 2)
    end,
    __metatable = false,
  })
end

--- Loads a playbook and checks its declarations. Raises with file and line.
---@param path string
---@return table playbook `{ path, name, text, summary, risk, args, undo, run }`
function M.load(path)
  local text = read(path)
  if text:sub(1, 2) == "#!" then
    text = "--" .. text
  end
  if path:find("^plat/") then
    path = "./" .. path -- names that begin so are those of the standard library
  end
  fault.add_source(path)
  local chunk, err = load(text, "@" .. path, "t", environment())
  if not chunk then
    err = fault.whole_source(err)
    local msg = err:find(path, 1, true) == 1 and err or path .. ": " .. err
    fault.raise("parse", nil, { msg = msg, hint = "a playbook is Lua 5.4; " .. GUIDE, where = "" })
  end
  local file = { path = path, text = text }
  local playbook = chunk()
  check_shape(file, playbook)
  playbook.args = playbook.args or {}
  for name, decl in pairs(playbook.args) do
    check_arg(file, name, decl)
  end
  playbook.path = path
  playbook.text = text
  playbook.name = path:match("([^/]*)%.lua$") or path:match("[^/]*$")
  return playbook
end

local function names(args)
  local out = {}
  for name in pairs(args) do
    out[#out + 1] = name
  end
  return out
end

local function convert(playbook, name, value, source)
  local decl = playbook.args[name]
  if not decl then
    local known = names(playbook.args)
    local hint = #known > 0 and ("%s takes %s"):format(playbook.name, table.concat(known, ", "))
      or (playbook.name .. " takes no arguments")
    fault.raise("usage", nil, {
      msg = ('unknown argument "%s"%s'):format(name, check.did_you_mean(name, known)),
      hint = hint,
      where = "",
    })
  end
  local out, err = check.value(decl, value)
  if out == nil then
    fault.raise("usage", nil, {
      msg = ("%s: %s"):format(source, err),
      hint = decl.help and ("%s: %s"):format(name, decl.help)
        or ("platrun %s --help tells what it takes"):format(playbook.path),
      where = "",
    })
  end
  return out
end

--- Returns the arguments of a run: what was given, checked by the declarations, and defaults.
--- Environment PLATRUN_VAR_<name> comes before the default.
---@param playbook table
---@param given table<string, any> by name; texts are converted
---@return table args
function M.args(playbook, given)
  local args = {}
  for name, value in pairs(given) do
    args[name] = convert(playbook, name, value, name)
  end
  for name, decl in pairs(playbook.args) do
    local env = sys.getenv("PLATRUN_VAR_" .. name)
    if args[name] == nil and env then
      args[name] = convert(playbook, name, env, "PLATRUN_VAR_" .. name)
    end
    if args[name] == nil and decl.default ~= nil then
      args[name] = check.value(decl, decl.default)
    end
    if args[name] == nil and decl.required then
      fault.raise("usage", nil, {
        msg = ('argument "%s" is required%s'):format(name, decl.help and ": " .. decl.help or ""),
        hint = ("platrun %s %s=..."):format(playbook.path, name),
        where = "",
      })
    end
  end
  return args
end

return M
