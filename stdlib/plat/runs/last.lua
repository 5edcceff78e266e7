--- The last success of a playbook and how long ago it was: for monitoring. A job that silently
--- stopped to run is the commonest failure.

local clock = require("prim.time")
local runs = require("plat.runs")
local time = require("plat.time")

local M = {}

local BAD = { damaged = true, newer = true, unreadable = true }

--- Looks for the last success and the last attempt of a playbook.
local function find(name, sandbox)
  local attempt
  for run in runs.newest_first(name) do
    if run.head.t and (sandbox or not run.head.sandbox) then
      attempt = attempt or run
      if runs.SUCCEEDED[run.status] then
        return run, attempt
      end
    elseif BAD[run.whole] then
      attempt = attempt or run -- whose it is cannot be told; better too much said
    end
  end
  return nil, attempt
end

local function age_of(run)
  local ended = run and ((run.finish or {}).t or run.head.t)
  return ended and math.max(0, clock.real() - ended)
end

local function describe(success, attempt, age, late, opts)
  if not attempt then
    return opts.sandbox and "never run" or "never run outside the sandbox"
  end
  local text = age and ("last success %s ago (%s)"):format(time.human(age), success.id)
    or "never succeeded"
  if late then
    text = ("%s, more than %s"):format(text, time.human(opts.max_age))
  end
  if attempt == success then
    return text
  end
  local err = attempt.finish and attempt.finish.error
  local when = age_of(attempt)
  return ("%s; last attempt %s%s (%s)%s"):format(
    text,
    when and time.human(when) .. " ago " or "",
    attempt.status,
    attempt.id,
    type(err) == "table" and ": " .. tostring(err.msg) or ""
  )
end

--- Returns the last success and the last attempt of a playbook. Runs on the sandbox do not count,
--- unless they are asked for.
---@param name string of the playbook
---@param opts { max_age: number?, sandbox: boolean? }
---@return table last `{ playbook, fresh, age, max_age, success, attempt, text }`
function M.look(name, opts)
  local success, attempt = find(name, opts.sandbox)
  local age = age_of(success)
  local late = age and opts.max_age and age > opts.max_age or false
  return {
    playbook = name,
    fresh = age ~= nil and not late,
    age = age,
    max_age = opts.max_age,
    success = success,
    attempt = attempt,
    text = ("%s: %s"):format(name, describe(success, attempt, age, late, opts)),
  }
end

return M
