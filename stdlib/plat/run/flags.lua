--- The flags of `platrun PLAYBOOK`, by plat.cli.

local connection = require("plat.ssh.flags")

local FLAGS = {
  {
    "--inventory",
    "-i",
    type = "string",
    many = true,
    value = "PATH",
    help = "inventory file or directory; may be repeated",
  },
  {
    "--limit",
    "-l",
    type = "string",
    value = "PATTERN",
    help = "of the hosts only these; @FILE: one pattern a line",
  },
  { "--check", "-C", help = "read, decide and list what would change; change nothing" },
  { "--dry-run", alias = "--check", help = "" },
  { "--diff", "-D", help = "show what each change would change" },
  {
    "--extra-vars",
    "-e",
    type = "string",
    many = true,
    value = "K=V",
    help = "an argument; also {json} or @file.yml",
  },
  {
    "--output",
    "-o",
    type = "enum",
    enum = { "text", "json", "jsonl" },
    value = "FORMAT",
    help = "text, json or jsonl",
  },
  {
    "--verbose",
    "-v",
    count = true,
    help = "more: -v changes, -vv commands, -vvv protocol and traceback",
  },
  { "--quiet", "-q", help = "only failures" },
  { "--forks", "-f", type = "integer", min = 1, value = "N", help = "how much at once (64)" },
  { "--parallel", type = "integer", alias = "--forks", help = "" },
  { "--deadline", type = "duration", help = "longest time for the whole run; exit 124" },
  {
    "--override",
    type = "string",
    many = true,
    value = "GUARD",
    help = "go on although this guard refuses; needs --reason",
  },
  { "--reason", type = "string", value = "TEXT", help = "why; recorded" },
  { "--lock-timeout", type = "duration", help = "how long to wait for locks of others (0s)" },
  {
    "--config",
    type = "string",
    value = "FILE",
    help = "instead of the platrun.conf that is searched for",
  },
  { "--no-undo", help = "when the run fails leave things as they are; it can be resumed" },
  {
    "--resume-or-start",
    help = "go on with the interrupted run of this playbook, if there is one",
  },
  {
    "--out",
    type = "string",
    value = "FILE",
    help = "with plan or --check: save the plan, for `platrun apply FILE`",
  },
  { "--detailed-exitcode", help = "with plan or --check: 0 nothing to change, 1 error, 2 changes" },
  { "--syntax-check", help = "load the playbook and check its arguments, no more" },
  { "--cron", help = "for cron: quiet on success, never on the sandbox by mistake" },
  { "--yes", "-y", help = "do not ask, except where something may be lost" },
  { "--yes-destructive", help = "do not ask where something may be lost either" },
  { "--sandbox", help = "use the simulated platform" },
  { "--sandbox-time", type = "string", value = "TIME", help = "set the sandbox's clock, RFC 3339" },
  {
    "--sandbox-speed",
    type = "number",
    min = 0,
    value = "N",
    help = "let sandbox time pass N times as fast as real time",
  },
  {
    "--fault",
    type = "string",
    many = true,
    value = "FAULT",
    help = "let something go wrong in the sandbox",
  },
  { "--seed", type = "integer", value = "N", help = "seed of a new sandbox" },
}

table.move(connection, 1, #connection, #FLAGS + 1, FLAGS)
FLAGS[#FLAGS + 1] = { "--help", "-h", help = "this text" }

return FLAGS
