--- Files of a host by commands of a POSIX shell: where its server has no SFTP, as another user, and
--- on this machine. What is long goes in pieces, so that memory stays constant.

local command = require("plat.host.command")
local fault = require("plat.fault")
local prim_fs = require("prim.fs")
local quote = require("plat.host.quote")

local M = {}

--- Bytes that one command carries.
M.PIECE = 4 * 1024 * 1024

local TYPES = {
  [0x8] = "file",
  [0x4] = "directory",
  [0xa] = "link",
  [0x1] = "fifo",
  [0xc] = "socket",
  [0x2] = "char",
  [0x6] = "block",
}

-- what programs and shells say, in lower case
local ERRNO = { ["no such file"] = 2, ["directory nonexistent"] = 2, ["permission denied"] = 13 }

---@class plat.host.files.Shell
---@field host plat.Host
---@field about table for faults
---@field become any
local Shell = { __name = "plat.host.files.Shell" }
Shell.__index = Shell

--- Returns the transport of a host.
---@param host plat.Host
---@param about table
---@param opts { become: any }
---@return plat.host.files.Shell
function M.of(host, about, opts)
  return setmetatable({ host = host, about = about, become = opts.become }, Shell)
end

--- Runs a script.
---@async
---@param script string
---@param opts? { stdin: string|plat.Secret|nil, max_output: integer? }
---@return plat.proc.Output
function Shell:run(script, opts)
  opts = opts or {}
  return command.perform(self.host, "LC_ALL=C; export LC_ALL; cd /\n" .. script, {
    stdin = opts.stdin,
    max_output = opts.max_output,
    timeout = 600,
    become = self.become,
  })
end

--- Raises what a script said. `fail WORDS` of our scripts ends with status 90.
---@param out plat.proc.Output
---@param fields? table of the fault
function Shell:fail(out, fields)
  local lines = {}
  for line in out.stderr:gmatch("[^\n]+") do
    local ours = line:match("^platrun: (.*)$")
    table.insert(lines, ours and 1 or #lines + 1, ours or line)
  end
  local code
  for text, errno in pairs(ERRNO) do
    code = code or out.stderr:lower():find(text, 1, true) and errno or nil
  end
  local err = { kind = "io", code = code, unchanged = true }
  err.msg = #lines > 0 and table.concat(lines, ": ") or "exit " .. out.code
  for name, value in pairs(fields or {}) do
    err[name] = value
  end
  fault.raise_err(self.about, err)
end

--- Runs a script that must end well.
---@async
---@param script string
---@param opts? table
---@return plat.proc.Output
function Shell:must(script, opts)
  local out = self:run(script, opts)
  if out.code ~= 0 then
    self:fail(out)
  end
  return out
end

-- ---- looking ----

local function parse_stat(said)
  local raw, size, uid, gid, mtime, owner, group =
    said:match("^(%x+) (%d+) (%d+) (%d+) (%d+) (%S+) (%S+)\n")
  if not raw then
    return nil
  end
  local mode = tonumber(raw, 16)
  return {
    type = TYPES[mode >> 12] or "unknown",
    mode = mode & 4095,
    size = math.tointeger(tonumber(size)),
    uid = math.tointeger(tonumber(uid)),
    gid = math.tointeger(tonumber(gid)),
    mtime = math.tointeger(tonumber(mtime)),
    owner = owner,
    group = group,
  }
end

--- Returns what is at a path, nil where there is nothing.
---@async
---@param path string
---@param follow boolean
---@return table?
function Shell:stat(path, follow)
  local how = follow and "-L " or ""
  local out = self:run(("stat %s-c '%%f %%s %%u %%g %%Y %%U %%G' -- %s"):format(how, quote(path)))
  local st = out.code == 0 and parse_stat(out.stdout)
  if st then
    return st
  elseif out.stderr:find("No such file or directory", 1, true) then
    return nil
  end
  self:fail(out)
end

--- Returns the path behind links.
---@async
---@param path string
---@return string
function Shell:resolve(path)
  local st = self:stat(path, false)
  if not st or st.type ~= "link" then
    return path
  end
  return (self:must("readlink -f -- " .. quote(path)).stdout:gsub("\n$", ""))
end

local function not_directory(path)
  return ("if [ -d %s ]; then echo 'it is a directory' >&2; exit 90; fi\n"):format(quote(path))
end

--- Returns the content of a file.
---@async
---@param path string
---@param max integer
---@return string
function Shell:read(path, max)
  local script = not_directory(path) .. ("exec cat -- %s"):format(quote(path))
  return self:must(script, { max_output = max }).stdout
end

--- Fetches a file into a new local one, in pieces.
---@async
---@param path string
---@param to string
---@param _ integer the size that it probably has
---@param mode integer
---@return integer size
function Shell:fetch(path, to, _, mode)
  local log = fault.must(self.about, prim_fs.open_append(to, { mode = mode }))
  local size, at = 0, 0
  local ok, err = xpcall(function()
    repeat
      local script = "exec dd if=%s bs=65536 skip=%d count=%d 2>/dev/null <%s"
      local piece = self:must(
        not_directory(path) .. script:format(quote(path), at, M.PIECE // 65536, quote(path)),
        { max_output = M.PIECE }
      ).stdout
      fault.must(self.about, log:write(piece))
      size, at = size + #piece, at + M.PIECE // 65536
    until #piece < M.PIECE
  end, fault.from_handler)
  log:close()
  if not ok then
    error(err, 0)
  end
  return size
end

--- Returns the names in a directory, sorted.
---@async
---@param path string
---@return string[]
function Shell:list(path)
  local start = path .. "/."
  local script = "exec find %s ! -name . -prune -exec printf '%%s\\0' '{}' +"
  local said = self:must(script:format(quote(start))).stdout
  local names = {}
  for found in said:gmatch("(%Z+)%z") do
    names[#names + 1] = found:sub(#start + 2)
  end
  table.sort(names)
  return names
end

-- ---- changing ----

--- Removes a file or an empty directory; `recursive`: with everything in it.
---@async
---@param path string
---@param recursive boolean
function Shell:remove(path, recursive)
  local p = quote(path)
  local plain = "if [ -d %s ] && [ ! -L %s ]; then exec rmdir -- %s; else exec rm -f -- %s; fi"
  self:must(recursive and "exec rm -rf -- " .. p or plain:format(p, p, p, p))
end

--- Renames; a file in the way is replaced, atomically.
---@async
---@param from string
---@param to string
function Shell:rename(from, to)
  self:must(not_directory(to) .. ("exec mv -f -- %s %s"):format(quote(from), quote(to)))
end

--- Makes a directory, and those above it.
---@async
---@param path string
---@param mode integer
function Shell:mkdir(path, mode)
  local p = quote(path)
  local script = "[ -d %s ] || { umask 022; mkdir -p -- %s && chmod %04o -- %s; }"
  self:must(script:format(p, p, mode, p))
end

return M
