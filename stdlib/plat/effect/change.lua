--- A change as data: what the journal, the plan and the report know of it.

local fault = require("plat.fault")
local hash = require("plat.hash")
local json = require("plat.json")
local unknown = require("plat.effect.unknown")

local M = {}

local encode = json.encoder({ secrets = "reference" })

--- What is known of a change after a crash (docs/ARCHITECTURE.md, "Effects").
M.RECOVERY = {
  repeatable = true, -- doing it again gives the same end
  probed = true, -- whether it happened can be seen
  unknowable = true, -- a person decides
}

---@class plat.Change
---@field key string step key, op, target, object, digest of the arguments, n-th of identical ones
---@field step string the step's key
---@field op string "k8s.scale"
---@field target string "cluster main"
---@field object? string "statefulset data-platform/dremio-executor"
---@field text string one line for people
---@field args table plain data
---@field recovery string repeatable, probed or unknowable
---@field predict? fun(): table?, boolean? the answer that the change would have, without changing
---  anything; nil and true: not known, but it changes its object only
---@field overlay? fun(read: table, resp: table): table? how a later read looks after the change
---@field diff? fun(resp: table): table? `{ { path, before, after }, ... }`
---@field facts? table plain data that is recorded with the intent, and not part of the key
---@field probe? fun(facts: table): boolean? whether it has happened, for class "probed"
---@field running? fun(key: string): string? who still performs it, for people; nil: nobody does
---@field private? boolean its answer holds secrets: the journal does not get it
---@field bad? fun(result: any): boolean it was done without success: a resumed run does it again
---@field reread? fun(): any reads what the change's answer was, for a body that is entered again
---@field planned? any what a plan goes on with when nothing predicts
---@field veiled? boolean without `planned` a plan goes on until somebody looks into the answer

--- Checks a change as an API module wrote it and gives it its key.
---@param step { key: string, counts: table<string, integer> }
---@param req { op: string, target: string, object: string?, change: table }
---@return plat.Change
function M.new(step, req)
  local given = req.change
  local about = { op = req.op, target = req.target, object = req.object }
  if not M.RECOVERY[given.recovery] then
    fault.raise("bug", about, { msg = "a change does not state its recovery class" })
  elseif type(given.text) ~= "string" or type(req.op) ~= "string" or not req.target then
    fault.raise("bug", about, { msg = "a change needs op, target and a text for people" })
  end
  unknown.refuse(given.args)
  local ok, args = pcall(encode, given.args or {})
  if not ok then
    fault.raise(
      "bug",
      about,
      { msg = "the arguments of a change are not plain data: " .. tostring(args) }
    )
  end
  local identity = table.concat({
    step.key,
    req.op,
    req.target,
    req.object or "-",
    hash.digest("sha256", args):sub(1, 16),
  }, "|")
  step.counts[identity] = (step.counts[identity] or 0) + 1
  return {
    key = identity .. "|" .. step.counts[identity],
    step = step.key,
    op = req.op,
    target = req.target,
    object = req.object,
    text = given.text,
    args = given.args or {},
    recovery = given.recovery,
    predict = given.predict,
    overlay = given.overlay,
    diff = given.diff,
    planned = given.planned,
    veiled = given.veiled,
    facts = given.facts,
    probe = given.probe,
    running = given.running,
    bad = given.bad,
    private = given.private,
    reread = given.reread,
  }
end

--- Returns the plain data of a change, for journals and events.
---@param change plat.Change
---@return table
function M.data(change)
  return {
    key = change.key,
    step = change.step,
    op = change.op,
    target = change.target,
    object = change.object,
    text = change.text,
    args = change.args,
    recovery = change.recovery,
    facts = change.facts,
  }
end

return M
