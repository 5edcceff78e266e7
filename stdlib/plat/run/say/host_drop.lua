--- A host drops out of the run: it failed, or it cannot be reached.

local out = require("plat.out")

---@param self table the text reporter
---@param e table
return function(self, e)
  local text = e.text:gsub("\n", "\n         ")
  local name = "host " .. e.host
  if text:sub(1, #name + 1) ~= name .. ":" then
    text = name .. ": " .. text
  end
  self:line(("%s %s"):format(out.paint("failed", e.status), text))
end
