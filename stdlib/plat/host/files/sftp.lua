--- Files of a host by SFTP: what a server knows of them, and copies at constant memory.

local command = require("plat.env").lazy("plat.host.command")
local fault = require("plat.fault")
local sftp = require("plat.ssh.sftp")
local task = require("plat.task")

local M = {}

local ENOENT = 2

---@class plat.host.files.Sftp
---@field host plat.Host
---@field about table for faults
local Sftp = { __name = "plat.host.files.Sftp" }
Sftp.__index = Sftp

--- Returns the transport of a host; nil where its server has no SFTP.
---@async
---@param host plat.Host
---@param about table
---@return plat.host.files.Sftp?
function M.of(host, about)
  if not sftp.of(about, host) then
    return nil
  end
  return setmetatable({ host = host, about = about }, Sftp)
end

--- Returns the SFTP and its session: asked for before each request by path.
local function current(self)
  local found, session = sftp.of(self.about, self.host)
  if not found then
    fault.raise("io", self.about, { msg = "the server has no SFTP any more" })
  end
  return found, session
end

--- Raises an error of a request, unless it is an answer that the caller takes (`code`).
local function judge(self, session, result, err, code)
  if result ~= nil or code and err.code == code then
    return result
  end
  sftp.lost(self.host, session, err)
  err.unchanged = err.kind == "io" or nil -- the server's answer to one request
  err.sent = err.kind == "connect" or nil
  fault.raise_err(self.about, err)
end

--- Asks for one thing by path; an answer with the errno `code` gives nil.
---@async
---@param what string
---@param path string
---@param more? any
---@param code? integer
---@return any
function Sftp:ask(what, path, more, code)
  local found, session = current(self)
  local result, err = found:ask(what, path, more)
  return judge(self, session, result, err, code)
end

--- Asks for one thing of an open file, or copies it: `call(file, "put", content)`.
---@async
---@param file prim.ssh.SftpFile
---@param method string "ask", "put" or "get"
---@param ... any
---@return any
function Sftp:call(file, method, ...)
  local _, session = current(self)
  local result, err = file[method](file, ...)
  return judge(self, session, result, err)
end

--- Returns what the server offers.
---@async
---@return table
function Sftp:offers()
  return (current(self)):offers()
end

--- Runs a command there; nil where the server runs none.
---@async
---@param text string
---@return plat.proc.Output?
function Sftp:run(text)
  local ok, out = xpcall(command.perform, fault.from_handler, self.host, text, {
    timeout = 600,
    become = false,
  })
  if ok then
    return out
  elseif out.kind == "refused" then
    return nil
  end
  error(out, 0)
end

--- Returns what is at a path, nil where there is nothing.
---@async
---@param path string
---@param follow boolean
---@return prim.ssh.SftpAttrs?
function Sftp:stat(path, follow)
  return self:ask(follow and "stat" or "lstat", path, nil, ENOENT)
end

--- Returns the path behind links.
---@async
---@param path string
---@return string
function Sftp:resolve(path)
  local st = self:stat(path, false)
  return st and st.type == "link" and self:ask("realpath", path) or path
end

--- Returns the content of a file.
---@async
---@param path string
---@param max integer
---@param expect integer the size that it probably has
---@return string
function Sftp:read(path, max, expect)
  local file <close> = self:ask("open", path, { read = true })
  return self:call(file, "get", { max = max, expect = expect })
end

--- Fetches a file into a new local one.
---@async
---@param path string
---@param to string
---@param expect integer the size that it probably has
---@param mode integer
---@return integer size
function Sftp:fetch(path, to, expect, mode)
  local file <close> = self:ask("open", path, { read = true })
  return self:call(file, "get", { to = to, expect = expect, mode = mode })
end

--- Calls a function for each name in a directory, with what is known of it.
---@async
---@param path string
---@param fn fun(entry: table)
---@param max? integer names after which it ends
function Sftp:each(path, fn, max)
  local dir <close> = self:ask("opendir", path)
  local seen = 0
  repeat
    local entries = self:call(dir, "ask", "readdir")
    for _, entry in ipairs(entries) do
      if entry.name ~= "." and entry.name ~= ".." then
        fn(entry)
      end
    end
    seen = seen + #entries
    local ended = #entries == 0 or max and seen >= max
  until ended
end

--- Returns the names in a directory, sorted.
---@async
---@param path string
---@return string[]
function Sftp:list(path)
  local names = {}
  self:each(path, function(entry)
    names[#names + 1] = entry.name
  end)
  table.sort(names)
  return names
end

local function remove_all(self, path)
  local inside = {}
  self:each(path, function(entry)
    inside[#inside + 1] = entry
  end)
  for _, entry in ipairs(inside) do
    local at = path .. "/" .. entry.name
    if entry.type == "directory" then
      remove_all(self, at)
    else
      self:ask("remove", at, nil, ENOENT)
    end
  end
  self:ask("rmdir", path, nil, ENOENT)
end

--- Removes a file or an empty directory; `recursive`: with everything in it. Never follows links.
---@async
---@param path string
---@param recursive boolean
function Sftp:remove(path, recursive)
  local st = self:stat(path, false)
  if not st then
    return
  elseif st.type ~= "directory" then
    self:ask("remove", path, nil, ENOENT)
  elseif recursive then
    remove_all(self, path)
  else
    self:ask("rmdir", path, nil, ENOENT)
  end
end

--- Renames; a file in the way is replaced, atomically.
---@async
---@param from string
---@param to string
function Sftp:rename(from, to)
  self:ask(self:offers().rename_over and "rename_over" or "rename", from, to)
end

--- Makes a directory, and those above it.
---@async
---@param path string
---@param mode integer
function Sftp:mkdir(path, mode)
  local above = path:match("^(.+)/[^/]+/*$")
  if above and not self:stat(above, true) then
    self:mkdir(above, 493) -- 0755
  end
  local found, session = current(self)
  local made, err = found:ask("mkdir", path, { mode = mode })
  local st = not made and self:stat(path, true)
  if not made and not (st and st.type == "directory") then
    judge(self, session, nil, err)
  elseif made then
    self:ask("setstat", path, { mode = mode }) -- whatever the server's umask is
  end
end

--- Sets mode and owner of what is there.
---@async
---@param path string
---@param attrs { mode: integer?, uid: integer?, gid: integer? }
function Sftp:set(path, attrs)
  if attrs.uid then
    self:ask("setstat", path, { uid = attrs.uid, gid = attrs.gid })
  end
  self:ask("setstat", path, { mode = attrs.mode })
end

--- Calls a function, and cleans up by another one if it fails; also in a cancel. A host that is
--- gone is not asked again.
---@async
---@param fn function
---@param clean function
---@return any
function M.or_clean(fn, clean)
  local ok, result = xpcall(fn, fault.from_handler)
  if ok then
    return result
  elseif result.kind ~= "connect" then
    pcall(task.shield, 10, clean)
  end
  error(result, 0)
end

return M
