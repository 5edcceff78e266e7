--- Objects as people compare them: without what the server fills in, secrets masked.
local hash = require("plat.hash")
local json = require("plat.json")
local list = require("plat.list")
local secret = require("plat.env").lazy("plat.secret")

local M = {}

local META = {
  "creationTimestamp",
  "deletionGracePeriodSeconds",
  "deletionTimestamp",
  "generation",
  "managedFields",
  "resourceVersion",
  "selfLink",
  "uid",
}

local function mask(values)
  local masked = {}
  for key, value in pairs(values) do
    masked[key] = secret.is(value) and value -- its reference says more, and nothing of the value
      or ("*** (sha256 %s)"):format(hash.digest("sha256", tostring(value)):sub(1, 8))
  end
  return masked
end

--- Returns a copy of an object without the fields that the server fills in and without its status;
--- the values of a Secret become digests. Nil stays nil.
---@param object? table
---@return table?
function M.object(object)
  if type(object) ~= "table" then
    return nil
  end
  local copy = list.deep_copy(object)
  copy.status = nil
  if type(copy.metadata) == "table" then
    for _, field in ipairs(META) do
      copy.metadata[field] = nil
    end
    local notes = copy.metadata.annotations
    if type(notes) == "table" then
      notes["kubectl.kubernetes.io/last-applied-configuration"] = nil
    end
  end
  if copy.kind == "Secret" then
    for _, field in ipairs({ "data", "stringData" }) do
      if type(copy[field]) == "table" then
        copy[field] = mask(copy[field])
      end
    end
  end
  return copy
end

--- Returns what the journal keeps of an object or patch: secrets as digests.
---@param object table
---@param kind? string the kind, when the table does not say
---@return table
function M.for_journal(object, kind)
  if (object.kind or kind) ~= "Secret" then
    return object
  end
  local copy = list.deep_copy(object)
  copy.kind = "Secret"
  return M.object(copy)
end

-- Returns the item of a list that a managed-fields key picks: k:{"name":"c"} is printed as
-- [name="c"].
local function pick(items, key)
  local field, value = key:match('^([%w_]+)="?(.-)"?$')
  for _, item in ipairs(items) do
    if type(item) == "table" and field and tostring(item[field]) == value then
      return item
    end
  end
  return nil
end

-- Takes one step along a field path; names may hold dots (labels), so the longest one that is
-- there counts. Returns the value and the rest of the path.
local function step(at, path)
  local names = path:match("^%.([^%[]+)")
  if type(at) ~= "table" or not names then
    return nil, ""
  end
  local stop = #names
  while stop do
    local name = names:sub(1, stop)
    if at[name] ~= nil or not name:find(".", 1, true) then
      return at[name], path:sub(#name + 2)
    end
    stop = #name:match("^(.*)%.[^.]*$")
  end
end

--- Returns the text of the value at a field path as the server prints it in conflicts, such as
--- `.spec.template.spec.containers[name="c"].image`; nil when there is none.
---@param object? table
---@param path string
---@return string?
function M.value_at(object, path)
  local at = object
  while path ~= "" and at ~= nil do
    local key = path:match("^(%b[])")
    if key then
      at, path = type(at) == "table" and pick(at, key:sub(2, -2)) or nil, path:sub(#key + 1)
    else
      at, path = step(at, path)
    end
  end
  if at == nil then
    return nil
  end
  local text = type(at) == "table" and json.encode(at, { secrets = "reference" }) or tostring(at)
  return #text > 40 and (text:sub(1, 37) .. "...") or text
end

return M
