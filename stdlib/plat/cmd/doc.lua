--- platrun doc [NAME]: the documentation of the standard library, from its docstrings.

local check = require("plat.check")
local cli = require("plat.cli")
local fault = require("plat.fault")
local out = require("plat.out")
local sys = require("prim.sys")

local FLAGS = {
  { "--reads", help = "list the requests that read although their method does not say so" },
  { "--help", "-h", help = "this text" },
}

local function modules()
  local names = {}
  for _, name in ipairs(sys.modules()) do
    if not name:find("^plat%.cmd%.") and sys.doc(name) then
      names[#names + 1] = name
    end
  end
  return names
end

--- Lists the requests that read although their method does not say so.
local function show_reads()
  for _, name in ipairs({ "plat.k8s", "plat.dremio", "plat.secret.vault" }) do
    require(name)
  end
  for _, decl in ipairs(require("plat.effect").declared_reads()) do
    out.line(("%-7s %-40s %s"):format(decl.method, decl.path, decl.reason))
  end
end

return {
  summary = "print the documentation of a module, or list the modules",
  usage = "platrun doc [NAME] [--reads]",
  run = function(argv)
    local opts, words = cli.parse(argv, FLAGS, 1)
    local name = words[1]
    if opts.help then
      out.line("usage: platrun doc [NAME] [--reads]\n\n" .. table.concat(cli.help(FLAGS), "\n"))
      return 0
    elseif opts.reads then
      show_reads()
      return 0
    elseif not name then
      for _, module in ipairs(modules()) do
        out.line(("%-24s %s"):format(module, sys.doc(module):match("[^\n]*\n+([^\n]*)") or ""))
      end
      return 0
    end
    local text = sys.doc(name) or sys.doc("plat." .. name)
    if not text then
      fault.raise("usage", nil, {
        msg = ('no module "%s"%s'):format(name, check.did_you_mean(name, modules())),
        hint = "platrun doc lists them",
        where = "",
      })
    end
    out.line((text:gsub("\n$", "")))
    return 0
  end,
}
