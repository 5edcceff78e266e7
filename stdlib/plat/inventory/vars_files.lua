--- group_vars and host_vars: NAME, NAME.yml, NAME.yaml, NAME.json or the files in the folder NAME;
--- YAML, JSON, or either encrypted as a whole by Ansible Vault.
local fault = require("plat.fault")
local fs = require("prim.fs")
local json = require("plat.json")
local lazy = require("plat.env").lazy
local list = require("plat.list")
local value = lazy("plat.inventory.value")
local vault = lazy("plat.ansible_vault")
local yaml = lazy("plat.inventory.yaml")

local M = {}

local ENDINGS = { "", ".yml", ".yaml", ".json" }
local MAGIC = "$ANSIBLE_VAULT"

local function has_ending(name)
  local ending = name:match("^.+(%.[^.]*)$") or ""
  return list.contains(ENDINGS, ending), ending
end

--- Returns the files in a folder and in those below it.
local function in_folder(path, found)
  for _, name in ipairs(fault.must({ op = "inventory", object = path }, fs.list(path))) do
    local full = path .. "/" .. name
    local known, ending = has_ending(name)
    if known and not name:find("^%.") and name:sub(-1) ~= "~" then
      if fs.stat(full).type ~= "directory" then
        found[#found + 1] = full
      elseif ending == "" then
        in_folder(full, found)
      end
    end
  end
  return found
end

--- Returns the files with the variables of one group or host: of the first name that there is.
local function files_of(dir, name)
  for _, ending in ipairs(ENDINGS) do
    local path = dir .. "/" .. name .. ending
    local info = fs.stat(path)
    if info then
      return info.type == "directory" and in_folder(path, {}) or { path }
    end
  end
  return {}
end

local function decrypt(file)
  local password = require("plat.ansible_vault.password")
  local passwords = password.find(vault.label(file.text))
  local text = vault.decrypt(file.text, passwords, { name = file.name })
  return list.merge(file, { text = text, encrypted = true })
end

--- Returns the data of a file and, if it is YAML, the places of its keys.
local function decode(file)
  if file.text:find("^%s*{") then
    local data = fault.try(json.decode, file.text)
    if data then
      return value.from_json(data), {}
    end
  end
  local ok, err = fault.try(yaml.parse, file)
  if not ok and file.encrypted then -- what YAML says about a mistake may quote the text
    fault.raise("parse", nil, {
      msg = ("%s: the decrypted text is not YAML"):format(file.name),
      hint = "ansible-vault view shows it",
      where = "",
    })
  elseif not ok then
    error(err, 0)
  end
  return file.documents[1], file.places
end

local function read(file, into)
  if file.text:sub(1, #MAGIC) == MAGIC then
    file = decrypt(file)
  end
  local data, places = decode(file)
  if data == nil or data == json.null then
    return
  elseif type(data) ~= "table" or json.is_array(data) then
    fault.raise("parse", nil, {
      msg = ("%s:1: variables are keys and values"):format(file.name),
      hint = "such as http_port: 80",
      where = "",
    })
  end
  file.places = places
  for _, place in ipairs(yaml.keys(file, data)) do
    local key, line = place[1], place[2]
    local item = data[key]
    into.vars[key] = file.encrypted and value.seal(file.name, key, item) or item
    into.origin[key] = { name = file.name, line = line }
  end
end

--- Reads what stands in `dir/group_vars` and `dir/host_vars` for the groups and hosts of a tree.
---@async
---@param tree plat.inventory.Tree
---@param dir string
---@param open fun(path: string): { name: string, text: string } reads one file
---@return { groups: table, hosts: table } layer
function M.read(tree, dir, open)
  local layer = { groups = {}, hosts = {} }
  local function read_kind(kind, known, into)
    if not (fs.stat(dir .. "/" .. kind) or {}).type then
      return
    end
    for _, name in ipairs(list.keys(known)) do
      local files = name:sub(1, 1) ~= "/" and files_of(dir .. "/" .. kind, name) or {}
      for _, path in ipairs(files) do
        into[name] = into[name] or { vars = {}, origin = {} }
        read(open(path), into[name])
      end
    end
  end
  read_kind("group_vars", tree.groups_by_name, layer.groups)
  read_kind("host_vars", tree.hosts_by_name, layer.hosts)
  return layer
end

return M
