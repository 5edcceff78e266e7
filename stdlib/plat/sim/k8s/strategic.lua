--- Strategic merge patches: merges lists by the keys that the schema names.
local data = require("plat.sim.k8s.data")
local json = require("plat.json")
local schema = require("plat.sim.k8s.schema")
local status = require("plat.sim.k8s.status")

local M = {}

local merge_value

local function find_index(list, key, value)
  for i, item in ipairs(list) do
    if type(item) == "table" and item[key] == value then
      return i
    end
  end
  return nil
end

--- Copies a patch for a place where nothing was: directives go, nulls go.
local function plain(node, patch)
  if data.is_map(patch) then
    return M.merge(node, {}, patch)
  end
  return merge_value(node, nil, patch)
end

local function merge_objects(node, list, patch)
  local key = node.merge
  for _, item in ipairs(patch) do
    if type(item) == "table" and item["$patch"] == "replace" then
      list = data.array({})
      for _, other in ipairs(patch) do
        if other["$patch"] == nil then
          list[#list + 1] = plain(node.items, other)
        end
      end
      return list
    end
  end
  for _, item in ipairs(patch) do
    local value = type(item) == "table" and item[key]
    if value == nil then
      local message = "map: %s does not contain declared merge key: %s"
      status.refuse(500, nil, message:format(json.encode(item), key))
    end
    local at = find_index(list, key, value)
    if item["$patch"] == "delete" then
      if at then
        table.remove(list, at)
      end
    elseif at then
      list[at] = M.merge(node.items, list[at], item)
    else
      list[#list + 1] = plain(node.items, item)
    end
  end
  return list
end

--- Puts a merged list in order: what the patch names in its order, what only the server had in
--- between by the order that it had.
local function arrange(key, merged, before, order)
  local function id(item)
    return key and type(item) == "table" and item[key] or item
  end
  local place, named, right, left = {}, {}, {}, {}
  for i, item in ipairs(before) do
    place[id(item)] = i
  end
  local by_id = {}
  for _, item in ipairs(merged) do
    by_id[id(item)] = item
  end
  for _, item in ipairs(order) do
    local found = by_id[id(item)]
    if found ~= nil and not named[id(item)] then
      right[#right + 1] = found
      named[id(item)] = true
    end
  end
  for _, item in ipairs(merged) do
    if not named[id(item)] then
      left[#left + 1] = item
    end
  end
  local out, i, j = data.array({}), 1, 1
  while left[i] ~= nil or right[j] ~= nil do
    local a, b = left[i] and place[id(left[i])], right[j] and place[id(right[j])]
    if right[j] == nil or (left[i] ~= nil and a and b and a < b) then
      out[#out + 1] = left[i]
      i = i + 1
    else
      out[#out + 1] = right[j]
      j = j + 1
    end
  end
  return out
end

local function merge_scalars(list, patch)
  for _, value in ipairs(patch) do
    local there = false
    for _, have in ipairs(list) do
      there = there or have == value
    end
    if not there then
      list[#list + 1] = value
    end
  end
  return list
end

function merge_value(node, target, patch, order)
  if data.is_map(patch) then
    return M.merge(node, data.is_map(target) and target or {}, patch)
  elseif not data.is_list(patch) then
    return patch
  end
  if node and node.form == "list" and node.merge then
    local list = data.is_list(target) and target or data.array({})
    local before = { table.unpack(list) }
    if node.merge == "" then
      return arrange(nil, merge_scalars(list, patch), before, order or patch)
    end
    local merged = merge_objects(node, list, patch)
    if patch[1] and patch[1]["$patch"] == "replace" then
      return merged
    end
    return arrange(node.merge, merged, before, order or patch)
  end
  return data.copy(patch)
end

local function retain(target, keys)
  local keep = {}
  for _, key in ipairs(keys) do
    keep[key] = true
  end
  local gone = {}
  for key in pairs(target) do
    if not keep[key] then
      gone[#gone + 1] = key
    end
  end
  for _, key in ipairs(gone) do
    target[key] = nil
  end
end

local function directive(target, key, value)
  local form, field = key:match("^%$([%w]+)/?(.*)$")
  if form == "retainKeys" then
    retain(target, value)
  elseif form == "setElementOrder" then
    return -- the merge of the list has used it
  elseif form == "deleteFromPrimitiveList" then
    local keep = data.array({})
    for _, item in ipairs(target[field] or {}) do
      local gone = false
      for _, unwanted in ipairs(value) do
        gone = gone or unwanted == item
      end
      if not gone then
        keep[#keep + 1] = item
      end
    end
    target[field] = keep
  elseif form ~= "patch" then
    status.bad_request("unknown patch directive: " .. key)
  end
end

--- Merges a patch into an object of a place in the schema.
---@param node plat.sim.k8s.Node?
---@param target table changed in place
---@param patch table
---@return table
function M.merge(node, target, patch)
  local how = patch["$patch"]
  if how == "delete" then
    return {}
  elseif how == "replace" then
    target = {}
  elseif how ~= nil and how ~= "merge" then
    status.bad_request("unknown patch type: " .. tostring(how))
  end
  if patch["$retainKeys"] then
    directive(target, "$retainKeys", patch["$retainKeys"])
  end
  for key, value in pairs(patch) do
    if key:sub(1, 1) ~= "$" then
      if value == json.null then
        target[key] = nil
      else
        local order = patch["$setElementOrder/" .. key]
        target[key] = merge_value(schema.child(node, key), target[key], value, order)
      end
    end
  end
  for key, value in pairs(patch) do
    if key:sub(1, 1) == "$" and key ~= "$retainKeys" then
      directive(target, key, value)
    end
  end
  return target
end

return M
