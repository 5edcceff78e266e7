--- platrun version: the version, and with --json those of the libraries beneath.

local FLAGS = {
  { "--json", help = "as JSON" },
  { "--help", "-h", help = "this text" },
}

return {
  summary = "print the version",
  usage = "platrun version [--json]",
  run = function(argv)
    local sys = require("prim.sys")
    local out = require("plat.out")
    local opts = require("plat.cli").parse(argv, FLAGS, 0)
    if opts.help then
      local lines = require("plat.cli").help(FLAGS)
      out.line("usage: platrun version [--json]\n\n" .. table.concat(lines, "\n"))
    elseif opts.json then
      local json = require("plat.json")
      out.line(json.encode({ version = sys.version(), lua = _VERSION }))
    else
      out.line("platrun " .. sys.version())
    end
    return 0
  end,
}
