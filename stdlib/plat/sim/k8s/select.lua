--- Label and field selectors, and the selectors inside objects.
local data = require("plat.sim.k8s.data")
local status = require("plat.sim.k8s.status")

local M = {}

local FIELDS = { -- beside metadata.name and metadata.namespace
  pods = "spec.nodeName status.phase spec.restartPolicy spec.schedulerName "
    .. "spec.serviceAccountName status.podIP status.nominatedNodeName spec.hostNetwork",
  events = "involvedObject.kind involvedObject.namespace involvedObject.name involvedObject.uid "
    .. "involvedObject.apiVersion involvedObject.resourceVersion involvedObject.fieldPath reason "
    .. "reportingComponent source type",
  nodes = "spec.unschedulable",
  namespaces = "status.phase",
  secrets = "type",
  services = "spec.clusterIP spec.type",
  ["replicasets.apps"] = "status.replicas",
  ["jobs.batch"] = "status.successful",
}

local function value_of(object, path)
  local v = data.get(object, path)
  if path == "source" then
    v = data.get(object, "source.component")
  end
  if v == nil then
    return (path == "spec.unschedulable" or path == "spec.hostNetwork") and "false" or ""
  end
  return tostring(v)
end

local function knows_field(kind, path)
  if path == "metadata.name" or (path == "metadata.namespace" and kind.namespaced) then
    return true
  end
  for known in (FIELDS[kind.id] or ""):gmatch("%S+") do
    if known == path then
      return true
    end
  end
  return false
end

--- Parses a field selector; raises 400 for a field that the kind does not offer.
---@param kind plat.sim.k8s.Kind
---@param text string?
---@return fun(object: table): boolean
function M.fields(kind, text)
  local terms = {}
  for part in (text or ""):gmatch("[^,]+") do
    local path, op, value = part:match("^%s*([^!=%s]+)%s*(!?==?)%s*(.-)%s*$")
    if not path then
      status.bad_request(("invalid selector: '%s'; can't understand '%s'"):format(text, part))
    end
    if not knows_field(kind, path) then
      local label = path
      status.bad_request("field label not supported: " .. label)
    end
    terms[#terms + 1] = { path = path, equal = op ~= "!=", value = value }
  end
  return function(object)
    for _, term in ipairs(terms) do
      if (value_of(object, term.path) == term.value) ~= term.equal then
        return false
      end
    end
    return true
  end
end

local function values_in(text)
  local set = {}
  for value in text:gmatch("[^,%s]+") do
    set[value] = true
  end
  return set
end

--- Splits at commas that are not inside parentheses.
local function split(text)
  local parts, depth, from = {}, 0, 1
  for i = 1, #text do
    local c = text:sub(i, i)
    if c == "(" then
      depth = depth + 1
    elseif c == ")" then
      depth = depth - 1
    elseif c == "," and depth == 0 then
      parts[#parts + 1] = text:sub(from, i - 1)
      from = i + 1
    end
  end
  parts[#parts + 1] = text:sub(from)
  return parts
end

local KEY = "([%w][%w%-_%./]*)"

local function term_of(part)
  part = part:match("^%s*(.-)%s*$")
  local key, word, list = part:match("^" .. KEY .. "%s+(%l+)%s*%((.-)%)$")
  if key and (word == "in" or word == "notin") then
    return { key = key, op = word, set = values_in(list) }
  end
  local name, op, value = part:match("^" .. KEY .. "%s*(!?==?)%s*([%w%-_%.]*)$")
  if name then
    return { key = name, op = op == "!=" and "notin" or "in", set = { [value] = true } }
  end
  local absent = part:match("^!%s*" .. KEY .. "$")
  if absent then
    return { key = absent, op = "absent" }
  end
  local present = part:match("^" .. KEY .. "$")
  if present then
    return { key = present, op = "present" }
  end
  return nil
end

local function holds(term, labels)
  local value = labels[term.key]
  if term.op == "present" then
    return value ~= nil
  elseif term.op == "absent" then
    return value == nil
  elseif term.op == "in" then
    return value ~= nil and term.set[value] == true
  end
  return value == nil or not term.set[value]
end

--- Parses a label selector; raises 400 if it cannot be read.
---@param text string?
---@return fun(labels: table<string, string>?): boolean
function M.labels(text)
  local terms = {}
  if text and text ~= "" then
    for _, part in ipairs(split(text)) do
      local term = term_of(part)
      if not term then
        status.bad_request(
          ("unable to parse requirement: found '%s', expected: identifier"):format(part)
        )
      end
      terms[#terms + 1] = term
    end
  end
  return function(labels)
    for _, term in ipairs(terms) do
      if not holds(term, labels or {}) then
        return false
      end
    end
    return true
  end
end

local OPERATORS = { In = "in", NotIn = "notin", Exists = "present", DoesNotExist = "absent" }

--- Says whether labels match the `selector` of an object (matchLabels and matchExpressions).
---@param selector table?
---@param labels table<string, string>?
---@return boolean
function M.matches(selector, labels)
  if not selector then
    return false
  end
  for key, value in pairs(selector.matchLabels or {}) do
    if not labels or labels[key] ~= value then
      return false
    end
  end
  for _, expression in ipairs(selector.matchExpressions or {}) do
    local term = { key = expression.key, op = OPERATORS[expression.operator], set = {} }
    for _, value in ipairs(expression.values or {}) do
      term.set[value] = true
    end
    if not holds(term, labels or {}) then
      return false
    end
  end
  return true
end

--- Writes a selector as text, as the scale subresource shows it.
---@param selector table?
---@return string
function M.text(selector)
  local parts = {}
  for key, value in pairs(selector and selector.matchLabels or {}) do
    parts[#parts + 1] = key .. "=" .. value
  end
  for _, e in ipairs(selector and selector.matchExpressions or {}) do
    local op = e.operator
    if op == "Exists" then
      parts[#parts + 1] = e.key
    elseif op == "DoesNotExist" then
      parts[#parts + 1] = "!" .. e.key
    else
      local word = op == "In" and "in" or "notin"
      parts[#parts + 1] = ("%s %s (%s)"):format(e.key, word, table.concat(e.values or {}, ","))
    end
  end
  return table.concat(parts, ",")
end

return M
