--- How the text reporter tells of a notification.

local out = require("plat.out")

local WORD = { sent = "ok", failed = "skipping", skipped = "skipping" } -- no failure of the run

---@param reporter table plat.run.text
---@param e { title: string, status: string, reason: string? }
return function(reporter, e)
  if e.status == "planned" then
    reporter:line(("%s would tell: %s"):format(out.paint("dim", "notify"), e.title))
    return
  end
  local why = e.reason and e.status ~= "sent" and (" (%s)"):format(e.reason) or ""
  reporter:item(WORD[e.status], "tell", e.title .. why)
end
