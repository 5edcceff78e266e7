--- Local files. Reading is direct; writing is a change, so it is planned and recorded.

local check = require("plat.check")
local effect = require("plat.effect")
local fault = require("plat.fault")
local fs = require("prim.fs")
local secret = require("plat.env").lazy("plat.secret")

local M = {}

local ENOENT = 2

local READ = check.options("fs.read", {
  max = { type = "bytes", default = "64MB", help = "a larger file is refused" },
})
local WRITE = check.options("fs.write", {
  mode = { type = "string", help = 'octal, "0644"; default: as it is, or by umask' },
})
local MKDIR = check.options("fs.mkdir", {
  mode = { type = "string", default = "0755", help = "octal, of the last one" },
})
local REMOVE = check.options("fs.remove", {
  recursive = { type = "boolean", default = false, help = "with everything in it" },
})

local function mode_of(op, text)
  if not text then
    return nil
  end
  local mode = text:match("^[0-7]+$") and tonumber(text, 8)
  if not mode or mode > 4095 then
    error(('%s: option "mode": %q is not an octal mode such as "0644"'):format(op, text), 3)
  end
  return mode
end

local function must(op, path, value, err)
  return fault.must({ op = op, object = path }, value, err)
end

-- ---- reads ----

--- Returns the content of a file.
---@param path string
---@param opts? { max?: string|integer }
---@return string
function M.read(path, opts)
  return must("fs.read", path, fs.read(path, { max = READ(opts).max }))
end

--- Returns what a path is, or nil if there is nothing.
---@param path string
---@param opts? { follow?: boolean } follow: links, default true
---@return prim.fs.Stat?
function M.stat(path, opts)
  local st, err = fs.stat(path, opts)
  if not st and err.code == ENOENT then
    return nil
  end
  return must("fs.stat", path, st, err)
end

--- Returns whether there is something at a path.
---@param path string
---@return boolean
function M.exists(path)
  return M.stat(path) ~= nil
end

--- Returns the names in a directory, sorted.
---@param path string
---@return string[]
function M.list(path)
  return must("fs.list", path, fs.list(path))
end

--- Returns the absolute path without links.
---@param path string
---@return string
function M.realpath(path)
  return must("fs.realpath", path, fs.realpath(path))
end

-- ---- changes ----

local function change(op, path, description, perform)
  return effect.file({
    op = op,
    path = path,
    object = path,
    change = description,
    perform = function(raw)
      return must(op, path, perform(raw))
    end,
  })
end

local function always()
  return true
end

--- Describes a file for a plan's difference, without its content.
local function outline(st)
  return st and ("%s, %d bytes, mode %04o"):format(st.type, st.size, st.mode) or "absent"
end

--- Says of a content what may be known of it: its size, and what tells it from others.
local function describe(content)
  if secret.is(content) then
    return "a secret", { secret = content }
  end
  return ("%d bytes"):format(#content), { sha256 = require("plat.hash").digest("sha256", content) }
end

local function is_content(path, before, content)
  if secret.is(content) then
    return content:equal(M.read(path))
  end
  return before.size == #content and M.read(path) == content
end

--- Makes a file have this content: atomically, on disk when it returns. Does nothing if it has.
---@async
---@param path string
---@param content string|plat.Secret a secret is for the owner alone, unless `mode` says otherwise
---@param opts? { mode?: string }
---@return boolean changed
function M.write(path, content, opts)
  local mode = mode_of("fs.write", WRITE(opts).mode or secret.is(content) and "0600" or nil)
  local before = M.stat(path)
  local same_mode = not mode or before and before.mode == mode
  if before and same_mode and is_content(path, before, content) then
    return false
  end
  local what, args = describe(content)
  args.path, args.mode = path, mode
  return change("fs.write", path, {
    text = ("write %s to %s"):format(what, path),
    args = args,
    recovery = "repeatable",
    predict = always,
    diff = function()
      return { { path, outline(before), "file, " .. what } }
    end,
  }, function(raw)
    return raw.write(path, content, { mode = mode, atomic = true, sync = true })
  end)
end

--- Appends to a file; on disk when it returns.
---@async
---@param path string
---@param content string|plat.Secret
---@return boolean changed
function M.append(path, content)
  local what, args = describe(content)
  local hidden, before = secret.is(content), M.stat(path)
  args.path = path
  return change("fs.append", path, {
    text = ("append %s to %s"):format(what, path),
    args = args,
    recovery = "unknowable",
    predict = always,
  }, function(raw)
    local mode = hidden and not before and tonumber("600", 8) or nil
    return raw.write(path, content, { append = true, sync = true, mode = mode })
  end)
end

--- Makes a directory and those above it. Does nothing if it is there.
---@async
---@param path string
---@param opts? { mode?: string }
---@return boolean changed
function M.mkdir(path, opts)
  local mode = mode_of("fs.mkdir", MKDIR(opts).mode)
  local before = M.stat(path)
  if before and before.type == "directory" then
    return false
  end
  return change("fs.mkdir", path, {
    text = "make the directory " .. path,
    args = { path = path, mode = mode },
    recovery = "repeatable",
    predict = always,
    diff = function()
      return { { path, outline(before), "directory" } }
    end,
  }, function(raw)
    return raw.mkdir(path, { mode = mode, parents = true })
  end)
end

--- Removes a file or directory. Does nothing if it is not there.
---@async
---@param path string
---@param opts? { recursive?: boolean }
---@return boolean changed
function M.remove(path, opts)
  local recursive = REMOVE(opts).recursive
  local before = M.stat(path, { follow = false })
  if not before then
    return false
  end
  return change("fs.remove", path, {
    text = ("remove %s%s"):format(path, recursive and " and all in it" or ""),
    args = { path = path, recursive = recursive },
    recovery = "repeatable",
    predict = always,
    diff = function()
      return { { path, outline(before), "absent" } }
    end,
  }, function(raw)
    local ok, err = raw.remove(path, { recursive = recursive })
    if not ok and err.code == ENOENT then
      return true -- somebody else was faster
    end
    return ok, err
  end)
end

--- Renames a file or directory, replacing a file at the new path.
---@async
---@param from string
---@param to string
---@return boolean changed
function M.rename(from, to)
  return change("fs.rename", from, {
    text = ("rename %s to %s"):format(from, to),
    args = { from = from, to = to },
    recovery = "probed",
    predict = always,
  }, function(raw)
    return raw.rename(from, to)
  end)
end

return M
