--- Runs a command of which nobody can say afterwards whether it ran: it appends a line to a file.

local proc = require("plat.proc")

---@type plat.Playbook
local M = {
  summary = "Run a command that cannot be looked up",
  risk = "safe",
  args = {
    file = { type = "string", required = true, help = "gets a line by each command" },
  },
}

local function append(file, word)
  proc.run({ "sh", "-c", 'echo "$2" >>"$1"', "append", file, word }, { text = "append " .. word })
end

function M.run(run, args)
  run:step("append the first line", function()
    append(args.file, "first")
  end)
  run:step("append two more", function()
    append(args.file, "second")
    append(args.file, "third")
  end)
end

return M
