--- How the text reporter tells of a question to a person.

local out = require("plat.out")

---@param reporter table plat.run.text
---@param e { title: string, risk: string, status: string, how: string? }
return function(reporter, e)
  if e.status == "planned" then
    local more = e.risk == "destructive" and " (destructive: a name is to be typed)" or ""
    reporter:line(("%s would ask: %s%s"):format(out.paint("dim", "ask  "), e.title, more))
  elseif e.status == "granted" then
    reporter:item("ok", "ask", ("%s (%s)"):format(e.title, e.how))
  else
    reporter:item("failed", "ask", e.title)
  end
end
