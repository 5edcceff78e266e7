--- How the content of a file is replaced on a host: written beside it under a temporary name, for
--- its owner alone to read, checked, and renamed over it. A reader sees the old or the new one.
---
--- The temporary name is that of the change, so that a repetition finds and removes what an
--- interrupted attempt has left. What others left goes when it is an hour old.

local fault = require("plat.fault")
local files = require("plat.host.files")
local hash = require("plat.hash")
local or_clean = require("plat.host.files.sftp").or_clean
local prim_fs = require("prim.fs")
local quote = require("plat.host.quote")
local shell = require("plat.host.files.shell")

local M = {}

local STALE = 3600 -- seconds
local SWEEP = 2000 -- names of a directory that are looked at for leftovers

---@class plat.host.files.What what shall be where
---@field path string
---@field content? string|plat.Secret
---@field from? string or a local file
---@field size integer
---@field sha256 string
---@field mode integer
---@field owner? string|integer name or number; nil: as it is, or who logs in
---@field group? string|integer
---@field keeps? boolean owner and group are those of what is there
---@field before? table what is there now
---@field backup? string the path of a second name for what was there
---@field validate? string a command with %s
---@field unverified? boolean

--- Returns the temporary path for a change of a path.
local function temporary(path, key)
  local dir, base = path:match("^(.*/)([^/]+)$")
  base = #base > 200 and hash.digest("sha256", base):sub(1, 16) or base
  local mark = hash.digest("sha256", path .. "\0" .. (key or hash.random(16))):sub(1, 12)
  return ("%s.%s.platrun-%s"):format(dir, base, mark), ("%s.%s.platrun-"):format(dir, base)
end

-- ---- scripts, for both ways ----

local SUM = files.SUM

local function validate_script(what, tmp)
  local before, after = what.validate:match("^(.-)%%s(.*)$")
  return before .. quote(tmp) .. after
end

local function owner_word(what)
  if not what.owner and not what.group then
    return nil
  end
  return ("%s%s"):format(what.owner or "", what.group and ":" .. what.group or "")
end

-- ---- by commands ----

local HEAD = [[
p=%s t=%s
fail() { echo "platrun: $1" >&2; rm -f -- "$t"; exit ${2:-90}; }
umask 077
IFS= read -r want
]]

local CREATE = [[
rm -f -- "$t" || fail "cannot remove what an interrupted attempt left"
set -C
cat >"$t" || fail "cannot write beside it"
set +C
]]

local APPEND = [[
[ "$(wc -c <"$t")" -eq %d ] || fail "a piece is missing"
cat >>"$t" || fail "cannot write beside it"
]]

local FINISH = [[
n=$(wc -c <"$t") || fail "it cannot be read back"
[ "$n" -eq %d ] || fail "only $((n)) of %d bytes arrived"
if [ -n "$want" ]; then
  s=$(]] .. SUM .. [[ 2>/dev/null <"$t")
  [ -z "$s" ] || [ "${s%%%% *}" = "$want" ] || fail "what arrived has another SHA-256"
fi
]]

local CLEAN = [[
for old in %s*; do
  [ -n "$(find "$old" -prune -type f -mmin +60 2>/dev/null)" ] && rm -f -- "$old"
done
]]

local function finish_script(what, tmp)
  local parts = { FINISH:format(what.size, what.size) }
  local owner = owner_word(what)
  if owner then
    parts[#parts + 1] = ('chown -- %s "$t" || fail "cannot give it to %s"'):format(
      quote(owner),
      owner:gsub("[^%w_.:-]", "?")
    )
  end
  parts[#parts + 1] = ('chmod -- %04o "$t" || fail "cannot set its mode"'):format(what.mode)
  if what.validate then
    parts[#parts + 1] = ('( %s\n) >&2 || fail "the check refuses it" 91'):format(
      validate_script(what, tmp)
    )
  end
  parts[#parts + 1] = 'sync "$t" 2>/dev/null'
  if what.backup and what.before then
    local b = quote(what.backup)
    parts[#parts + 1] = ('ln -- "$p" %s 2>/dev/null || cp -p -- "$p" %s || '):format(b, b)
      .. 'fail "cannot keep a copy of what was there"'
  end
  parts[#parts + 1] = 'mv -f -- "$t" "$p" || fail "cannot put it in its place"'
  return table.concat(parts, "\n") .. "\n"
end

--- Returns a piece of what is sent, from an offset on.
local function piece_of(self, what, at)
  if what.from then
    return fault.must(self.about, prim_fs.read(what.from, { offset = at, max = shell.PIECE }))
  elseif at == 0 and what.size <= shell.PIECE then
    return what.content
  end
  return files.bytes(what.content):sub(at + 1, at + shell.PIECE)
end

local function send(self, script, want, content)
  local stdin = require("prim.secret").join({ want, "\n", content })
  local out = self:run(script, { stdin = stdin })
  if out.code == 91 then
    self:fail(out, { kind = "exit", detail = out })
  elseif out.code ~= 0 then
    self:fail(out)
  end
end

local function by_shell(self, what, key)
  local path = self:resolve(what.path)
  local tmp, prefix = temporary(path, key)
  local head = HEAD:format(quote(path), quote(tmp))
  local clean = CLEAN:format(quote(prefix))
  local want = what.unverified and "" or what.sha256
  local at = 0
  return or_clean(function()
    repeat
      local piece = piece_of(self, what, at)
      local len = type(piece) == "string" and #piece or what.size
      local script = head .. (at == 0 and clean .. CREATE or APPEND:format(at))
      at = at + len
      local last = at >= what.size or len < shell.PIECE
      send(self, last and script .. finish_script(what, tmp) or script, want, piece)
    until last
    return true
  end, function()
    self:run("rm -f -- " .. quote(tmp))
  end)
end

-- ---- by SFTP ----

--- Removes what interrupted attempts of others left, by the server's own clock.
local function sweep(self, tmp, prefix)
  local mine = self:stat(tmp, false)
  local name = prefix:match("[^/]*$")
  local dir = #prefix > #name + 1 and prefix:sub(1, -#name - 2) or "/"
  self:each(dir, function(entry)
    local old = entry.mtime and mine and mine.mtime and mine.mtime - entry.mtime > STALE
    if old and entry.name:sub(1, #name) == name and entry.type == "file" then
      self:ask("remove", prefix .. entry.name:sub(#name + 1), nil, 2)
    end
  end, SWEEP)
end

local function create(self, tmp)
  local how = { write = true, create = true, exclusive = true, mode = 384 } -- 0600
  local ok, file = xpcall(self.ask, fault.from_handler, self, "open", tmp, how)
  if ok then
    return file
  elseif file.kind ~= "io" or not self:stat(tmp, false) then
    error(file, 0)
  end
  self:ask("remove", tmp, nil, 2) -- an interrupted attempt left it
  return self:ask("open", tmp, how)
end

--- Explains a failed write: SFTP has no word for a full disk.
local function explain(self, err, tmp)
  if fault.is(err, "io") and not err.code and self:offers().space then
    local ok, free = pcall(self.ask, self, "space", tmp:match("^(.+)/") or "/")
    if ok and free < 1048576 then
      err.msg = ("%s (%d bytes are free there)"):format(err.msg, free)
    end
  end
  error(err, 0)
end

local function is_number(id)
  return id == nil or math.type(id) == "integer"
end

local function own(self, file, st, what)
  local uid, gid = what.owner or st.uid, what.group or st.gid
  if uid == st.uid and gid == st.gid then
    return
  end
  local ok, err = xpcall(self.call, fault.from_handler, self, file, "ask", "setstat", {
    uid = uid,
    gid = gid,
  })
  if not ok and err.kind == "io" then
    err.msg = ("cannot give it to %s:%s: %s"):format(uid, gid, err.msg)
    err.hint = what.keeps and "it would not stay its owner's: become root, or say who shall own it"
      or nil
  end
  if not ok then
    error(err, 0)
  end
end

--- Gives it owner and mode, by which it becomes as the other file: before the last bytes of its
--- life as a temporary one.
local function dress(self, file, what)
  local st = self:call(file, "ask", "stat")
  if st.size and st.size ~= what.size then
    fault.raise("io", self.about, {
      msg = ("only %d of %d bytes arrived"):format(st.size, what.size),
      unchanged = true,
    })
  end
  if is_number(what.owner) and is_number(what.group) then
    own(self, file, st, what)
  end
  self:call(file, "ask", "setstat", { mode = what.mode })
  if self:offers().sync then
    self:call(file, "ask", "sync")
  end
  self:call(file, "ask", "close")
end

local function write(self, tmp, what)
  local file <close> = create(self, tmp)
  self:call(file, "put", what.from and { from = what.from } or what.content)
  dress(self, file, what)
end

--- What only commands can do; returns nothing where none are needed.
local function check_script(what, tmp)
  local parts = {}
  if not (is_number(what.owner) and is_number(what.group)) then
    local owner, t = owner_word(what), quote(tmp)
    parts[#parts + 1] = ("chown -- %s %s && chmod -- %04o %s || exit 92"):format(
      quote(owner),
      t,
      what.mode,
      t
    )
  end
  if what.validate then
    parts[#parts + 1] = ("( %s\n) >&2 || exit 91"):format(validate_script(what, tmp))
  end
  if not what.unverified then
    parts[#parts + 1] = SUM .. " 2>/dev/null <" .. quote(tmp) .. " || :"
  end
  return #parts > 0 and table.concat(parts, "\n") or nil
end

local function last_line(text)
  return text:match("([^\n]+)\n*$")
end

local function check(self, tmp, what)
  local script = check_script(what, tmp)
  local out = script and self:run(script)
  if not out then
    if what.validate or not (is_number(what.owner) and is_number(what.group)) then
      fault.raise("refused", self.about, {
        msg = "the server runs no commands, which `validate` and names of owners need",
        unchanged = true,
      })
    end
    return
  end
  local sum = out.stdout:match("^(%x+)%f[%X]")
  if out.code == 91 or out.code == 92 then
    local who = out.code == 91 and "the check refuses it"
      or "cannot give it to " .. owner_word(what)
    fault.raise(out.code == 91 and "exit" or "io", self.about, {
      msg = ("%s: %s"):format(who, last_line(out.stderr) or "it says nothing"),
      detail = out,
      unchanged = true,
    })
  elseif sum and #sum == 64 and sum ~= what.sha256 then
    fault.raise("io", self.about, {
      msg = "what arrived has another SHA-256",
      unchanged = true,
    })
  end
end

local function keep_copy(self, path, what)
  if not what.backup or not what.before then
    return
  elseif self:offers().link then
    self:ask("link", path, what.backup)
    return
  end
  local out = self:run(("cp -p -- %s %s"):format(quote(path), quote(what.backup)))
  if not out or out.code ~= 0 then
    fault.raise("io", self.about, {
      msg = "cannot keep a copy of what was there",
      unchanged = true,
    })
  end
end

local function into_place(self, tmp, path, what)
  if self:offers().rename_over or not what.before then
    self:rename(tmp, path)
    return
  end
  local out = self:run(("mv -f -- %s %s"):format(quote(tmp), quote(path)))
  if not out or out.code ~= 0 then
    fault.raise("io", self.about, {
      msg = "the server offers no way to replace a file at once (posix-rename@openssh.com)",
      unchanged = true,
    })
  end
end

local function by_sftp(self, what, key)
  local path = self:resolve(what.path)
  local tmp, prefix = temporary(path, key)
  return or_clean(function()
    local ok, err = xpcall(write, fault.from_handler, self, tmp, what)
    if not ok then
      explain(self, err, tmp)
    end
    sweep(self, tmp, prefix)
    check(self, tmp, what)
    keep_copy(self, path, what)
    into_place(self, tmp, path, what)
    return true
  end, function()
    self:ask("remove", tmp, nil, 2)
  end)
end

--- Makes a file be as told.
---@async
---@param transport table of plat.host.files
---@param what plat.host.files.What
---@param key? string of the change
---@return boolean true
function M.perform(transport, what, key)
  local by = transport.call and by_sftp or by_shell
  return by(transport, what, key)
end

--- Gives what is there mode and owner.
---@async
---@param transport table
---@param what plat.host.files.What
---@return boolean true
function M.dress(transport, what)
  local numbers = is_number(what.owner) and is_number(what.group)
  if transport.call and numbers then
    local st = what.before
    local uid = what.owner or what.group and st.uid
    transport:set(what.path, { mode = what.mode, uid = uid, gid = what.group or st.gid })
    return true
  end
  local p, owner = quote(what.path), owner_word(what)
  local script = owner and ("chown -- %s %s && "):format(quote(owner), p) or ""
  local out = transport:run(script .. ("chmod -- %04o %s"):format(what.mode, p))
  if not out or out.code ~= 0 then
    fault.raise("io", transport.about, {
      msg = out and last_line(out.stderr) or "the server runs no commands",
      unchanged = true,
    })
  end
  return true
end

return M
