--- What follows in a plan is done on these hosts, on each of them alike.

local out = require("plat.out")

---@param self table the text reporter
---@param e table
return function(self, e)
  local count = #e.hosts == 1 and "" or (" (%d hosts)"):format(#e.hosts)
  self:line(out.paint("bold", "on " .. table.concat(e.hosts, ", ") .. count))
end
