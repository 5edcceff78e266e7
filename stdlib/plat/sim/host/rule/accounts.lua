--- Users and groups.

local alter = require("plat.sim.host.alter")
local live = require("plat.sim.host.live")

local R = {}

function R.getent(cmd)
  local _, words = cmd:options("")
  local database, key = words[1], words[2]
  if database ~= "passwd" and database ~= "group" then
    cmd:unmodelled("the database " .. tostring(database))
  end
  local text = live[database](cmd.host, key)
  cmd:say(text)
  cmd.code = (not key or text ~= "") and 0 or 2
end

local function needs_root(cmd)
  if cmd.user == "root" then
    return true
  end
  cmd:complain("Permission denied.")
  cmd:complain(
    "cannot lock /etc/%s; try again later.",
    cmd.name:find("group") and "group" or "passwd"
  )
  cmd.code = cmd.name:find("group") and 10 or 1
end

local function free_id(taken, system)
  local id = system and 999 or 1000
  while taken[id] do
    id = system and id - 1 or id + 1
  end
  return id
end

local function gids(host)
  local taken = {}
  for name, gid in pairs(host.groups) do
    taken[gid] = name
  end
  return taken
end

local function uids(host)
  local taken = {}
  for name, user in pairs(host.users) do
    taken[user.uid] = name
  end
  return taken
end

local function to_groups(cmd, text)
  local groups = {}
  for name in (text or ""):gmatch("[^,]+") do
    if not cmd.host.groups[name] then
      cmd:complain("group '%s' does not exist", name)
      cmd.code = 6
    end
    groups[#groups + 1] = name
  end
  return groups
end

local USER = {
  ["--system"] = "r",
  ["--uid"] = "u",
  ["--gid"] = "g",
  ["--groups"] = "G",
  ["--home-dir"] = "d",
  ["--home"] = "d",
  ["--shell"] = "s",
  ["--create-home"] = "m",
  ["--no-create-home"] = "M",
  ["--append"] = "a",
  ["--comment"] = "c",
  ["--user-group"] = "U",
}

function R.useradd(cmd)
  local opts, words = cmd:options("ru:g:G:d:s:mMc:U", USER)
  local host, name = cmd.host, words[1] or cmd:unmodelled("no name")
  if not needs_root(cmd) then
    return
  elseif host.users[name] then
    cmd:complain("user '%s' already exists", name)
    cmd.code = 9
    return
  end
  local groups = to_groups(cmd, opts.G)
  local uid = math.tointeger(tonumber(opts.u)) or free_id(uids(host), opts.r)
  if opts.g and not host.groups[opts.g] then
    cmd:complain("group '%s' does not exist", opts.g)
    cmd.code = 6
  end
  if cmd.code ~= 0 then
    return
  end
  local group = opts.g or name
  host.groups[group] = host.groups[group]
    or (not gids(host)[uid] and uid or free_id(gids(host), opts.r))
  host.users[name] = {
    uid = uid,
    group = group,
    groups = groups,
    home = opts.d or "/home/" .. name,
    shell = opts.s or "/bin/sh",
    gecos = opts.c,
  }
  if opts.m then
    local home = host.users[name].home
    alter.make(host, "root", home, { type = "dir", mode = 448 })
    local own = host.files[home]
    own.owner, own.group = name, group
  end
end

function R.usermod(cmd)
  local opts, words = cmd:options("aG:s:d:c:g:", USER)
  local user = cmd.host.users[words[1] or ""]
  if not needs_root(cmd) then
    return
  elseif not user then
    cmd:complain("user '%s' does not exist", words[1] or "")
    cmd.code = 6
    return
  end
  local groups = to_groups(cmd, opts.G)
  if cmd.code ~= 0 then
    return
  elseif opts.G then
    local kept = opts.a and user.groups or {}
    for _, group in ipairs(groups) do
      if not cmd.host:in_group(words[1], group) or not opts.a then
        kept[#kept + 1] = group
      end
    end
    user.groups = kept
  end
  user.shell, user.home, user.gecos =
    opts.s or user.shell, opts.d or user.home, opts.c or user.gecos
  user.group = opts.g or user.group
end

function R.userdel(cmd)
  local opts, words = cmd:options("rf")
  local name = words[1] or ""
  local user = cmd.host.users[name]
  if not needs_root(cmd) then
    return
  elseif not user then
    cmd:complain("user '%s' does not exist", name)
    cmd.code = 6
    return
  end
  cmd.host.users[name] = nil
  if user.group == name then
    cmd.host.groups[name] = nil
  end
  if opts.r then
    alter.remove(cmd.host, "root", user.home, true)
  end
end

function R.groupadd(cmd)
  local opts, words =
    cmd:options("rg:f", { ["--system"] = "r", ["--gid"] = "g", ["--force"] = "f" })
  local name = words[1] or ""
  if not needs_root(cmd) then
    return
  elseif cmd.host.groups[name] then
    if not opts.f then
      cmd:complain("group '%s' already exists", name)
      cmd.code = 9
    end
    return
  end
  cmd.host.groups[name] = math.tointeger(tonumber(opts.g)) or free_id(gids(cmd.host), opts.r)
end

function R.groupdel(cmd)
  local _, words = cmd:options("")
  local name = words[1] or ""
  if not needs_root(cmd) then
    return
  elseif not cmd.host.groups[name] then
    cmd:complain("group '%s' does not exist", name)
    cmd.code = 6
    return
  end
  cmd.host.groups[name] = nil
end

return R
