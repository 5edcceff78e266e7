--- Programs that tell what files are.

local alter = require("plat.sim.host.alter")
local files = require("plat.sim.host.files")
local hash = require("plat.hash")
local modes = require("plat.sim.host.modes")

local R = {}

-- ---- test ----

local KINDS = { f = "file", d = "dir", L = "link", h = "link", c = "char" }
local RIGHTS = { r = 4, w = 2, x = 1 }

local function test_file(cmd, letter, path)
  local follow = letter ~= "L" and letter ~= "h"
  local at, entry = files.existing(cmd.host, cmd.user, path, { follow = follow })
  if not at then
    return false
  elseif letter == "e" then
    return true
  elseif letter == "s" then
    return files.size(cmd.host, entry) > 0
  elseif RIGHTS[letter] then
    return files.may(cmd.host, cmd.user, entry, RIGHTS[letter])
  end
  return entry.type == KINDS[letter]
end

local COMPARE = {
  ["="] = function(a, b)
    return a == b
  end,
  ["!="] = function(a, b)
    return a ~= b
  end,
}

local NUMBERS = {
  ["-eq"] = function(a, b)
    return a == b
  end,
  ["-ne"] = function(a, b)
    return a ~= b
  end,
  ["-gt"] = function(a, b)
    return a > b
  end,
  ["-ge"] = function(a, b)
    return a >= b
  end,
  ["-lt"] = function(a, b)
    return a < b
  end,
  ["-le"] = function(a, b)
    return a <= b
  end,
}

local function binary(cmd, a, op, b)
  if COMPARE[op] then
    return COMPARE[op](a, b)
  elseif NUMBERS[op] then
    local x, y = math.tointeger(tonumber(a)), math.tointeger(tonumber(b))
    if not x or not y then
      cmd:complain("%s: integer expression expected", x and b or a)
      cmd.code = 2
      return nil
    end
    return NUMBERS[op](x, y)
  end
  cmd:unmodelled("the operator " .. op)
end

local function evaluate(cmd, words)
  if words[1] == "!" and #words > 1 then
    local result = evaluate(cmd, table.move(words, 2, #words, 1, {}))
    return result ~= nil and not result
  elseif #words <= 1 then
    return (words[1] or "") ~= ""
  elseif #words == 3 then
    return binary(cmd, words[1], words[2], words[3])
  end
  local letter = #words == 2 and words[1]:match("^%-(%a)$")
  if letter == "n" or letter == "z" then
    return (words[2] ~= "") == (letter == "n")
  elseif letter and (KINDS[letter] or RIGHTS[letter] or letter == "e" or letter == "s") then
    return test_file(cmd, letter, words[2])
  end
  cmd:unmodelled("these conditions")
end

function R.test(cmd)
  local result = evaluate(cmd, table.move(cmd.argv, 2, #cmd.argv, 1, {}))
  if result ~= nil then
    cmd.code = result and 0 or 1
  end
end

R["["] = function(cmd)
  if cmd.argv[#cmd.argv] ~= "]" then
    cmd:complain("missing ']'")
    cmd.code = 2
    return
  end
  local result = evaluate(cmd, table.move(cmd.argv, 2, #cmd.argv - 1, 1, {}))
  if result ~= nil then
    cmd.code = result and 0 or 1
  end
end

-- ---- stat, ls ----

local NAMES = { dir = "directory", link = "symbolic link", char = "character special file" }

local FIELDS = {
  a = function(_, e)
    return ("%o"):format(e.mode)
  end,
  A = function(_, e)
    return modes.show(e)
  end,
  U = function(_, e)
    return e.owner
  end,
  G = function(_, e)
    return e.group
  end,
  u = function(h, e)
    return tostring(h.users[e.owner] and h.users[e.owner].uid or e.owner)
  end,
  g = function(h, e)
    return tostring(h.groups[e.group] or e.group)
  end,
  s = function(h, e)
    return tostring(files.size(h, e))
  end,
  F = function(h, e)
    local empty = e.type == "file" and files.size(h, e) == 0
    return NAMES[e.type] or empty and "regular empty file" or "regular file"
  end,
  Y = function(h, e)
    return ("%d"):format((e.mtime or h.booted) // 1)
  end,
  n = function(_, _, path)
    return path
  end,
}

function R.stat(cmd)
  local opts, paths = cmd:options("Lc:", { ["--format"] = "c", ["--dereference"] = "L" })
  if not opts.c then
    cmd:unmodelled("its report: say -c FORMAT")
  end
  for _, path in ipairs(paths) do
    local at, entry = files.existing(cmd.host, cmd.user, path, { follow = opts.L or false })
    if not at then
      cmd:failed(("cannot statx '%s'"):format(path), entry)
    else
      cmd:say((opts.c:gsub("%%(.)", function(letter)
        if letter == "%" then
          return "%"
        elseif not FIELDS[letter] then
          cmd:unmodelled("%" .. letter)
        end
        return FIELDS[letter](cmd.host, entry, path)
      end)))
      cmd:say("\n")
    end
  end
end

local function list_names(cmd, opts, at)
  local names = opts.a and { ".", ".." } or {}
  for _, name in ipairs(files.names(cmd.host, at)) do
    if opts.a or opts.A or name:sub(1, 1) ~= "." then
      names[#names + 1] = name
    end
  end
  return names
end

function R.ls(cmd)
  local opts, paths = cmd:options("1aAd", { ["--all"] = "a", ["--almost-all"] = "A" })
  paths = paths[1] and paths or { cmd.host:home(cmd.user) }
  table.sort(paths)
  local plain, folders = {}, {}
  for _, path in ipairs(paths) do
    local at, entry = files.existing(cmd.host, cmd.user, path)
    if not at then
      cmd:failed(("cannot access '%s'"):format(path), entry)
      cmd.code = 2
    elseif entry.type == "dir" and not opts.d then
      folders[#folders + 1] = { path, at, entry }
    else
      plain[#plain + 1] = path
    end
  end
  cmd:say(plain[1] and table.concat(plain, "\n") .. "\n" or "")
  for i, folder in ipairs(folders) do
    if not files.may(cmd.host, cmd.user, folder[3], 4) then
      cmd:failed(("cannot open directory '%s'"):format(folder[1]), "EACCES")
      cmd.code = 2
    else
      if #paths > 1 then
        cmd:say("%s%s:\n", (i > 1 or plain[1]) and "\n" or "", folder[1])
      end
      local names = list_names(cmd, opts, folder[2])
      cmd:say(names[1] and table.concat(names, "\n") .. "\n" or "")
    end
  end
end

function R.readlink(cmd)
  local opts, paths = cmd:options("fen", { ["--canonicalize"] = "f" })
  for _, path in ipairs(paths) do
    local answer
    if opts.f or opts.e then
      local at, entry = files.find(cmd.host, cmd.user, path)
      answer = at and (entry or not opts.e) and at
    else
      local at, entry = files.existing(cmd.host, cmd.user, path, { follow = false })
      answer = at and entry.to
    end
    if answer then
      cmd:say("%s%s", answer, opts.n and "" or "\n")
    else
      cmd.code = 1
    end
  end
end

R.realpath = function(cmd)
  local _, paths = cmd:options("")
  for _, path in ipairs(paths) do
    local at, err = files.find(cmd.host, cmd.user, path)
    if at then
      cmd:say("%s\n", at)
    else
      cmd:failed(path, err)
    end
  end
end

-- ---- digests ----

for _, name in ipairs({ "md5", "sha1", "sha256", "sha512" }) do
  R[name .. "sum"] = function(cmd)
    local _, paths = cmd:options("b")
    for _, path in ipairs(paths[1] and paths or { "-" }) do
      local text = cmd:input(path)
      if text then
        cmd:say("%s  %s\n", hash.digest(name, text), path)
      end
    end
  end
end

-- ---- names, room ----

function R.basename(cmd)
  local _, words = cmd:options("")
  local name = (words[1] or ""):gsub("(.)/+$", "%1"):match("([^/]*)$")
  cmd:say("%s\n", name ~= "" and name or "/")
end

function R.dirname(cmd)
  local _, words = cmd:options("")
  local path = (words[1] or ""):gsub("(.)/+$", "%1")
  local folder = path:match("^(.*)/[^/]*$")
  cmd:say("%s\n", folder == nil and "." or folder == "" and "/" or folder)
end

function R.mktemp(cmd)
  local opts, words = cmd:options("dp:", { ["--directory"] = "d", ["--tmpdir"] = "p" })
  local template = words[1] or (opts.p or "/tmp") .. "/tmp.XXXXXXXXXX"
  local host = cmd.host
  host.state.made = (host.made or 0) + 1
  local path = template:gsub("X+$", function(x)
    return ("%012x"):format(host:number("mktemp " .. host.made)):rep(3):sub(1, #x)
  end)
  local entry = opts.d and { type = "dir", mode = 448 }
    or { type = "file", mode = 384, content = "" }
  local at, err = alter.make(host, cmd.user, path, entry)
  if not at then
    local what = opts.d and "failed to create directory via template '%s'"
      or "failed to create file via template '%s'"
    return cmd:failed(what:format(template), err)
  end
  cmd:say("%s\n", path)
end

local COLUMNS = { "Filesystem", "Size", "Used", "Available", "Capacity", "Mounted on" }

--- Says rows in columns, the first and last to the left, as df does.
local function say_rows(cmd, rows)
  local width = {}
  for _, row in ipairs(rows) do
    for i = 1, 5 do
      width[i] = math.max(width[i] or 0, #row[i])
    end
  end
  for _, row in ipairs(rows) do
    local out = { row[1] .. (" "):rep(width[1] - #row[1]) }
    for i = 2, 5 do
      out[i] = (" "):rep(width[i] - #row[i]) .. row[i]
    end
    cmd:say(table.concat(out, " ") .. " " .. row[6] .. "\n")
  end
end

function R.df(cmd)
  local long = { ["--portability"] = "P", ["--block-size"] = "B" }
  local opts, paths = cmd:options("PkB:", long)
  if opts.B and opts.B ~= "1" and opts.B ~= "1K" then
    cmd:unmodelled("the block size " .. opts.B)
  elseif not opts.P then
    cmd:unmodelled("its own columns: say -P")
  end
  local unit = opts.B == "1" and 1 or 1024
  local rows =
    { { COLUMNS[1], unit == 1 and "1-blocks" or "1024-blocks", table.unpack(COLUMNS, 3) } }
  local mounts = {}
  for mount in pairs(cmd.host.disks) do
    mounts[#mounts + 1] = not paths[1] and mount or nil
  end
  for _, path in ipairs(paths) do
    local at, err = files.existing(cmd.host, cmd.user, path)
    if at then
      mounts[#mounts + 1] = select(2, cmd.host:disk_of(at))
    else
      cmd:failed(path, err)
    end
  end
  for _, mount in ipairs(mounts) do
    local disk = cmd.host.disks[mount]
    local used, free = -(-disk.used // unit), (disk.size - disk.used) // unit
    local share = used + free > 0 and math.ceil(used * 100 / (used + free)) or 0
    rows[#rows + 1] = {
      disk.device,
      tostring(disk.size // unit),
      tostring(used),
      tostring(free),
      ("%d%%"):format(share),
      mount,
    }
  end
  if rows[2] then
    say_rows(cmd, rows)
  end
end

return R
