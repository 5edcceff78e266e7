--- Inventories as YAML: groups with `hosts`, `vars` and `children`, and the `platrun:` key.
local check = require("plat.check")
local fault = require("plat.fault")
local json = require("plat.json")
local locate = require("plat.inventory.locate")
local names = require("plat.env").lazy("plat.inventory.names")
local services = require("plat.inventory.services")
local yaml = require("plat.yaml")

local M = {}

local KEYS = { "hosts", "vars", "children" }

local function fail(file, path, msg, hint)
  local line = locate.line(file.text, path)
  fault.raise("parse", nil, {
    msg = ("%s:%d: %s"):format(file.name, line, msg),
    hint = hint or "inventory/production shows the form; `platrun:` is a key of its own",
    where = "",
  })
end

--- Returns a mapping, an empty one for nothing.
local function mapping(file, value, path)
  if value == nil or value == json.null then
    return {}
  elseif type(value) ~= "table" or #value > 0 then
    fail(file, path, ('"%s" must hold keys and values'):format(path[#path]))
  end
  return value
end

local function join(path, key)
  local out = table.move(path, 1, #path, 1, {})
  out[#out + 1] = key
  return out
end

local function set_vars(file, into, value, path)
  for key, item in pairs(mapping(file, value, path)) do
    if type(item) == "table" and item.__tag == "!vault" then
      fail(
        file,
        join(path, key),
        key .. ": vault values are not supported",
        "keep the secret in a file or an environment variable"
      )
    end
    into[key] = item
  end
end

local function add_group(tree, file, name, value, path)
  local group = tree:group(name)
  value = mapping(file, value, path)
  for key in pairs(value) do
    if not (key == "hosts" or key == "vars" or key == "children") then
      local close = check.did_you_mean(tostring(key), KEYS)
      fail(file, join(path, key), ('unknown key "%s" in group %s%s'):format(key, name, close))
    end
  end
  set_vars(file, group.vars, value.vars, join(path, "vars"))
  local hosts = value.hosts
  hosts = type(hosts) == "string" and { [hosts] = json.null } or hosts
  hosts = mapping(file, hosts, join(path, "hosts"))
  for _, text in ipairs(locate.keys(file.text, join(path, "hosts"), hosts)) do
    local vars = hosts[text]
    local expanded, problem = names.expand(text)
    if not expanded then
      fail(file, join(join(path, "hosts"), text), problem)
    end
    for _, host in ipairs(expanded) do
      set_vars(file, tree:host(host, group).vars, vars, join(join(path, "hosts"), text))
    end
  end
  local children = mapping(file, value.children, join(path, "children"))
  for _, child in ipairs(locate.keys(file.text, join(path, "children"), children)) do
    local inner = children[child]
    local deeper = join(join(path, "children"), child)
    local ok, problem = tree:child(group, child)
    if not ok then
      fail(file, deeper, problem)
    end
    add_group(tree, file, child, inner, deeper)
  end
end

--- Reads a YAML inventory into a tree and returns its services, nil when it names none.
---@param tree plat.inventory.Tree
---@param file { name: string, text: string, dir: string }
---@return table? services
function M.read(tree, file)
  local documents = yaml.decode(file.text, { dialect = "ansible", name = file.name })
  local found
  for _, document in ipairs(documents) do
    if document ~= json.null then
      if type(document) ~= "table" or #document > 0 then
        fail(file, {}, "an inventory holds groups: keys and values")
      elseif document.plugin then
        fail(file, { "plugin" }, "inventory plugins are not supported")
      end
      for _, name in ipairs(locate.keys(file.text, {}, document)) do
        local value = document[name]
        if name == "platrun" then
          found = services.merge(found or {}, services.read(value, file))
        else
          add_group(tree, file, name, value, { name })
        end
      end
    end
  end
  return found
end

--- Reads a file of variables (group_vars, host_vars).
---@param file { name: string, text: string }
---@param into table
function M.read_vars(file, into)
  for _, document in ipairs(yaml.decode(file.text, { dialect = "ansible", name = file.name })) do
    set_vars(file, into, document ~= json.null and document or nil, {})
  end
end

return M
