--- Inventories as INI and YAML text: faults name file and line; what is read can be listed, each
--- host is found by its name, and what is listed is the same after it was written and read again.
local fuzz = ...
local fs = require("prim.fs")
local groups = require("plat.inventory.groups")
local ini = require("plat.inventory.ini")
local json = require("plat.json")
local list = require("plat.list")
local listing = require("plat.inventory.listing")
local pattern = require("plat.inventory.pattern")
local value = require("plat.inventory.value")
local yaml = require("plat.inventory.yaml")

local KINDS = { parse = true, refused = true, usage = true }

local function sister(name)
  local path = "tests/real/inventory/" .. name
  return assert(load(assert(fs.read(path)), "@" .. path))()
end

local INI, YAML = {}, {}
for _, source in ipairs({ sister("cases.lua"), sister("cases_ini.lua") }) do
  for _, case in pairs(source) do
    for path, text in pairs(case.files) do
      local kind = path:find("%.ya?ml$") and YAML or path:find("%.[^/]*$") and {} or INI
      if #text < 4000 and text:sub(1, 2) ~= "#!" then
        kind[#kind + 1] = text
      end
    end
  end
end

local function read(text, is_yaml)
  local tree = groups.new()
  if is_yaml then
    yaml.read(tree, yaml.parse({ name = "hosts.yml", text = text, dir = "." }))
  else
    ini.read(tree, { name = "hosts", text = text })
  end
  local problem = tree:finish()
  if problem then
    require("plat.fault").raise("parse", nil, { msg = "hosts:1: " .. problem })
  end
  return tree
end

--- The tree as a YAML inventory: JSON is YAML.
local function write(tree)
  local out = {}
  for _, name in ipairs(tree.group_order) do
    local group = tree.groups_by_name[name]
    local entry = { vars = {}, hosts = {}, children = {} }
    for _, host in ipairs(group.hosts) do
      entry.hosts[host] = value.to_json(tree.hosts_by_name[host].vars)
    end
    for _, child in ipairs(group.children) do
      entry.children[child] = {}
    end
    for key, item in next, group.vars do
      entry.vars[value.json_key(key)] = value.to_json(item)
    end
    out[name] = entry
  end
  return json.encode(out)
end

local function shape(tree)
  local out = {}
  for name, group in next, tree.groups_by_name do
    out[name] = { hosts = list.sort_by(group.hosts), children = list.sort_by(group.children) }
  end
  return out
end

--- INI makes names such as "0:22" of "[:9]:22", as Ansible does; in YAML that is host 0 at port 22.
local function has_port(name)
  return name:find("^[^:]*:%d+$") ~= nil
end

local function check_tree(tree, draw)
  local found = fuzz.try(KINDS, listing.list, { tree = tree }, {})
  json.encode(found or {})
  listing.graph({ tree = tree })
  for i = 1, math.min(#tree.host_order, 5) do
    local name = tree.host_order[i]
    local vars = value.view(tree:entry_of(tree.hosts_by_name[name]), {})
    fuzz.try({ parse = true, refused = true, usage = true, auth = true }, function()
      for _ in pairs(vars) do -- templates and secrets that cannot be made are faults
      end
    end)
    if not name:find("[^%w.-]") and not tree.groups_by_name[name] then
      fuzz.same(pattern.select(tree, name), { name }, "the hosts of " .. name)
    end
  end
  if draw:once_in(4) and not list.find(tree.host_order, has_port) then
    local text = fuzz.try(KINDS, write, tree)
    local again = text and fuzz.try(KINDS, read, text, true)
    if again then -- names that only INI can hold are refused
      fuzz.same(shape(again), shape(tree), "read again")
    end
  end
end

local function target(name, corpus, is_yaml, tokens)
  return {
    name = name,
    kinds = { parse = true, refused = true },
    where = "^hosts[.yml]*:%d+:",
    tokens = tokens,
    corpus = corpus,
    check = function(text, draw)
      check_tree(read(text, is_yaml), draw)
    end,
  }
end

local KEYS =
  { "hosts:", "vars:", "children:", "platrun:", "all:", "\n  ", "\n    ", ": ", "- ", "&a " }
return {
  ini = target("inventory_ini", INI, false, {
    "[web]\n",
    "[web:vars]\n",
    "[web:children]\n",
    "[1:9]",
    "[a:f]",
    "[01:99:3]",
    ":22",
    "k=",
    "ansible_port=",
    "{{ x }}",
    "0x1F",
    "u'",
    "'''",
  }),
  yaml = target(
    "inventory_yaml",
    YAML,
    true,
    list.append
        and list.append(KEYS, { "*a", "<<: ", "!vault ", "!unsafe ", "~", "[", "{", "? ", "| \n" })
      or table.move(
        { "*a", "<<: ", "!vault ", "!unsafe ", "~", "[", "{", "? ", "| \n" },
        1,
        9,
        #KEYS + 1,
        KEYS
      )
  ),
}
