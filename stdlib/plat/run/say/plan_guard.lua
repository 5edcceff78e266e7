--- How the text reporter tells of a guard that a plan lists and does not enforce.

local out = require("plat.out")

---@param reporter table plat.run.text
---@param e { title: string, status: string, reason: string?, hint: string? }
return function(reporter, e)
  local word = out.paint("dim", "guard")
  if e.status == "ok" then
    reporter:line(("%s %s: would pass now"):format(word, e.title))
    return
  end
  local hint = e.hint and (" (%s)"):format(e.hint) or ""
  reporter:line(("%s %s: would refuse now: %s%s"):format(word, e.title, e.reason, hint))
end
