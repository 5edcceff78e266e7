--- Type checks of applied configurations, with the messages of the server's typed parser.
local data = require("plat.sim.k8s.data")
local schema = require("plat.sim.k8s.schema")
local status = require("plat.sim.k8s.status")

local M = {}

local function named(v)
  if data.is_list(v) then
    return "list"
  elseif type(v) == "table" then
    return "map"
  elseif type(v) == "boolean" then
    return "boolean"
  elseif type(v) == "string" then
    return "string"
  end
  return ("&value.valueUnstructured{Value:%s}"):format(tostring(v))
end

local EXPECTED = {
  s = "string",
  t = "string",
  b = "boolean",
  i = "numeric (int or float)",
  n = "numeric (int or float)",
}

local function scalar(node, v, path)
  local kind = node.type
  local fits
  if kind == "s" or kind == "t" then
    fits = type(v) == "string"
  elseif kind == "b" then
    fits = type(v) == "boolean"
  elseif kind == "i" or kind == "n" then
    fits = type(v) == "number"
  else
    fits = type(v) ~= "table"
  end
  if not fits then
    return ("%s: expected %s, got %s"):format(path, EXPECTED[kind] or "scalar", named(v))
  end
end

local walk

local function fields_of(node, v, path)
  for key, item in pairs(v) do
    local child = schema.child(node, key)
    local at = path .. "." .. key
    if not child then
      return at .. ": field not declared in schema"
    end
    local message = walk(child, item, at)
    if message then
      return message
    end
  end
end

local function items_of(node, v, path)
  for i, item in ipairs(v) do
    local message = walk(node.items, item, ("%s[%d]"):format(path, i - 1))
    if message then
      return message
    end
  end
end

function walk(node, v, path)
  if node.form == "any" then
    return nil
  elseif node.form == "scalar" then
    return scalar(node, v, path)
  elseif node.form == "list" then
    if not data.is_list(v) then
      return ("%s: expected list, got %s"):format(path, named(v))
    end
    return items_of(node, v, path)
  elseif not data.is_map(v) then
    return ("%s: expected map, got %s"):format(path, named(v))
  end
  return fields_of(node, v, path)
end

--- Raises 500, as the server does, for a configuration that does not fit its type.
---@param object table
---@param kind_name string
---@param gv string
function M.check(object, kind_name, gv)
  local message = walk(schema.root(kind_name), object, "")
  if message then
    local group = gv:find("/", 1, true) and gv or "/" .. gv
    local meta = object.metadata
    status.refuse(
      500,
      nil,
      ("failed to create typed patch object (%s/%s; %s, Kind=%s): %s"):format(
        meta.namespace or "",
        meta.name or "",
        group,
        kind_name,
        message
      )
    )
  end
end

return M
