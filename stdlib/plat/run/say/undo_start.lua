--- A failed run begins to put back what it did.

local out = require("plat.out")

---@param self table the text reporter
---@param e table
return function(self, e)
  self:line(
    ("%s %d compensation%s, newest first, because: %s"):format(
      out.paint("failed", "undo    "),
      e.count,
      e.count == 1 and "" or "s",
      e.cause
    )
  )
end
