--- How the text reporter tells of an approval.

local out = require("plat.out")

---@param reporter table plat.run.text
---@param e { title: string, text: string, status: string, by: string? }
return function(reporter, e)
  if e.status == "planned" then
    reporter:line(("%s would wait for an approval: %s"):format(out.paint("dim", "ask  "), e.text))
  elseif e.status == "granted" then
    reporter:item("ok", "ask", ("%s: approved by %s"):format(e.title, e.by))
  elseif e.status == "rejected" then
    reporter:item("failed", "ask", ("%s: rejected by %s"):format(e.title, e.by))
  elseif e.status == "expired" then
    reporter:item("skipping", "ask", e.title .. ": the approval has expired; it is asked for anew")
  else
    reporter:item("skipping", "ask", ("%s: waits for an approval"):format(e.title))
  end
end
