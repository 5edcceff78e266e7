--- Values of variables: what is encrypted, what is a template, and what a playbook gets of them.
--
-- A template is filled in where it is a variable alone, "{{ name }}"; all else is Jinja, which is
-- Ansible's, and refused where it is read. Encrypted values become secrets where they are read.
local check = require("plat.check")
local fault = require("plat.fault")
local json = require("plat.json")
local lazy = require("plat.env").lazy
local list = require("plat.list")
local secret = lazy("plat.secret")
local vault = lazy("plat.ansible_vault")

local M = {}

local MAX_DEPTH = 50
local BARE = "^{{%s*([%a_][%w_]*)%s*}}$"

--- Where to connect is no secret, also where it stands in an encrypted file.
local PLAIN = { ansible_host = true, ansible_port = true, ansible_user = true }
PLAIN.ansible_connection = true

-- ---- as Ansible writes and reads JSON ----

--- Returns decoded JSON with Ansible's own objects as plat.yaml has their tags.
---@param data any
---@return any
function M.from_json(data)
  if type(data) ~= "table" then
    return data
  elseif data.__ansible_vault ~= nil then
    return { __tag = "!vault", value = data.__ansible_vault }
  elseif data.__ansible_unsafe ~= nil then
    return { __tag = "!unsafe", value = data.__ansible_unsafe }
  end
  local out = setmetatable({}, getmetatable(data))
  for key, item in next, data do
    out[key] = M.from_json(item)
  end
  return out
end

local function unsafe_json(data)
  if type(data) == "string" then
    return { __ansible_unsafe = data }
  elseif type(data) ~= "table" then
    return data
  end
  local out = setmetatable({}, getmetatable(data))
  for key, item in next, data do
    out[key] = unsafe_json(item)
  end
  return out
end

--- Returns a key, or raises kind "parse" if JSON cannot say it.
---@param key any
---@return any
function M.json_key(key)
  if type(key) == "string" and key:find("\0", 1, true) then
    fault.raise("parse", { op = "inventory" }, { msg = ("%q is no key in JSON"):format(key) })
  end
  return key
end

--- Returns a value as `ansible-inventory` prints it: nothing is decrypted.
---@param data any
---@return any
function M.to_json(data)
  if type(data) == "number" and (data ~= data or data == math.huge or data == -math.huge) then
    return tostring(data) -- which JSON cannot say
  elseif type(data) ~= "table" then
    return data
  elseif data.__tag == "!vault" then
    return { __ansible_vault = data.value }
  elseif data.__tag == "!unsafe" then
    return unsafe_json(data.value)
  end
  local out = setmetatable({}, getmetatable(data))
  for key, item in next, data do
    out[M.json_key(key)] = M.to_json(item)
  end
  return out
end

-- ---- secrets ----

local function new_secret(text, name, path)
  return secret.new(text, ("ansible:%s#%s"):format(name, path), { short = true })
end

--- Returns a value of a file that was encrypted as a whole: texts and numbers are secrets.
---@param name string the file
---@param path string of keys, "db.password"
---@param data any
---@return any
function M.seal(name, path, data)
  if PLAIN[path] or data == "" or type(data) == "string" and data:find(BARE) then
    return data
  elseif type(data) == "string" or math.type(data) == "integer" then
    return new_secret(tostring(data), name, path)
  elseif type(data) ~= "table" or data.__tag then
    return data
  end
  local out, first = setmetatable({}, getmetatable(data)), json.is_array(data) and 1 or 0
  for key, item in pairs(data) do
    local part = first == 1 and key - 1 or key
    out[key] = M.seal(name, ("%s.%s"):format(path, part), item)
  end
  return out
end

local function decrypt(data, origin, key)
  local password = require("plat.ansible_vault.password")
  local passwords = password.find(vault.label(data.value))
  local what = ("%s, %s"):format(origin.name, key)
  return new_secret(vault.decrypt(data.value, passwords, { name = what }), origin.name, key)
end

-- ---- templates ----

local function has_template(text)
  return text:find("{[{%%#]") ~= nil
end

--- Returns whether a value is not what a playbook gets, but is to be made into it.
local function is_raw(data)
  if type(data) == "string" then
    return has_template(data)
  elseif type(data) ~= "table" then
    return false
  elseif data.__tag then
    return true
  end
  for _, item in next, data do
    if is_raw(item) then
      return true
    end
  end
  return false
end

local function fail(origin, key, msg, hint)
  local place = origin and origin.line and ("%s:%d: "):format(origin.name, origin.line)
    or origin and origin.name .. ": "
    or ""
  fault.raise("parse", nil, {
    msg = ("%s%s: %s"):format(place, key, msg),
    hint = hint,
    where = "",
  })
end

--- What a playbook sees of an entry: `made` holds what was decrypted or filled in.
local View = {}
View.__index = View

function View:template(text, key, above)
  local origin = self.entry.origin[key]
  local name = text:match(BARE)
  if not name then
    fail(
      origin,
      key,
      ("%q is a Jinja template; only a variable alone is filled in"):format(text:sub(1, 60)),
      'write "{{ name }}", or the value itself, or work it out in the playbook'
    )
  end
  local value = self:get(name, { key = key, above = above })
  if value == nil then
    local close = check.did_you_mean(name, list.keys(self.entry.vars))
    fail(origin, key, ("there is no variable %s%s"):format(name, close))
  end
  return value
end

function View:make(data, key, above, depth)
  if type(data) == "string" then
    return has_template(data) and self:template(data, key, above) or data
  elseif type(data) ~= "table" or depth > MAX_DEPTH then
    return data
  elseif data.__tag == "!vault" then
    return decrypt(data, self.entry.origin[key] or { name = "the inventory" }, key)
  elseif data.__tag then
    return data.value
  end
  local out = setmetatable({}, getmetatable(data))
  for k, item in next, data do
    out[k] = self:make(item, key, above, depth + 1)
  end
  return out
end

--- Returns a variable as a playbook gets it, nil if there is none.
---@param key string
---@param above? { key: string, above: table? } the variables that are made of it
function View:get(key, above)
  local raw = self.entry.vars[key]
  if raw == nil then
    return self.magic[key]
  elseif not is_raw(raw) then
    return raw
  elseif self.made[key] == nil then
    local other = above
    while other do
      if other.key == key then
        fail(self.entry.origin[key], key, "the variable is made of itself")
      end
      other = other.above
    end
    self.made[key] = self:make(raw, key, above, 1)
  end
  return self.made[key]
end

--- Returns the variables of a host as a playbook gets them. What has to be decrypted or filled in
--- is so when it is read, or when `pairs` comes to it; until then the table does not hold it.
---@param entry plat.inventory.Entry
---@param magic table what every host has: inventory_hostname and the like
---@return table vars
function M.view(entry, magic)
  local self = setmetatable({ entry = entry, magic = magic, made = {} }, View)
  local vars, raw = {}, {}
  for key, data in next, entry.vars do
    if is_raw(data) then
      raw[key] = true
    else
      vars[key] = data
    end
  end
  if list.is_empty(raw) then
    return vars
  end
  return setmetatable(vars, {
    __index = function(_, key)
      if raw[key] then
        local value = self:get(key)
        rawset(vars, key, value)
        return value
      end
    end,
    __pairs = function()
      for key in pairs(raw) do
        rawset(vars, key, self:get(key))
      end
      return pairs(setmetatable(list.merge(vars), nil))
    end,
  })
end

return M
