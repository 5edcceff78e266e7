--- Types of the API: what fields objects have, and how their lists and maps merge.
---
--- Notation of the schema_*.lua texts, one type on a line (continued lines are indented):
---   Type  or  Type!             a structure; `!` one that is replaced as a whole
---   field:T  field*:T           a field; `*` required; `=x` its default; a trailing `!` makes a
---                               map or structure atomic, `^` gives it the retainKeys strategy
---   s i n b q v t x             string, integer, number, boolean, quantity, integer or string,
---                               time, anything
---   [T] [T]set [T]key,key       an atomic list, a set, a list of objects with keys
---   [T]~key                     the key by which a strategic merge patch merges it
---   {T}                         a map from strings
local data = require("plat.sim.k8s.data")
local microtime = require("plat.sim.k8s.microtime")

local M = {}

---@class plat.sim.k8s.Node a place in the schema
---@field form "scalar"|"any"|"list"|"map"|"struct"
---@field type? string scalar letter, or the type of a structure
---@field items? plat.sim.k8s.Node of lists and maps
---@field mode? "atomic"|"set"|"map" of lists
---@field keys? string[] of lists of mode "map"
---@field merge? string key of a strategic merge ("" for a list of scalars)
---@field atomic? boolean
---@field retain? boolean
---@field default? string
---@field required? boolean

local texts -- type name to its line
local types = {} -- parsed ones

local function load_texts()
  texts = {}
  for _, part in ipairs({ "apps", "core", "pod" }) do
    local name
    for line in require("plat.sim.k8s.schema_" .. part):gmatch("[^\n]+") do
      local head = line:match("^(%w+!?)")
      if head then
        name = head:match("%w+")
        texts[name] = line
      else
        texts[name] = texts[name] .. line
      end
    end
  end
end

local parse_node

local function parse_list(text)
  local inner, rest = text:match("^(%b[])(.*)$")
  local node = { form = "list", mode = "atomic", items = parse_node(inner:sub(2, -2)) }
  node.retain = rest:find("^", 1, true) ~= nil
  node.merge = rest:match("~([%w]*)")
  local keys = rest:match("^([%w,]+)")
  if keys == "set" then
    node.mode = "set"
  elseif keys then
    node.mode, node.keys = "map", {}
    for key in keys:gmatch("[^,]+") do
      node.keys[#node.keys + 1] = key
    end
  end
  return node
end

function parse_node(text)
  if text:sub(1, 1) == "[" then
    return parse_list(text)
  end
  if text:sub(1, 1) == "{" then
    local inner, rest = text:match("^(%b{})(.*)$")
    local items = parse_node(inner:sub(2, -2))
    return { form = "map", items = items, atomic = rest:find("!", 1, true) ~= nil }
  end
  local name, rest = text:match("^(%w+)(.*)$")
  local default = rest:match("=(.+)$")
  if name == "x" then
    return { form = "any" }
  end
  if #name == 1 then
    return { form = "scalar", type = name, default = default }
  end
  local atomic = rest:find("!", 1, true) ~= nil or texts[name]:match("^%w+!") ~= nil
  return { form = "struct", type = name, atomic = atomic, retain = rest:find("^", 1, true) ~= nil }
end

--- Returns the fields of a structure.
---@param name string
---@return table<string, plat.sim.k8s.Node>
function M.fields(name)
  if not texts then
    load_texts()
  end
  local fields = types[name]
  if not fields then
    fields = {}
    local line = assert(texts[name], "no such type: " .. name)
    for field, star, node in line:gmatch(" ([%w$]+)(%*?):(%S+)") do
      local parsed = parse_node(node)
      parsed.required = star == "*"
      fields[field] = parsed
    end
    types[name] = fields
  end
  return fields
end

--- Returns the place of a whole object of a kind.
---@param kind string
---@return plat.sim.k8s.Node
function M.root(kind)
  return { form = "struct", type = kind, atomic = false }
end

--- Returns the place of a field (or of a map's value); nil if the structure has no such field.
---@param node plat.sim.k8s.Node?
---@param key string
---@return plat.sim.k8s.Node?
function M.child(node, key)
  if not node then
    return nil
  end
  if node.form == "struct" then
    return M.fields(node.type)[key]
  elseif node.form == "map" then
    return node.items
  elseif node.form == "any" then
    return node
  end
  return nil
end

local GO = { s = "string", i = "int32", n = "float64", b = "bool" }

local function json_type(v)
  if data.is_list(v) then
    return "array"
  elseif type(v) == "table" then
    return "object"
  elseif type(v) == "boolean" then
    return "bool"
  end
  return type(v)
end

local function scalar_fits(node, v)
  local kind = node.type
  if kind == "s" or kind == "t" then
    return type(v) == "string"
  elseif kind == "b" then
    return type(v) == "boolean"
  elseif kind == "i" then
    return math.type(v) == "integer" or (math.type(v) == "float" and v == math.floor(v))
  elseif kind == "n" then
    return type(v) == "number"
  end
  return type(v) == "string" or type(v) == "number"
end

local LONG = { -- integers that are 64 bits wide
  terminationGracePeriodSeconds = true,
  observedGeneration = true,
  generation = true,
  activeDeadlineSeconds = true,
  deletionGracePeriodSeconds = true,
}

local function go_name(node, field)
  if node.form == "list" then
    return "[]" .. go_name(node.items, field)
  elseif node.form == "map" then
    return "map[string]" .. go_name(node.items, field)
  elseif node.form == "struct" then
    return "v1." .. node.type
  end
  return node.type == "i" and LONG[field] and "int64" or GO[node.type] or "string"
end

--- What a walk over an object finds: names of unknown fields, and the first wrong type.
---@class plat.sim.k8s.Findings
---@field unknown string[]
---@field wrong string? message of the decoder

local walk

local function wrong(found, ctx, node, v)
  found.wrong = found.wrong
    or ("json: cannot unmarshal %s into Go struct field %s.%s of type %s"):format(
      json_type(v),
      ctx.struct,
      table.concat(ctx.stack, "."),
      go_name(node, ctx.stack[#ctx.stack])
    )
end

local function walk_struct(found, ctx, node, v, path)
  local fields = M.fields(node.type)
  for key, item in pairs(v) do
    local child = fields[key]
    local at = path == "" and key or path .. "." .. key
    if not child then
      found.unknown[#found.unknown + 1] = at
    else
      local outer = ctx.struct
      ctx.struct = node.type
      ctx.stack[#ctx.stack + 1] = key
      walk(found, ctx, child, item, at)
      ctx.stack[#ctx.stack] = nil
      ctx.struct = outer
    end
  end
end

function walk(found, ctx, node, v, path)
  if found.wrong or node.form == "any" then
    return
  elseif node.form == "scalar" then
    if not scalar_fits(node, v) then
      wrong(found, ctx, node, v)
    elseif node.type == "t" and ctx.struct == "LeaseSpec" then
      found.wrong = microtime.wrong(v)
    end
  elseif node.form == "list" then
    if not data.is_list(v) then
      return wrong(found, ctx, node, v)
    end
    for i, item in ipairs(v) do
      walk(found, ctx, node.items, item, ("%s[%d]"):format(path, i - 1))
    end
  elseif not data.is_map(v) then
    wrong(found, ctx, node, v)
  elseif node.form == "map" then
    for key, item in pairs(v) do
      walk(found, ctx, node.items, item, path .. "." .. key)
    end
  else
    walk_struct(found, ctx, node, v, path)
  end
end

--- Compares an object with the type of a kind.
---@param kind string
---@param object table without nulls
---@return plat.sim.k8s.Findings
function M.check(kind, object)
  local found = { unknown = {} }
  walk(found, { stack = {}, struct = kind }, M.root(kind), object, "")
  return found
end

return M
