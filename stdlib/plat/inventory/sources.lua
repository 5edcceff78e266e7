--- Where an inventory is read from: files, folders, programs, lists of hosts.
local check = require("plat.check")
local fault = require("plat.fault")
local fs = require("prim.fs")
local list = require("plat.list")
local yaml = require("plat.inventory.yaml")

local M = {}

local MAX_FILE = 16 * 1024 * 1024
local WORLD_WRITABLE, EXECUTABLE = 2, 73 -- 0002, 0111
local IGNORED = { "pyc", "pyo", "swp", "bak", "rpm", "md", "txt", "rst", "orig", "cfg", "retry" }

local function refuse(kind, msg, hint)
  fault.raise(kind, nil, { msg = msg, hint = hint, where = "" })
end

--- Returns the folder that a path is in.
---@param path string
---@return string
function M.folder(path)
  local dir = path:match("^(.*)/[^/]*$")
  return dir == "" and "/" or dir or "."
end

local function stat(path)
  if path == "" then
    refuse("usage", "inventory: the path is empty", "say -i PATH; inventory/production is one")
  end
  local info, err = fs.stat(path)
  if not info then
    local close = check.did_you_mean(path:match("[^/]*$"), fs.list(M.folder(path)) or {})
    refuse(
      "usage",
      ("inventory: %s%s"):format(err.msg, close),
      "-i, PLATRUN_INVENTORY or `inventory:` in platrun.conf choose it"
    )
  elseif info.mode & WORLD_WRITABLE ~= 0 then
    refuse(
      "refused",
      ("inventory %s: everybody may write to it"):format(path),
      "chmod o-w " .. path
    )
  end
  return info
end

local function file_of(path, text, err)
  fault.must({ op = "inventory", object = path }, text, err)
  return { name = path, text = text, dir = M.folder(path) }
end

--- Returns the text of a file that not everybody may write to.
---@param path string
---@return { name: string, text: string, dir: string }
function M.read(path)
  stat(path)
  return file_of(path, fs.read(path, { max = MAX_FILE }))
end

--- Returns what a run remembers of a program: its text, if it is one.
---@param path string
---@return { name: string, text: string }
function M.program(path)
  return { name = path, text = fs.read(path, { max = MAX_FILE }) or "" }
end

local function is_yaml(file)
  if file.name:find("%.ya?ml$") or file.name:find("%.json$") then
    return true
  elseif file.name:find("%.toml$") then
    refuse(
      "parse",
      file.name .. ":1: TOML inventories are not supported",
      "ansible-inventory -i FILE --list --yaml --export > hosts.yml makes an inventory of it"
    )
  elseif file.name:find("%.[^./]+$") and not file.name:find("/[^/]*%.d/") then
    return false
  end
  local first = ("\n" .. file.text):match("\n[ \t]*([^#;%s][^\n]*)") or ""
  return first:find("^%-%-%-") ~= nil
    or first:find("^{") ~= nil
    or first:find("^[^%s=]+:%s") ~= nil
    or first:find("^[^%s=]+:$") ~= nil
end

local function is_ignored(name)
  local ending = name:match("%.([^.]*)$")
  return name:sub(1, 1) == "."
    or name:sub(-1) == "~"
    or name == "group_vars"
    or name == "host_vars"
    or name == "vars_plugins"
    or list.contains(IGNORED, ending)
end

--- Returns whether a file is a program: it begins with "#!", or is executable and no text.
local function is_program(path, info, text)
  if info.size > MAX_FILE then
    return info.mode & EXECUTABLE ~= 0
  end
  if text:sub(1, 2) == "#!" and info.mode & EXECUTABLE == 0 then
    refuse(
      "parse",
      path .. ":1: a program that is not executable",
      ("chmod +x %s, or remove the first line"):format(path)
    )
  end
  return info.mode & EXECUTABLE ~= 0 and (text:sub(1, 2) == "#!" or text:find("^\127ELF") ~= nil)
end

local function collect_file(path, info, items)
  local text, err = fs.read(path, { max = MAX_FILE })
  if is_program(path, info, text or "") then
    items[#items + 1] = { program = path }
    return
  end
  local file = file_of(path, text, err)
  file.is_yaml = is_yaml(file)
  if file.is_yaml then
    yaml.parse(file)
  end
  items[#items + 1] = { file = file }
end

local function collect(path, items)
  local info = stat(path)
  if info.type ~= "directory" then
    return collect_file(path, info, items)
  end
  for _, name in ipairs(fault.must({ op = "inventory", object = path }, fs.list(path))) do
    if not is_ignored(name) then
      collect(path == "/" and "/" .. name or path .. "/" .. name, items)
    end
  end
end

---@class plat.inventory.Sources
---@field items table[] `{ file }`, `{ program }` or `{ hosts }`, in their order
---@field beside string[] folders in which group_vars and host_vars are looked for, in their order
---@field is_sandbox boolean a file says that the targets are simulated

--- Looks at what paths name, and reads the files; no program is run yet.
---@param paths string[]
---@return plat.inventory.Sources
function M.open(paths)
  local self = { items = {}, beside = {}, is_sandbox = false }
  for _, path in ipairs(paths) do
    if path:find(",", 1, true) and not fs.stat(path) then -- a list of hosts: "web1,web2,"
      table.insert(self.items, { hosts = path })
    else
      path = #path > 1 and path:gsub("(.)/+$", "%1") or path
      collect(path, self.items)
      local is_folder = fs.stat(path).type == "directory"
      table.insert(self.beside, is_folder and path or M.folder(path))
    end
  end
  for _, item in ipairs(self.items) do
    if item.file and item.file.is_yaml and yaml.is_sandbox(item.file) then
      self.is_sandbox = true
    end
  end
  local program = list.find(self.items, function(item)
    return item.program ~= nil
  end)
  if program and self.is_sandbox then
    refuse(
      "refused",
      ("the inventory is of the sandbox; %s would run on this machine"):format(program.program),
      "leave one of them out, or write what the program prints into a file"
    )
  end
  return self
end

return M
