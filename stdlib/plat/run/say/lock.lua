--- How the text reporter tells of a lock.

local out = require("plat.out")

---@param reporter table plat.run.text
---@param e table `{ name, state = "planned"|"taken"|"lost", where?, how?, holder?, reason? }`
return function(reporter, e)
  local where = e.where and (" (%s)"):format(e.where) or ""
  if e.state == "planned" then
    local said = e.holder and ("would be refused or wait: held by " .. e.holder) or "would be taken"
    reporter:line(("%s %s %s%s"):format(out.paint("dim", "lock "), e.name, said, where))
  elseif e.state == "lost" then
    reporter:item("failed", "lock", ("%s: %s"):format(e.name, e.reason))
  else
    local from = e.how == "taken over" and " from a run that is gone" or ""
    local how = e.how and (", %s%s"):format(e.how, from) or ""
    reporter:item("ok", "lock", ("%s%s%s"):format(e.name, where, how))
  end
end
