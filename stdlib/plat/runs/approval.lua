--- What an approval demands, who may give it, and what was decided. Shared by run:approve, which
--- asks, and `platrun approve`, which answers.

local effect = require("plat.effect")
local fault = require("plat.fault")
local list = require("plat.list")
local who = require("plat.runs.who")

local M = {}

--- Returns the names of a person's groups, by the system's databases.
---@async
---@param name string
---@return string[]
local function groups_of(name)
  local output = effect.proc({
    argv = { "id", "-Gn", "--", name },
    op = "id",
    object = name,
    read = "the groups of a user",
    opts = { timeout = 10 },
  })
  if output.code ~= 0 then
    local said = output.stderr:match("[^\n]+") or ("exit " .. output.code)
    fault.raise("refused", { op = "approve" }, {
      msg = ("the groups of %s are unknown: %s"):format(name, said),
      where = "",
    })
  end
  local groups = {}
  for group in output.stdout:gmatch("%S+") do
    groups[#groups + 1] = group
  end
  return groups
end

--- Returns whether a name is in a list of users and @groups.
---@async
---@param name string
---@param members string[]
---@return boolean
local function is_among(name, members)
  if list.contains(members, name) then
    return true
  end
  local groups
  for _, member in ipairs(members) do
    local group = member:match("^@(.+)$")
    if group then
      groups = groups or groups_of(name)
      if list.contains(groups, group) then
        return true
      end
    end
  end
  return false
end

--- Returns why a person may not approve, nil when they may. Whose name counts is the real one.
---@async
---@param request table the record of the request
---@param approver plat.runs.Who
---@param starters plat.runs.Who[] see M.starters
---@return string? problem
function M.problem(request, approver, starters)
  local name = who.person(approver)
  for _, starter in ipairs(request.not_starter and starters or {}) do
    if who.same(approver, starter) then
      return ("whoever started the run may not approve it: %s"):format(who.text(starter))
    end
  end
  for _, field in ipairs({ "by", "approvers" }) do
    local members = request[field]
    if members and not is_among(name, members) then
      local says = field == "by" and "the playbook" or "the inventory"
      return ("%s is none of those whom %s names: %s"):format(
        name,
        says,
        table.concat(members, ", ")
      )
    end
  end
end

--- Returns who decided, for people, with the name that was stated besides. Pure.
---@param decision table the record
---@return string
function M.decider(decision)
  local as = decision.by
  local stated = as and as ~= who.person(decision) and (", who says to be %s"):format(as) or ""
  return who.text(decision) .. stated
end

--- Returns who started a run, as its header and the first process that asked say it. Whoever
--- resumed it since did not: two people can see a run with two approvals through. Pure.
---@param records table[]
---@return plat.runs.Who[]
function M.starters(records)
  local found = {}
  for _, record in ipairs(records) do
    if record.type == "run" then
      found[1] = record
    elseif record.type == "resume" then
      break
    elseif record.type == "request" and record.asked_by then
      local starter, asker = found[1] or {}, record.asked_by
      local same = starter.user == asker.user and starter.host == asker.host
      found[same and 1 or #found + 1] = asker -- one process; the request knows more of it
    end
  end
  return found
end

---@class plat.runs.Asked
---@field request table the newest request of a name
---@field decision? table the newest decision about it, if there is one

--- Returns what was asked for, in order, each with what was decided since. Pure.
---@param records table[]
---@return plat.runs.Asked[]
function M.asked(records)
  local by_name, order = {}, {}
  for _, record in ipairs(records) do
    local name = record.name
    if record.type == "request" then
      if not by_name[name] then
        order[#order + 1] = name
      end
      by_name[name] = { request = record }
    elseif record.type == "approval" and not record.confirm and by_name[name] then
      by_name[name].decision = record
    end
  end
  return list.map(order, function(name)
    return by_name[name]
  end)
end

--- Returns what a run waits for: the newest request, unless the run has gone on since. Pure.
---@param records table[]
---@return plat.runs.Asked?
function M.waiting(records)
  local all = M.asked(records)
  local newest = list.max(all, function(asked)
    return asked.request.n or 0
  end)
  if newest and not (newest.decision or {}).used then
    return newest
  end
end

--- Returns whether a request has expired. Pure.
---@param request table
---@param now number unix seconds of the machine
---@return boolean
function M.is_expired(request, now)
  return request.expires_at ~= nil and now >= request.expires_at
end

return M
