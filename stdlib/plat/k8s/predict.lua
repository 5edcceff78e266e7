--- What the plan shows of a change and what later reads see of it: the difference field by field,
--- and objects as they would be. Pure.
local json = require("plat.json")
local list = require("plat.list")
local strip = require("plat.k8s.strip")

local M = {}

local function show(value)
  if type(value) == "table" then
    return json.encode(value)
  end
  return value
end

-- Lists of Kubernetes objects are told apart by name (containers, ports, env) where they have one.
local function named(items)
  local map = {}
  for _, item in ipairs(items) do
    if type(item) ~= "table" or type(item.name) ~= "string" or map[item.name] then
      return nil
    end
    map[item.name] = item
  end
  return map
end

local function union(a, b)
  local keys, seen = {}, {}
  for _, map in ipairs({ a, b }) do
    for key in pairs(map) do
      if not seen[key] then
        seen[key] = true
        keys[#keys + 1] = key
      end
    end
  end
  return keys
end

local compare

local function compare_lists(rows, path, before, after)
  local left, right = named(before), named(after)
  if left and right and (#before > 0 or #after > 0) then
    for _, name in ipairs(union(left, right)) do
      compare(rows, ("%s[%s]"):format(path, name), left[name], right[name])
    end
  else
    for i = 1, math.max(#before, #after) do
      compare(rows, ("%s[%d]"):format(path, i - 1), before[i], after[i])
    end
  end
end

compare = function(rows, path, before, after)
  if type(before) ~= "table" or type(after) ~= "table" then
    if before ~= after then
      rows[#rows + 1] = { path = path, before = show(before), after = show(after) }
    end
  elseif json.is_array(before) or json.is_array(after) then
    compare_lists(rows, path, before, after)
  else
    for _, key in ipairs(union(before, after)) do
      local step = tostring(key)
      if step:find("[^%w_%-]") then
        step = ("[%q]"):format(step)
      elseif path ~= "" then
        step = "." .. step
      end
      compare(rows, path .. step, before[key], after[key])
    end
  end
end

--- Returns the rows in which two objects differ, without what the server fills in.
---@param before? table
---@param after? table
---@return { path: string, before: any, after: any }[]
function M.rows(before, after)
  local rows = {}
  compare(rows, "", strip.object(before) or {}, strip.object(after) or {})
  return rows
end

--- Returns the `diff` of a change: what is live against what the dry run answered.
---@param live? table
---@return fun(resp: table): table[]
function M.diff(live)
  return function(resp)
    return M.rows(live, json.decode(resp.body))
  end
end

local NOT_FOUND = {
  kind = "Status",
  apiVersion = "v1",
  status = "Failure",
  reason = "NotFound",
  message = "deleted by the plan",
  code = 404,
}

local function answer(resp, status, value)
  local copy = list.copy(resp)
  copy.status, copy.body = status, json.encode(value)
  copy.headers = { ["content-type"] = "application/json" }
  return copy
end

local function in_list(resp, name, update)
  if resp.status ~= 200 then
    return resp
  end
  local doc = json.decode(resp.body)
  local items, found = {}, false
  for _, item in ipairs(type(doc.items) == "table" and doc.items or {}) do
    if list.get(item, "metadata.name") == name then
      found, item = true, update(item)
    end
    items[#items + 1] = item or nil
  end
  if not found then
    local new = update(nil)
    if new == false then
      return resp
    end
    return nil -- whether it is one of those asked for is not known
  end
  doc.items = json.array(items)
  return answer(resp, 200, doc)
end

--- Returns the `overlay` of a change of one object: how later reads look.
---@param paths { object: string, collection: string, name: string }
---@param update fun(live: table?): table|false the object after the change; false: gone
---@return fun(read: table, resp: table): table?
function M.overlay(paths, update)
  return function(read, resp)
    local path = read.url:match("^%a+://[^/]+([^?]*)") or read.url
    if path == paths.object then
      local new = update(resp.status == 200 and json.decode(resp.body) or nil)
      if new == false then
        local gone = list.copy(NOT_FOUND)
        gone.details = { name = paths.name }
        return answer(resp, 404, gone)
      end
      return new and answer(resp, 200, new)
    elseif path == paths.object .. "/scale" then
      local live = resp.status == 200 and json.decode(resp.body) or nil
      local new = update(live)
      if not live or not new then
        return nil
      end
      live.spec = { replicas = list.get(new, "spec.replicas") }
      return answer(resp, 200, live)
    elseif path == paths.collection and not read.stream then
      return in_list(resp, paths.name, update)
    end
    return resp
  end
end

--- Returns an `update` that sets the replicas.
---@param replicas integer
---@return fun(live: table?): table?
function M.replicas(replicas)
  return function(live)
    if live and type(live.spec) == "table" then
      live.spec.replicas = replicas
    end
    return live
  end
end

return M
