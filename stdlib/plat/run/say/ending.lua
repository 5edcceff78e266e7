--- The last lines of a run that did not end well: what was undone, what was not, what to do next.

local out = require("plat.out")

local function undone(self, e)
  local u = e.undone
  if u.skipped then
    self:line(("nothing was undone: %s"):format(u.skipped))
    return
  end
  self:line(("undone: %d of %d"):format(u.done, u.count))
  if u.failed then
    self:line(out.paint("failed", "the undo failed: ") .. tostring(u.failed))
  end
  if #u.uncovered > 0 then
    self:line("these steps had no compensation: " .. table.concat(u.uncovered, ", "))
  end
  if u.no_return then
    self:line(("the point of no return was passed: %s"):format(u.no_return))
  end
end

---@param self table the text reporter
---@param e table the event "finish"
return function(self, e)
  if e.undone then
    undone(self, e)
  end
  if e.run and (e.resumable or e.changes > 0) then
    local more = e.resumable and e.exit ~= 3 and (", then: platrun resume %s"):format(e.run) or ""
    self:line(("run %s: platrun runs show tells the story%s"):format(e.run, more))
  end
end
