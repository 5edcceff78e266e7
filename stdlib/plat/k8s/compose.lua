--- What a change makes of an object that the plan has changed before: the server cannot tell, as it
--- knows nothing of the first change, so the two are put together here. Pure.

local json = require("plat.json")
local list = require("plat.list")

local M = {}

local function is_list(value)
  return type(value) == "table" and (json.is_array(value) or rawlen(value) > 0)
end

local function is_map(value)
  return type(value) == "table" and not is_list(value)
end

--- Merges by RFC 7386.
---@param target any taken over
---@param patch any
---@return any
function M.merge(target, patch)
  if not is_map(patch) then
    return list.deep_copy(patch)
  end
  local out = is_map(target) and target or {}
  for key, value in pairs(patch) do
    if value == json.null then
      out[key] = nil
    else
      out[key] = M.merge(out[key], value)
    end
  end
  return out
end

-- ---- JSON patch (RFC 6902) ----

local function parts_of(pointer)
  local parts = {}
  for part in (pointer .. "/"):sub(2):gmatch("([^/]*)/") do
    parts[#parts + 1] = (part:gsub("~1", "/"):gsub("~0", "~"))
  end
  return parts
end

--- Returns the table that holds what a pointer names, and its key there; nil if there is none.
local function locate(root, pointer)
  local parts = parts_of(pointer)
  local at = root
  for i = 1, #parts do
    if type(at) ~= "table" then
      return nil
    end
    local key = parts[i]
    if is_list(at) then
      key = key == "-" and #at + 1 or (math.tointeger(tonumber(key)) or -1) + 1
    end
    if i == #parts then
      return at, key
    end
    at = at[key]
  end
end

local function put(at, key, value)
  if is_list(at) then
    if key < 1 or key > #at + 1 then
      return nil
    end
    table.insert(at, key, value)
  else
    at[key] = value
  end
  return true
end

local function take(at, key)
  local value = at[key]
  if is_list(at) and value ~= nil then
    table.remove(at, key)
  else
    at[key] = nil
  end
  return value
end

local OPS = {}

function OPS.add(at, key, op)
  return put(at, key, list.deep_copy(op.value))
end

function OPS.remove(at, key)
  return take(at, key) ~= nil
end

function OPS.replace(at, key, op)
  if at[key] == nil then
    return nil
  end
  at[key] = list.deep_copy(op.value)
  return true
end

function OPS.test(at, key, op)
  return list.deep_equal(at[key], op.value)
end

function OPS.move(at, key, op, root)
  local from, from_key = locate(root, op.from or "")
  local value = from and take(from, from_key)
  return value ~= nil and put(at, key, value)
end

function OPS.copy(at, key, op, root)
  local from, from_key = locate(root, op.from or "")
  return from and from[from_key] ~= nil and put(at, key, list.deep_copy(from[from_key]))
end

local function operate(root, patch)
  for _, op in ipairs(patch) do
    local fn = OPS[op.op]
    local at, key = locate(root, tostring(op.path))
    if not fn or not at or not fn(at, key, op, root) then
      return nil
    end
  end
  return root
end

--- Whether a strategic patch has lists or directives, whose meaning the server's types decide.
local function needs_types(patch)
  for key, value in pairs(patch) do
    if tostring(key):find("^%$") or is_list(value) then
      return true
    elseif is_map(value) and needs_types(value) then
      return true
    end
  end
  return false
end

--- Returns an object with a patch on it, nil where only the server can tell.
---@param object table
---@param patch table
---@param kind "merge"|"json"|"strategic"
---@return table?
function M.patched(object, patch, kind)
  local copy = list.deep_copy(object)
  if kind == "json" then
    return operate(copy, patch)
  elseif kind == "strategic" and needs_types(patch) then
    return nil
  end
  return M.merge(copy, patch)
end

--- Whether each leaf of one manifest has its counterpart in another: then applying the other one
--- takes nothing away that the first had set.
---@param old any
---@param new any
---@return boolean
function M.covers(new, old)
  if not is_map(old) then
    return new ~= nil and (not is_list(old) or list.deep_equal(old, new))
  elseif not is_map(new) then
    return false
  end
  for key, value in pairs(old) do
    if not M.covers(new[key], value) then
      return false
    end
  end
  return true
end

local OF_THE_SERVER = {
  "uid",
  "resourceVersion",
  "creationTimestamp",
  "managedFields",
  "generation",
  "deletionTimestamp",
  "deletionGracePeriodSeconds",
  "selfLink",
}

--- Returns an object as it would be created anew.
---@param object table
---@return table
function M.fresh(object)
  local copy = list.deep_copy(object)
  setmetatable(copy.metadata, nil)
  for _, field in ipairs(OF_THE_SERVER) do
    copy.metadata[field] = nil
  end
  copy.status = nil
  return copy
end

return M
