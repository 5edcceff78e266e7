--- The target of a rollout that goes last: who it is, and whether it still is.

local fault = require("plat.fault")
local list = require("plat.list")

local M = {}

--- Returns which of the names the playbook's function says to be the last one now.
local function read(self, names)
  local present = list.where(names, function(name)
    return self.items[name] ~= nil
  end)
  local answers = self.run:gather(present, function(name)
    return self.opts.last(self.items[name]) and true or false
  end)
  local found = {}
  for i, name in ipairs(present) do
    if answers[i] then
      found[#found + 1] = name
    end
  end
  if #found > 1 then
    fault.raise("refused", { op = "rollout", object = ("%q"):format(self.title) }, {
      msg = "more than one target claims to be the last one: " .. table.concat(found, ", "),
      hint = "settle who leads, then run it again",
    })
  end
  return found[1]
end

--- Returns the name that goes last, nil if none of the targets does.
---@async
---@param self plat.run.Rollout
---@param names string[]
---@return string?
function M.find(self, names)
  local last = self.opts.last
  local found
  if type(last) == "function" then
    found = read(self, names)
  elseif list.contains(names, last) then
    found = last
  end
  if last and not found then
    local which = type(last) == "string" and last .. " is not among them" or "none of them leads"
    self:say("no target goes last: %s", which)
  end
  return found
end

--- Returns the names of a batch after the role was read again: a target that has come to lead
--- meanwhile changes places with the one that was to go last.
---@async
---@param self plat.run.Rollout
---@param batch plat.run.Batch
---@return string[] names
function M.exchange(self, batch)
  if type(self.opts.last) ~= "function" or not self.last or self.run.planning then
    return batch.names
  elseif batch.number == self.count then
    return { self.last }
  end
  local kept = self.run:keep(batch.id .. " targets", function()
    local found = read(self, batch.names)
    if not found then
      return { names = batch.names, last = self.last }
    end
    self:say("%s leads now: it goes last, %s goes in its place", found, self.last)
    local names = list.map(batch.names, function(name)
      return name == found and self.last or name
    end)
    return { names = names, last = found }
  end)
  self.last = kept.last
  return kept.names
end

local STATE = { done = "and is done", failed = "and has failed" }

--- Returns whether the last target is to be prepared by `before_last`. The role is read right
--- before: when another one leads now, it is a target like the others.
---@async
---@param self plat.run.Rollout
---@param batch plat.run.Batch the last one
---@return boolean
function M.still_leads(self, batch)
  if type(self.opts.last) ~= "function" or self.run.planning then
    return true
  end
  return self.run:keep(batch.id .. " leads", function()
    local found = read(self, self.names)
    if found == self.last then
      return true
    elseif found then
      local state = STATE[self.state[found]] or "and is not begun"
      self:say("%s leads now %s: %s is one like the others", found, state, self.last)
    else
      self:say("%s leads no longer, and no other target does: it is one like the others", self.last)
    end
    return false
  end)
end

return M
