--- Configuration files: platrun.conf of the repository, of the user, of the machine.
--
-- The file is YAML with few keys; paths in it start at its folder. Of one key the nearest file
-- counts: the repository's, then the user's, then the machine's. Flags and PLATRUN_* variables are
-- the command line's business and win over all of them.
local check = require("plat.check")
local fault = require("plat.fault")
local fs = require("prim.fs")
local json = require("plat.json")
local list = require("plat.list")
local locate = require("plat.inventory.locate")
local sys = require("prim.sys")
local yaml = require("plat.yaml")

local M = {}

M.NAME = "platrun.conf"

local MAX_FILE = 1024 * 1024
local WORLD_WRITABLE = tonumber("002", 8)
local STICKY = tonumber("1000", 8)

--- The keys of a configuration file.
M.KEYS = {
  inventory = { type = "list", path = true, help = "inventory files or folders" },
  notify = { type = "list", program = true, help = "a program that is told what happens" },
  notify_url = { type = "list", help = "addresses to which it is sent, by POST" },
}

local function refuse(kind, msg, hint)
  fault.raise(kind, nil, { msg = msg, hint = hint, where = "" })
end

local function folder(path)
  local dir = path:match("^(.*)/[^/]*$")
  return dir == "" and "/" or dir or "."
end

--- Returns a path as the file means it.
local function resolve(path, dir)
  if path:sub(1, 2) == "~/" then
    return (sys.home() or "~") .. path:sub(2)
  elseif path:sub(1, 1) == "/" or path:find(",", 1, true) then
    return path
  elseif dir == "." then
    return path
  end
  return (dir == "/" and "" or dir) .. "/" .. path
end

local function refuse_open(path)
  local info = fs.stat(path)
  if info and info.mode & WORLD_WRITABLE ~= 0 then
    refuse("refused", ("%s: everybody may write to it"):format(path), "chmod o-w " .. path)
  end
  local dir = folder(path)
  info = fs.stat(dir)
  if info and info.mode & WORLD_WRITABLE ~= 0 and info.mode & STICKY == 0 then
    refuse(
      "refused",
      ("%s: everybody may put a %s into it"):format(dir, M.NAME),
      "chmod o-w " .. dir
    )
  end
end

local function to_list(value)
  return type(value) == "table" and value or { value }
end

--- Checks the values of one file. Pure.
---@param text string
---@param name string of the file, for messages
---@param dir string where relative paths start
---@return table values
function M.parse(text, name, dir)
  local document = yaml.decode_one(text, { name = name })
  if document == json.null then
    return {}
  end
  local function fail(key, msg)
    local known = "the keys are: " .. table.concat(list.keys(M.KEYS), ", ")
    refuse("parse", ("%s:%d: %s"):format(name, locate.line(text, { key }), msg), known)
  end
  if type(document) ~= "table" or #document > 0 then
    refuse("parse", name .. ":1: expected lines of KEY: VALUE", "such as inventory: PATH")
  end
  local values = {}
  for key, value in pairs(document) do
    local decl = M.KEYS[key]
    if not decl then
      local close = check.did_you_mean(tostring(key), list.keys(M.KEYS))
      fail(key, ('unknown key "%s"%s'):format(key, close))
    end
    local single = type(value) ~= "table" or json.is_array(value)
    local what = decl.path and "path" or "text"
    values[key] = list.map(single and to_list(value) or { false }, function(item)
      if type(item) ~= "string" or item == "" then
        fail(key, ("%s: expected a %s or a list of %ss"):format(key, what, what))
      end
      return decl.path and resolve(item, dir) or item
    end)
    if decl.program and values[key][1] and values[key][1]:find("/", 1, true) then
      values[key][1] = resolve(values[key][1], dir) -- a bare name is searched in PATH
    end
  end
  return values
end

local function read(path)
  local text, err = fs.read(path, { max = MAX_FILE })
  if not text then
    return nil, err
  end
  refuse_open(path)
  return M.parse(text, path, folder(path))
end

--- Looks for the file in a folder and upward, to the root of the repository or of the file system.
---@param dir string absolute or relative
---@return string|nil path short when it is in the current folder
function M.search(dir)
  local here = fs.realpath(".")
  local real = fs.realpath(dir)
  while real do
    local path = (real == "/" and "" or real) .. "/" .. M.NAME
    if fs.stat(path) then
      return real == here and M.NAME or path
    elseif real == "/" or fs.stat(real .. "/.git") then
      return nil
    end
    real = folder(real)
  end
  return nil
end

local function project_file(opts)
  local found = opts.playbook and M.search(folder(opts.playbook))
  return found or M.search(".")
end

local function set(name)
  local value = sys.getenv(name)
  return value and value ~= "" and value or nil
end

local function other_files()
  local home = sys.home()
  local user = set("XDG_CONFIG_HOME") or home and home .. "/.config"
  return { user and ("%s/platrun/%s"):format(user, M.NAME), "/etc/platrun/" .. M.NAME }
end

--- Reads the configuration.
---@param opts? { path: string?, playbook: string? } `path`: this file instead of the repository's
---@return table values by key; `path` is the nearest file, nil when there is none; `from` says
---  which file each key comes from
function M.load(opts)
  opts = opts or {}
  local paths = { opts.path or project_file(opts) or nil }
  for _, path in ipairs(other_files()) do
    paths[#paths + 1] = path
  end
  local out = { from = {} }
  for _, path in ipairs(paths) do
    local values, err = read(path)
    if not values and (path == opts.path or err.code ~= 2) then
      refuse("usage", "configuration: " .. err.msg, "--config and PLATRUN_CONFIG choose it")
    end
    out.path = out.path or values and path
    for key, value in pairs(values or {}) do
      if out[key] == nil then
        out[key], out.from[key] = value, path
      end
    end
  end
  return out
end

return M
