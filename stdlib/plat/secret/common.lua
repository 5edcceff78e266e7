--- What the sources of secrets share. A source is a module `plat.secret.source.SCHEME` with
--- `read(rest, ctx)`; its faults name the reference, and never what they read.

local fault = require("plat.fault")
local fs = require("prim.fs")
local sys = require("prim.sys")

local M = {}

local MAX = 1024 * 1024
local ENOENT = 2
local NAMES_SHOWN = 20

--- Returns what a fault says about a reference.
---@param scheme string
---@param rest string
---@return { op: string, object: string }
function M.about(scheme, rest)
  return { op = "secret", object = scheme .. ":" .. rest }
end

--- Returns a text without one newline at its end, which editors and programs add.
---@param text string
---@return string
function M.chomp(text)
  return (text:gsub("\r?\n$", ""))
end

--- Returns a value as a secret's text. What YAML and JSON may have changed is refused.
---@param about table
---@param value any
---@return string
function M.text_of(about, value)
  if math.type(value) == "integer" then
    return tostring(value)
  elseif type(value) ~= "string" then
    fault.raise("parse", about, {
      msg = ("the value is a %s, not text"):format(
        type(value) == "number" and "fraction"
          or type(value) == "userdata" and "null"
          or type(value)
      ),
      hint = type(value) == "table" and "name a field below it"
        or "put it in quotes where it stands",
    })
  elseif value == "" then
    fault.raise("parse", about, { msg = "the value is empty" })
  end
  return value
end

--- Returns names for a message: sorted, not too many.
---@param names string[]
---@return string
function M.list_names(names)
  local shown = table.move(names, 1, math.min(#names, NAMES_SHOWN), 1, {})
  local more = #names - #shown
  return table.concat(shown, ", ") .. (more > 0 and (" and %d more"):format(more) or "")
end

--- Returns a path with the home directory instead of a leading `~`.
---@param path string
---@return string
function M.expand(path)
  if path == "~" or path:sub(1, 2) == "~/" then
    return (sys.home() or "~") .. path:sub(2)
  end
  return path
end

--- Raises unless only its owner, we or root, can use a file. `shared` are the bits that nobody but
--- the owner may have, 0077 by default.
---@param about table
---@param path string
---@param info prim.fs.Stat
---@param shared? integer
function M.check_private(about, path, info, shared)
  if info.mode & (shared or 63) ~= 0 then
    fault.raise("refused", about, {
      msg = ("others can use the file %s (mode %04o)"):format(path, info.mode & 0xfff),
      hint = ("chmod 600 %s (in a pod: defaultMode: 0400 of the volume)"):format(path),
    })
  elseif info.uid ~= sys.uid() and info.uid ~= 0 then
    fault.raise("refused", about, {
      msg = ("the file %s belongs to user id %d, neither to %s nor to root"):format(
        path,
        info.uid,
        sys.user()
      ),
      hint = ("chown %s %s"):format(sys.user(), path),
    })
  end
end

--- Reads a file. `opts.private`: only its owner may have rights; `opts.shared`: see check_private.
---@param about table
---@param path string
---@param opts? { private?: boolean, shared?: integer, max?: integer, hint?: string }
---@return string
function M.read_file(about, path, opts)
  opts = opts or {}
  local info, err = fs.stat(path)
  if not info then
    fault.raise("io", about, {
      msg = err.msg,
      code = err.code,
      hint = opts.hint or err.code == ENOENT and "check the path of the reference" or nil,
    })
  elseif info.type ~= "file" then
    fault.raise("io", about, { msg = ("%s is a %s, not a file"):format(path, info.type) })
  elseif opts.private then
    M.check_private(about, path, info, opts.shared)
  end
  local text
  text, err = fs.read(path, { max = opts.max or MAX })
  if not text then
    fault.raise(err.kind, about, { msg = err.msg, code = err.code })
  end
  return text
end

--- Calls a function; what it raises is told of the reference. Only for functions whose faults hold
--- nothing of what they read.
---@async
---@param about table
---@param fn function
---@return any ...
function M.told_of(about, fn, ...)
  local results = table.pack(fault.try(fn, ...))
  local err = results[2]
  if results[1] == nil and fault.is(err) then
    err.op, err.object = about.op, about.object
    error(err, 0)
  end
  return table.unpack(results, 1, results.n)
end

return M
