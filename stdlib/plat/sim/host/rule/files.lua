--- Programs that look at files and change them.

local alter = require("plat.sim.host.alter")
local files = require("plat.sim.host.files")
local modes = require("plat.sim.host.modes")

local R = {}

-- ---- making and removing ----

local function make_folder(cmd, path, mode)
  return alter.make(cmd.host, cmd.user, path, { type = "dir", mode = mode })
end

function R.mkdir(cmd)
  local opts, paths = cmd:options("pm:v", { ["--parents"] = "p", ["--mode"] = "m" })
  local mode = modes.read(opts.m or "0755", 511, 18, true)
  if not mode then
    return cmd:complain("invalid mode '%s'", opts.m)
  end
  for _, path in ipairs(paths) do
    local ok, err, where
    if opts.p then
      ok, err, where = alter.make_path(cmd.host, cmd.user, path, mode)
    else
      ok, err = make_folder(cmd, path, mode)
    end
    if not ok then
      cmd:failed(("cannot create directory '%s'"):format(where or path), err)
    end
  end
end

function R.rmdir(cmd)
  local _, paths = cmd:options("")
  for _, path in ipairs(paths) do
    local at, entry = files.existing(cmd.host, cmd.user, path, { follow = false })
    local ok, err = nil, entry
    if at and entry.type ~= "dir" then
      err = "ENOTDIR"
    elseif at then
      ok, err = alter.remove(cmd.host, cmd.user, path)
    end
    if not ok then
      cmd:failed(("failed to remove '%s'"):format(path), err)
    end
  end
end

function R.rm(cmd)
  local opts, paths = cmd:options("rRfdv", { ["--recursive"] = "r", ["--force"] = "f" })
  for _, path in ipairs(paths) do
    local at, entry = files.existing(cmd.host, cmd.user, path, { follow = false })
    local ok, err = nil, entry
    if at and entry.type == "dir" and not (opts.r or opts.R or opts.d) then
      err = "EISDIR"
    elseif at then
      ok, err = alter.remove(cmd.host, cmd.user, path, opts.r or opts.R)
    elseif opts.f and (err == "ENOENT" or err == "ENOTDIR") then
      ok = true
    end
    if not ok then
      cmd:failed(("cannot remove '%s'"):format(path), err)
    end
  end
end

function R.touch(cmd)
  local opts, paths = cmd:options("c", { ["--no-create"] = "c" })
  for _, path in ipairs(paths) do
    local at, entry = files.find(cmd.host, cmd.user, path)
    local err = entry
    if at and entry then
      if cmd.user == entry.owner or files.may(cmd.host, cmd.user, entry, 2) then
        cmd.host.files[at].mtime, err = cmd.host:now(), nil
      else
        err = "EACCES"
      end
    elseif at and not opts.c then
      at, err = alter.write(cmd.host, cmd.user, path, "")
      err = not at and err or nil
    end
    if err then
      cmd:failed(("cannot touch '%s'"):format(path), err)
    end
  end
end

-- ---- moving, copying, linking ----

--- Returns where something goes: into a folder under its own name.
local function destination(cmd, from, to, as_file)
  local at, entry = files.find(cmd.host, cmd.user, to)
  if at and entry and entry.type == "dir" and not as_file then
    local name = from:gsub("/+$", ""):match("([^/]+)$")
    return (to:gsub("/+$", "")) .. "/" .. name
  end
  return to
end

local function each_pair(cmd, opts, words, fn)
  local to = table.remove(words)
  if not words[1] then
    local given = to and ("missing destination file operand after '%s'"):format(to)
    cmd:complain(
      "%s\nTry '%s --help' for more information.",
      given or "missing file operand",
      cmd.name
    )
    return
  end
  local at, entry = files.find(cmd.host, cmd.user, to)
  if #words > 1 and not (at and entry and entry.type == "dir") then
    return cmd:complain(
      "target '%s': %s",
      to,
      at and entry and files.TEXT.ENOTDIR or files.TEXT.ENOENT
    )
  end
  for _, from in ipairs(words) do
    fn(from, destination(cmd, from, to, opts.T))
  end
end

function R.mv(cmd)
  local opts, words = cmd:options("fnT", { ["--force"] = "f", ["--no-clobber"] = "n" })
  each_pair(cmd, opts, words, function(from, to)
    local at, err = files.existing(cmd.host, cmd.user, from, { follow = false })
    if not at then
      return cmd:failed(("cannot stat '%s'"):format(from), err)
    end
    local _, there = files.find(cmd.host, cmd.user, to, { follow = false })
    if opts.n and type(there) == "table" then
      return
    end
    if type(there) == "table" and there.type ~= "dir" and err.type == "dir" then
      return cmd:complain("cannot overwrite non-directory '%s' with directory '%s'", to, from)
    end
    local ok, problem = alter.rename(cmd.host, cmd.user, from, to)
    if problem == "EINVAL" then
      cmd:complain("cannot move '%s' to a subdirectory of itself, '%s'", from, to)
    elseif not ok then
      cmd:failed(("cannot move '%s' to '%s'"):format(from, to), problem)
    end
  end)
end

local function copy(cmd, opts, from, to)
  local host, who = cmd.host, cmd.user
  local deep = opts.r or opts.R or opts.a
  local at, entry = files.existing(host, who, from, { follow = not (deep or opts.P) })
  if not at then
    return cmd:failed(("cannot stat '%s'"):format(from), entry)
  elseif entry.type == "dir" and not deep then
    return cmd:complain("-r not specified; omitting directory '%s'", from)
  end
  local made, err
  if entry.type == "dir" then
    local _, there = files.find(host, who, to)
    made, err = to, nil
    if not there then
      made, err = alter.make(host, who, to, { type = "dir", mode = entry.mode & ~18 })
    end
    for _, name in ipairs(made and files.names(host, at) or {}) do
      copy(cmd, opts, from .. "/" .. name, to .. "/" .. name)
    end
  elseif entry.type == "link" then
    made, err = alter.make(host, who, to, { type = "link", mode = 511, to = entry.to })
  else
    local content, problem = files.read(host, who, at)
    if not content then
      return cmd:failed(("cannot open '%s' for reading"):format(from), problem)
    end
    made, err = alter.write(host, who, to, content, { mode = entry.mode & ~18 })
    if err == "ENOSPC" then
      return cmd:failed(("error writing '%s'"):format(to), err)
    end
  end
  if not made then
    local what = entry.type == "dir" and "cannot create directory '%s'"
      or "cannot create regular file '%s'"
    return cmd:failed(what:format(to), err)
  end
  if opts.p or opts.a then
    modes.keep(cmd, to, entry)
  end
end

function R.cp(cmd)
  local long = { ["--recursive"] = "r", ["--preserve"] = "p", ["--archive"] = "a" }
  local opts, words = cmd:options("rRapfPTL", long)
  each_pair(cmd, opts, words, function(from, to)
    copy(cmd, opts, from, to)
  end)
end

function R.ln(cmd)
  local opts, words = cmd:options("sfnT", { ["--symbolic"] = "s", ["--force"] = "f" })
  if not opts.s then
    cmd:unmodelled("hard links")
  end
  each_pair(cmd, { T = opts.T or opts.n }, words, function(from, to)
    if opts.f then
      alter.remove(cmd.host, cmd.user, to)
    end
    local ok, err = alter.make(cmd.host, cmd.user, to, { type = "link", mode = 511, to = from })
    if not ok then
      cmd:failed(("failed to create symbolic link '%s'"):format(to), err)
    end
  end)
end

-- ---- modes and owners ----

function R.chmod(cmd)
  local opts, words = cmd:options("Rf", { ["--recursive"] = "R" })
  local text = table.remove(words, 1) or ""
  if not modes.read(text, 420, 18) then
    return cmd:complain("invalid mode: '%s'\nTry 'chmod --help' for more information.", text)
  end
  modes.each(cmd, words, opts.R, "changing permissions of '%s'", function(entry)
    return { mode = modes.read(text, entry.mode, 18, entry.type == "dir") }
  end)
end

local function change_owner(cmd, opts, text, words)
  local user, colon, group = text:match("^([^:]*)(:?)([^:]*)$")
  if user ~= "" and not cmd.host.users[user] and not user:find("^%d+$") then
    return cmd:complain("invalid user: '%s'", text)
  elseif group ~= "" and not cmd.host.groups[group] and not group:find("^%d+$") then
    return cmd:complain(user == "" and "invalid group: '%s'" or "invalid group: '%s'", text)
  end
  if colon ~= "" and group == "" and user ~= "" then
    group = cmd.host:group_of(user)
  end
  modes.each(cmd, words, opts.R, "changing ownership of '%s'", function(entry)
    if cmd.user ~= "root" then
      return nil
    end
    return {
      owner = user ~= "" and modes.user(cmd.host, user) or entry.owner,
      group = group ~= "" and modes.group(cmd.host, group) or entry.group,
    }
  end)
end

function R.chown(cmd)
  local opts, words = cmd:options("Rh", { ["--recursive"] = "R" })
  change_owner(cmd, opts, table.remove(words, 1) or "", words)
end

function R.chgrp(cmd)
  local opts, words = cmd:options("R", { ["--recursive"] = "R" })
  local group = table.remove(words, 1) or ""
  if not cmd.host.groups[group] and not group:find("^%d+$") then
    return cmd:complain("invalid group: '%s'", group)
  end
  change_owner(cmd, opts, ":" .. group, words)
end

return R
