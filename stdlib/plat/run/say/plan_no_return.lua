--- A plan names the steps that cannot be taken back.

local out = require("plat.out")

---@param self table the text reporter
---@param e table
return function(self, e)
  self:line(("%s %s"):format(out.paint("failed", "no return:"), e.step))
end
