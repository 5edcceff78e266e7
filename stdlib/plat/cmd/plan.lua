--- platrun plan PLAYBOOK: the same as --check --diff; -o FILE saves the plan for `platrun apply`.

local FORMATS = { text = true, json = true, jsonl = true }

--- Splits "-oVALUE" and "-o VALUE"; returns the value and how many words it takes.
local function output_of(argv, i)
  local word = argv[i]
  if word == "-o" then
    return argv[i + 1], 2
  end
  return word:match("^%-o(.+)$"), 1
end

--- An -o that names no format names the file: people write `-o plan.json`.
local function rewrite(argv)
  local words, i = {}, 1
  while argv[i] do
    local value, count = output_of(argv, i)
    if argv[i] == "--" then
      table.move(argv, i, #argv, #words + 1, words)
      break
    elseif value and not FORMATS[value] then
      words[#words + 1] = "--out"
      words[#words + 1] = value
      i = i + count
    else
      words[#words + 1] = argv[i]
      i = i + 1
    end
  end
  return words
end

return {
  summary = "list what a playbook would change, with differences; -o FILE saves the plan",
  usage = "platrun plan PLAYBOOK [ARG=VALUE...] [-o FILE] [flags]",
  run = function(argv)
    local words = rewrite(argv)
    table.insert(words, 1, "--check")
    table.insert(words, 1, "--diff")
    return require("plat.cmd.run").run(words)
  end,
}
