--- platrun version: the version, and with --json those of the libraries beneath.

return {
  summary = "print the version",
  usage = "platrun version [--json]",
  run = function(argv)
    local sys = require("prim.sys")
    local out = require("plat.out")
    if argv[1] == "--json" then
      local json = require("plat.json")
      out.line(json.encode({ version = sys.version(), lua = _VERSION }))
    else
      out.line("platrun " .. sys.version())
    end
    return 0
  end,
}
