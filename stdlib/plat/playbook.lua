--- Playbook files: loading, checking what they declare, and their arguments.

local check = require("plat.check")
local fault = require("plat.fault")
local fs = require("prim.fs")
local sys = require("prim.sys")

local M = {}

M.RISKS = { "safe", "disruptive", "destructive" }

local FIELDS = { "summary", "risk", "args", "undo", "run" }

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
  )
end

local function check_shape(path, playbook)
  if type(playbook) ~= "table" then
    bad(
      path,
      "parse",
      "it returns no table",
      "end the file with `return M`; docs/PLAYBOOKS.md shows how"
    )
  end
  for name, value in pairs(playbook) do
    local known = require("plat.list").contains(FIELDS, name)
    if not known and type(value) ~= "function" then -- functions: pure decisions that tests call
      bad(path, "parse", ('unknown field "%s"%s'):format(name, check.did_you_mean(name, FIELDS)))
    end
  end
  if type(playbook.summary) ~= "string" then
    bad(path, "parse", 'the required field "summary" is missing')
  end
  local risk, err = check.value({ type = "enum", enum = M.RISKS }, playbook.risk)
  if not risk then
    bad(path, "parse", 'field "risk": ' .. err)
  end
  if type(playbook.run) ~= "function" then
    bad(path, "parse", 'the required function "run" is missing')
  end
end

local function check_args(path, args)
  for name, decl in pairs(args) do
    if type(decl) ~= "table" or not check.types[decl.type] then
      bad(path, "parse", ('argument "%s" is declared with no known type'):format(name))
    end
    if decl.default ~= nil then
      local value, err = check.value(decl, decl.default)
      if value == nil then
        bad(path, "parse", ('the default of argument "%s": %s'):format(name, err))
      end
    end
  end
end

local function use_try(name)
  return function()
    error(("%s would swallow a cancel; use try(f, ...), which returns nil, err"):format(name), 2)
  end
end

--- What a playbook sees: everything but the two functions that can swallow a cancel, and the
--- primitives, which know nothing of plans.
local function environment()
  local env = {
    pcall = use_try("pcall"),
    xpcall = use_try("xpcall"),
    require = function(name)
      if type(name) == "string" and name:find("^prim%.") then
        error(("a playbook requires plat.* only: %q would go past the door"):format(name), 2)
      end
      return require(name)
    end,
  }
  return setmetatable(env, {
    __index = _G,
    __newindex = function(_, name)
      error(("assignment to the undefined variable '%s' (write `local %s`)"):format(name, name), 2)
    end,
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
  local chunk, err = load(text, "@" .. path, "t", environment())
  if not chunk then
    fault.raise("parse", nil, { msg = err, hint = "platrun syntax is Lua 5.4", where = "" })
  end
  local playbook = chunk()
  check_shape(path, playbook)
  playbook.args = playbook.args or {}
  check_args(path, playbook.args)
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
      hint = decl.help and ("%s: %s"):format(name, decl.help) or nil,
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
