--- Label and field selectors as the API server reads them, to tell whether an object that a plan
--- changes belongs to a list. Pure.

local list = require("plat.list")

local M = {}

local KEY = "([%w][%w%-_%./]*)"

--- Splits at commas that are not inside parentheses.
local function split(text)
  local parts, depth, from = {}, 0, 1
  for i = 1, #text do
    local c = text:sub(i, i)
    if c == "," and depth == 0 then
      parts[#parts + 1] = text:sub(from, i - 1)
      from = i + 1
    end
    depth = depth + (c == "(" and 1 or c == ")" and -1 or 0)
  end
  parts[#parts + 1] = text:sub(from)
  return parts
end

local function holds_set(labels, key, word, values)
  local found = false
  for value in values:gmatch("[^,%s]+") do
    found = found or labels[key] == value
  end
  if word == "in" then
    return found
  elseif word == "notin" then
    return not found
  end
  return nil
end

local function holds(labels, term)
  local key, word, values = term:match("^" .. KEY .. "%s+(%l+)%s*%((.-)%)$")
  if key then
    return holds_set(labels, key, word, values)
  end
  local name, op, value = term:match("^" .. KEY .. "%s*(!?==?)%s*([%w%-_%.]*)$")
  if name then
    return ((labels[name] or nil) == value) ~= (op == "!=")
  end
  local absent = term:match("^!%s*" .. KEY .. "$")
  if absent then
    return labels[absent] == nil
  end
  local present = term:match("^" .. KEY .. "$")
  if present then
    return labels[present] ~= nil
  end
  return nil
end

--- Returns whether labels match a selector; nil when the selector cannot be read.
---@param selector? string
---@param labels? table<string, string>
---@return boolean?
function M.labels(selector, labels)
  for _, part in ipairs(split(selector or "")) do
    local term = part:match("^%s*(.-)%s*$")
    if term ~= "" then
      local ok = holds(labels or {}, term)
      if not ok then
        return ok
      end
    end
  end
  return true
end

--- Returns whether an object matches a selector of fields that are its own: name, namespace, and
--- those of its spec. Nil when the selector asks for something else, which the server decides.
---@param selector? string
---@param object table
---@return boolean?
function M.fields(selector, object)
  for _, part in ipairs(split(selector or "")) do
    local path, op, value = part:match("^%s*([^!=%s]+)%s*(!?==?)%s*(.-)%s*$")
    if part:find("%S") then
      if path ~= "metadata.name" and path ~= "metadata.namespace" then
        return nil
      elseif (tostring(list.get(object, path) or "") == value) == (op == "!=") then
        return false
      end
    end
  end
  return true
end

return M
