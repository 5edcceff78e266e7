--- JSON patch (RFC 6902) over JSON pointers (RFC 6901).
local data = require("plat.sim.k8s.data")
local status = require("plat.sim.k8s.status")

local M = {}

local function rejected()
  status.refuse(
    422,
    "Invalid",
    "the server rejected our request due to an error in our request",
    {}
  )
end

local function parts_of(path)
  if path == "" then
    return {}
  end
  local parts = {}
  for part in (path .. "/"):sub(2):gmatch("([^/]*)/") do
    parts[#parts + 1] = (part:gsub("~1", "/"):gsub("~0", "~"))
  end
  return parts
end

--- Returns a list's index of a pointer's part; `#list + 1` for "-".
local function index_of(list, part, adding)
  if part == "-" and adding then
    return #list + 1
  end
  local index = math.tointeger(tonumber(part))
  if not index or index < 0 or index > #list - (adding and 0 or 1) then
    rejected()
  end
  return index + 1
end

--- Returns the container of the last part of a path, and its key.
local function locate(root, path, adding)
  local parts = parts_of(path)
  if #parts == 0 then
    rejected()
  end
  local at = root
  for i = 1, #parts - 1 do
    if type(at) ~= "table" then
      rejected()
    end
    local key = data.is_list(at) and index_of(at, parts[i], false) or parts[i]
    at = at[key]
  end
  if type(at) ~= "table" then
    rejected()
  end
  local last = parts[#parts]
  if data.is_list(at) then
    return at, index_of(at, last, adding)
  end
  return at, last
end

local function read(root, path)
  local at, key = locate(root, path, false)
  if at[key] == nil then
    rejected()
  end
  return at[key]
end

local function add(root, path, value)
  local at, key = locate(root, path, true)
  if data.is_list(at) then
    table.insert(at, key, value)
  else
    at[key] = value
  end
end

local function remove(root, path)
  read(root, path)
  local at, key = locate(root, path, false)
  if data.is_list(at) then
    table.remove(at, key)
  else
    at[key] = nil
  end
end

local OPS = {}

function OPS.test(root, op)
  local at, key = locate(root, op.path, false)
  if not data.equal(at[key], op.value) then
    rejected()
  end
end

function OPS.add(root, op)
  add(root, op.path, data.copy(op.value))
end

function OPS.remove(root, op)
  remove(root, op.path)
end

function OPS.replace(root, op)
  read(root, op.path)
  local at, key = locate(root, op.path, false)
  at[key] = data.copy(op.value)
end

function OPS.move(root, op)
  local value = read(root, op.from)
  remove(root, op.from)
  add(root, op.path, value)
end

function OPS.copy(root, op)
  add(root, op.path, data.copy(read(root, op.from)))
end

--- Applies a list of operations in order; raises 422 where one fails.
---@param root table changed in place
---@param patch table[]
---@return table root
function M.apply(root, patch)
  if not data.is_list(patch) then
    status.bad_request(
      "error decoding patch: json: cannot unmarshal object into Go value of type "
        .. "jsonpatch.Patch"
    )
  end
  for _, op in ipairs(patch) do
    local run = type(op) == "table" and OPS[op.op]
    if not run or type(op.path) ~= "string" then
      rejected()
    end
    run(root, op)
  end
  return root
end

return M
