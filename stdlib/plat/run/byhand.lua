--- What a person says about steps of which nobody else can tell: `--settle`, `--done`, `--redo`.

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

--- What nobody could tell of in a step has happened. Returns how many changes that were.
local function confirm(run, step)
  local unknown = memory.dangling(run.memory, step.key)
  run:record({ type = "settle", step = step.key, answer = "done", by = run.user() })
  for _, known in ipairs(unknown) do
    run:record({
      type = "outcome",
      key = known.intent.key,
      outcome = "done",
      settled = "person",
    })
    known.outcome = { outcome = "done" }
  end
  return #unknown
end

local function close(run, step)
  confirm(run, step)
  run:record({ type = "step_end", key = step.key, status = "ok", changes = 0, settled = "person" })
  step.status = "ok"
end

--- Applies what a person says, before the playbook runs again.
---@async
---@param run plat.Run
---@param said { closed: string[], done: string[]?, redo: string[] } steps that are finished; steps
---  whose changes of unknown outcome happened, or did not
function M.apply(run, said)
  for _, word in ipairs(said.done or {}) do
    local step = find(run, word)
    if confirm(run, step) == 0 then
      fault.raise("usage", { op = "resume" }, {
        msg = ("every change of the step %q is known"):format(step.key),
        hint = "--settle closes a step that is finished",
        where = "",
      })
    end
  end
  for _, word in ipairs(said.closed) do
    close(run, find(run, word))
  end
  for _, word in ipairs(said.redo) do
    local step = find(run, word)
    run:record({ type = "settle", step = step.key, answer = "not done", by = run.user() })
    run.redo[step.key] = true
  end
end

return M
