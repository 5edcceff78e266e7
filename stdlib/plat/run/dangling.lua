--- Which run stopped in the middle and can be gone on with.

local fault = require("plat.fault")
local journal = require("plat.journal")

local M = {}

--- Whether a run stopped in the middle. Most have ended, and reading one whole takes its time.
local function is_open(id, last)
  if last and last.type == "end" and not last.resumable then
    return false
  end
  local summary = journal.summary(id)
  local open = summary.state == "unfinished" or summary.state == "torn" or summary.resumable
  return open and not journal.running(id)
end

local function is_of(id, first, playbook)
  if first then
    return (first.playbook or {}).name == playbook.name
  end
  return journal.summary(id).playbook == playbook.name
end

--- Returns the newest run of a playbook if it stopped in the middle, nil if not.
---@async
---@param playbook table
---@return string? id
function M.of(playbook)
  local names = journal.names()
  local mark = "-" .. playbook.name:gsub("[^%w_.-]", "-") .. "-"
  for i = #names, 1, -1 do
    local id = names[i]
    if id:find(mark, 1, true) and journal.is_id(id) then
      local first, last = journal.glance(id)
      if is_of(id, first, playbook) then
        return is_open(id, last) and id or nil
      end
    end
  end
end

--- Returns the newest run that stopped in the middle. Raises kind "usage" without one.
---@async
---@return string id
function M.newest()
  local ids = journal.ids()
  for i = #ids, 1, -1 do
    local _, last = journal.glance(ids[i])
    if is_open(ids[i], last) then
      return ids[i]
    end
  end
  fault.raise("usage", { op = "resume" }, {
    msg = "there is nothing to go on with: no run stopped in the middle",
    hint = "platrun runs lists them",
    where = "",
  })
end

return M
