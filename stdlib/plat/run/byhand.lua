--- What a person says about steps of which nobody else can tell: `--settle STEP`, `--redo STEP`.

local check = require("plat.check")
local fault = require("plat.fault")
local memory = require("plat.run.memory")

local M = {}

local function find(run, word)
  local open = memory.open_steps(run.memory)
  local keys = {}
  for _, step in ipairs(open) do
    if step.key == word or step.title == word then
      return step
    end
    keys[#keys + 1] = step.key
  end
  fault.raise("usage", { op = "resume" }, {
    msg = ("no step %q is open%s"):format(word, check.did_you_mean(word, keys)),
    hint = #keys > 0 and "open are: " .. table.concat(keys, "; ") or "no step of this run is open",
    where = "",
  })
end

local function close(run, step)
  run:record({ type = "settle", step = step.key, answer = "done", by = run.user })
  for _, known in ipairs(memory.dangling(run.memory, step.key)) do
    run:record({
      type = "outcome",
      key = known.intent.key,
      outcome = "done",
      settled = "person",
    })
    known.outcome = { outcome = "done" }
  end
  run:record({ type = "step_end", key = step.key, status = "ok", changes = 0, settled = "person" })
  step.status = "ok"
end

--- Applies what a person says, before the playbook runs again.
---@async
---@param run plat.Run
---@param said { closed: string[], redo: string[] } steps that are finished; steps whose changes of
---  unknown outcome did not happen
function M.apply(run, said)
  for _, word in ipairs(said.closed) do
    close(run, find(run, word))
  end
  for _, word in ipairs(said.redo) do
    local step = find(run, word)
    run:record({ type = "settle", step = step.key, answer = "not done", by = run.user })
    run.redo[step.key] = true
  end
end

return M
