--- The smallest playbook: an argument, a look at the clock, a line of output. It changes nothing.
local time = require("plat.time")

---@type plat.Playbook
local M = {
  summary = "Say hello and tell the time",
  risk = "safe",
  args = {
    name = { type = "string", default = "world", help = "who is greeted" },
    zone = { type = "string", default = "UTC", help = "time zone, like Europe/Berlin" },
  },
}

function M.run(run, args)
  run:log("hello, %s: it is %s", args.name, time.rfc3339(time.now(), args.zone))
end

return M
