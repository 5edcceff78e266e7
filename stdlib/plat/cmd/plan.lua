--- platrun plan PLAYBOOK: the same as --check --diff.

return {
  summary = "list what a playbook would change, with differences; changes nothing",
  usage = "platrun plan PLAYBOOK [ARG=VALUE...] [flags]",
  run = function(argv)
    table.insert(argv, "--check")
    table.insert(argv, "--diff")
    return require("plat.cmd.run").run(argv)
  end,
}
