--- What differs between two runs: what was asked, what was found, what was done. Pure.

local json = require("plat.json")
local list = require("plat.list")
local story = require("plat.runs.story")

local M = {}

local function text(value)
  return value ~= nil and json.encode(value) or nil
end

local function add(out, what, name, a, b)
  if text(a) ~= text(b) then
    out[#out + 1] = { what = what, name = name, a = a, b = b }
  end
end

local function add_tables(out, what, a, b)
  for name in pairs(list.merge(a or {}, b or {})) do
    add(out, what, name, (a or {})[name], (b or {})[name])
  end
end

local function by(items, key, value)
  local found = {}
  for _, item in ipairs(items) do
    found[item[key]] = value(item)
  end
  return found
end

--- Names a change for people, and apart from others of its kind in the step.
local function changes_of(s)
  local found = {}
  for _, step in ipairs(s.steps) do
    for _, change in ipairs(step.changes) do
      local name = ("%s: %s %s"):format(step.key, change.op, change.object or change.target)
      local base, n = name, 1
      while found[name] do
        n = n + 1
        name = ("%s (%d)"):format(base, n)
      end
      found[name] = { text = change.text, outcome = change.outcome, args = change.args }
    end
  end
  return found
end

local function add_changes(out, a, b)
  local x, y = changes_of(a), changes_of(b)
  for name in pairs(list.merge(x, y)) do
    local left, right = x[name], y[name]
    if not left or not right then
      add(out, "change", name, left and left.text, right and right.text)
    else
      add(out, "change", name, left.text, right.text)
      add(out, "arguments of", name, left.args, right.args)
      add(out, "outcome of", name, left.outcome, right.outcome)
    end
  end
end

local function short(sha)
  return sha and sha:sub(1, 12)
end

--- Returns the differences between two runs, in the order in which they are best read.
---@param a plat.runs.Run
---@param b plat.runs.Run
---@return { what: string, name: string, a: any, b: any }[] a, b: nil where there is none
function M.of(a, b)
  local out = {}
  local x, y = a.head, b.head
  local book_a, book_b = x.playbook or {}, y.playbook or {}
  add(out, "playbook", "name", book_a.name, book_b.name)
  add(out, "playbook", "sha256", short(book_a.sha256), short(book_b.sha256))
  add_tables(out, "argument", x.args, y.args)
  local inv_a, inv_b = x.inventory or {}, y.inventory or {}
  add(out, "inventory", "path", inv_a.path, inv_b.path)
  local function hashes(inventory)
    local found = {}
    for _, file in ipairs(inventory.files or {}) do
      found[file.path] = short(file.sha256)
    end
    return found
  end
  add_tables(out, "inventory file", hashes(inv_a), hashes(inv_b))
  add(out, "by", "user", x.user, y.user)
  add(out, "by", "host", x.host, y.host)
  add(out, "platrun", "version", x.version, y.version)
  local s, t = story.of(a.records), story.of(b.records)
  local function value(item)
    return item.value
  end
  local function status(item)
    return item.status
  end
  add_tables(out, "kept value", by(s.kept, "name", value), by(t.kept, "name", value))
  add_tables(out, "guard", by(s.guards, "name", status), by(t.guards, "name", status))
  add_tables(out, "step", by(s.steps, "key", status), by(t.steps, "key", status))
  add_changes(out, s, t)
  add(out, "end", "status", a.status, b.status)
  return out
end

return M
