--- How a plan lists what would be watched beside the batches of a rollout.

local out = require("plat.out")
local text = require("plat.text")

---@param reporter table plat.run.text
---@param e { title: string, every: number }
return function(reporter, e)
  reporter:line(
    ("%s %s (beside each batch, every %s)"):format(
      out.paint("dim", "watch"),
      e.title,
      text.seconds(e.every)
    )
  )
end
