--- A run that may do what a saved plan says, and nothing else: each change takes its line of the
--- plan before it happens, the first one without a line is refused.

local fault = require("plat.fault")
local list = require("plat.list")
local memory = require("plat.run.memory")
local saved = require("plat.effect.saved")
local stale = require("plat.effect.stale")
local step_key = require("plat.run.key")

local M = {}

local HINT = "make a new plan: platrun plan PLAYBOOK -o FILE"

---@class plat.Expect
local Expect = { __name = "plat.Expect" }
Expect.__index = Expect

--- Returns the expectation of a saved plan.
---@param doc table see plat.effect.saved
---@return plat.Expect
function M.new(doc)
  local self = setmetatable({
    doc = doc,
    steps = {},
    taken = {}, -- by key of a change: its line
    earlier = {}, -- keys of what an earlier process began; it may be settled by doing it again
    kept = {},
    open = doc.open,
  }, Expect)
  for _, line in ipairs(doc.lines) do
    self.steps[line.step] = self.steps[line.step] or {}
    table.insert(self.steps[line.step], { line = line, done = false })
  end
  for _, kept in ipairs(doc.kept) do
    self.kept[kept.name] = kept
  end
  return self
end

local function is_same(line, change)
  return line.op == change.op
    and line.target == change.target
    and (line.object or nil) == change.object
end

--- Whether the line says what the change will do. What was *maybe* may come with other arguments.
local function fits(line, change, args)
  return is_same(line, change)
    and (line.class == "maybe" or stale.difference(line.args, args) == nil)
end

--- Whether a line has to wait for an earlier one: all but those of tasks beside the body, which may
--- come in any order as long as they are about different objects.
local function waits_for(line, earlier)
  return not (line.beside and earlier.beside) or line.object == earlier.object
end

--- Returns the line of a change. The order within a step holds: what was only *maybe* may be left
--- out, what was certain may not.
local function find(entries, change, args)
  local waiting = {}
  for _, entry in ipairs(entries) do
    local line = entry.line
    if not entry.done and fits(line, change, args) then
      local blocked = list.find(waiting, function(earlier)
        return waits_for(line, earlier)
      end)
      return not blocked and entry or nil
    elseif not entry.done and line.sure then
      waiting[#waiting + 1] = line
    end
  end
end

--- Says how a change differs from what the plan has.
local function deviation(self, entries, change, args)
  for _, entry in ipairs(entries) do
    if not entry.done and is_same(entry.line, change) then
      local where, planned, now = stale.difference(entry.line.args, args)
      if where then
        return ("%s is %s, and the plan has %s"):format(where, stale.show(now), stale.show(planned))
      end
      return "it comes before what the plan has first"
    end
  end
  for _, gap in ipairs(self.open) do
    if gap.step == nil or change.step == gap.step then
      return ("the plan does not have it: it ends early there (%s)"):format(gap.why)
    end
  end
  for _, entry in ipairs(entries) do
    if not entry.done and entry.line.sure then
      return ("the plan does not have it; it has: %s"):format(entry.line.text)
    end
  end
  return "the plan does not have it"
end

--- Takes the line of a change. Raises kind "refused" when there is none. What undoes the run
--- belongs to it and is not in the plan.
---@param change plat.Change
function Expect:change(change)
  if step_key.is_undo(change.step) or self.earlier[change.key] then
    return
  end
  local entries = self.steps[change.step] or {}
  local args = saved.plain(change.args)
  local entry = find(entries, change, args)
  if not entry then
    local about = { op = change.op, target = change.target, object = change.object }
    fault.raise("refused", about, {
      msg = ("not as planned: %s: %s"):format(change.text, deviation(self, entries, change, args)),
      hint = HINT,
      step = change.step,
    })
  end
  entry.done = true
  self.taken[change.key] = entry
end

--- Takes the lines of what an earlier process of the run did.
---@param known table<string, table> plat.run.Memory.changes
function Expect:resume(known)
  local changes = {}
  for _, change in pairs(known) do
    if memory.word(change) ~= "failed" then
      changes[#changes + 1] = change.intent
    end
  end
  for _, intent in ipairs(list.sort_by(changes, "n")) do
    self:change(intent)
    self.earlier[intent.key] = true
  end
end

--- A change surely did not happen: its line may be taken again, by a second attempt.
---@param change plat.Change
function Expect:failed(change)
  local entry = self.taken[change.key]
  if entry then
    entry.done = false
  end
end

--- Compares a kept value with that of the plan. Raises kind "refused" when they differ.
---@param name string
---@param value any
function Expect:keep(name, value)
  local kept = self.kept[name]
  local about = { op = "run:keep", object = ("%q"):format(name) }
  if not kept and #self.open == 0 then
    fault.raise("refused", about, {
      msg = "the plan did not read it",
      hint = HINT,
    })
  end
  local where, planned, now = nil, nil, nil
  if kept then
    where, planned, now = stale.difference(kept.value, saved.plain(value))
  end
  if where then
    fault.raise("refused", about, {
      msg = ("%s%s when the plan was made, %s now"):format(
        where ~= "" and where .. ": " or "",
        stale.show(planned),
        stale.show(now)
      ),
      hint = HINT,
    })
  end
end

--- Raises kind "failed" when a change that was certain was not made.
function Expect:finish()
  for step, entries in pairs(self.steps) do
    for _, entry in ipairs(entries) do
      local line = entry.line
      if line.sure and not entry.done then
        fault.raise("failed", { op = line.op, target = line.target, object = line.object }, {
          msg = ("not as planned: the run did not %s"):format(line.text),
          hint = ("it was planned in the step %q; %s"):format(step, HINT),
        })
      end
    end
  end
end

return M
