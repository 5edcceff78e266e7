--- Errors as values: what kind, where, what was tried, the cause, and the next thing to try.
--- Code branches on `kind`, never on text.

local getinfo = require("plat.env").getinfo

local M = {}

---@class plat.Fault
---@field kind string one of M.KINDS
---@field op? string "k8s.scale"
---@field target? string what was talked to: "cluster main", "host db-2"
---@field object? string "statefulset data-platform/dremio-executor"
---@field msg string the cause, lower case, no full stop
---@field code? integer HTTP status, exit status or errno
---@field reason? string the server's own word for it: "NotFound"
---@field detail? any stdout, stderr, body or causes
---@field hint? string the next thing to try
---@field cause? plat.Fault
---@field where? string "playbooks/x.lua:12"
---@field called_from? string the place in a playbook, where `where` is one in the standard library
---@field traceback? string

M.KINDS = {
  usage = true, -- the caller's mistake
  connect = true, -- no connection: refused, unreachable, name unknown, lost
  auth = true, -- credentials or TLS verification
  timeout = true, -- a deadline passed
  cancelled = true, -- the task was cancelled
  exit = true, -- a program ended with a failure
  http = true, -- an HTTP or API answer that is an error
  parse = true, -- malformed input
  refused = true, -- a rule of ours says no: a guard, a plan, a permission
  io = true, -- the operating system said no
  failed = true, -- a playbook's own check failed
  bug = true, -- must not happen
}

local Fault = { __name = "plat.Fault" }
Fault.__index = Fault

local function one_line(fault)
  local words = {}
  if fault.target then
    words[#words + 1] = fault.target .. ":"
  end
  local op = fault.op
  if fault.object then
    op = op and (op .. " " .. fault.object) or fault.object
  end
  if op then
    words[#words + 1] = op .. ":"
  end
  words[#words + 1] = fault.msg
  return table.concat(words, " ")
end

function Fault:__tostring()
  return one_line(self)
end

--- Returns the file and line of the nearest caller that is not standard library.
local function find_where()
  for level = 3, 30 do
    local info = getinfo(level, "Sl")
    if not info then
      return nil
    end
    if
      info.source:sub(1, 1) == "@"
      and not info.source:find("^@plat/")
      and info.currentline > 0
    then
      return info.source:sub(2) .. ":" .. info.currentline
    end
  end
end

--- Returns a new fault, without raising it.
---@param kind string
---@param about? table `{ op=, target=, object= }`, the context that the caller knows
---@param fields? table the other fields; `msg` is required here or in `about`
---@return plat.Fault
function M.new(kind, about, fields)
  assert(M.KINDS[kind], "no such kind of fault: " .. tostring(kind))
  local fault = { kind = kind }
  for k, v in pairs(about or {}) do
    fault[k] = v
  end
  for k, v in pairs(fields or {}) do
    fault[k] = v
  end
  fault.msg = fault.msg or kind
  fault.where = fault.where or find_where()
  return setmetatable(fault, Fault)
end

--- Raises a new fault.
---@param kind string
---@param about? table
---@param fields? table
function M.raise(kind, about, fields)
  error(M.new(kind, about, fields), 0)
end

--- Returns whether a value is a fault, and of this kind if one is given.
---@param v any
---@param kind? string
---@return boolean
function M.is(v, kind)
  return type(v) == "table" and getmetatable(v) == Fault and (kind == nil or v.kind == kind)
end

--- Passes a value on, or raises what a primitive returned as `nil, err`, with the caller's context.
---@generic T
---@param about table `{ op=, target=, object= }`
---@param value T?
---@param err? table
---@return T
function M.must(about, value, err, ...)
  if value == nil and err ~= nil then
    M.raise_err(about, err)
  end
  return value, err, ...
end

--- Raises a primitive's error table with the caller's context.
---@param about table
---@param err table `{ kind=, op=, msg=, code= }`
function M.raise_err(about, err)
  if M.is(err) then
    error(err, 0)
  end
  local fields = {}
  for k, v in pairs(err) do
    fields[k] = v
  end
  fields.op = about.op or err.op
  M.raise(M.KINDS[err.kind] and err.kind or "bug", about, fields)
end

local sources = {} -- paths that Lua may have shortened in messages

--- Tells of a file of source text: Lua cuts long names of files in its messages, people need them.
---@param path string
function M.add_source(path)
  sources[#sources + 1] = path
end

--- Returns a text whose shortened file name ("...ooks/x.lua:3: msg") is whole again.
---@param text string
---@return string
function M.whole_source(text)
  local tail, rest = text:match("^%.%.%.([^:\n]+)(:%d+.*)$")
  for _, path in ipairs(tail and sources or {}) do
    if path:sub(-#tail) == tail then
      return path .. rest
    end
  end
  return text
end

--- Makes a fault of whatever was raised: Lua's own errors become kind "bug" with file and line.
---@param e any
---@return plat.Fault
function M.from(e)
  if M.is(e) then
    return e
  end
  if type(e) == "table" and M.KINDS[e.kind] then
    return M.new(e.kind, e)
  end
  local text = type(e) == "table" and "error() was given a table: raise a text"
    or M.whole_source(tostring(e))
  local where, msg = text:match("^([^\n]-:%d+): (.*)$")
  return M.new("bug", { where = where }, { msg = msg or text })
end

--- Calls a function and returns its results, or nil and the fault that it raised. A cancel passes
--- through: nobody may swallow it.
---@param fn function
---@return any ...
function M.try(fn, ...)
  local results = table.pack(xpcall(fn, M.from_handler, ...))
  if results[1] then
    return table.unpack(results, 2, results.n)
  end
  local fault = results[2]
  if fault.kind == "cancelled" then
    error(fault, 0)
  end
  return nil, fault
end

--- The message handler for xpcall: `from` plus the traceback, and the caller of a function of ours
--- that was called in a wrong way.
---@param e any
---@return plat.Fault
function M.from_handler(e)
  local fault = M.from(e)
  if not fault.traceback then
    fault.traceback = debug.traceback("", 2)
    if fault.kind == "bug" and (fault.where or ""):find("^plat/") then
      fault.called_from = find_where()
    end
  end
  return fault
end

local function add_detail(lines, detail)
  if type(detail) == "string" and detail ~= "" then
    for text in detail:gmatch("[^\n]+") do
      lines[#lines + 1] = "  | " .. text
    end
  elseif type(detail) == "table" then
    for _, item in ipairs(detail) do
      lines[#lines + 1] = "  | " .. tostring(item)
    end
    if detail.stderr then
      add_detail(lines, detail.stderr)
    end
  end
end

--- The first line, after its place where the reader needs it: always for a bug.
local function first_line(fault, verbose)
  local place = (verbose >= 1 or fault.kind == "bug") and (fault.called_from or fault.where) or ""
  local line = one_line(fault)
  if fault.called_from and place ~= "" then
    line = ("%s (in %s)"):format(line, fault.where)
  end
  return place == "" and line or place .. ": " .. line
end

--- Returns text that cannot move the cursor of a terminal: it may come from a server.
local function printable(text)
  return (text:gsub("[\0-\8\11-\31\127]", "?"))
end

--- Returns the text of a fault for people: the first line says it all, then evidence, the causes
--- and the hint.
---@param fault plat.Fault
---@param verbose? integer 1 adds the place in the playbook, 3 the traceback
---@return string
function M.text(fault, verbose)
  verbose = verbose or 0
  local lines = { first_line(fault, verbose) }
  add_detail(lines, fault.detail)
  local cause, hint = fault.cause, fault.hint
  while cause do
    lines[#lines + 1] = "  because: " .. first_line(cause, verbose)
    hint = hint or cause.hint
    cause = cause.cause
  end
  if hint then
    lines[#lines + 1] = "hint: " .. hint
  end
  if verbose >= 3 and fault.traceback then
    lines[#lines + 1] = (fault.traceback:gsub("^\n", ""))
  end
  return printable(table.concat(lines, "\n"))
end

return M
