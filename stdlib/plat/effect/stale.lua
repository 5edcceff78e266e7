--- What has changed since a plan was saved: the first fact that differs, in words.

local fs = require("prim.fs")
local hash = require("plat.hash")
local json = require("plat.json")
local list = require("plat.list")

local M = {}

local MAX_FILE = 256 * 1024 * 1024

--- Returns a value as messages show it.
---@param value any
---@return string
function M.show(value)
  if value == nil or value == json.null then
    return "nothing"
  end
  return type(value) == "string" and value or json.encode(value)
end

--- Returns the first place in which two values differ, and both values there.
---@param a any
---@param b any
---@param path? string
---@return string? path nil when they are equal
---@return any a
---@return any b
function M.difference(a, b, path)
  path = path or ""
  if type(a) ~= "table" or type(b) ~= "table" or a == json.null or b == json.null then
    if a == b then
      return nil
    end
    return path, a, b
  end
  for _, key in ipairs(list.keys(list.merge(a, b))) do
    local at = type(key) == "number" and ("%s[%d]"):format(path, key - 1)
      or (path == "" and key or path .. "." .. key)
    local where, x, y = M.difference(a[key], b[key], at)
    if where then
      return where, x, y
    end
  end
end

local function by_path(files)
  local map = {}
  for _, file in ipairs(files) do
    map[file.path] = file.sha256
  end
  return map
end

--- Returns how the inventory differs from that of the plan, nil if it does not.
---@param saved table the document
---@param files { path: string, sha256: string }[]
---@return string?
function M.inventory(saved, files)
  local before, now = by_path(saved.inventory.files), by_path(files)
  for path, sha256 in pairs(before) do
    if not now[path] then
      return ("the plan was made with the inventory %s, which is not read now"):format(path)
    elseif now[path] ~= sha256 then
      return ("the inventory %s has changed since the plan was made"):format(path)
    end
  end
  for path in pairs(now) do
    if not before[path] then
      return ("the inventory has %s now, and had not when the plan was made"):format(path)
    end
  end
end

--- Returns how the files that a plan was made of differ from those that are here now; asks nobody.
---@param saved table
---@return string?
function M.files(saved)
  local function sha256_of(path)
    local text = fs.read(path, { max = MAX_FILE })
    return text and hash.digest("sha256", text)
  end
  local playbook = saved.playbook
  local now = sha256_of(playbook.path)
  if not now then
    return ("the playbook %s is not here (the plan was made on %s)"):format(
      playbook.path,
      saved.made.host
    )
  elseif now ~= playbook.sha256 then
    return ("the playbook %s has changed since the plan was made"):format(playbook.path)
  end
  for _, file in ipairs(saved.inventory.files) do
    local st = fs.stat(file.path)
    if not st then
      return ("the inventory %s is not here (the plan was made on %s)"):format(
        file.path,
        saved.made.host
      )
    end
  end
end

--- Returns how two values of one fact differ, in words.
local function fact(name, before, now)
  return ("%s: %s when the plan was made, %s now"):format(name, M.show(before), M.show(now))
end

local function kept_difference(saved, fresh)
  local now = {}
  for _, kept in ipairs(fresh.kept) do
    now[kept.name] = kept
  end
  for _, kept in ipairs(saved.kept) do
    local other = now[kept.name]
    if not other then
      return ("%q was kept, and is not read now"):format(kept.name)
    end
    local where, a, b = M.difference(kept.value, other.value)
    if where then
      return fact(('"%s"%s'):format(kept.name, where ~= "" and " " .. where or ""), a, b)
    end
  end
end

--- What was read for a line: the values before the change, by path.
local function before_of(line)
  local map = {}
  for _, row in ipairs(line.diff or {}) do
    if row.path then
      map[row.path] = row.before == nil and json.null or row.before
    end
  end
  return map
end

local function line_difference(line, other)
  local about = line.object or line.target
  local before, now = before_of(line), before_of(other)
  for _, path in ipairs(list.keys(list.merge(before, now))) do
    if before[path] ~= now[path] then
      return fact(("%s %s"):format(about, path), before[path], now[path])
    end
  end
  local where, a, b = M.difference(line.args, other.args)
  if where then
    return fact(("%s of %s %s"):format(where, line.op, about), a, b)
  elseif line.class ~= other.class then
    return fact(line.text, line.class, other.class)
  end
end

--- Returns the lines by step and identity, in order.
local function index(lines)
  local map = {}
  for _, line in ipairs(lines) do
    local id = table.concat({ line.step, line.op, line.target, line.object or "-" }, "\n")
    map[id] = map[id] or {}
    table.insert(map[id], line)
  end
  return map
end

local function lines_difference(saved, fresh)
  local before, now = index(saved.lines), index(fresh.lines)
  for _, line in ipairs(saved.lines) do
    local id = table.concat({ line.step, line.op, line.target, line.object or "-" }, "\n")
    for i, one in ipairs(before[id]) do
      local other = now[id] and now[id][i]
      if not other then
        return ("it would not %s now (step %q)"):format(one.text, one.step)
      end
      local words = line_difference(one, other)
      if words then
        return words
      end
    end
  end
  for id, lines in pairs(now) do
    if #lines > #(before[id] or {}) then
      local line = lines[#lines]
      return ("it would also %s now (step %q)"):format(line.text, line.step)
    end
  end
end

local function open_difference(saved, fresh)
  for i = 1, math.max(#saved.open, #fresh.open) do
    local a, b = saved.open[i], fresh.open[i]
    if not a or not b or a.step ~= b.step or a.why ~= b.why then
      return fact("where the plan ends early", a and a.why, b and b.why)
    end
  end
end

--- Returns what has changed since a plan was made, as a plan that was made just now shows it: the
--- first fact that differs, nil if none does.
---@param saved table
---@param fresh table
---@return string?
function M.fact(saved, fresh)
  local where, a, b = M.difference(saved.args, fresh.args)
  return (where and fact("argument " .. where, a, b))
    or (saved.playbook.sha256 ~= fresh.playbook.sha256 and "the playbook has changed")
    or (saved.sandbox ~= fresh.sandbox and fact("sandbox", saved.sandbox, fresh.sandbox))
    or M.inventory(saved, fresh.inventory.files)
    or kept_difference(saved, fresh)
    or lines_difference(saved, fresh)
    or open_difference(saved, fresh)
    or nil
end

return M
