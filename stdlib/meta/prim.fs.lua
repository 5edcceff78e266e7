---@meta prim.fs

local M = {}

---@class prim.fs.Stat
---@field type "file"|"directory"|"link"|"fifo"|"socket"|"char"|"block"
---@field size integer
---@field mode integer permission bits
---@field uid integer
---@field gid integer
---@field mtime number unix seconds
---@field dev integer
---@field ino integer

---@class prim.fs.File an append log; closed by `<close>`
local File = {}

---@class prim.fs.Lock held until closed
local Lock = {}

--- Returns a file's content; a file above `max` bytes (64 MiB) is `refused`. With `offset` it is at
--- most `max` bytes from there on. In line.
---@param path string
---@param opts? { max?: integer, offset?: integer }
---@return string? content
---@return table? err
function M.read(path, opts) end

--- Returns what is at a path; `follow = false` looks at a link itself. In line.
---@param path string
---@param opts? { follow?: boolean }
---@return prim.fs.Stat? stat
---@return table? err
function M.stat(path, opts) end

--- Returns the names in a directory, sorted by bytes. In line.
---@param path string
---@return string[]? names
---@return table? err
function M.list(path) end

--- Writes a file: atomically and synced unless told otherwise; `append = true` adds to its end.
---@async
---@param path string
---@param data string
---@param opts? { mode?: integer, append?: boolean, atomic?: boolean, sync?: boolean }
---@return true? ok
---@return table? err
function M.write(path, data, opts) end

--- Makes a directory; with `parents` those above it, too, and an existing one is fine. In line.
---@param path string
---@param opts? { mode?: integer, parents?: boolean }
---@return true? ok
---@return table? err
function M.mkdir(path, opts) end

--- Removes a file or an empty directory, with `recursive` a whole tree; never follows links.
---@async
---@param path string
---@param opts? { recursive?: boolean }
---@return true? ok
---@return table? err
function M.remove(path, opts) end

--- Renames, replacing a file at `to`.
---@async
---@param from string
---@param to string
---@return true? ok
---@return table? err
function M.rename(from, to) end

--- Returns the absolute path without links. In line.
---@param path string
---@return string? path
---@return table? err
function M.realpath(path) end

--- Makes a fresh directory of mode 0700 and returns its path, `prefix` and six random letters.
---@async
---@param prefix string
---@return string? path
---@return table? err
function M.mkdtemp(prefix) end

--- Makes creations, renamings and removals in a directory durable.
---@async
---@param path string
---@return true? ok
---@return table? err
function M.sync_dir(path) end

--- Takes a lock file without waiting. Kind `refused`: somebody has it, `err.held` is the text that
--- they put into it. The lock ends with the process at the latest. In line.
---@param path string
---@param opts? { text?: string } put into the file once it is ours
---@return prim.fs.Lock? lock
---@return table? err
function M.lock(path, opts) end

--- Opens a file for appending, made with `mode` (0666) minus umask if missing. In line.
---@param path string
---@param opts? { mode?: integer }
---@return prim.fs.File? file
---@return table? err
function M.open_append(path, opts) end

--- Appends all of it or nothing. In line.
---@param data string
---@return true? ok
---@return table? err
function File:write(data) end

--- Waits until all that was written is on the disk.
---@async
---@return true? ok
---@return table? err
function File:sync() end

--- Returns the size in bytes.
---@return integer? size
---@return table? err
function File:size() end

--- Cuts or extends the file.
---@param size integer
---@return true? ok
---@return table? err
function File:truncate(size) end

--- Takes disk space for so many bytes more, so that a full disk shows now.
---@param bytes integer
---@return true? ok
---@return table? err
function File:reserve(bytes) end

--- Closes the file. Twice is fine.
function File:close() end

--- Gives the lock back; its file stays.
function Lock:close() end

return M
