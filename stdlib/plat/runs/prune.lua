--- Which runs may go, and their deletion.

local fault = require("plat.fault")
local runs = require("plat.runs")
local state = require("plat.state")

local M = {}

--- Why a run stays, nil when its kind may go.
local function spared(run, opts)
  local word = run.status
  if runs.ENDED[word] then
    return not (opts.keep or opts.older_than) and word or nil
  elseif word == "unfinished" then
    return not opts.unfinished and "unfinished: platrun resume, or --unfinished" or nil
  elseif word == "damaged" then
    return not opts.damaged and "damaged: --damaged deletes it" or nil
  end
  return word
end

--- Decides about runs. Of each playbook the newest run stays, and the newest that succeeded, which
--- is what `runs last` looks for. Pure.
---@param all plat.runs.Run[] newest first
---@param opts { keep: integer?, older_than: number?, unfinished: boolean?, damaged: boolean? }
---@param now number unix seconds
---@return { run: plat.runs.Run, keep: string? }[] decisions `keep`: why it stays
function M.decide(all, opts, now)
  local seen, succeeded, decisions = {}, {}, {}
  local keep = math.max(1, opts.keep or 1)
  for i, run in ipairs(all) do
    local name = (run.head.playbook or {}).name or "?"
    name = run.head.sandbox and name .. " on the sandbox" or name
    local why = spared(run, opts)
    if run.status ~= "damaged" then
      seen[name] = (seen[name] or 0) + 1
      local last = (run.records[#run.records] or {}).t
      local young = opts.older_than and (not last or now - last < opts.older_than)
      why = why
        or seen[name] <= keep and ("among the newest %d of %s"):format(keep, name)
        or runs.SUCCEEDED[run.status] and not succeeded[name] and "the newest success of " .. name
        or young and "young"
        or nil
      succeeded[name] = succeeded[name] or runs.SUCCEEDED[run.status]
    end
    decisions[i] = { run = run, keep = why }
  end
  return decisions
end

--- Deletes a run, unless a process has taken it up meanwhile.
---@async
---@param run plat.runs.Run
---@return boolean deleted
---@return string? problem
function M.delete(run)
  local lock, err = state.lock(run.dir .. "/lock", "platrun runs prune")
  if not lock then
    return false, err.msg
  end
  local again = runs.read(run.id, true)
  local problem = again.status ~= run.status and ("it is %s now"):format(again.status) or nil
  local ok
  if not problem then
    ok, err = fault.try(function()
      state.remove(run.dir)
      return true
    end)
    problem = not ok and err.msg or nil
  end
  lock:close()
  return problem == nil, problem
end

return M
