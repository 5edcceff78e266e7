--- Inventories as YAML: groups with `hosts`, `vars` and `children`, and the `platrun:` key.
local check = require("plat.check")
local fault = require("plat.fault")
local json = require("plat.json")
local names = require("plat.env").lazy("plat.inventory.names")
local services = require("plat.inventory.services")
local yaml = require("plat.yaml")

local M = {}

local KEYS = { "hosts", "vars", "children" }
local HINT = "inventory/production shows the form; `platrun:` is a key of its own"

---@class plat.inventory.File
---@field name string
---@field text string
---@field dir string
---@field documents any[]
---@field places table<table, any[]>

local function fail(file, line, msg, hint)
  fault.raise("parse", nil, {
    msg = ("%s:%d: %s"):format(file.name, line or 1, msg),
    hint = hint or HINT,
    where = "",
  })
end

--- Reads a text into the file's `documents`, with the places of all keys.
---@param file { name: string, text: string }
---@return plat.inventory.File file
function M.parse(file)
  local opts = { dialect = "ansible", name = file.name, places = true }
  file.documents, file.places = yaml.decode(file.text, opts)
  return file
end

--- Returns what says, in an origin, where a key stands.
local function origin_of(file, line)
  return { name = file.name, line = line }
end

--- Returns the keys of a mapping with their lines, in the order of the text; those that came by
--- `<<` first, as PyYAML has them.
---@param file plat.inventory.File
---@param mapping table
---@return { [1]: string, [2]: integer? }[]
function M.keys(file, mapping)
  local places, own, merged = file.places[mapping] or {}, {}, {}
  local is_own = {}
  for i = 1, #places, 2 do
    own[#own + 1], is_own[places[i]] = { places[i], places[i + 1] }, true
  end
  for key in pairs(mapping) do
    if not is_own[key] then
      merged[#merged + 1] = { key, own[1] and own[1][2] }
    end
  end
  return table.move(own, 1, #own, #merged + 1, merged)
end

local function is_mapping(value)
  return type(value) == "table" and not json.is_array(value) and value.__tag == nil
end

--- Returns a mapping, an empty one for nothing.
local function mapping(file, value, name, line)
  if value == nil or value == json.null then
    return {}
  elseif not is_mapping(value) then
    fail(file, line, ('"%s" must hold keys and values'):format(name))
  end
  return value
end

local function set_vars(tree, file, into, value)
  for _, place in ipairs(M.keys(file, value)) do
    local key, line = place[1], place[2]
    local problem = tree:set(into, key, value[key], origin_of(file, line))
    if problem then
      fail(file, line, problem)
    end
  end
end

local add_group
local sections = {}

function sections.vars(tree, file, group, value)
  set_vars(tree, file, group, value)
end

function sections.hosts(tree, file, group, value)
  for _, place in ipairs(M.keys(file, value)) do
    local text, line = place[1], place[2]
    local hosts, port = names.hosts(text)
    if not hosts then
      fail(file, line, port)
    end
    local vars = mapping(file, value[text], text, line)
    for _, name in ipairs(hosts) do
      local is_new = not tree.hosts_by_name[name]
      local host = tree:host(name, group, file.name)
      if port and is_new then
        host.vars.ansible_port = port
      end
      set_vars(tree, file, host, vars)
    end
  end
end

function sections.children(tree, file, group, value)
  for _, place in ipairs(M.keys(file, value)) do
    local name, line = place[1], place[2]
    add_group(tree, file, name, value[name], line)
    local ok, problem = tree:child(group, name)
    if not ok then
      fail(file, line, problem)
    end
  end
end

function add_group(tree, file, name, value, at)
  local group = tree:group(name)
  value = mapping(file, value, name, at)
  for _, place in ipairs(M.keys(file, value)) do
    local key, line = place[1], place[2]
    local section = sections[key]
    if not section then
      local close = check.did_you_mean(tostring(key), KEYS)
      fail(file, line, ('unknown key "%s" in group %s%s'):format(key, name, close))
    end
    local inner = value[key]
    if type(inner) == "string" then -- one host, one child
      inner = { [inner] = json.null }
    end
    section(tree, file, group, mapping(file, inner, key, line))
  end
end

--- Returns whether a file says that its targets are simulated, nil if it does not have the key.
---@param file plat.inventory.File
---@return boolean?
function M.is_sandbox(file)
  local is
  for _, document in ipairs(file.documents) do
    local own = is_mapping(document) and document.platrun
    if own then
      is = is or is_mapping(own) and own.sandbox == true
    end
  end
  return is
end

--- Reads a YAML inventory into a tree and returns its services, nil when it names none.
---@param tree plat.inventory.Tree
---@param file plat.inventory.File
---@return table? services
function M.read(tree, file)
  local found
  for _, document in ipairs(file.documents) do
    if document ~= json.null then
      if not is_mapping(document) then
        fail(file, 1, "an inventory holds groups: keys and values")
      end
      for _, place in ipairs(M.keys(file, document)) do
        local name, line = place[1], place[2]
        local value = document[name]
        if name == "platrun" then
          found = services.merge(found or {}, services.read(value, file))
        elseif name == "plugin" and type(value) == "string" then
          fail(
            file,
            line,
            ("the inventory plugin %s is Ansible's"):format(value),
            "ansible-inventory -i FILE --list --yaml --export > hosts.yml makes an inventory of it"
          )
        else
          add_group(tree, file, name, value, line)
        end
      end
    end
  end
  return found
end

return M
