--- Local files. Reading is direct; writing is a change, so it is planned and recorded.

local check = require("plat.check")
local effect = require("plat.effect")
local fault = require("plat.fault")
local files = require("plat.effect.files")
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

--- Returns what a plan makes of a path: an entry, false where it removes it, nil otherwise; and how
--- the files look then. Ends the body where nobody knows.
local function planned(path)
  local plan = effect.plan()
  if plan then
    plan:before_read({ target = "localhost", object = path })
    local view = files.of(plan)
    return view:look(path), view
  end
end

local function absent(op, path)
  fault.raise("io", { op = op, object = path }, {
    code = ENOENT,
    msg = "no such file or directory (the plan removes it)",
  })
end

-- ---- reads ----

--- Returns the content of a file.
---@param path string
---@param opts? { max?: string|integer }
---@return string
function M.read(path, opts)
  local entry, view = planned(path)
  if entry == false then
    absent("fs.read", path)
  elseif entry and entry.type == "file" then
    return view:content(path, entry)
  end
  return must("fs.read", path, fs.read(path, { max = READ(opts).max }))
end

--- Returns what a path is, or nil if there is nothing.
---@param path string
---@param opts? { follow?: boolean } follow: links, default true
---@return prim.fs.Stat?
function M.stat(path, opts)
  local entry, view = planned(path)
  if entry == false then
    return nil
  elseif entry then
    return view:stat(path, entry)
  end
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
  local entry, view = planned(path)
  if entry == false then
    absent("fs.list", path)
  end
  local names = entry and {} or must("fs.list", path, fs.list(path))
  return view and view:names(path, names) or names
end

--- Returns the absolute path without links.
---@param path string
---@return string
function M.realpath(path)
  return must("fs.realpath", path, fs.realpath(path))
end

-- ---- changes ----

--- Nobody but the view of the plan answers for files that it changes.
local function same(_, resp)
  return resp
end

local function change(op, path, description, perform, after)
  local plan = effect.plan()
  description.overlay = same
  local result = effect.file({
    op = op,
    path = path,
    object = path,
    change = description,
    perform = function(raw)
      return must(op, path, perform(raw))
    end,
  })
  if plan then
    after(files.of(plan))
  end
  return result
end

local function always()
  return true
end

--- Describes a file for a plan's difference, without its content.
local function outline(st)
  local mode = st and rawget(st, "mode") -- a plan may not know it
  local size = st and rawget(st, "size")
  return st
      and ("%s%s%s"):format(
        st.type,
        size and (", %d bytes"):format(size) or "",
        mode and (", mode %04o"):format(mode) or ""
      )
    or "absent"
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
      return { { path = path, before = outline(before), after = "file, " .. what } }
    end,
  }, function(raw)
    return raw.write(path, content, { mode = mode, atomic = true, sync = true })
  end, function(view)
    local keeps = before and rawget(before, "mode") or nil
    local text = not secret.is(content) and content or nil
    view:put(path, { type = "file", content = text, mode = mode or keeps })
  end)
end

--- Appends to a file; on disk when it returns.
---@async
---@param path string
---@param content string|plat.Secret
---@return boolean changed
function M.append(path, content)
  local old = effect.plan() and M.exists(path) and M.read(path) or ""
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
  end, function(view)
    local keeps = before and rawget(before, "mode") or hidden and tonumber("600", 8) or nil
    view:put(path, {
      type = "file",
      content = not hidden and old .. content or nil,
      mode = keeps,
    })
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
      return { { path = path, before = outline(before), after = "directory" } }
    end,
  }, function(raw)
    return raw.mkdir(path, { mode = mode, parents = true })
  end, function(view)
    view:put(path, { type = "directory", mode = mode })
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
      return { { path = path, before = outline(before), after = "absent" } }
    end,
  }, function(raw)
    local ok, err = raw.remove(path, { recursive = recursive })
    if not ok and err.code == ENOENT then
      return true -- somebody else was faster
    end
    return ok, err
  end, function(view)
    view:put(path, false)
  end)
end

--- Renames a file or directory, replacing a file at the new path.
---@async
---@param from string
---@param to string
---@return boolean changed
function M.rename(from, to)
  local moved = effect.plan() and M.stat(from) or nil
  local content = moved and moved.type == "file" and M.read(from) or nil
  return change("fs.rename", from, {
    text = ("rename %s to %s"):format(from, to),
    args = { from = from, to = to },
    recovery = "probed",
    predict = always,
  }, function(raw)
    return raw.rename(from, to)
  end, function(view)
    if not content then -- a directory, and all that is in it
      effect.plan():cut(("what follows depends on what is in %s"):format(to))
    end
    view:put(from, false)
    view:put(to, { type = "file", content = content, mode = rawget(moved, "mode") })
  end)
end

return M
