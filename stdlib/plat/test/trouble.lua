--- What goes wrong in a play of `platrun test`: at chosen moments a process dies, a step fails, or
--- one of the faults of plat.sim.faults happens to a request; or each request is hit by chance.

local fault = require("plat.fault")
local faults = require("plat.sim.faults")
local list = require("plat.list")

local M = {}

local Trouble = { __name = "plat.test.Trouble" }
Trouble.__index = Trouble

local function kill(stage)
  stage:kill()
end

--- Where each trouble strikes: `at` is the moment, `strike` what happens there. What it returns is
--- the answer in the place of the world's; most raise.
---
---   intent    before a change is recorded            (counted by changes)
---   sent      after that, before the world is asked  (by changes)
---   asked     before the world is asked              (by effects, or requests)
---   answered  after the world has acted              (by effects, or requests)
---   settled   after the outcome was recorded         (by changes)
---   step_end  at the end of a step's body            (by steps)
local ACTS = {
  ["kill-before"] = { at = "intent", strike = kill },
  ["kill-intent"] = { at = "sent", strike = kill },
  ["kill-unasked"] = { at = "asked", strike = kill },
  ["kill-acted"] = { at = "answered", strike = kill },
  ["kill-settled"] = {
    at = "settled",
    strike = function(stage)
      stage:kill({ keep = true }) -- what was written and not synced outlives the process
    end,
  },
  ["fail-change"] = { at = "settled" },
  ["fail-end"] = { at = "step_end" },
}

for _, name in ipairs({ "fail-change", "fail-end" }) do
  ACTS[name].strike = function(_, about)
    fault.raise("failed", { op = about.op, target = about.target }, {
      msg = "the step fails here (made by the test)",
      hint = "no hint: it is a test",
    })
  end
end

--- Makes an act of a fault that happens to a request.
local function act_of_fault(name)
  local kind = faults.kind(name)
  if not kind or not (kind.before or kind.after) then
    return nil
  end
  local args = faults.parse(name).args
  return {
    at = kind.before and "asked" or "answered",
    http = not name:find("^drop"), -- what no command on a host can answer
    strike = function(_, about, answer)
      local at = { req = about, model = about.model }
      if kind.before then
        return kind.before(at, args)
      end
      return kind.after(at, args, type(answer) == "table" and answer or {})
    end,
  }
end

local function act_named(name)
  ACTS[name] = ACTS[name] or act_of_fault(name)
  return ACTS[name]
end

--- What chance may bring: no process dies, and every request may be hit, reads too.
local function by_chance()
  return list.where(faults.names(), function(name)
    return name ~= "any" and faults.kind(name).chance
  end)
end

---@class plat.test.Moment one trouble
---@field act string "kill-acted", "drop-after", "503", ...
---@field n integer at the n-th change, effect or step
---@field request? boolean counted by requests, reads too

--- Reads "ACT:N", or "ACT@N" for the n-th request, as given to --trouble. Raises kind "usage".
---@param text string
---@return plat.test.Moment
function M.parse(text)
  local act, mark, n = text:match("^([%w-]+)([:@])(%d+)$")
  if not act or not fault.try(act_named, act) then
    local names = table.concat(list.keys(ACTS), ", ")
    fault.raise("usage", nil, {
      msg = ("--trouble: %q is not ACT:N or ACT@N"):format(text),
      hint = ("ACT is one of %s, or a fault of a request: %s"):format(
        names,
        table.concat(by_chance(), ", ")
      ),
      where = "",
    })
  end
  return { act = act, n = math.tointeger(tonumber(n)), request = mark == "@" or nil }
end

--- Returns the text that `parse` reads.
---@param moment plat.test.Moment
---@return string
function M.text(moment)
  return moment.act .. (moment.request and "@" or ":") .. moment.n
end

--- Makes the troubles of a play.
---@param moments plat.test.Moment[]
---@param chance? { share: number, seed: integer, limit: integer }
---@return table
function M.new(moments, chance)
  local self = { moments = moments, chance = chance, struck = {} }
  self.kinds = chance and by_chance()
  self.state = chance and (chance.seed * 48271 + 11) % 2147483647 or nil
  return setmetatable(self, Trouble)
end

local function random(self)
  self.state = self.state * 48271 % 2147483647
  return self.state / 2147483647
end

--- Draws for one request what happens to it, nil for nothing. Always draws twice, so that what
--- happens to one does not change what happens to the next.
---@return string? act
function Trouble:draw()
  if not self.chance then
    return nil
  end
  local hit, which = random(self) < self.chance.share, random(self)
  if hit and #self.struck < self.chance.limit then
    return self.kinds[1 + (which * #self.kinds) // 1 | 0]
  end
end

local function find(self, at, counts, drawn)
  if drawn and act_named(drawn).at == at then
    return { act = drawn, n = counts.request, request = true }
  end
  for _, moment in ipairs(self.moments) do
    local count = moment.request and counts.request or not moment.request and counts[at]
    if act_named(moment.act).at == at and count == moment.n then
      return moment
    end
  end
end

--- Is told of a moment; raises, returns an answer in the place of the world's, or does nothing.
---@param stage plat.test.Stage
---@param at string see ACTS
---@param counts table<string, integer?> by moment, and `request`: how many there were
---@param about table `{ op, target, object?, http?, model? }`
---@param drawn? string by `draw`
---@param answer? any the world's
---@return any answer another one
function Trouble:strike(stage, at, counts, about, drawn, answer)
  local moment = find(self, at, counts, drawn)
  local act = moment and act_named(moment.act)
  if not act or act.http and not about.http then
    return nil
  end
  table.insert(self.struck, {
    text = M.text(moment),
    at = ("%s %s"):format(about.op or "?", about.object or ""),
  })
  return act.strike(stage, about, answer)
end

return M
