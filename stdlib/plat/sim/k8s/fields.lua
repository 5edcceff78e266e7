--- Sets of fields, as managedFields keep them: what a manager owns, and what a change touches.
---
--- A set is a tree: `{ member = true?, sub = { ["f:spec"] = set, ['k:{"name":"c"}'] = set } }`.
local data = require("plat.sim.k8s.data")
local json = require("plat.json")
local schema = require("plat.sim.k8s.schema")

local M = {}

---@class plat.sim.k8s.FieldSet
---@field member boolean?
---@field sub table<string, plat.sim.k8s.FieldSet>

local function new()
  return { sub = {} }
end
M.new = new

--- Reads the FieldsV1 form.
---@param v1 table
---@return plat.sim.k8s.FieldSet
function M.from_v1(v1)
  local set = new()
  local empty = true
  for key, value in pairs(v1) do
    empty = false
    if key == "." then
      set.member = true
    else
      set.sub[key] = M.from_v1(value)
    end
  end
  set.member = set.member or empty or nil
  return set
end

--- Writes the FieldsV1 form.
---@param set plat.sim.k8s.FieldSet
---@return table
function M.to_v1(set)
  local out = {}
  for key, sub in pairs(set.sub) do
    out[key] = M.to_v1(sub)
  end
  if set.member and not data.is_empty(out) then
    out["."] = {}
  end
  return out
end

--- Says whether a set has no member.
---@param set plat.sim.k8s.FieldSet?
---@return boolean
function M.is_empty(set)
  if not set then
    return true
  elseif set.member then
    return false
  end
  for _, sub in pairs(set.sub) do
    if not M.is_empty(sub) then
      return false
    end
  end
  return true
end

local function combine(a, b, keep)
  local out = new()
  out.member = keep(a and a.member, b and b.member) or nil
  local keys = {}
  for _, set in ipairs({ a or new(), b or new() }) do
    for key in pairs(set.sub) do
      keys[key] = true
    end
  end
  for key in pairs(keys) do
    local sub = combine(a and a.sub[key], b and b.sub[key], keep)
    if not M.is_empty(sub) then
      out.sub[key] = sub
    end
  end
  return out
end

--- Returns the members of either.
---@param a plat.sim.k8s.FieldSet
---@param b plat.sim.k8s.FieldSet
---@return plat.sim.k8s.FieldSet
function M.union(a, b)
  return combine(a, b, function(x, y)
    return x or y
  end)
end

--- Returns the members of both.
---@param a plat.sim.k8s.FieldSet
---@param b plat.sim.k8s.FieldSet
---@return plat.sim.k8s.FieldSet
function M.both(a, b)
  return combine(a, b, function(x, y)
    return x and y
  end)
end

--- Returns the members of the first that the second has not.
---@param a plat.sim.k8s.FieldSet
---@param b plat.sim.k8s.FieldSet
---@return plat.sim.k8s.FieldSet
function M.minus(a, b)
  return combine(a, b, function(x, y)
    return x and not y
  end)
end

--- Says whether a place is replaced as a whole: nothing inside it has an owner of its own.
---@param node plat.sim.k8s.Node?
---@return boolean
function M.is_leaf(node)
  if not node or node.form == "scalar" or node.form == "any" then
    return true
  elseif node.form == "list" then
    return node.mode == "atomic"
  end
  return node.atomic == true
end

local function item_key(node, item)
  local key = {}
  for _, name in ipairs(node.keys) do
    local value = item[name]
    if value == nil then
      local field = schema.child(node.items, name)
      value = field and field.default
    end
    key[name] = value
  end
  return "k:" .. json.encode(key)
end

---@class plat.sim.k8s.Part one element of a place that is no leaf
---@field node plat.sim.k8s.Node?
---@field value any
---@field key any its key in the table
---@field free boolean an item of a list or map, not a field of a structure

--- Returns the elements of a value by their names in sets.
---@param node plat.sim.k8s.Node
---@param value table?
---@return table<string, plat.sim.k8s.Part>
function M.parts(node, value)
  local out = {}
  if value == nil or value == json.null then
    return out
  end
  if node.form == "list" then
    for i, item in ipairs(value) do
      local name = node.mode == "set" and "v:" .. json.encode(item) or item_key(node, item)
      out[name] = { node = node.items, value = item, key = i, free = true }
    end
    return out
  end
  for key, item in pairs(value) do
    local free = node.form == "map"
    out["f:" .. key] = { node = schema.child(node, key), value = item, key = key, free = free }
  end
  return out
end

local function collect(node, value, set)
  if M.is_leaf(node) then
    set.member = true
    return
  end
  for name, part in pairs(M.parts(node, value)) do
    local sub = new()
    collect(part.node, part.value, sub)
    local empty = data.is_map(part.value) and data.is_empty(part.value)
    if part.free or empty or part.value == json.null then
      sub.member = true
    end
    if not M.is_empty(sub) then
      set.sub[name] = sub
    end
  end
end

--- Returns the fields that an applied object names.
---@param node plat.sim.k8s.Node
---@param value table
---@return plat.sim.k8s.FieldSet
function M.of(node, value)
  local set = new()
  collect(node, value, set)
  return set
end

---@class plat.sim.k8s.Difference
---@field added plat.sim.k8s.FieldSet
---@field modified plat.sim.k8s.FieldSet
---@field removed plat.sim.k8s.FieldSet

local differ

local function mark(old, new_value, sets)
  if old == nil then
    sets.added.member = true
  elseif new_value == nil then
    sets.removed.member = true
  elseif not data.equal(old, new_value) then
    sets.modified.member = true
  end
end

local function differ_parts(node, old, new_value, sets)
  local before, after = M.parts(node, old), M.parts(node, new_value)
  local names = {}
  for _, parts in ipairs({ before, after }) do
    for name in pairs(parts) do
      names[name] = true
    end
  end
  for name in pairs(names) do
    local a, b = before[name], after[name]
    local subs = { added = new(), modified = new(), removed = new() }
    differ((a or b).node, a and a.value, b and b.value, subs)
    for which, sub in pairs(subs) do
      if not M.is_empty(sub) then
        sets[which].sub[name] = sub
      end
    end
  end
end

function differ(node, old, new_value, sets)
  if M.is_leaf(node) then
    mark(old, new_value, sets)
    return
  end
  differ_parts(node, old, new_value, sets)
  if old == nil then
    sets.added.member = true
  elseif new_value == nil then
    sets.removed.member = true
  end
end

--- Compares two objects of a kind.
---@param node plat.sim.k8s.Node
---@param old table
---@param object table
---@return plat.sim.k8s.Difference
function M.compare(node, old, object)
  local sets = { added = new(), modified = new(), removed = new() }
  differ(node, old, object, sets)
  return sets
end

local function without(set, path)
  local head, rest = path[1], { table.unpack(path, 2) }
  local sub = set.sub[head]
  if not sub then
    return
  elseif #rest == 0 then
    set.sub[head] = nil
  else
    without(sub, rest)
    if M.is_empty(sub) then
      set.sub[head] = nil
    end
  end
end

local UNOWNED = {}
for word in
  (
    "name namespace creationTimestamp selfLink uid generation managedFields resourceVersion "
    .. "deletionTimestamp deletionGracePeriodSeconds"
  ):gmatch("%S+")
do
  UNOWNED[#UNOWNED + 1] = { "f:metadata", "f:" .. word }
end
UNOWNED[#UNOWNED + 1] = { "f:apiVersion" }
UNOWNED[#UNOWNED + 1] = { "f:kind" }

--- Takes out what nobody owns: identity and versions, and the status where it is not written.
---@param set plat.sim.k8s.FieldSet changed in place
---@param status boolean also take out the status
---@return plat.sim.k8s.FieldSet
function M.strip(set, status)
  for _, path in ipairs(UNOWNED) do
    without(set, path)
  end
  if status then
    set.sub["f:status"] = nil
  end
  local meta = set.sub["f:metadata"]
  if meta then
    meta.member = nil
    if M.is_empty(meta) then
      set.sub["f:metadata"] = nil
    end
  end
  set.member = nil
  return set
end

local function element_text(name)
  local form, rest = name:sub(1, 2), name:sub(3)
  if form == "f:" then
    return "." .. rest
  elseif form == "v:" then
    return "[=" .. rest .. "]"
  end
  local parts = {}
  for key, value in pairs(json.decode(rest)) do
    parts[#parts + 1] = key .. "=" .. json.encode(value)
  end
  return "[" .. table.concat(parts, ",") .. "]"
end

--- Lists the members of a set as paths: ".spec.template.spec.containers[name="c"].image".
---@param set plat.sim.k8s.FieldSet
---@return string[]
function M.paths(set)
  local out = {}
  local function walk(at, path)
    if at.member then
      out[#out + 1] = path
    end
    for name, sub in pairs(at.sub) do
      walk(sub, path .. element_text(name))
    end
  end
  walk(set, "")
  return out
end

return M
