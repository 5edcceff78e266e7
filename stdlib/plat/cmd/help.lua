--- platrun help: what the program can do.

local out = require("plat.out")
local sys = require("prim.sys")

return {
  summary = "list the commands",
  usage = "platrun help [COMMAND]",
  run = function(argv)
    local want
    for _, word in ipairs(argv) do
      if word:sub(1, 1) ~= "-" then
        want = word
      end
    end
    out.line("platrun runs runbooks written in Lua over SSH, HTTP, Kubernetes and Docker.\n")
    for _, module in ipairs(sys.modules()) do
      local name = module:match("^plat%.cmd%.([%w-]+)$")
      if name and (not want or want == name) then
        local cmd = require(module)
        out.line(("  %-10s %s"):format(name, cmd.summary))
        if want then
          out.line("\nusage: " .. cmd.usage)
        end
      end
    end
    if not want then
      out.line(
        "\nusage: platrun PLAYBOOK [ARG=VALUE...] [flags]   platrun PLAYBOOK --help lists both"
      )
    end
    return 0
  end,
}
