--- Reads ssh_config files and what they include into statements.

local check = require("plat.check")
local expand = require("plat.ssh.config.expand")
local fault = require("plat.fault")
local fs = require("prim.fs")
local glob = require("plat.glob")
local keywords = require("plat.ssh.config.keywords")
local list = require("plat.list")
local match = require("plat.ssh.config.match")
local values = require("plat.ssh.config.values")
local words = require("plat.ssh.config.words")

local M = {}

local MAX_DEPTH = 16
local MAX_FILE = 4 * 1024 * 1024
local WRITABLE = tonumber("022", 8)
local ENOENT, ENOTDIR = 2, 20
local SYSTEM_DIR = "/etc/ssh"

---@class plat.ssh.Statement
---@field file string
---@field line integer
---@field word string the keyword as it is written, in lower case
---@field keyword? plat.ssh.Keyword nil: unknown
---@field rest string
---@field value any
---@field includes? table[] of an Include: the files
---@field user boolean of the user's files, not the machine's
---@field bare? boolean `file` names an option, which has no lines
local Statement = {}
Statement.__index = Statement

--- Returns "FILE:LINE"; of an option that has a name of its own that.
---@return string
function Statement:place()
  if self.bare then
    return self.file
  end
  return ("%s:%d"):format(self.file, self.line)
end

--- Raises that the line is wrong.
---@param msg string
---@param hint? string
function Statement:fail(msg, hint)
  fault.raise("parse", nil, {
    msg = ("%s: %s"):format(self:place(), msg),
    hint = hint or "man ssh_config",
    file = self.file,
    line = self.line,
    where = "",
  })
end

--- Raises that the keyword is unknown.
function Statement:fail_unknown()
  local names = list.keys(keywords.BY_NAME)
  self:fail(
    ("unknown keyword %q%s"):format(self.word, check.did_you_mean(self.word, names)),
    "IgnoreUnknown above it makes OpenSSH and platrun skip it"
  )
end

--- The files of the disk.
M.DISK = {
  read = function(path)
    return fs.read(path, { max = MAX_FILE })
  end,
  stat = function(path)
    return fs.stat(path)
  end,
  list = function(dir)
    return fs.list(dir)
  end,
}

--- Returns a reader of a table of files: a text, or { text=, uid=, mode= }, by path.
---@param files table<string, string|table>
---@return table reader
function M.of_table(files)
  local absent = { kind = "io", code = ENOENT, msg = "no such file or directory" }
  local reader = {}
  function reader.read(path)
    local file = files[path]
    if not file then
      return nil, absent
    end
    return type(file) == "table" and file.text or file
  end
  function reader.stat(path)
    local file = files[path]
    if not file then
      return nil, absent
    elseif type(file) == "string" then
      return { uid = 0, mode = 420 } -- 0644
    end
    return { uid = file.uid or 0, mode = file.mode or 420 }
  end
  function reader.list(dir)
    local prefix = dir == "/" and "/" or dir .. "/"
    local names = {}
    for path in pairs(files) do
      local name = path:sub(1, #prefix) == prefix and path:sub(#prefix + 1):match("^[^/]+")
      if name then
        names[name] = true
      end
    end
    return list.keys(names)
  end
  return reader
end

-- ---- Include ----

local function has_wildcard(part)
  return part:find("[*?%[]") ~= nil
end

local function fits(name, part)
  if name:sub(1, 1) == "." and part:sub(1, 1) ~= "." then
    return false
  end
  return glob.matcher(part, { caret = true, escapes = true })(name)
end

--- Returns the paths that a glob stands for, sorted; a plain path is itself if it is there.
local function paths_of(reader, path)
  if not has_wildcard(path) then
    return { (path:gsub("\\(.)", "%1")) }
  end
  local found = { "" }
  for part in path:gmatch("[^/]+") do
    local longer = {}
    for _, dir in ipairs(found) do
      if not has_wildcard(part) then
        longer[#longer + 1] = dir .. "/" .. part
      else
        for _, name in ipairs(reader.list(dir == "" and "/" or dir) or {}) do
          if fits(name, part) then
            longer[#longer + 1] = dir .. "/" .. name
          end
        end
      end
    end
    found = longer
  end
  return found
end

local function is_file(reader, path)
  local info = reader.stat(path)
  return info ~= nil and info.type ~= "directory"
end

--- Reads an included file once, however many lines include it.
local function included(loader, path, user, depth)
  local key = (user and "user " or "system ") .. path
  local file = loader.known[key]
  if file == nil then
    file = M.read(loader, path, { user = user, checked = true }, depth + 1) or false
    loader.known[key] = file
  end
  return file
end

local function include(loader, st, depth)
  st.includes = {}
  for _, arg in ipairs(st.value) do
    local path = arg
    if arg:sub(1, 1) == "~" and not st.user then
      st:fail(("Include %s: a file of the machine includes no home"):format(arg))
    elseif arg:sub(1, 1) ~= "~" and arg:sub(1, 1) ~= "/" then
      path = (st.user and "~/.ssh" or SYSTEM_DIR) .. "/" .. arg
    end
    local problem
    path, problem = expand.tilde(path, loader.local_)
    if problem then
      st:fail("Include " .. problem)
    end
    for _, one in ipairs(paths_of(loader.reader, path)) do
      if depth >= MAX_DEPTH or loader.open[one] then
        st:fail(("Include %s: too many includes in one another"):format(arg))
      end
      local file = is_file(loader.reader, one) and included(loader, one, st.user, depth)
      if file then
        st.includes[#st.includes + 1] = file
      end
    end
  end
end

-- ---- one file ----

local function read_value(loader, st, depth)
  local args = words.split(st.rest)
  if not args then
    st:fail("a quote is not closed")
  elseif not st.keyword then
    return
  elseif st.keyword.kind == "match" then
    local problem
    st.value, problem = match.criteria(st.rest)
    if not st.value then
      st:fail(problem)
    end
    return
  end
  st.env = loader.env
  local value, taken = values[st.keyword.kind](args, st)
  st.env = nil
  if value == nil then
    st:fail(("%s: %s"):format(st.word, taken))
  elseif taken < #args then
    st:fail(("%s: too many arguments"):format(st.word))
  end
  st.value = value
  if st.keyword.kind == "include" then
    include(loader, st, depth)
  end
end

--- Returns the statement of one line, nil if there is none.
---@param loader table
---@param text string
---@param place { file: string, line: integer, user: boolean, bare?: boolean }
---@param depth? integer
---@return plat.ssh.Statement?
function M.statement(loader, text, place, depth)
  local word, rest = words.keyword(text)
  if not word then
    return nil
  end
  local st = setmetatable({
    file = place.file,
    line = place.line,
    user = place.user,
    bare = place.bare,
    word = word,
    rest = rest,
    keyword = keywords.BY_NAME[word],
  }, Statement)
  if rest == "" then
    st:fail(("%s: the value is missing"):format(word))
  end
  read_value(loader, st, depth or 0)
  return st
end

local function check_owner(loader, path)
  local info = loader.reader.stat(path)
  if not info then
    return
  elseif info.uid ~= 0 and info.uid ~= loader.local_.uid then
    fault.raise("refused", nil, {
      msg = ("%s: it is owned by another user (uid %d)"):format(path, info.uid),
      hint = "chown it to you, or to root",
      file = path,
      where = "",
    })
  elseif info.mode & WRITABLE ~= 0 then
    fault.raise("refused", nil, {
      msg = ("%s: others may write to it"):format(path),
      hint = "chmod go-w " .. path,
      file = path,
      where = "",
    })
  end
end

--- Reads a file and what it includes. Returns nil where there is none.
---@param loader table { reader=, local_=, env=, open=, known=, paths= }
---@param path string
---@param how { user: boolean, checked?: boolean, needed?: boolean }
---@param depth? integer
---@return plat.ssh.Statement[]?
function M.read(loader, path, how, depth)
  local text, err = loader.reader.read(path)
  if not text then
    local gone = err.code == ENOENT or err.code == ENOTDIR
    if (gone or (depth or 0) == 0) and not how.needed then
      return nil
    end
    fault.raise("io", nil, { msg = ("%s: %s"):format(path, err.msg), file = path, where = "" })
  end
  if how.checked then
    check_owner(loader, path)
  end
  loader.open[path] = true
  local statements, number = { path = path }, 0
  for line in (text:gsub("\n$", "") .. "\n"):gmatch("([^\n]*)\n") do
    number = number + 1
    local place = { file = path, line = number, user = how.user }
    statements[#statements + 1] = M.statement(loader, line, place, depth or 0)
  end
  loader.open[path] = nil
  loader.paths[#loader.paths + 1] = path
  return statements
end

return M
