--- What stands behind the door in plan mode: it lists changes instead of performing them, and tells
--- later reads how the world would look.

local fault = require("plat.fault")

local M = {}

---@class plat.PlanLine
---@field class "will"|"maybe"|"opaque" surely so; perhaps; something, nobody can say what
---@field change plat.Change
---@field diff? table[] `{ path=, before=, after= }`

local Plan = { __name = "plat.Plan" }
Plan.__index = Plan

--- Returns an empty plan.
---@param on_line fun(line: plat.PlanLine)
---@param on_wait fun(text: string)
---@return table plan
function M.new(on_line, on_wait)
  return setmetatable({
    lines = {},
    overlays = {},
    unknown = {},
    on_line = on_line,
    on_wait = on_wait,
  }, Plan)
end

--- Ends the step's body here: what follows depends on something that only happens in a real run.
--- It travels as a cancel, so that nothing on its way swallows it.
---@param why string
function M.end_body(why)
  error(fault.new("cancelled", nil, { msg = why, plan_end = true }), 0)
end

local function place(target, object)
  return target .. "|" .. (object or "*")
end

--- Lists a change and returns the answer that a real run would probably get.
---@param change plat.Change
---@return table? resp
function Plan:change(change)
  local resp, predicted
  if change.predict then
    resp = change.predict()
    predicted = resp ~= nil
  end
  local line = {
    class = predicted and "will" or "opaque",
    change = change,
    diff = predicted and change.diff and change.diff(resp) or nil,
  }
  self.lines[#self.lines + 1] = line
  self.on_line(line)
  if change.overlay and predicted then
    table.insert(self.overlays, { target = change.target, fn = change.overlay })
  else
    self.unknown[place(change.target, predicted and change.object or nil)] = change.text
  end
  if predicted then
    return resp
  elseif change.planned ~= nil then
    return change.planned
  end
  M.end_body(("what follows depends on the outcome of: %s"):format(change.text))
end

--- Looks at the answer of a read in the light of what is planned.
---@param req table the read
---@param resp table its real answer
---@return table resp the answer as it would be then
function Plan:read(req, resp)
  for _, overlay in ipairs(self.overlays) do
    if overlay.target == req.target then
      local seen = overlay.fn(req, resp)
      if not seen then
        M.end_body(
          ("what follows depends on %s, which the plan changes"):format(req.object or req.target)
        )
      end
      resp = seen
    end
  end
  local why = self.unknown[place(req.target)] or self.unknown[place(req.target, req.object)]
  if why then
    M.end_body(("what follows depends on %s after: %s"):format(req.object or req.target, why))
  end
  return resp
end

--- Returns how many lines of each class there are, and which part of them is certain.
---@return { will: integer, maybe: integer, opaque: integer, coverage: number }
function Plan:count()
  local count = { will = 0, maybe = 0, opaque = 0 }
  for _, line in ipairs(self.lines) do
    count[line.class] = count[line.class] + 1
  end
  count.coverage = #self.lines == 0 and 1 or count.will / #self.lines
  return count
end

return M
