--- The words of a rollout: what is done, what is not, and what to do next.

local list = require("plat.list")

local M = {}

local MOST = 12 -- names in a line
local WORDS = {
  { "done", "done" },
  { "failed", "failed" },
  { "running", "interrupted" },
  { "undone", "undone" },
  { "waiting", "not begun" },
}

--- Returns "1 host" or "3 hosts".
---@param n integer
---@param noun string
---@return string
function M.count(n, noun)
  return ("%d %s%s"):format(n, noun, n == 1 and "" or "s")
end

--- Returns names as one text, long lists cut.
---@param names string[]
---@return string
function M.names(names)
  if #names <= MOST then
    return table.concat(names, ", ")
  end
  return ("%s and %d more"):format(table.concat(names, ", ", 1, MOST), #names - MOST)
end

--- Returns a line for each state in which targets are.
---@param names string[] in the order of the rollout
---@param state table<string, string>
---@return string[]
function M.states(names, state)
  local lines = {}
  for _, word in ipairs(WORDS) do
    local found = list.where(names, function(name)
      return (state[name] or "waiting") == word[1]
    end)
    if #found > 0 then
      lines[#lines + 1] = ("%s: %s"):format(word[2], M.names(found))
    end
  end
  return lines
end

--- Returns the next thing to try after a rollout has stopped. What the engine will undo at the end
--- of the run cannot be gone on with.
---@param run plat.Run
---@return string
function M.hint(run)
  local undone = #run.undo > 0 and not (run.options and run.options.no_undo)
  if run.id and run.changes > 0 and not undone then
    return ("mend it, then: platrun resume %s"):format(run.id)
  end
  return "mend it, then run the playbook again"
end

--- Returns what a rollout is about to do: "6 hosts in 3 batches: 1, 2, 3; db-1 goes last".
---@param batches string[][]
---@param noun string
---@param last? string
---@return string
function M.plan(batches, noun, last)
  local total, sizes = 0, {}
  for i, names in ipairs(batches) do
    total = total + #names
    sizes[i] = tostring(#names)
  end
  return ("%s in %d batch%s: %s%s"):format(
    M.count(total, noun),
    #batches,
    #batches == 1 and "" or "es",
    M.names(sizes),
    last and ("; %s goes last"):format(last) or ""
  )
end

return M
