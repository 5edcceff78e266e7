--- platrun approve: lets a run go on that waits for a second person.

local cli = require("plat.cli")
local json = require("plat.json")
local out = require("plat.out")
local runs = require("plat.runs")

local USAGE = "platrun approve [RUN] [--as NAME] [--reason TEXT] [--resume]"
local FLAGS = {
  {
    "--as",
    type = "string",
    value = "NAME",
    help = "who says so, behind a shared account; recorded",
  },
  { "--reason", type = "string", value = "TEXT", help = "why; recorded" },
  { "--resume", help = "go on with the run at once" },
  {
    "--output",
    "-o",
    type = "enum",
    enum = { "text", "json" },
    value = "FORMAT",
    help = "text or json",
  },
  { "--help", "-h", help = "this text" },
}

return {
  summary = "let a run go on that waits for an approval",
  usage = USAGE,
  run = function(argv)
    local opts, words = cli.parse(argv, FLAGS, 1)
    if opts.help then
      out.line(("usage: %s\n\n%s"):format(USAGE, table.concat(cli.help(FLAGS), "\n")))
      return 0
    end
    out.setup({ format = opts.output or "text" })
    local run = require("plat.runs.decide").decide(words[1], true, opts)
    if opts.output == "json" then
      out.line(json.encode(runs.outline(run), { indent = 2 }))
    else
      out.line(
        ("%s; %s"):format(
          out.paint("ok", "approved"),
          opts.resume and "it goes on" or "it goes on with: platrun resume " .. run.id
        )
      )
    end
    if opts.resume then
      return require("plat.cmd.resume").run({ run.id })
    end
    return 0
  end,
}
