--- From what went wrong to an exit status (docs/REFERENCE.md). Pure.

local M = {}

--- The status of a fault by its kind, where nothing was changed.
local UNCHANGED = {
  refused = 6, -- a guard or a rule of ours says no
  connect = 4, -- no connection
  parse = 1, -- what was written or configured
  bug = 1,
}

--- What the wire told (`phase`), an answer said (`code`) or this machine's files lack.
local function by_origin(err)
  if err.kind == "timeout" then
    return err.phase and 4 or 2
  elseif err.kind == "auth" then
    return err.phase and 4 or (err.code or 0) >= 400 and 2 or 1
  elseif err.kind == "io" then
    return err.step and 2 or 1
  end
  return 2
end

local function unchanged(err)
  local cause = err.kind == "refused" and err.cause
  if cause then -- a guard that could not be evaluated: because nobody answered, or by its own fault
    local status = unchanged(cause)
    return (status == 4 or cause.kind == "bug") and status or 6
  end
  return UNCHANGED[err.kind] or by_origin(err)
end

--- Returns the exit status of a run that ended with a fault.
---@param err plat.Fault
---@param changes integer how many changes were made, or may have been
---@return integer
function M.of(err, changes)
  if err.exit then
    return err.exit
  elseif err.kind == "cancelled" and err.signal then
    return 128 + err.signal
  elseif err.run_deadline then
    return 124
  elseif err.kind == "usage" and changes == 0 then
    return 64 -- later it is a playbook that broke off
  end
  return changes == 0 and unchanged(err) or 2
end

local WORDS = {
  [0] = "ok",
  [3] = "suspended",
  [4] = "unreachable",
  [6] = "refused",
  [8] = "compensated",
  [9] = "compensation failed",
  [64] = "usage",
  [75] = "locked",
  [124] = "deadline",
}

--- Returns the word for an exit status, as reports and `platrun runs` show it.
---@param status integer
---@return string
function M.word(status)
  return WORDS[status] or (status > 128 and "cancelled" or "failed")
end

--- Returns the status that --detailed-exitcode asks for: 0 no change, 1 error, 2 changes.
---@param status integer
---@param changes integer planned or made
---@return integer
function M.detailed(status, changes)
  if status ~= 0 then
    return 1
  end
  return changes > 0 and 2 or 0
end

--- Returns whether a fault means that a target could not be reached.
---@param err? plat.Fault
---@return boolean
function M.is_unreachable(err)
  return err ~= nil and M.of(err, 0) == 4
end

return M
