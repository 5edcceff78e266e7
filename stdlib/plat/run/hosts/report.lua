--- What people are told of the hosts of a run: who dropped out and why, and the recap.

local fault = require("plat.fault")
local list = require("plat.list")

local M = {}

local SHOWN = 20 -- hosts, or groups of them, that an error names

--- Returns "web1, web2, web3 and 17 more".
---@param names string[]
---@param most? integer
---@return string
function M.names(names, most)
  most = most or 5
  if #names <= most + 1 then
    return table.concat(names, ", ")
  end
  return ("%s and %d more"):format(table.concat(names, ", ", 1, most), #names - most)
end

--- Returns what happened to a host, without its name, so that equal causes can be told together.
local function cause_of(state)
  local text = fault.text(state.err, 0):match("^[^\n]*")
  local place = "host " .. state.name .. ": "
  if text:sub(1, #place) == place then
    text = text:sub(#place + 1)
  end
  local step = state.err.step
  if step and step:sub(1, #state.name + 1) == state.name .. "/" then
    step = step:sub(#state.name + 2)
  end
  return (step and ("step %q: "):format(step) or "") .. text
end

--- Returns a line for each cause: which hosts, and what it was.
---@param states table[] of hosts that dropped out
---@return string[]
function M.causes(states)
  local lines, by_text = {}, {}
  for _, state in ipairs(states) do
    local text = ("%s: %s"):format(state.status, cause_of(state))
    if not by_text[text] then
      by_text[text] = {}
      lines[#lines + 1] = text
    end
    table.insert(by_text[text], state.name)
  end
  local shown = {}
  for i, text in ipairs(lines) do
    if i > SHOWN then
      shown[i] = ("and %d more causes"):format(#lines - SHOWN)
      break
    end
    shown[i] = ("%s: %s"):format(M.names(by_text[text]), text)
  end
  return shown
end

--- Returns the hosts of a run that dropped out, in the order in which they did.
---@param run plat.Run
---@return table[] states
function M.dropped(run)
  return list.where(run.hosts_seen or {}, function(state)
    return state.status ~= nil
  end)
end

local function count(states, word)
  return #list.where(states, { status = word })
end

--- Returns a sum: "2 of 10 hosts failed, 1 is unreachable".
---@param states table[] that dropped out
---@param all integer
---@return string
function M.sum(states, all)
  local failed, gone = count(states, "failed"), count(states, "unreachable")
  local noun = all == 1 and "host" or "hosts"
  local words = {}
  if failed > 0 then
    words[1] = ("%d of %d %s failed"):format(failed, all, noun)
  end
  if gone > 0 then
    local is = gone == 1 and "is" or "are"
    words[#words + 1] = failed > 0 and ("%d %s unreachable"):format(gone, is)
      or ("%d of %d %s %s unreachable"):format(gone, all, noun, is)
  end
  return table.concat(words, ", ")
end

--- Returns the fault of a run that came to its end without some of its hosts, nil if all are there.
---@param run plat.Run
---@return plat.Fault?
function M.ending(run)
  local states = M.dropped(run)
  if #states == 0 then
    return nil
  end
  local names = list.map(states, function(state)
    return state.name
  end)
  local failed = count(states, "failed") > 0
  local again = run.id and run.changes > 0 and ("platrun resume %s, or "):format(run.id) or ""
  return fault.new(failed and "failed" or "connect", nil, {
    msg = M.sum(states, #run.hosts_seen),
    detail = M.causes(states),
    hint = ("when it is mended: %s--limit %s"):format(again, table.concat(names, ",")),
    exit = failed and 2 or 4,
    where = "",
    hosts = names,
  })
end

--- Tells how all hosts of a run fared, if it had any.
---@param run plat.Run
function M.recap(run)
  if #(run.hosts_seen or {}) == 0 or run.planning then
    return
  end
  run.reporter:emit("recap", {
    hosts = list.map(run.hosts_seen, function(state)
      return {
        host = state.name,
        ok = state.ok,
        changed = state.changed,
        unreachable = state.status == "unreachable" and 1 or 0,
        failed = state.status == "failed" and 1 or 0,
        skipped = state.skipped,
      }
    end),
  })
end

return M
