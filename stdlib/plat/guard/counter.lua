--- The counter of a blast radius: the engine asks it before each change of a run.

local base = require("plat.guard.base")
local check = require("plat.check")
local fault = require("plat.fault")
local limit = require("plat.guard.limit")
local list = require("plat.list")

local M = {}

--- What a playbook's `limits` may name.
local LIMITS = { "hosts", "clusters", "deletions" }

--- Returns what is wrong with the `limits` of a playbook, or nil. Pure.
---@param limits any
---@return string?
function M.problem(limits)
  if type(limits) ~= "table" or list.is_empty(limits) then
    return 'write limits = { hosts = "25%", deletions = 10 }'
  end
  for word, value in pairs(limits) do
    if not list.contains(LIMITS, word) then
      local close = check.did_you_mean(tostring(word), LIMITS)
      return ('unknown limit "%s"%s'):format(tostring(word), close)
    end
    local max = limit.parse(value)
    if not max or (max.share and word == "deletions") then
      return ("%s: a number%s is needed"):format(
        word,
        word == "deletions" and "" or ' or a share such as "25%"'
      )
    end
  end
  return nil
end

---@class plat.guard.Counter
---@field seen table<string, table<string, boolean>> by limit: what was counted
---@field count table<string, integer>
local Counter = { __name = "plat.guard.Counter" }
Counter.__index = Counter

--- Makes a counter; see plat.guard.
---@param limits table
---@param opts? { all: table?, override: string?, on_override: fun(reason: string, why: string)? }
---@return plat.guard.Counter
function M.new(limits, opts)
  local problem = M.problem(limits)
  if problem then
    base.misuse("guard.counter", problem)
  end
  opts = opts or {}
  local self = { max = {}, seen = {}, count = {}, told = {}, all = opts.all or {} }
  for word, value in pairs(limits) do
    self.max[word], self.seen[word], self.count[word] = limit.parse(value), {}, 0
  end
  self.override, self.on_override = opts.override, opts.on_override
  return setmetatable(self, Counter)
end

local VERB = { hosts = "touched", clusters = "touched", deletions = "deleted" }
local NOUN = { hosts = "host", clusters = "cluster", deletions = "object" }

--- Counts one thing; what was counted before costs nothing, so a change that is repeated after a
--- crash does not count twice.
local function count(self, word, name)
  local max = self.max[word]
  if not max or self.seen[word][name] then
    return
  end
  local allowed = limit.allowance(max, base.read(self.all[word]))
  local n = self.count[word] + 1
  if not allowed or n > allowed then
    local reason = allowed
        and ("%s would be %s %d that is %s, at most %s may be"):format(
          name,
          NOUN[word],
          n,
          VERB[word],
          limit.show(max, allowed)
        )
      or ("nobody knows how many %s there are: %s of them cannot be told"):format(
        word,
        base.percent(max.share)
      )
    if not self.override then
      fault.raise("refused", { op = "guard", object = ("%q"):format(limit.NAME) }, {
        msg = reason,
        hint = ("%s, or --override %s --reason TEXT"):format(limit.HINT, limit.NAME),
      })
    elseif self.on_override and not self.told[word] then
      self.told[word] = true
      self.on_override(reason, self.override)
    end
  end
  self.seen[word][name], self.count[word] = true, n
end

--- Counts a target ("host db-2", "cluster main") that is about to be changed; raises kind "refused"
--- when that would pass the limit. Targets of other kinds are not limited.
---@param target string
function Counter:touch(target)
  local kind = target:match("^(%a+) %S")
  if kind == "host" or kind == "cluster" then
    count(self, kind .. "s", target)
  end
end

--- Counts an object that is about to be deleted; raises kind "refused" when that would pass the
--- limit.
---@param object string with its target: names repeat from cluster to cluster
function Counter:delete(object)
  count(self, "deletions", object)
end

--- Counts a change that is about to be made: its target, and its object if the op deletes.
---@param change { op: string, target: string, object: string? }
function Counter:change(change)
  self:touch(change.target)
  if change.op:find("%.delete$") then
    self:delete(("%s: %s"):format(change.target, change.object or "?"))
  end
end

--- Takes over what an earlier process of the same run has begun, without refusing it.
---@param intents table[] records or changes
function Counter:load(intents)
  local why, tell = self.override, self.on_override
  self.override, self.on_override = "counted before", nil
  for _, intent in ipairs(intents) do
    self:change(intent)
  end
  self.override, self.on_override = why, tell
end

return M
