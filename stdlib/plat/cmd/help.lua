--- platrun help: what the program can do.

local check = require("plat.check")
local cli = require("plat.cli")
local fault = require("plat.fault")
local list = require("plat.list")
local out = require("plat.out")
local sys = require("prim.sys")

local FLAGS = { { "--help", "-h", help = "this text" } }

local function commands()
  return sys.modules("plat.cmd.")
end

local function require_command(name)
  if not list.contains(commands(), name) then
    fault.raise("usage", nil, {
      msg = ('no command "%s"%s'):format(name, check.did_you_mean(name, commands())),
      hint = "platrun help lists the commands",
      where = "",
    })
  end
end

return {
  summary = "list the commands",
  usage = "platrun help [COMMAND]",
  run = function(argv)
    local _, words = cli.parse(argv, FLAGS, 1)
    local want = words[1]
    if want then
      require_command(want)
    end
    out.line("platrun runs runbooks written in Lua over SSH, HTTP, Kubernetes and Docker.\n")
    for _, name in ipairs(commands()) do
      if not want or want == name then
        local cmd = require("plat.cmd." .. name)
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
