--- platrun reject: ends a run that waits for a second person; what it did is undone.

local cli = require("plat.cli")
local fault = require("plat.fault")
local json = require("plat.json")
local out = require("plat.out")
local runs = require("plat.runs")

local USAGE = "platrun reject [RUN] --reason TEXT [--as NAME] [--resume]"
local FLAGS = {
  { "--reason", type = "string", value = "TEXT", help = "why; recorded" },
  {
    "--as",
    type = "string",
    value = "NAME",
    help = "who says so, behind a shared account; recorded",
  },
  { "--resume", help = "let the run undo what it did at once" },
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
  summary = "end a run that waits for an approval",
  usage = USAGE,
  run = function(argv)
    local opts, words = cli.parse(argv, FLAGS, 1)
    if opts.help then
      out.line(("usage: %s\n\n%s"):format(USAGE, table.concat(cli.help(FLAGS), "\n")))
      return 0
    elseif not opts.reason or not opts.reason:find("%S") then
      fault.raise("usage", nil, {
        msg = "platrun reject needs --reason TEXT",
        hint = "whoever started the run wants to know why",
        where = "",
      })
    end
    out.setup({ format = opts.output or "text" })
    local run = require("plat.runs.decide").decide(words[1], false, opts)
    if opts.output == "json" then
      out.line(json.encode(runs.outline(run), { indent = 2 }))
    else
      out.line(
        ("%s; %s"):format(
          out.paint("failed", "rejected"),
          opts.resume and "what it did is undone"
            or "what it did is undone by: platrun resume " .. run.id
        )
      )
    end
    if opts.resume then
      return require("plat.cmd.resume").run({ run.id })
    end
    return 0
  end,
}
